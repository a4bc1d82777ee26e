/**
 * What speaks OpenAI's protocol is asked as the model says, and nobody is sent another's key; what it counted is what
 * was used; whatever goes wrong is a reason for the user, without a key; and a stream is whole, or an error, or closed.
 *
 * Method: the real client against a real server on this machine, one behaviour at a time.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { openaiProvider } from "../../functions/_shared/providers/openai.ts";
import type { Input } from "../../functions/_shared/providers/provider.ts";
import { type Behaviour, startOpenAI } from "../openai-server.ts";
import { call, env, gather, model, reasonOf, refusalOf } from "./providers.ts";

const KEY = "sk-of-the-tests-0123456789";
const PROMPT: Input = { prompt: "Say hello" };

/** A server in place of OpenAI, and the provider that knows it. */
function start(behaviours: Behaviour[] = []) {
  const server = startOpenAI(behaviours);
  const provider = openaiProvider(env({ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: server.url }));
  return { server, provider, [Symbol.asyncDispose]: () => server.stop() };
}

const until = async (condition: () => boolean) => {
  for (let waited = 0; !condition(); waited += 5) {
    ok(waited < 2000, "It did not happen");
    await new Promise((done) => setTimeout(done, 5));
  }
};

Deno.test("text: a prompt becomes a message, the answer its text with what was counted", async () => {
  await using test = start();
  deepEqual(await test.provider.run(call({}, PROMPT)), {
    status: "succeeded",
    result: { text: "Hello, world!", finish_reason: "stop" },
    used: { input_tokens: 12, cached_input_tokens: 4, output_tokens: 5 },
    summary: "Hello, world!",
  });
  const [request] = test.server.requests;
  equal(request?.path, "/v1/chat/completions");
  equal(request?.headers.get("authorization"), `Bearer ${KEY}`);
  deepEqual(request?.body, {
    model: "test-1",
    messages: [{ role: "user", content: "Say hello" }],
    max_completion_tokens: 100,
  });
});

Deno.test("text: messages, images and the other fields are passed on", async () => {
  await using test = start();
  const input = {
    messages: [
      { role: "system", content: "Be brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url: "https://images.test/1.png", detail: "low" } },
        ],
      },
    ],
    temperature: 0.5,
    top_p: 0.9,
    stop: ["END"],
    response_format: { type: "json_object" },
  };
  await test.provider.run(call({}, { ...input, max_output_tokens: 7 }));
  const { model: _, max_completion_tokens, ...body } = test.server.requests[0]?.body ?? {};
  deepEqual([body, max_completion_tokens], [input, 7]);
});

Deno.test("each host is sent its own key: OpenAI's goes to OpenAI only", async () => {
  await using other = startOpenAI();
  const provider = openaiProvider(env({ OPENAI_API_KEY: KEY, OTHER_API_KEY: "sk-other" }));
  for (
    const [api_key_variable, sent] of [[null, "Bearer none"], ["OTHER_API_KEY", "Bearer sk-other"]]
  ) {
    const given = { base_url: other.url, api_key_variable: api_key_variable ?? null };
    equal(provider.missingKey(model(given)), undefined);
    await provider.run(call(given, PROMPT));
    equal(other.requests.at(-1)?.headers.get("authorization"), sent);
    equal(other.requests.at(-1)?.body["max_tokens"], 100);
    equal(other.requests.at(-1)?.body["max_completion_tokens"], undefined);
  }
  const base_urls = [other.url, "https://openai.com.evil.test/v1", "https://evilopenai.com/v1"];
  for (const base_url of [...base_urls, "http://api.openai.com/v1"]) {
    const stolen = model({ base_url, api_key_variable: "OPENAI_API_KEY" });
    match(refusalOf(() => provider.prepare(stolen, PROMPT)), /^provider_failed: OPENAI_API_KEY/);
  }
  equal(other.requests.length, 2);
  const europe = { base_url: "https://eu.api.openai.com/v1" };
  equal(openaiProvider(env({})).missingKey(model(europe)), "OPENAI_API_KEY");
});

