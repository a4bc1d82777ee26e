/**
 * A prediction is started once, polled, and let go or canceled when it takes too long; its end is the same however
 * Scrip hears of it; a webhook is taken with a good signature only; reasons have no key.
 *
 * Method: the real client against a real server on this machine, one life of a prediction at a time.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import type { Input } from "../../functions/_shared/providers/provider.ts";
import { replicateProvider, webhookFor } from "../../functions/_shared/providers/replicate.ts";
import {
  type Life,
  REPLICATE_SECRET,
  type ReplicateOptions,
  signed,
  startReplicate,
} from "../replicate-server.ts";
import { call, env, model, reasonOf, refusalOf, RUN } from "./providers.ts";

const KEY = "r8_of_the_tests_0123456789";
const PROMPT: Input = { prompt: "Say hello" };
const OFFICIAL = { provider_model: "meta/llama" };
const WEBHOOK = `https://project.supabase.test/functions/v1/provider-webhook/replicate`;

/** A server in place of Replicate, and the provider that knows it. */
function start(lives: Life[] = [], variables: Record<string, string> = {}) {
  const options: ReplicateOptions = { lives };
  const server = startReplicate(options);
  const provider = replicateProvider(env({
    REPLICATE_API_TOKEN: KEY,
    REPLICATE_BASE_URL: server.url,
    ...variables,
  }));
  const run = async (given = {}, input = PROMPT, signal?: AbortSignal) =>
    Object(await provider.run(call({ ...OFFICIAL, ...given }, input, signal)));
  const creations = () => server.requests.filter(({ operation }) => /predictions$/.test(operation));
  return { server, provider, run, creations, [Symbol.asyncDispose]: () => server.stop() };
}

const end = (output: unknown, more = {}): Life => ({ runsMs: 0, end: { output, ...more } });

Deno.test("an official model is run by name, any other by version", async () => {
  await using test = start();
  deepEqual(await test.run({ timeout_seconds: 90 }), {
    status: "succeeded",
    result: { output: "Hello, world!" },
    used: { seconds: 1.25, input_tokens: 3, output_tokens: 4 },
    summary: "Hello, world!",
  });
  await test.run({ provider_version: "abc123" });
  const [official, version] = test.creations();
  equal(official?.operation, "POST /v1/models/meta/llama/predictions");
  deepEqual(official?.body, { input: PROMPT });
  equal(official?.headers.get("authorization"), `Bearer ${KEY}`);
  equal(official?.headers.get("cancel-after"), "90s");
  equal(version?.operation, "POST /v1/predictions");
  deepEqual(version?.body, { input: PROMPT, version: "abc123" });
  match(await reasonOf(test.run({ provider_model: "../../account" })), /form owner\/name/);
  equal(test.creations().length, 2);
});

Deno.test("OpenAI's key is not for Replicate", async () => {
  await using test = start();
  await rejects(
    test.run({ api_key_variable: "OPENAI_API_KEY" }),
    /OPENAI_API_KEY is sent to OpenAI only/,
  );
  equal(test.creations().length, 0);
});

Deno.test("the webhook is asked for where Replicate takes one that can be checked", async () => {
  const SUPABASE_URL = "https://project.supabase.test";
  const REPLICATE_WEBHOOK_SECRET = REPLICATE_SECRET;
  const cases: [Record<string, string>, string | undefined][] = [
    [{ SUPABASE_URL, REPLICATE_WEBHOOK_SECRET }, `${WEBHOOK}?run_id=${RUN}&kind=text`],
    [{ SUPABASE_URL }, undefined],
  ];
  for (const [variables, webhook] of cases) {
    await using test = start([{ runsMs: 0, webhook: "never" }], variables);
    await test.run();
    const { body } = test.creations()[0] ?? {};
    equal(body?.["webhook"], webhook);
    deepEqual(body?.["webhook_events_filter"], webhook && ["completed"]);
  }
  const inClear = { SUPABASE_URL: "http://localhost:54321", REPLICATE_WEBHOOK_SECRET };
  equal(webhookFor(env(inClear), call({}, {})), undefined);
});

