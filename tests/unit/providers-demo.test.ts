/**
 * The demo provider gives the same for the same, counts words, keeps to its limits, and fails and waits as it is told.
 *
 * Method: the provider itself; a decoder and a parser of what it makes.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notDeepStrictEqual as notDeepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { demoProvider } from "../../functions/_shared/providers/demo.ts";
import type { Input } from "../../functions/_shared/providers/provider.ts";
import { call, gather, model, reasonOf, refusalOf } from "./providers.ts";

const demo = demoProvider();
const run = async (input: Input, given = {}) => Object(await demo.run(call(given, input)));

Deno.test("the same input makes the same text, another another", async () => {
  equal(demo.missingKey(model()), undefined);
  const once = await run({ prompt: "Tell me of the sea" });
  deepEqual(await run({ prompt: "Tell me of the sea" }), once);
  deepEqual(await run({ messages: [{ role: "user", content: "Tell me of the sea" }] }), once);
  notDeepEqual(await run({ prompt: "Tell me of the land" }), once);
  const words = once.result.text.split(" ");
  ok(words.length >= 20 && words.length <= 60);
  match(once.result.text, /^[A-Z][a-z ]+\.$/);
  deepEqual(once.used, { input_tokens: 5, output_tokens: words.length });
  equal(once.result.finish_reason, "stop");
  equal(once.summary, once.result.text);
});

Deno.test("what is used is at most what was said beforehand", async () => {
  const inputs: Input[] = [{ prompt: "a b c", max_output_tokens: 3 }, { prompt: " ".repeat(9) }];
  for (const input of inputs) {
    const { atMost } = demo.prepare(model(), input);
    const { used } = await run(input);
    equal(used.input_tokens, atMost.input_tokens);
    ok(used.output_tokens <= (atMost.output_tokens ?? 0));
  }
  const { result } = await run({ prompt: "a b c", max_output_tokens: 3 });
  deepEqual([result.text.split(" ").length, result.finish_reason], [3, "length"]);
});

Deno.test("a stream is the same text, word by word", async () => {
  const stream = demo.stream?.(call({}, { prompt: "Tell me" }));
  ok(stream);
  const pieces = await gather(stream);
  deepEqual(stream.produced(), await run({ prompt: "Tell me" }));
  equal(pieces.join(""), Object(stream.produced().result).text);
  equal(stream.produced().used.output_tokens, pieces.length);
});

Deno.test("a stream that is closed early is what came", async () => {
  const stream = demo.stream?.(call({}, { prompt: "Tell me" }));
  ok(stream);
  deepEqual(stream.produced().used, { input_tokens: 2, output_tokens: 0 });
  let seen = "";
  for await (const piece of stream) {
    seen += piece;
    if (seen.split(" ").length === 3) break;
  }
  deepEqual(stream.produced(), {
    status: "succeeded",
    result: { text: seen, truncated: true },
    used: { input_tokens: 2, output_tokens: 3 },
    summary: seen,
  });
});

Deno.test("it fails as it is told, a stream halfway", async () => {
  for (const kind of ["text", "image"] as const) {
    const input = { prompt: "a", fail: "Out of paper" };
    equal(await reasonOf(demo.run(call({ kind }, input))), "Out of paper");
  }
  for (const max_output_tokens of [1, 8]) {
    const stream = demo.stream?.(call({}, { prompt: "a", fail: "Out of ink", max_output_tokens }));
    ok(stream);
    equal(await reasonOf(gather(stream)), "Out of ink");
    equal(stream.produced().used.output_tokens, Math.ceil(max_output_tokens / 2));
  }
});

Deno.test("it waits as it is told, until the signal says", async () => {
  const began = performance.now();
  await run({ prompt: "a", delay_ms: 60 });
  ok(performance.now() - began >= 55);
  const reason = new Error("Too late");
  const late = new AbortController();
  setTimeout(() => late.abort(reason), 20);
  const slow = call({}, { prompt: "a", delay_ms: 60_000 }, late.signal);
  await rejects(demo.run(slow), (error) => error === reason);
  const stream = demo.stream?.(slow);
  ok(stream);
  await rejects(gather(stream), (error) => error === reason);
});

Deno.test("images are SVG, the same for the same prompt", async () => {
  const draw = async (input: Input) => (await run(input, { kind: "image" })).result.images;
  const [first, second] = await draw({ prompt: "<script>", n: 2 });
  deepEqual(await draw({ prompt: "<script>" }), [first]);
  notDeepEqual(first, second);
  const [, data = ""] = /^data:image\/svg\+xml;base64,(.+)$/.exec(first.url) ?? [];
  match(atob(data), /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*<circle [^]*<\/svg>$/);
  ok(!atob(data).includes("script"));
  const { used } = await run({ prompt: "a b", n: 3 }, { kind: "image" });
  deepEqual(used, { input_tokens: 2, images: 3 });
});

Deno.test("embeddings are of length 1, the same for the same text", async () => {
  const embed = async (input: Input) => (await run(input, { kind: "embedding" })).result.embeddings;
  const [one, two] = await embed({ input: ["sea", "land"] });
  deepEqual(await embed({ input: "sea" }), [one]);
  notDeepEqual(one, two);
  equal(one.length, 64);
  for (const dimensions of [1, 3, 1536]) {
    const [vector] = await embed({ input: "sea", dimensions });
    equal(vector.length, dimensions);
    ok(Math.abs(Math.hypot(...vector) - 1) < 1e-12);
  }
});

Deno.test("a long text is read once", async () => {
  const began = performance.now();
  const input = { input: "sea ".repeat(250_000), dimensions: 16_384 };
  const [long] = (await run(input, { kind: "embedding" })).result.embeddings;
  equal(long.length, 16_384);
  ok(performance.now() - began < 1000);
});

Deno.test("inputs are checked", () => {
  match(refusalOf(() => demo.prepare(model(), {})), /^invalid_request: input\.prompt/);
  const slow = { prompt: "a", delay_ms: 60_001 };
  match(refusalOf(() => demo.prepare(model(), slow)), /delay_ms: must be a whole number from 0/);
  match(refusalOf(() => demo.prepare(model({ kind: "video" }), {})), /has no models of video/);
  const embedding = model({ kind: "embedding" });
  const texts = Array<string>(2048).fill("a");
  demo.prepare(embedding, { input: texts });
  const large = { input: texts, dimensions: 196 };
  match(
    refusalOf(() => demo.prepare(embedding, large)),
    /input\.input: must be at most 2040 texts/,
  );
});