Deno.test("the client takes nothing from the environment of the process, and logs nothing", async () => {
  const variables = { OPENAI_ORG_ID: "org-1", OPENAI_PROJECT_ID: "proj-1", OPENAI_LOG: "debug" };
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  const original = globalThis.console;
  const logged: unknown[] = [];
  const note = (...words: unknown[]) => logged.push(words);
  globalThis.console = new Proxy(original, { get: () => note });
  try {
    await using test = start([{ raw: "data: {\n\n" }]);
    const stream = test.provider.stream?.(call({}, PROMPT));
    ok(stream);
    await reasonOf(gather(stream));
    const headers = test.server.requests[0]?.headers;
    deepEqual([headers?.get("openai-organization"), headers?.get("openai-project")], [null, null]);
  } finally {
    globalThis.console = original;
    for (const name of Object.keys(variables)) Deno.env.delete(name);
  }
  deepEqual(logged, []);
});

Deno.test("a key that is missing is named, and nothing is sent", async () => {
  await using server = startOpenAI();
  const provider = openaiProvider(env({ OPENAI_BASE_URL: server.url }));
  equal(provider.missingKey(model()), "OPENAI_API_KEY");
  equal(provider.missingKey(model({ api_key_variable: "X_API_KEY" })), "X_API_KEY");
  equal(provider.missingKey(model({ base_url: "http://localhost:11434/v1" })), undefined);
  match(await reasonOf(provider.run(call({}, PROMPT))), /OPENAI_API_KEY is missing$/);
  equal(server.requests.length, 0);
});

Deno.test("errors are reasons, have no key, and ask nothing twice", async () => {
  const long = "é".repeat(2000);
  const cases: [Behaviour, string | RegExp][] = [
    [{ status: 400, message: "No such model" }, "The provider answers 400: No such model"],
    [{ status: 400, message: `Bad ${KEY}!` }, "The provider answers 400: Bad [redacted]!"],
    [
      { status: 401, message: `Incorrect API key: ${KEY.slice(0, 9)}` },
      /^The provider refuses the/,
    ],
    [
      { status: 403, message: "Your account" },
      /^The provider refuses the deployment's credentials$/,
    ],
    [{ status: 404, raw: "<html>" }, "The provider answers 404: <html>"],
    [{ status: 400, raw: "" }, "The provider answers 400"],
    [{ status: 307, headers: { location: "http://127.0.0.1:1/" }, raw: "" }, /answers 307/],
    [{ status: 422, message: long }, /^The provider answers 422: é+$/],
    [{ raw: "{" }, "The provider's answer is malformed"],
    [{ raw: "null" }, "The provider's answer is malformed"],
    [{ raw: '{"choices": []}' }, "The provider's answer is malformed"],
    [{ raw: '{"error": {"message": "Overloaded"}}' }, "The provider broke off: Overloaded"],
    [{ text: "" }, "The provider's answer is empty: stop"],
    [{ text: "", finishReason: "length" }, "The provider's answer is empty: length"],
    [{ status: 500, message: "Broken" }, "The provider answers 500: Broken"],
    [
      { status: 429, message: "Slow", headers: { "retry-after": "60" } },
      "The provider answers 429: Slow",
    ],
    [{ cut: true }, /^The connection to the provider failed/],
  ];
  await using test = start(cases.map(([behaviour]) => behaviour));
  for (const [, reason] of cases) {
    const said = await reasonOf(test.provider.run(call({}, PROMPT)));
    if (typeof reason === "string") equal(said, reason);
    else match(said, reason);
    ok([...said].length <= 500);
    if (said.includes("éé")) equal([...said].length, 500);
  }
  equal(test.server.requests.length, cases.length);
});