Deno.test("each end is what it is", async () => {
  const url = "https://files.test/1.png";
  const empty = { status: "failed", reason: "The provider's answer is empty" };
  const cases: [Life, object, unknown][] = [
    [
      end(["Hel", "lo"], {
        metrics: { predict_time: 2, input_token_count: 7, output_token_count: 2 },
      }),
      {},
      {
        status: "succeeded",
        result: { output: ["Hel", "lo"] },
        used: { seconds: 2, input_tokens: 7, output_tokens: 2 },
        summary: "Hello",
      },
    ],
    [end([url, url]), { kind: "image" }, {
      status: "succeeded",
      result: { output: [url, url] },
      used: { seconds: 1.25, images: 2 },
      summary: `${url} ${url}`,
    }],
    [end(url), { kind: "video" }, {
      status: "succeeded",
      result: { output: url },
      used: { seconds: 1.25 },
      summary: url,
    }],
    [
      end("Hi", { metrics: { predict_time: 1e9 + 1, total_time: 2, input_token_count: 1e12 + 1 } }),
      {},
      {
        status: "succeeded",
        result: { output: "Hi" },
        used: { seconds: 2, input_tokens: 3, output_tokens: 1 },
        summary: "Hi",
      },
    ],
    [end(null), {}, empty],
    [end(""), {}, empty],
    [end([""]), {}, empty],
    [end(["no image"]), { kind: "image" }, empty],
    [end(null, { status: "failed", error: `NSFW ${KEY}` }), {}, {
      status: "failed",
      reason: "NSFW [redacted]",
    }],
    [end(null, { status: "failed" }), {}, { status: "failed", reason: "The provider failed" }],
    [end(null, { status: "aborted" }), {}, {
      status: "canceled",
      reason: "The provider canceled the run",
    }],
  ];
  await using test = start(cases.map(([life]) => life));
  for (const [, given, outcome] of cases) deepEqual(await test.run(given), outcome);
});

Deno.test("what takes longer goes on, and is checked and canceled later", async () => {
  await using test = start([{}, {}]);
  const began = performance.now();
  const pending = await test.run({ inline_seconds: 0.2 });
  ok(performance.now() - began < 2000);
  const [{ id } = { id: "" }] = test.server.predictions;
  deepEqual(pending, { status: "running", providerRunId: id });
  deepEqual(await test.provider.check?.(model(OFFICIAL), id), pending);
  await test.server.finish(id);
  equal((await test.provider.check?.(model(OFFICIAL), id))?.status, "succeeded");

  equal((await test.provider.cancel?.(model(OFFICIAL), id))?.status, "succeeded");

  const { providerRunId } = await test.run({ inline_seconds: 0 });
  deepEqual(await test.provider.cancel?.(model(OFFICIAL), providerRunId), {
    status: "canceled",
    reason: "The provider canceled the run",
  });
  equal(test.server.predictions[1]?.status, "canceled");
  const missing = test.provider.check?.(model(OFFICIAL), "nobodys");
  ok(missing);
  equal(await reasonOf(missing), "The provider answers 404: Prediction not found");
});

Deno.test("what is not known of a prediction under way is no failure", async () => {
  await using test = start([{}, {}]);
  test.server.reads.push({ status: 400 }, { raw: "{" });
  for (const place of [0, 1]) {
    const pending = await test.run();
    deepEqual(pending, { status: "running", providerRunId: test.server.predictions[place]?.id });
  }
});

Deno.test("a poll that hangs holds nobody for long", async () => {
  await using test = start([{}]);
  test.server.reads.push({ hangs: true });
  const began = performance.now();
  equal((await test.run({ inline_seconds: 0.2 })).status, "running");
  const took = performance.now() - began;
  ok(took > 1500 && took < 4000, `${took} ms`);
});

Deno.test("a prediction that the caller leaves is canceled, also one that is just being started", async () => {
  await using test = start([{}, { delayMs: 300 }]);
  for (const place of [0, 1]) {
    const reason = new Error("Gone");
    const late = new AbortController();
    setTimeout(() => late.abort(reason), 100);
    await rejects(test.run({}, PROMPT, late.signal), (error) => error === reason);
    equal(test.server.predictions[place]?.status, "canceled");
  }
});

Deno.test("errors are reasons, have no key, and start nothing twice", async () => {
  const cases: [Life, string | RegExp][] = [
    [{ status: 422, detail: `Bad input ${KEY}` }, "The provider answers 422: Bad input [redacted]"],
    [
      { status: 401, detail: "Unauthenticated" },
      "The provider refuses the deployment's credentials",
    ],
    [{ status: 403, detail: "No" }, "The provider refuses the deployment's credentials"],
    [{ status: 500, detail: "Broken" }, "The provider answers 500: Broken"],
    [{ status: 502, raw: "<html>" }, "The provider answers 502: <html>"],
    [
      { status: 429, detail: "Slow", headers: { "retry-after": "60" } },
      "The provider answers 429: Slow",
    ],
    [{ raw: "{" }, "The provider's answer is malformed"],
    [{ raw: '{"id": "../x", "status": "starting"}' }, "The provider's answer is malformed"],
    [
      { raw: `{"id": "1", "status": "succeeded", "output": ${"[".repeat(1e5)}${"]".repeat(1e5)}}` },
      "The provider's answer is malformed",
    ],
    [{ cut: true }, /^The connection to the provider failed/],
  ];
  await using test = start(cases.map(([life]) => life));
  for (const [, reason] of cases) {
    const said = await reasonOf(test.run());
    if (typeof reason === "string") equal(said, reason);
    else match(said, reason);
  }
  equal(test.creations().length, cases.length);
});

