/** Starts a stack as a process of its own, for tests and benchmarks. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readStackFile, type StackFile } from "./config.ts";

/** A stack in a process of its own. */
export interface SpawnedStack {
  /** The path of its stack.json. */
  readonly path: string;
  /** The contents of its stack.json when it was ready. */
  readonly file: StackFile;
  /** The process id of what was started, the parent of the supervisor. */
  readonly pid: number;
  /** Stops it as Ctrl-C does; resolves to its exit code. */
  stop(): Promise<number>;
}

/** A stack that did not come up. */
export class SpawnError extends Error {
  override name = "SpawnError";

  constructor(readonly code: number, readonly output: string) {
    super(`The stack did not start (exit code ${code}):\n${output}`);
  }
}

/**
 * Runs `npm start` and waits until it is ready.
 *
 * @param data the data folder; another user of this machine may have to enter it.
 * @param args more arguments; without `--port` the stack takes a free one.
 * @param env more variables.
 * @throws {SpawnError} when it exits instead.
 */
export async function spawnStack(
  data: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<SpawnedStack> {
  const script = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const child = new Deno.Command("node", {
    args: [script("run.mjs"), script("start.ts"), "--data", data, "--port", "0", ...args],
    env: { ...env, SCRIP_PARENT: String(Deno.pid) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const path = join(data, "stack.json");
  const read = async (stream: ReadableStream<Uint8Array>, onText = () => {}) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      onText();
    }
  };
  const ready = new Promise<void>((resolve) => {
    read(child.stdout, () => {
      if (/^ready /m.test(output)) resolve();
    });
  });
  const errors = read(child.stderr);
  const ended = child.status.then(async ({ code }) => {
    await errors;
    throw new SpawnError(code, output);
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return {
    path,
    file: await readStackFile(path),
    pid: child.pid,
    async stop() {
      child.kill("SIGINT");
      return (await child.status).code;
    },
  };
}

/** A folder for throwaway data that Postgres's own user can enter. */
export async function makeDataFolder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "scrip-" });
  await Deno.chmod(folder, 0o755);
  return folder;
}