Deno.test("429 and 503 are tried again, as late as asked and three times", async () => {
  await using test = start([{ status: 429, headers: { "retry-after": "1" } }]);
  const began = performance.now();
  equal((await test.provider.run(call({}, PROMPT))).status, "succeeded");
  ok(performance.now() - began >= 1000);
  equal(test.server.requests.length, 2);

  const soon = { status: 503, headers: { "retry-after-ms": "1" }, message: "Full" };
  test.server.then(soon, soon, soon, soon, soon);
  equal(await reasonOf(test.provider.run(call({}, PROMPT))), "The provider answers 503: Full");
  equal(test.server.requests.length, 6);
});

Deno.test("a server that comes back while it is tried again is asked then", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const base_url = `http://127.0.0.1:${port}/v1`;
  const reason = reasonOf(openaiProvider(env({})).run(call({ base_url }, PROMPT)));
  await new Promise((done) => setTimeout(done, 100));
  const late = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    () => new Response("Here", { status: 418 }),
  );
  equal(await reason, "The provider answers 418: Here");
  await late.shutdown();
});

Deno.test("a key that no header can carry is not shown", async () => {
  await using server = startOpenAI();
  const OPENAI_BASE_URL = server.url;
  const torn = openaiProvider(env({ OPENAI_API_KEY: "sk-1\nsk-2", OPENAI_BASE_URL }));
  equal(
    await reasonOf(torn.run(call({}, PROMPT))),
    "OpenAI is not configured: OPENAI_API_KEY has characters that no key has",
  );
  equal(server.requests.length, 0);
  // As a file has it at its end.
  const ended = openaiProvider(env({ OPENAI_API_KEY: `${KEY}\n`, OPENAI_BASE_URL }));
  await ended.run(call({}, PROMPT));
  equal(server.requests[0]?.headers.get("authorization"), `Bearer ${KEY}`);
});

Deno.test("what fails keeps its cause for the log", async () => {
  await using test = start([{ raw: "{" }, { status: 400 }, { cut: true }]);
  const causes = [];
  for (let times = 0; times < 3; times++) {
    const error = await test.provider.run(call({}, PROMPT)).catch((error) => error);
    causes.push(error.cause?.constructor.name);
  }
  deepEqual(causes, ["SyntaxError", "BadRequestError", "TypeError"]);
});

Deno.test("a server that isn't there is a reason without its address", async () => {
  const gone = startOpenAI();
  await gone.stop();
  const provider = openaiProvider(env({}));
  const base_url = `${gone.url}?key=secret`;
  const reason = await reasonOf(provider.run(call({ base_url }, PROMPT)));
  match(reason, /^The connection to the provider failed: connection refused$/);
});

Deno.test("a hang, and a long Retry-After, end when the signal says", async () => {
  await using test = start([{ hangs: true }, { status: 429, headers: { "retry-after": "3" } }]);
  for (const requests of [1, 2]) {
    const reason = new Error(`Too late ${requests}`);
    const late = new AbortController();
    setTimeout(() => late.abort(reason), 100);
    const began = performance.now();
    await rejects(
      test.provider.run(call({}, PROMPT, late.signal)),
      (error) => error === reason,
    );
    ok(performance.now() - began < 1000);
    equal(test.server.requests.length, requests);
  }
});

Deno.test("the line to a call that nobody waits for is hung up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const late = new AbortController();
  const base_url = `http://127.0.0.1:${listener.addr.port}/v1`;
  const work = openaiProvider(env({})).run(call({ base_url }, PROMPT, late.signal));
  const failed = rejects(work, /Gone/);
  using connection = await listener.accept();
  const bytes = new Uint8Array(65_536);
  ok(await connection.read(bytes));
  late.abort(new Error("Gone"));
  await failed;
  equal(await connection.read(bytes), null);
});

