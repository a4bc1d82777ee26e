/**
 * A server of the tests' own that speaks OpenAI's protocol over real HTTP: chat completions, streamed or whole,
 * embeddings and images. It misbehaves as a test tells it to.
 */

/** A request as it came in. */
export interface OpenAIRequest {
  /** Such as `/v1/chat/completions`. */
  path: string;
  headers: Headers;
  body: Record<string, unknown>;
  /** Whether the client hung up in the middle of a stream; before an answer Deno.serve doesn't tell reliably. */
  isCut: () => boolean;
}

/** What is done with a request. */
export interface Behaviour {
  /** An error: this status, with this message. */
  status?: number;
  message?: string;
  headers?: Record<string, string>;
  /** The body as it is, in place of the protocol's. */
  raw?: string;
  /** No answer at all; after the first `pieces` of a stream when they are given. */
  hangs?: boolean;
  /** The connection is cut after the first `pieces` of a stream, or halfway in a whole answer. */
  cut?: boolean;
  /** How many pieces of a stream come before it hangs, is cut or ends without its finish. */
  pieces?: number;
  /** The text that a model writes. */
  text?: string;
  /** What stands in place of `stop`; null for a stream that ends without it. */
  finishReason?: string | null;
  /** What was counted; null for an answer without. */
  usage?: Record<string, unknown> | null;
  /** Images in base64, in place of URLs. */
  inBase64?: boolean;
  /** Milliseconds between the pieces of a stream, or before a whole answer. */
  delayMs?: number;
}

const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 5,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 4 },
};

/** Starts one. Requests are answered by `behaviours` in turn, and then by `otherwise`. */
export function startOpenAI(behaviours: Behaviour[] = [], otherwise: Behaviour = {}) {
  const requests: OpenAIRequest[] = [];
  const waiting = [...behaviours];
  const stopped = Promise.withResolvers<void>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      let isCut = false;
      const { pathname: path } = new URL(request.url);
      const body = await request.json();
      requests.push({ path, headers: request.headers, body, isCut: () => isCut });
      const behaviour = waiting.shift() ?? otherwise;
      const noteCut = () => isCut = true;
      if (behaviour.hangs && behaviour.pieces === undefined) await stopped.promise;
      if (body.stream !== true) await pause(behaviour.delayMs);
      return answer(path, body, behaviour, stopped.promise, noteCut);
    },
  );
  return {
    /** The base URL. */
    url: `http://127.0.0.1:${server.addr.port}/v1`,
    requests,
    /** What the next requests are answered with, before `otherwise`. */
    then: (...more: Behaviour[]) => void waiting.push(...more),
    stop: async () => {
      stopped.resolve();
      await server.shutdown();
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };
}

const pause = async (ms = 0) => {
  if (ms > 0) await new Promise((done) => setTimeout(done, ms));
};

function answer(
  path: string,
  body: Record<string, unknown>,
  behaviour: Behaviour,
  stopped: Promise<void>,
  noteCut: () => void,
): Response {
  const { status, message = "It went wrong", headers = {}, raw, cut } = behaviour;
  const type = { "content-type": "application/json", ...headers };
  if (status) {
    const error = { message, type: "error", code: null, param: null };
    return new Response(raw ?? JSON.stringify({ error }), { status, headers: type });
  }
  if (raw !== undefined) return new Response(raw, { headers: type });
  if (path === "/v1/chat/completions" && body["stream"] === true) {
    return stream(behaviour, body, stopped, noteCut);
  }
  const whole = JSON.stringify(wholeAnswer(path, body, behaviour));
  return cut
    ? new Response(cutAfter(whole.slice(0, whole.length / 2)), { headers: type })
    : new Response(whole, { headers: type });
}

function wholeAnswer(path: string, body: Record<string, unknown>, behaviour: Behaviour) {
  const { text = "Hello, world!", finishReason = "stop", usage = USAGE, inBase64 } = behaviour;
  const counted = usage === null ? {} : { usage };
  switch (path) {
    case "/v1/chat/completions":
      return {
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: body["model"],
        choices: [{
          index: 0,
          message: { role: "assistant", content: text, refusal: null },
          finish_reason: finishReason,
        }],
        ...counted,
      };
    case "/v1/embeddings": {
      const texts = Array.isArray(body["input"]) ? body["input"] : [body["input"]];
      const data = texts.map((_, index) => ({
        object: "embedding",
        index,
        embedding: [index + 0.5, -1],
      }));
      // In another order than that of the input.
      return { object: "list", data: data.reverse(), model: body["model"], ...counted };
    }
    default: {
      const image = inBase64 ? { b64_json: "aGVsbG8=" } : { url: "https://images.test/1.png" };
      const data = Array.from({ length: Number(body["n"]) }, () => image);
      return { created: 1, data, ...(inBase64 ? { output_format: "webp" } : {}), ...counted };
    }
  }
}

const encoder = new TextEncoder();

function cutAfter(text: string) {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (text) controller.enqueue(encoder.encode(text));
      text = "";
      await pause(20);
      controller.error(new Error("cut"));
    },
  });
}

function stream(
  behaviour: Behaviour,
  { model, stream_options }: Record<string, unknown>,
  stopped: Promise<void>,
  noteCut: () => void,
): Response {
  const { text = "Hello, world!", pieces, hangs, cut, finishReason = "stop" } = behaviour;
  const { usage = USAGE, delayMs } = behaviour;
  const chunk = (more: Record<string, unknown>) =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", model, ...more })}\n\n`;
  const delta = (delta: unknown, finish_reason: string | null = null) =>
    chunk({ choices: [{ index: 0, delta, finish_reason }] });
  const words = (text.match(/\S+\s*/g) ?? []).map((content) => delta({ content }));
  const isWhole = pieces === undefined;
  const asked = Object(stream_options).include_usage === true;
  const lines = [
    delta({ role: "assistant", content: "" }),
    ...words.slice(0, pieces),
    ...(isWhole && finishReason !== null ? [delta({}, finishReason)] : []),
    ...(isWhole && usage !== null && asked ? [chunk({ choices: [], usage })] : []),
    ...(hangs || cut ? [] : ["data: [DONE]\n\n"]),
  ];
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const line = lines.shift();
      await pause(line ? delayMs : cut ? 20 : 0);
      if (line) return controller.enqueue(encoder.encode(line));
      if (cut) return controller.error(new Error("cut"));
      if (hangs) await stopped;
      controller.close();
    },
    cancel: noteCut,
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
