/** Starting the parts of the stack, and starting them again when they die. */
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A running process of the stack. */
export interface Running {
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** What keeps the stack from running, told without a stack trace. */
export class StackError extends Error {
  override name = "StackError";
}

/** Waits. */
export const delay = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

// A port is free until its part has started. Till then nobody else may find it: each process has ports of its own to look
// at, and looks at none twice.
let lookedAt = process.pid * 16;

/**
 * A free TCP port on loopback, below the range that systems give to outgoing connections: a
 * client that keeps trying to connect cannot come to hold the port it waits for.
 */
export function freePort(): number {
  for (;;) {
    const port = 15_000 + lookedAt++ % 15_000;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** The last lines of a log. */
export async function logTail(logFile: string, lines = 12): Promise<string> {
  const log = await Deno.readTextFile(logFile).catch(() => "");
  return log.trimEnd().split("\n").slice(-lines).join("\n");
}

// A request's signal aborts when the client is gone, and not whenever an answer is complete.
const ABORT_FLAG = "--unstable-no-legacy-abort";

const MAX_LOG_BYTES = 10_000_000;

async function openLog(logFile: string): Promise<Deno.FsFile> {
  const size = (await Deno.stat(logFile).catch(() => undefined))?.size ?? 0;
  if (size > MAX_LOG_BYTES) await Deno.truncate(logFile);
  return await Deno.open(logFile, { create: true, append: true, mode: 0o600 });
}

/** Whether something accepts connections on the port. */
async function listening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** A part that is a Deno process serving HTTP on a loopback port. */
export interface Server extends Running {
  readonly port: number;
}

/** Starts `scripts/stack/<name>.ts` on a loopback port; its output is appended to the log file. */
export async function startServer(
  name: "api" | "functions" | "stripe",
  env: Record<string, string>,
  logFile: string,
  port = freePort(),
): Promise<Server> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      ABORT_FLAG,
      fileURLToPath(new URL(`${name}.ts`, import.meta.url)),
      `${port}`,
    ],
    env,
    // The child ends when its stdin does: so it never outlives this process.
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // Ctrl-C in a terminal reaches the whole group: only the supervisor is to act on it.
    detached: true,
  }).spawn();
  const log = await openLog(logFile);
  const copy = async (output: ReadableStream<Uint8Array>) => {
    for await (const bytes of output) await log.write(bytes);
  };
  const logged = Promise.allSettled([copy(child.stdout), copy(child.stderr)]);
  let running = true;
  const exited = child.status.then(async () => {
    running = false;
    await logged;
    log.close();
    await child.stdin.abort().catch(() => undefined);
  });
  const stop = async () => {
    const kill = (signal: Deno.Signal) => {
      try {
        child.kill(signal);
      } catch {
        // It has ended by itself.
      }
    };
    kill("SIGTERM");
    const impatient = setTimeout(() => kill("SIGKILL"), 1000);
    await exited;
    clearTimeout(impatient);
  };

  const deadline = Date.now() + 60_000;
  while (running && !await listening(port)) {
    if (Date.now() > deadline) await stop();
    await delay(10);
  }
  if (!running) throw new StackError(`${logFile} ends:\n${await logTail(logFile)}`);
  return { pid: child.pid, port, exited, stop };
}

/** A part that is kept running. */
export interface Kept<T extends Running> {
  /** The process, or undefined while it is down. */
  current(): T | undefined;
  /** Ends the part for good. */
  stop(): Promise<void>;
}

const LONGEST_PAUSE_MS = 5000;
const STEADY_MS = 10_000;

/**
 * Starts a part and, whenever it ends by itself, starts it again: at once the first time, then
 * after pauses that double up to five seconds, until it has been up for a while.
 *
 * @throws {StackError} when the first start fails.
 */
export async function keepRunning<T extends Running>(
  name: string,
  start: () => Promise<T>,
  changed: () => void,
): Promise<Kept<T>> {
  let stopping = false;
  let current: T | undefined;
  try {
    current = await start();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StackError(`The part \`${name}\` did not start. ${reason}`, { cause: error });
  }
  const watch = async () => {
    let pause = 0;
    let since = Date.now();
    while (!stopping) {
      await current?.exited;
      current = undefined;
      if (stopping) return;
      changed();
      if (Date.now() - since > STEADY_MS) pause = 0;
      await delay(pause);
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2 + 100);
      since = Date.now();
      // Its log tells why a start fails; the next attempt follows.
      current = await start().catch(() => undefined);
      if (stopping) await current?.stop();
      else changed();
    }
  };
  const watched = watch();
  return {
    current: () => current,
    async stop() {
      stopping = true;
      await current?.stop();
      await Promise.race([watched, delay(1000)]);
    },
  };
}