Deno.test("what was not counted is estimated, never nothing", async () => {
  await using test = start([
    { usage: null, text: "12345" },
    { usage: { prompt_tokens: 0, completion_tokens: 0 }, text: "1" },
    { usage: { prompt_tokens: -3 }, text: "1" },
    {
      usage: {
        prompt_tokens: 3,
        completion_tokens: 1,
        prompt_tokens_details: { cached_tokens: 9 },
      },
    },
    {
      usage: { prompt_tokens: 3, completion_tokens: 1, prompt_tokens_details: null, cost: 1.5e-7 },
    },
    { usage: { prompt_tokens: 1e12 + 1, completion_tokens: 1 }, text: "1" },
    { usage: { prompt_tokens: 3, completion_tokens: 1e12, cost: 0.1 + 0.2 } },
    { usage: { prompt_tokens: 3, completion_tokens: 1, cost: 1e9 } },
    { usage: { prompt_tokens: 3, completion_tokens: 1, cost: 1e9 - 1e-7 } },
  ]);
  const used = [];
  for (let times = 0; times < 9; times++) {
    const { used: quantities } = Object(await test.provider.run(call({}, { prompt: "abcdefghi" })));
    used.push(quantities);
  }
  deepEqual(used, [
    { input_tokens: 3, output_tokens: 2 },
    { input_tokens: 3, output_tokens: 1 },
    { input_tokens: 3, output_tokens: 1 },
    { input_tokens: 3, cached_input_tokens: 3, output_tokens: 1 },
    { input_tokens: 3, cached_input_tokens: 0, output_tokens: 1, cost_usd: "0.0000001500" },
    { input_tokens: 3, output_tokens: 1 },
    { input_tokens: 3, cached_input_tokens: 0, output_tokens: 1e12, cost_usd: "0.3000000000" },
    { input_tokens: 3, cached_input_tokens: 0, output_tokens: 1 },
    { input_tokens: 3, cached_input_tokens: 0, output_tokens: 1, cost_usd: "999999999.9999998808" },
  ]);
});

Deno.test("a stream gives pieces, and then what it was", async () => {
  await using test = start();
  const stream = test.provider.stream?.(call({}, PROMPT));
  ok(stream);
  deepEqual(await gather(stream), ["Hello, ", "world!"]);
  deepEqual(stream.produced(), {
    status: "succeeded",
    result: { text: "Hello, world!", finish_reason: "stop" },
    used: { input_tokens: 12, cached_input_tokens: 4, output_tokens: 5 },
    summary: "Hello, world!",
  });
  const { body } = test.server.requests[0] ?? {};
  deepEqual([body?.["stream"], body?.["stream_options"]], [true, { include_usage: true }]);
});

Deno.test("a stream that is not whole is an error, and what came of it is known", async () => {
  const cases: [Behaviour, string | RegExp, string][] = [
    [{ pieces: 1, cut: true }, /^The connection to the provider failed/, "Hello, "],
    [{ pieces: 1 }, "The provider's answer broke off before its end", "Hello, "],
    [{ finishReason: null }, "The provider's answer broke off before its end", "Hello, world!"],
    [{ text: "" }, "The provider's answer is empty: stop", ""],
    [{ raw: "data: {\n\n" }, "The provider's answer is malformed", ""],
    [{ raw: 'data: {"choices": 1}\n\n' }, "The provider's answer is malformed", ""],
    [{ raw: '{"choices": []}' }, "The provider's answer broke off before its end", ""],
    [{ raw: 'data: {"error": {"message": "Full"}}\n\n' }, "The provider broke off: Full", ""],
    [{ status: 400, message: KEY }, "The provider answers 400: [redacted]", ""],
  ];
  await using test = start(cases.map(([behaviour]) => behaviour));
  for (const [behaviour, reason, text] of cases) {
    const stream = test.provider.stream?.(call({}, PROMPT));
    ok(stream);
    const said = await reasonOf(gather(stream));
    if (typeof reason === "string") equal(said, reason, JSON.stringify(behaviour));
    else match(said, reason);
    equal(Object(stream.produced().result).text, text);
  }
});

Deno.test("a stream without counts is estimated", async () => {
  await using test = start([{ usage: null }]);
  const stream = test.provider.stream?.(call({}, PROMPT));
  ok(stream);
  await gather(stream);
  deepEqual(stream.produced().used, { input_tokens: 3, output_tokens: 4 });
});

