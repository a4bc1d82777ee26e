/** The part `functions`: stands in for Supabase's edge runtime, every function in one process. */
import { exitWithParent, serveLocally } from "./child.ts";
import { entrypointUrl, readConfig } from "./config.ts";

exitWithParent();

const serve = Deno.serve;
const handlers = new Map<string, Deno.ServeHandler>();

/** Takes the handler that a function's module hands to `Deno.serve`, in whichever of its forms. */
function captureAs(name: string) {
  return (...args: unknown[]) => {
    for (const arg of args) {
      const candidate = typeof arg === "object" && arg !== null && "handler" in arg
        ? arg.handler
        : arg;
      if (typeof candidate === "function") {
        handlers.set(name, (request, info) => candidate(request, info));
      }
    }
  };
}

Object.assign(globalThis, {
  EdgeRuntime: { waitUntil: (work: Promise<unknown>) => void work },
});

const { functions } = await readConfig();
for (const [name, { entrypoint }] of Object.entries(functions)) {
  Object.assign(Deno, { serve: captureAs(name) });
  try {
    await import(entrypointUrl(entrypoint));
  } catch (error) {
    throw new Error(`The function \`${name}\` does not load (${entrypoint})`, { cause: error });
  }
  if (!handlers.has(name)) {
    throw new Error(`The function \`${name}\` does not call Deno.serve (${entrypoint})`);
  }
}
Object.assign(Deno, { serve });

serveLocally((request, info) => {
  const [, name = ""] = new URL(request.url).pathname.split("/");
  const handler = handlers.get(name);
  return handler ? handler(request, info) : new Response(null, { status: 404 });
}, serve);