Deno.test("a start whose answer is lost is not tried again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let starts = 0;
  const accept = async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(65_536));
      starts++;
      connection.close();
    }
  };
  const accepting = accept();
  const REPLICATE_BASE_URL = `http://127.0.0.1:${listener.addr.port}/v1`;
  const provider = replicateProvider(env({ REPLICATE_API_TOKEN: KEY, REPLICATE_BASE_URL }));
  match(await reasonOf(provider.run(call(OFFICIAL, PROMPT))), /^The connection to the provider/);
  listener.close();
  await accepting;
  equal(starts, 1);
});

Deno.test("429 is tried again as late as asked, a failed read as well", async () => {
  await using test = start([{ status: 429, headers: { "retry-after": "1" } }]);
  const began = performance.now();
  equal((await test.run()).status, "succeeded");
  ok(performance.now() - began >= 1000);
  equal(test.creations().length, 2);

  const trouble = { status: 500, headers: { "retry-after": "0" } };
  test.server.reads.push(trouble, trouble, trouble);
  const [{ id } = { id: "" }] = test.server.predictions;
  equal((await test.provider.check?.(model(OFFICIAL), id))?.status, "succeeded");

  const busy = { status: 429, detail: "Busy", headers: { "retry-after": "0" } };
  test.server.then(busy, busy, busy, busy, busy);
  equal(await reasonOf(test.run()), "The provider answers 429: Busy");
  equal(test.creations().length, 6);
});

Deno.test("a hang ends when the signal says, and a missing key before anything is sent", {
  // The request is given up later.
  sanitizeOps: false,
}, async () => {
  await using test = start([{ hangs: true }]);
  const reason = new Error("Too late");
  const late = new AbortController();
  setTimeout(() => late.abort(reason), 100);
  const began = performance.now();
  await rejects(test.run({}, PROMPT, late.signal), (error) => error === reason);
  ok(performance.now() - began < 5000);
  const none = replicateProvider(env({ REPLICATE_BASE_URL: test.server.url }));
  match(await reasonOf(none.run(call(OFFICIAL, PROMPT))), /REPLICATE_API_TOKEN is missing$/);
  const torn = replicateProvider(env({ REPLICATE_API_TOKEN: "r8_1\nr8_2" }));
  match(
    await reasonOf(torn.run(call(OFFICIAL, PROMPT))),
    /^Replicate is not configured: REPLICATE_API_TOKEN has characters that no key has$/,
  );
  equal(none.missingKey(model()), "REPLICATE_API_TOKEN");
  equal(test.creations().length, 1);
});

Deno.test("inputs are bounded", () => {
  const { prepare } = replicateProvider(env({}));
  deepEqual(prepare(model(), { prompt: "é", image: "https://images.test/1.png" }), {
    atMost: { seconds: 60, input_tokens: 64 + 16 + 2 + 50_000, output_tokens: 100 },
    preview: "é",
  });
  deepEqual(prepare(model({ kind: "image" }), { prompt: "a", num_outputs: 4 }).atMost, {
    seconds: 60,
    images: 4,
  });
  deepEqual(prepare(model({ kind: "image" }), { text: "a" }), {
    atMost: { seconds: 60, images: 1 },
    preview: "a",
  });
  deepEqual(prepare(model({ kind: "video" }), {}), { atMost: { seconds: 60 }, preview: "" });
  match(
    refusalOf(() => prepare(model(), { max_new_tokens: 101 })),
    /input\.max_new_tokens: must be/,
  );
  match(refusalOf(() => prepare(model(), { max_length: 101 })), /input\.max_length: must be/);
  const samples = { num_samples: 3, batch_size: 2 };
  equal(prepare(model({ kind: "image" }), samples).atMost.images, 3);
  const many = { num_outputs: "4" };
  match(refusalOf(() => prepare(model({ kind: "image" }), many)), /input\.num_outputs: must be/);
});

