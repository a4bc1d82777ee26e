/** What the child processes of the stack share. */
import process from "node:process";

/** Ends this process when the one that started it is gone: stdin is a pipe from it. */
export async function exitWithParent(): Promise<void> {
  try {
    for await (const _ of Deno.stdin.readable);
  } finally {
    process.exit(0);
  }
}

/** Serves on the loopback port given as the first argument. */
export function serveLocally(handler: Deno.ServeHandler, serve = Deno.serve): void {
  serve({
    hostname: "127.0.0.1",
    port: Number(Deno.args[0]),
    onListen: () => {},
  }, handler);
}

/** A variable that the supervisor always sets. */
export function environment(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`The environment lacks ${name}`);
  return value;
}