Deno.test("a stream that is closed early ends the call, and counts what came", async () => {
  await using test = start([{ text: "a b c d e f g h", delayMs: 5 }, { pieces: 1, hangs: true }]);
  const closed = test.provider.stream?.(call({}, PROMPT));
  ok(closed);
  for await (const piece of closed) if (piece === "c ") break;
  await until(() => test.server.requests[0]?.isCut() === true);
  deepEqual(closed.produced(), {
    status: "succeeded",
    result: { text: "a b c ", truncated: true },
    used: { input_tokens: 3, output_tokens: 3 },
    summary: "a b c",
  });

  const stuck = test.provider.stream?.(call({ max_output_tokens: 1 }, PROMPT));
  ok(stuck);
  const pieces = stuck[Symbol.asyncIterator]();
  equal((await pieces.next()).value, "Hello, ");
  const never = pieces.next();
  await pieces.return?.();
  equal((await never).done, true);
  await until(() => test.server.requests[1]?.isCut() === true);
  deepEqual(stuck.produced().used, { input_tokens: 3, output_tokens: 1 });
});

Deno.test("a stream ends when the signal says, with what the signal says", async () => {
  await using test = start([{ pieces: 1, hangs: true }]);
  const late = new AbortController();
  const stream = test.provider.stream?.(call({}, PROMPT, late.signal));
  ok(stream);
  const reason = new Error("Gone");
  await rejects(async () => {
    for await (const _ of stream) setTimeout(() => late.abort(reason), 20);
  }, (error) => error === reason);
  await until(() => test.server.requests[0]?.isCut() === true);
  deepEqual(stream.produced().result, { text: "Hello, ", truncated: true });
});

/** A stream of these chunks, after which the server says no more; whether the client hung up. */
function startHanging(chunks: unknown[]) {
  let isCut = false;
  const lines = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(lines.join(""))),
      cancel: () => void (isCut = true),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const base_url = `http://127.0.0.1:${server.addr.port}/v1`;
  const stream = openaiProvider(env({})).stream?.(call({ base_url }, PROMPT));
  ok(stream);
  return { stream, isCut: () => isCut, [Symbol.asyncDispose]: () => server.shutdown() };
}

