/** A HUB, or an endpoint for notices, over real HTTP, that answers as a test says. */

/** A delivery as it came in. */
export interface Received {
  path: string;
  headers: Headers;
  body: string;
}

/** What is answered. */
export type Receive = (received: Received, request: Request) => Response | Promise<Response>;

/** Starts one; it stops at the end of the scope. */
export function startReceiver(answer: Receive = () => new Response(null, { status: 204 })) {
  const received: Received[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname: path } = new URL(request.url);
      const one = { path, headers: request.headers, body: await request.text() };
      received.push(one);
      return await answer(one, request);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/in`,
    received,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Resolves when the sender has gone. */
export const gone = (request: Request) =>
  new Promise<void>((resolve) => {
    if (request.signal.aborted) resolve();
    request.signal.addEventListener("abort", () => resolve());
  });

/** An answer whose body comes from a stream: what `pull` enqueues, until it throws. */
export const streamed = (
  pull: (body: ReadableStreamDefaultController<Uint8Array>) => unknown,
  cancel: () => void = () => {},
) =>
  new Response(
    new ReadableStream<Uint8Array>({
      async pull(body) {
        await pull(body);
      },
      cancel,
    }),
  );