const told = (more: Record<string, unknown> = {}) =>
  JSON.stringify({
    id: "p1",
    status: "succeeded",
    input: { prompt: "hello" },
    output: "Hi",
    metrics: { predict_time: 3 },
    webhook: `${WEBHOOK}?run_id=${RUN}&kind=text`,
    ...more,
  });

const asked = (headers: Record<string, string>, query = `?run_id=${RUN}&kind=text`) =>
  new Request(`http://localhost/provider-webhook/replicate${query}`, { method: "POST", headers });

Deno.test("a webhook is what a check would say", () => {
  const { readWebhook } = replicateProvider(env({ REPLICATE_WEBHOOK_SECRET: REPLICATE_SECRET }));
  const read = (body: string, query?: string) =>
    readWebhook(asked(signed(REPLICATE_SECRET, body), query), body);
  const finished = {
    runId: RUN,
    providerRunId: "p1",
    outcome: {
      status: "succeeded",
      result: { output: "Hi" },
      used: { seconds: 3, input_tokens: 2, output_tokens: 1 },
      summary: "Hi",
    },
  };
  deepEqual(read(told()), finished);
  deepEqual(read(told({ webhook: null })), finished);
  // The one in the body is signed.
  deepEqual(read(told(), "?run_id=0f0c9d5e-7a55-4d0e-8a39-5f3a0b9c2e22&kind=text"), finished);
  equal(read(told({ status: "processing" })).outcome, undefined);
  equal(read(told({ status: "failed", error: "Bad" })).outcome?.status, "failed");
  match(refusalOf(() => read(told({ webhook: "https://x.test/" }))), /^invalid_request: run_id/);
  match(refusalOf(() => read("{")), /^invalid_request: body: must be a prediction/);
});

Deno.test("a webhook with a signature that is missing, wrong or old is refused", () => {
  const secrets = `whsec_${btoa("a secret that was replaced")}, ${REPLICATE_SECRET}`;
  const { readWebhook } = replicateProvider(env({ REPLICATE_WEBHOOK_SECRET: secrets }));
  const body = told();
  const at = (seconds: number) => new Date(Date.now() + seconds * 1000);
  const good = signed(REPLICATE_SECRET, body);
  equal(readWebhook(asked(good), body).runId, RUN);
  equal(readWebhook(asked(signed(REPLICATE_SECRET, body, at(-290))), body).runId, RUN);
  const refused: [Record<string, string>, string][] = [
    [{}, body],
    [good, `${body} `],
    [{ ...good, "webhook-id": "msg_2" }, body],
    [{ ...good, "webhook-signature": "v1,AAAA" }, body],
    [{ ...good, "webhook-signature": good["webhook-signature"].replace("v1", "v2") }, body],
    [signed(`whsec_${btoa("a secret of somebody else")}`, body), body],
    [signed(REPLICATE_SECRET, body, at(-310)), body],
    [signed(REPLICATE_SECRET, body, at(310)), body],
  ];
  for (const [headers, sent] of refused) {
    match(refusalOf(() => readWebhook(asked(headers), sent)), /^invalid_signature: /);
  }
  const none = replicateProvider(env({}));
  throws(() => none.readWebhook(asked(good), body), /REPLICATE_WEBHOOK_SECRET is missing/);

  const torn = (secrets: string) =>
    replicateProvider(env({ REPLICATE_WEBHOOK_SECRET: secrets })).readWebhook(asked(good), body);
  equal(torn(`whsec_no base64!,, ${REPLICATE_SECRET}`).runId, RUN);
  match(refusalOf(() => torn("whsec_no base64!,whsec_")), /^provider_failed: Replicate is not/);
});

Deno.test("the server in Replicate's place sends webhooks as they are meant to be read", async () => {
  const read: unknown[] = [];
  const variables = { REPLICATE_WEBHOOK_SECRET: REPLICATE_SECRET };
  const { readWebhook } = replicateProvider(env(variables));
  const functions = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      try {
        read.push(readWebhook(request, await request.text()).outcome?.status);
        return new Response();
      } catch {
        return new Response(null, { status: 400 });
      }
    },
  );
  {
    const ways = ["once", "twice", "before_answer", "wrong_signature"] as const;
    await using test = start(ways.map((webhook) => ({ runsMs: 0, webhook })), {
      ...variables,
      SUPABASE_URL: `http://127.0.0.1:${functions.addr.port}`,
    });
    for (const _ of ways) await test.run();
    await new Promise((done) => setTimeout(done, 50));
    deepEqual(test.server.delivered, [200, 200, 200, 200, 400]);
  }
  deepEqual(read, ["succeeded", "succeeded", "succeeded", "succeeded"]);
  await functions.shutdown();
});