const said = (delta: unknown, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const COUNTS = { prompt_tokens: 7, completion_tokens: 8 };

Deno.test("a stream that has finished is not waited for, whoever counts or hangs up", async () => {
  const text = [{ choices: null, usage: null }, said({ content: "Hi" }), { choices: [] }];
  const estimate = { input_tokens: 3, output_tokens: 1 };
  const counted = { input_tokens: 7, cached_input_tokens: 0, output_tokens: 8 };
  const cases: [unknown[], number, object][] = [
    [[...text, said(null, "stop")], 2000, estimate],
    [[...text, said({}, "stop"), { choices: null, usage: COUNTS }], 0, counted],
    [[...text, { ...said({}, "stop"), usage: COUNTS }], 0, counted],
    // Some count as they go.
    [[...text, { ...said(null), usage: COUNTS }, said({}, "stop")], 2000, counted],
  ];
  await Promise.all(cases.map(async ([chunks, ms, used]) => {
    await using test = startHanging(chunks);
    const began = performance.now();
    deepEqual(await gather(test.stream), ["Hi"]);
    const took = performance.now() - began;
    ok(took >= ms - 50 && took < ms + 1500, `${took} ms`);
    deepEqual(test.stream.produced(), {
      status: "succeeded",
      result: { text: "Hi", finish_reason: "stop" },
      used,
      summary: "Hi",
    });
    await until(test.isCut);
  }));
  await using begun = startHanging([{ ...said({ content: "Hi" }), usage: COUNTS }]);
  for await (const _ of begun.stream) break;
  deepEqual(begun.stream.produced().used, estimate);

  await using empty = startHanging([said({}, "length")]);
  equal(await reasonOf(gather(empty.stream)), "The provider's answer is empty: length");
});

Deno.test("what a model thinks is output, and no text", async () => {
  const thoughts = [
    said({ reasoning_content: "Twelve chars", content: null }),
    said({ reasoning: "1234" }),
    said({ reasoning: { effort: "high" }, reasoning_content: null }),
  ];
  await using test = startHanging([...thoughts, said({ content: "Hi!!" }, "stop")]);
  deepEqual(await gather(test.stream), ["Hi!!"]);
  deepEqual(test.stream.produced().used, { input_tokens: 3, output_tokens: 5 });

  await using whole = start([{
    raw: JSON.stringify({
      choices: [{ message: { content: "Hi!!", reasoning: "12345678" } }],
    }),
  }]);
  const { result, used } = Object(await whole.provider.run(call({}, PROMPT)));
  deepEqual([result.text, used.output_tokens], ["Hi!!", 3]);
});

Deno.test("a stream whose reader left is read on for its counts, and not for long", async () => {
  await using test = start([{ text: "a b c", delayMs: 5 }, { pieces: 1, hangs: true }]);
  const left = test.provider.stream?.(call({}, PROMPT));
  ok(left);
  const pieces = left[Symbol.asyncIterator]();
  await pieces.next();
  // One is on its way.
  const next = pieces.next();
  await left.finish?.(2000);
  equal((await next).value, "b ");
  deepEqual(left.produced().used, { input_tokens: 12, cached_input_tokens: 4, output_tokens: 5 });
  equal((await pieces.next()).done, true);

  const stuck = test.provider.stream?.(call({}, PROMPT));
  ok(stuck);
  await stuck[Symbol.asyncIterator]().next();
  const began = performance.now();
  await stuck.finish?.(100);
  ok(performance.now() - began < 1000);
  await until(() => test.server.requests[1]?.isCut() === true);
  deepEqual(stuck.produced().result, { text: "Hello, ", truncated: true });
});

Deno.test("embeddings come in the order of the input", async () => {
  await using test = start([{}, { usage: null }, { raw: '{"data": []}' }]);
  const embedding = { kind: "embedding" } as const;
  const input = { input: ["one", "two"], dimensions: 2 };
  deepEqual(await test.provider.run(call(embedding, input)), {
    status: "succeeded",
    result: { embeddings: [[0.5, -1], [1.5, -1]] },
    used: { input_tokens: 12, cached_input_tokens: 4, output_tokens: 5 },
    summary: "2 × 2 numbers",
  });
  deepEqual(test.server.requests[0]?.body, {
    ...input,
    model: "test-1",
    encoding_format: "float",
  });
  const { used } = Object(await test.provider.run(call(embedding, { input: "hello" })));
  deepEqual(used, { input_tokens: 2 });
  match(await reasonOf(test.provider.run(call(embedding, input))), /not one embedding for each/);
});

Deno.test("images are URLs or data, and are counted", async () => {
  const usage = { input_tokens: 9, output_tokens: 100, total_tokens: 109 };
  await using test = start([{ usage: null }, { usage, inBase64: true }, { raw: '{"data": [{}]}' }]);
  const image = { kind: "image" } as const;
  const input = { prompt: "A cat", n: 2, size: "1024x1024", quality: "low" };
  deepEqual(await test.provider.run(call(image, input)), {
    status: "succeeded",
    result: {
      images: [{ url: "https://images.test/1.png" }, { url: "https://images.test/1.png" }],
    },
    used: { input_tokens: 2, images: 2 },
    summary: "2 images",
  });
  const { path, body } = test.server.requests[0] ?? {};
  deepEqual([path, body], ["/v1/images/generations", { ...input, model: "test-1", stream: false }]);
  deepEqual(await test.provider.run(call(image, { prompt: "A cat" })), {
    status: "succeeded",
    result: { images: [{ b64_json: "aGVsbG8=", media_type: "image/webp" }] },
    used: { input_tokens: 9, cached_input_tokens: 0, output_tokens: 100, images: 1 },
    summary: "1 image",
  });
  match(await reasonOf(test.provider.run(call(image, input))), /^The provider's answer is empty/);
});

Deno.test("inputs are checked before anything is sent, and bounded", () => {
  const { prepare } = openaiProvider(env({}));
  const user = (content: unknown) =>
    JSON.parse(JSON.stringify({ messages: [{ role: "user", content }] }));
  const image = (image_url: unknown) => user([{ type: "image_url", image_url }]);
  const refused: [Input, RegExp][] = [
    [{}, /input\.prompt: must be given, or messages, and not both$/],
    [{ prompt: "a", messages: [] }, /input\.messages: must be an array of 1 to 1000 messages$/],
    [{ prompt: "a", stop: ["a", "b", "c", "d", "e"] }, /input\.stop: must be text or 1 to 4 of/],
    [user([]), /content: must be text or an array of 1 to 100 parts$/],
    [{ prompt: "" }, /input\.prompt: must not be empty$/],
    [{ prompt: "a", model: "gpt-5" }, /input\.model: is not a field/],
    [
      { prompt: "a", max_output_tokens: 101 },
      /max_output_tokens: must be a whole number from 1 to 100/,
    ],
    [{ prompt: "a", temperature: 3 }, /temperature: must be from 0 to 2/],
    [{ messages: [{ role: "tool", content: "a" }] }, /messages\.0\.role: must be a message of/],
    [image({ url: "http://169.254.169.254/" }), /url: must be a URL with https/],
    [image({ url: "data:text/html;base64,aaaa" }), /url: must be a URL with https/],
  ];
  for (const [input, message] of refused) {
    match(refusalOf(() => prepare(model(), input)), /^invalid_request: /);
    match(refusalOf(() => prepare(model(), input)), message);
  }
  match(refusalOf(() => prepare(model({ kind: "embedding" }), { input: [] })), /1 to 2048 texts/);
  match(refusalOf(() => prepare(model({ kind: "image" }), { prompt: "a", n: 5 })), /from 1 to 4/);
  match(refusalOf(() => prepare(model({ kind: "video" }), {})), /has no models of video/);

  // A token is a byte at least: é has two, the emoji four.
  deepEqual(prepare(model(), { prompt: "é😀" }), {
    atMost: { input_tokens: 64 + 16 + 6, output_tokens: 100 },
    preview: "é😀",
  });
  const url = "https://images.test/1.png";
  equal(prepare(model(), image({ url })).atMost.input_tokens, 64 + 16 + 50_000);
  equal(prepare(model(), image({ url, detail: "low" })).atMost.input_tokens, 64 + 16 + 3_000);
  deepEqual(prepare(model({ kind: "embedding" }), { input: ["ab", "c"] }).atMost, {
    input_tokens: 64 + 16 + 2 + 16 + 1,
  });
  deepEqual(prepare(model({ kind: "image" }), { prompt: "ab", n: 3 }).atMost, {
    input_tokens: 64 + 16 + 2,
    output_tokens: 300,
    images: 3,
  });
});

Deno.test("an array that is too long is refused before its items are looked at", () => {
  const { prepare } = openaiProvider(env({}));
  const many = Array.from({ length: 300_000 }, () => ({}));
  const cases: [Parameters<typeof model>[0], Input][] = [
    [{}, { messages: many }],
    [{}, { messages: [{ role: "user", content: many }] }],
    [{}, { prompt: "a", stop: many }],
    [{ kind: "embedding" }, { input: many }],
  ];
  for (const [given, input] of cases) {
    const began = performance.now();
    match(refusalOf(() => prepare(model(given), input)), /^invalid_request: input\./);
    ok(performance.now() - began < 100);
  }
});

Deno.test("embeddings are no more than can be kept", () => {
  const { prepare } = openaiProvider(env({}));
  const embed = (length: number, more: Input = {}) =>
    prepare(model({ kind: "embedding" }), { input: Array(length).fill("a"), ...more });
  embed(130);
  match(refusalOf(() => embed(131)), /input\.input: must be at most 130 texts, of 3072 numbers/);
  embed(2048, { dimensions: 195 });
  match(refusalOf(() => embed(2048, { dimensions: 196 })), /at most 2040 texts, of 196 numbers/);
});
