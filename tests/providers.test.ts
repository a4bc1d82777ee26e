/**
 * Models run at real providers' protocols: what they answer is what the user gets and pays for, and however they fail,
 * nothing is charged, nothing is kept from the user, and no key reaches anyone but whom it is for.
 *
 * Method: servers of the tests' own that speak OpenAI's and Replicate's protocols over real HTTP, and misbehave as told,
 * behind the real clients; Replicate and the keys on a stack of their own, whose variables name these servers.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { dirname, join } from "node:path";
import type postgres from "postgres";
import { readStackFile } from "../scripts/stack/config.ts";
import { makeDataFolder, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean, call, type TestUser } from "./harness.ts";
import {
  addModel,
  assertRunsClean,
  ceil,
  customer,
  DOLLAR,
  type Event,
  eventsOf,
  eventually,
  listen,
  type ModelOptions,
  NOTHING_SPENT,
  openStack,
  round,
  spent,
  stream,
  textOf,
  times,
  units,
  usageTest,
} from "./models.ts";
import { type Behaviour, startOpenAI } from "./openai-server.ts";
import { type Life, REPLICATE_SECRET, signed, startReplicate } from "./replicate-server.ts";

const PRICE = { input: "30", cachedInput: "7.5", output: "60" };

/** What the server counts, unless it is told otherwise: 12 input tokens, 4 of them cached, and 5 output tokens. */
const COST = round(
  8n * units(PRICE.input) + 4n * units(PRICE.cachedInput) + 5n * units(PRICE.output),
  10n ** 6n,
);

const ask = (user: TestUser, model: string, input: unknown = "Hello?", key?: string) =>
  call("run-model", {
    token: user.token,
    body: { model, input },
    ...(key ? { headers: { "idempotency-key": key } } : {}),
  });

/** A model at a server of OpenAI's protocol. */
const openAIModel = (sql: postgres.Sql, base_url: string, options: ModelOptions = {}) =>
  addModel(sql, { provider: "openai", provider_model: "gpt-test", base_url, ...options });

/** The user's calls, newest first, as far as tests look at them. */
const callsOf = (sql: postgres.Sql, { id }: { id: string }) =>
  sql`
    select
      input_tokens, cached_input_tokens, output_tokens, images, seconds::float8, cost_usd::text, tokens_charged, success,
      error
    from usage_events where user_id = ${id} order by occurred_at desc`;

// OpenAI's protocol

usageTest("a chat costs what the server counted, whole or streamed", async (sql) => {
  await using server = startOpenAI();
  const user = await customer(sql, 100);
  const { slug } = await openAIModel(sql, server.url, { fixed_tokens: null, price: PRICE });
  const tokens = Number(ceil(COST, DOLLAR / 100n));
  const { status, body } = await ask(user, slug);
  equal(status, 200, JSON.stringify(body));
  deepEqual([body.result, body.tokens_used, body.remaining], [
    { text: "Hello, world!", finish_reason: "stop" },
    tokens,
    100 - tokens,
  ]);
  const events = await stream(user, { model: slug, input: "Hello?" });
  deepEqual(events.map(([name]) => name), ["run", "delta", "delta", "done"]);
  const [, done] = events.at(-1) ?? [];
  deepEqual([done?.["result"], done?.["tokens_used"]], [body.result, tokens]);
  equal(textOf(events), "Hello, world!");
  for (const row of await callsOf(sql, user)) {
    deepEqual({ ...row, cost_usd: units(row["cost_usd"]) }, {
      input_tokens: 12,
      cached_input_tokens: 4,
      output_tokens: 5,
      images: 0,
      seconds: 0,
      cost_usd: COST,
      tokens_charged: tokens,
      success: true,
      error: null,
    });
  }
  deepEqual(await spent(sql, user), { used: 2 * tokens, reserved: 0, charges: 2 });
  for (const { path, headers, body } of server.requests) {
    equal(path, "/v1/chat/completions");
    equal(headers.get("authorization"), "Bearer none");
    deepEqual([body["model"], body["messages"], body["max_tokens"]], [
      "gpt-test",
      [{ role: "user", content: "Hello?" }],
      4096,
    ]);
  }
});

usageTest(
  "embeddings come in the order of their texts, images as addresses or in base64",
  async (sql) => {
    await using server = startOpenAI([{}, {}, { inBase64: true, usage: null }]);
    const user = await customer(sql, 100);
    const embedding = await openAIModel(sql, server.url, { kind: "embedding" });
    const image = await openAIModel(sql, server.url, {
      kind: "image",
      fixed_tokens: null,
      price: { image: "0.04" },
    });
    const { body: embedded } = await ask(user, embedding.slug, { input: ["a", "b", "c"] });
    deepEqual(embedded.result, { embeddings: [[0.5, -1], [1.5, -1], [2.5, -1]] });
    const { body: drawn } = await ask(user, image.slug, { prompt: "A lighthouse", n: 2 });
    const url = "https://images.test/1.png";
    deepEqual([drawn.result, drawn.tokens_used], [{ images: [{ url }, { url }] }, 8]);
    const { body: encoded } = await ask(user, image.slug, "A lighthouse");
    deepEqual(encoded.result, { images: [{ b64_json: "aGVsbG8=", media_type: "image/webp" }] });
    const [, first] = await callsOf(sql, user);
    deepEqual([first?.["images"], first?.["cost_usd"]], [2, "0.0800000000"]);
    deepEqual(await spent(sql, user), { used: 1 + 8 + 4, reserved: 0, charges: 3 });
  },
);

usageTest("too many requests are tried again, and a success is charged once", async (sql) => {
  const busy = { status: 429, message: "Slow down", headers: { "retry-after-ms": "50" } };
  await using server = startOpenAI([busy, busy]);
  const user = await customer(sql, 10);
  const { slug } = await openAIModel(sql, server.url);
  const { status, body } = await ask(user, slug);
  deepEqual([status, body.tokens_used, server.requests.length], [200, 1, 3]);
  deepEqual(await spent(sql, user), { used: 1, reserved: 0, charges: 1 });
  equal((await callsOf(sql, user)).length, 1);
});

/** What servers do wrong, and what the user is told; `streamed` when only a stream can. */
const FAILURES: Record<string, Behaviour & { told: RegExp; streamed?: true }> = {
  "refuses": { status: 400, message: "No such parameter", told: /400: No such parameter/ },
  "refuses the key": { status: 401, message: "Wrong key sk-x", told: /refuses .* credentials$/ },
  "fails": {
    status: 500,
    message: "Out of memory",
    headers: { "retry-after-ms": "5" },
    told: /500: Out of memory/,
  },
  "is too busy": { status: 429, headers: { "retry-after-ms": "5" }, told: /429/ },
  "answers nonsense": { raw: "<html>", told: /malformed|broke off|connection/i },
  "answers nothing": { text: "", told: /empty/ },
  "hangs": { hangs: true, told: /within 1 second/ },
  "cuts its answer": { cut: true, pieces: 1, told: /connection|broke off/i },
  "hangs within its answer": { hangs: true, pieces: 1, told: /within 1 second/, streamed: true },
  "ends within its answer": { pieces: 1, told: /broke off/, streamed: true },
};

for (const [what, { told, streamed, ...behaviour }] of Object.entries(FAILURES)) {
  usageTest(`a server that ${what} costs nothing, and the user is told`, async (sql) => {
    await using server = startOpenAI([], behaviour);
    const user = await customer(sql, 10);
    const { slug } = await openAIModel(sql, server.url, { timeout_seconds: 1 });
    const plain = async () => {
      if (streamed) return;
      const { status, body } = await ask(user, slug);
      deepEqual([status, body.code], [502, "provider_failed"]);
      match(body.message, told);
    };
    const piecewise = async () => {
      const [name, data] = (await stream(user, { model: slug, input: "Hello?" })).at(-1) ?? [];
      deepEqual([name, data?.["code"]], ["error", "provider_failed"]);
      match(`${data?.["message"]}`, told);
    };
    await Promise.all([plain(), piecewise()]);
    deepEqual(await spent(sql, user), NOTHING_SPENT);
    for (const { success, cost_usd, error } of await callsOf(sql, user)) {
      deepEqual([success, units(cost_usd)], [false, 0n]);
      match(error, told);
    }
  });
}

usageTest("of 20 requests with one key one reaches the provider", async (sql) => {
  await using server = startOpenAI([], { delayMs: 200 });
  const user = await customer(sql, 10);
  const { slug } = await openAIModel(sql, server.url);
  const answers = await Promise.all(times(20).map(() => ask(user, slug, "Hello?", "the-same")));
  equal(answers.filter(({ body }) => body.replayed === false).length, 1);
  deepEqual(
    answers.filter(({ status, body }) =>
      !(status === 200 || status === 409 && body.code === "operation_in_progress")
    ),
    [],
  );
  equal((await ask(user, slug, "Hello?", "the-same")).body.replayed, true);
  equal(server.requests.length, 1);
  deepEqual(await spent(sql, user), { used: 1, reserved: 0, charges: 1 });
});

usageTest("a caller who leaves ends the request at the provider", async (sql) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const user = await customer(sql, 10);
  const { slug } = await openAIModel(sql, `http://127.0.0.1:${listener.addr.port}`);
  const { response, leave } = listen(user, { model: slug, input: "Hello?" });
  response.catch(() => {});
  const connection = await listener.accept();
  leave();
  let isClosed = false;
  connection.readable.pipeTo(new WritableStream()).catch(() => {}).then(() => isClosed = true);
  await eventually("the provider sees that no one waits", () => isClosed);
  const [run] = await eventually("the run has ended", async () => {
    const rows =
      await sql`select status from runs where user_id = ${user.id} and status <> 'running'`;
    return rows.length === 1 && rows;
  });
  deepEqual({ ...run }, { status: "canceled" });
  deepEqual(await spent(sql, user), NOTHING_SPENT);
});

usageTest(
  "a caller who leaves a stream pays for what came, and the provider is told to stop",
  async (sql) => {
    await using server = startOpenAI([], { text: "a ".repeat(200), delayMs: 20 });
    const user = await customer(sql, 1000);
    const { slug } = await openAIModel(sql, server.url, { fixed_tokens: null, price: PRICE });
    const { response, leave } = listen(user, { model: slug, input: "Hello?", stream: true });
    const heard: Event[] = [];
    for await (const event of eventsOf(await response)) {
      heard.push(event);
      if (heard.length === 5) break;
    }
    leave();
    await eventually("the provider sees that no one listens", () => server.requests[0]?.isCut());
    const run = await eventually("the run has ended", async () => {
      const [row] =
        await sql`select status, result, tokens_used from runs where user_id = ${user.id}`;
      return row?.["status"] !== "running" && row;
    });
    deepEqual([run["status"], run["result"].truncated], ["succeeded", true]);
    ok(run["result"].text.startsWith(textOf(heard)));
    const [row] = await callsOf(sql, user);
    ok(row && row["input_tokens"] > 0);
    ok(row["output_tokens"] >= 4 && row["output_tokens"] < 20, `${row["output_tokens"]} tokens`);
    deepEqual(await spent(sql, user), { used: run["tokens_used"], reserved: 0, charges: 1 });
    ok(run["tokens_used"] >= 1);
  },
);

usageTest("text that Postgres cannot store is stored without what it cannot", async (sql) => {
  const raw = JSON.stringify({
    choices: [{
      index: 0,
      message: { role: "assistant", content: "a\u0000b" },
      finish_reason: "stop",
    }],
  });
  await using server = startOpenAI([], { raw: raw.replace("a\\u0000b", "a\\u0000b\\ud800c") });
  const user = await customer(sql, 10);
  const { slug } = await openAIModel(sql, server.url);
  const { status, body } = await ask(user, slug, "Hello?", "stored");
  deepEqual([status, body.result?.text], [200, "a\ufffdb\ufffdc"]);
  deepEqual((await ask(user, slug, "Hello?", "stored")).body.result, body.result);
});

// Replicate's protocol, and whose keys go where

const KEYS = {
  OPENAI_API_KEY: "key-for-openai-alone",
  LOCAL_API_KEY: "key-for-a-local-server",
  REPLICATE_API_TOKEN: "key-for-replicate-alone",
};
const RATES = "/rates.xml";

/** A stack whose providers are the tests' own, and a source of rates that answers as it is told. */
async function startWorld() {
  const data = await makeDataFolder();
  const replicate = startReplicate();
  const openai = startOpenAI();
  const source = { answer: () => new Response(null, { status: 404 }) };
  const rates = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => source.answer(),
  );
  const spawned = await spawnStack(data, ["--no-demo"], {
    ...KEYS,
    OPENAI_BASE_URL: openai.url,
    REPLICATE_BASE_URL: replicate.url,
    REPLICATE_WEBHOOK_SECRET: REPLICATE_SECRET,
    ECB_RATES_URL: `http://127.0.0.1:${rates.addr.port}${RATES}`,
  });
  const stack = openStack(spawned);
  const { sql } = stack;
  const { slug } = await addModel(sql, {
    provider: "replicate",
    kind: "image",
    provider_model: "owner/lights",
    fixed_tokens: null,
    price: { second: "0.04" },
  });
  return {
    ...stack,
    spawned,
    slug,
    replicate,
    openai,
    source,
    run: (user: { token: string }, key?: string, input: unknown = { prompt: "A lighthouse" }) =>
      stack.call("run-model", { model: slug, input }, user.token, key),
    /** How long run-model waits. */
    wait: (seconds: number) => sql`update settings set run_inline_seconds = ${seconds}`,
    async stop() {
      await sql.end();
      await spawned.stop();
      await Promise.all([replicate.stop(), openai.stop(), rates.shutdown()]);
      await Deno.remove(data, { recursive: true });
    },
  };
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** 1.25 seconds at 4 cents, at a cent a token. */
const TOKENS = 5;
const OUTPUT = ["https://images.test/1.png"];
const END = { status: "succeeded", output: OUTPUT, metrics: { predict_time: 1.25 } };

/** Starts a run that goes on without its caller. */
async function startLong({ run, replicate, wait, customer }: World, life: Life = {}) {
  await wait(0);
  const user = await customer(1000);
  replicate.then({ end: END, ...life });
  const { status, body } = await run(user, "long");
  const prediction = replicate.predictions.at(-1);
  ok(prediction);
  return { user, status, body, prediction, path: `run-model/${body.run_id}` };
}

Deno.test("with Replicate, and keys to keep", async (t) => {
  const world = await startWorld();
  try {
    for (const [name, step] of Object.entries(STEPS)) {
      await t.step(name, async () => {
        await step(world);
        await assertLedgerClean(world.sql);
        await assertRunsClean(world.sql);
      });
    }
  } finally {
    await world.stop();
  }
});

const STEPS: Record<string, (world: World) => Promise<void>> = {
  async "a short run is waited for"({ sql, replicate, run, wait, customer }: World) {
    await wait(30);
    const user = await customer(1000);
    replicate.then({ runsMs: 300, end: END });
    const { status, body } = await run(user);
    deepEqual([status, body.status, body.result, body.tokens_used], [
      200,
      "succeeded",
      { output: OUTPUT },
      TOKENS,
    ]);
    const [created] = replicate.requests;
    equal(created?.operation, "POST /v1/models/owner/lights/predictions");
    equal(created?.headers.get("authorization"), `Bearer ${KEYS.REPLICATE_API_TOKEN}`);
    deepEqual(created?.body["input"], { prompt: "A lighthouse" });
    deepEqual(created?.body["webhook_events_filter"], ["completed"]);
    const [row] = await callsOf(sql, user);
    deepEqual([row?.["seconds"], row?.["images"], row?.["cost_usd"]], [1.25, 1, "0.0500000000"]);
    deepEqual(await spent(sql, user), { used: TOKENS, reserved: 0, charges: 1 });
    // Whose webhook comes, too.
    await eventually("its webhook is answered", () => replicate.delivered.includes(200));
  },

  async "a long run is answered 202 and ended by its webhook"(world: World) {
    const { sql, replicate, call, run } = world;
    const { user, status, body, prediction, path } = await startLong(world);
    deepEqual([status, Object.keys(body).sort(), body.status], [
      202,
      ["run_id", "status"],
      "running",
    ]);
    const { body: running } = await call(path, undefined, user.token);
    deepEqual([running.status, running.result], ["running", undefined]);
    ok((await spent(sql, user))["reserved"] > 0);
    const again = await run(user, "long");
    deepEqual([again.status, again.body.code], [409, "operation_in_progress"]);
    await replicate.finish(prediction.id);
    equal(replicate.delivered.at(-1), 200);
    const { body: ended } = await call(path, undefined, user.token);
    deepEqual([ended.status, ended.result, ended.tokens_used], [
      "succeeded",
      { output: OUTPUT },
      TOKENS,
    ]);
    const replay = await run(user, "long");
    deepEqual([replay.status, replay.body.replayed, replay.body.result], [200, true, ended.result]);
    deepEqual(await spent(sql, user), { used: TOKENS, reserved: 0, charges: 1 });
  },

  async "a webhook that comes again and again changes nothing"(world: World) {
    const { sql, replicate } = world;
    const { user, prediction } = await startLong(world, { webhook: "twice" });
    await replicate.finish(prediction.id);
    await Promise.all(times(10).map(() => replicate.deliver(prediction.id)));
    deepEqual(replicate.delivered.slice(-12), times(12).map(() => 200));
    deepEqual(await spent(sql, user), { used: TOKENS, reserved: 0, charges: 1 });
  },

  async "ten webhooks at once and ten readers end it once"(world: World) {
    const { sql, replicate, call } = world;
    const { user, prediction, path } = await startLong(world, { webhook: "never" });
    await replicate.finish(prediction.id);
    const answers = await Promise.all(
      times(10).flatMap((n) => [
        replicate.deliver(prediction.id).then(() => undefined),
        call(n % 2 ? path : `${path}/cancel`, n % 2 ? undefined : {}, user.token),
      ]),
    );
    for (const answer of answers) {
      // Its end is known to Replicate, and maybe not here yet.
      if (answer) match(`${answer.status} ${answer.body.status}`, /^200 (succeeded|canceled)$/);
    }
    const [run] = await sql`select status, tokens_used from runs where user_id = ${user.id}`;
    const used = run?.["status"] === "succeeded" ? TOKENS : 0;
    equal(run?.["tokens_used"], used);
    deepEqual(await spent(sql, user), { used, reserved: 0, charges: used ? 1 : 0 });
    equal((await callsOf(sql, user)).length, 1);
  },

  async "a webhook before the answer counts"(world: World) {
    const { sql, wait, replicate, customer, run } = world;
    for (const seconds of [0, 30]) {
      await wait(seconds);
      const user = await customer(1000);
      replicate.then({ webhook: "before_answer", end: END });
      const { status, body } = await run(user);
      deepEqual([status, body.status, body.result, body.tokens_used], [
        200,
        "succeeded",
        { output: OUTPUT },
        TOKENS,
      ]);
      equal(replicate.delivered.at(-1), 200);
      deepEqual(await spent(sql, user), { used: TOKENS, reserved: 0, charges: 1 });
    }
  },

  async "a webhook of somebody else is refused"(world: World) {
    const { sql, url, replicate, call } = world;
    const { user, prediction, path, body } = await startLong(world, { webhook: "wrong_signature" });
    await replicate.finish(prediction.id);
    equal(replicate.delivered.at(-1), 400);
    await replicate.deliver(prediction.id, { at: new Date(Date.now() - 3_600_000) });
    equal(replicate.delivered.at(-1), 400);
    const hook = `${url}/functions/v1/provider-webhook/replicate?run_id=${body.run_id}&kind=image`;
    const unsigned = await fetch(hook, { method: "POST", body: JSON.stringify(prediction) });
    deepEqual([unsigned.status, (await unsigned.json()).code], [400, "invalid_signature"]);
    // Signed as it should be, but about another prediction.
    const text = JSON.stringify({ ...prediction, id: "another", output: ["https://evil.test/"] });
    const headers = signed(REPLICATE_SECRET, text);
    const other = await fetch(hook, { method: "POST", headers, body: text });
    deepEqual([other.status, (await other.json()).outcome], [200, "ignored"]);
    const [run] = await sql`select status from runs where user_id = ${user.id}`;
    equal(run?.["status"], "running");
    const { body: asked } = await call(path, undefined, user.token);
    deepEqual([asked.status, asked.result], ["succeeded", { output: OUTPUT }]);
  },

  async "a lost webhook is made up for by asking"(world: World) {
    const { sql, replicate, call } = world;
    const { user, prediction, path } = await startLong(world, { webhook: "never" });
    await replicate.finish(prediction.id);
    const answers = await Promise.all(times(10).map(() => call(path, undefined, user.token)));
    for (const { status, body } of answers) {
      deepEqual([status, body.status, body.tokens_used], [200, "succeeded", TOKENS]);
    }
    deepEqual(await spent(sql, user), { used: TOKENS, reserved: 0, charges: 1 });
  },

  async "a canceled run is canceled there and charges nothing"(world: World) {
    const { sql, replicate, call } = world;
    const { user, prediction, path } = await startLong(world);
    const { status, body } = await call(`${path}/cancel`, {}, user.token);
    deepEqual([status, body.status, body.tokens_used], [200, "canceled", 0]);
    equal(prediction.status, "canceled");
    await replicate.deliver(prediction.id);
    const again = await call(`${path}/cancel`, {}, user.token);
    deepEqual([again.status, again.body], [200, body]);
    deepEqual(await spent(sql, user), NOTHING_SPENT);
  },

  async "a failed run charges nothing and tells why"(world: World) {
    const { sql, replicate, run, wait, customer, call } = world;
    const failed = { status: "failed", output: null, error: "CUDA out of memory" };
    const { user, prediction, path } = await startLong(world, { end: failed });
    await replicate.finish(prediction.id);
    const { body } = await call(path, undefined, user.token);
    deepEqual([body.status, body.error, body.tokens_used], ["failed", "CUDA out of memory", 0]);
    const replay = await run(user, "long");
    deepEqual([replay.status, replay.body.code], [502, "provider_failed"]);
    deepEqual(await spent(sql, user), NOTHING_SPENT);

    await wait(30);
    const other = await customer(1000);
    for (
      const [life, told] of [
        [{ runsMs: 0, end: failed }, /CUDA out of memory/],
        [{ status: 422, detail: "Input is wrong" }, /422: Input is wrong/],
        [{ raw: "<html>" }, /malformed/],
        [{ cut: true, webhook: "never" }, /malformed|connection/i],
      ] as const
    ) {
      replicate.then(life);
      const answer = await run(other);
      deepEqual([answer.status, answer.body.code], [502, "provider_failed"]);
      match(answer.body.message, told);
    }
    deepEqual(await spent(sql, other), NOTHING_SPENT);
    replicate.then({ status: 429, headers: { "retry-after": "0" } }, { runsMs: 0, end: END });
    equal((await run(other)).status, 200);
  },

  async "a caller who leaves ends the prediction"(world: World) {
    const { sql, wait, replicate, customer, url, slug, spawned } = world;
    await wait(30);
    const user = await customer(1000);
    replicate.then({});
    const before = replicate.predictions.length;
    const gone = new AbortController();
    fetch(`${url}/functions/v1/run-model`, {
      method: "POST",
      headers: {
        apikey: spawned.file.publishable_key,
        authorization: `Bearer ${user.token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ model: slug, input: { prompt: "A lighthouse" } }),
      signal: gone.signal,
    }).catch(() => {});
    await eventually("it is started", () => replicate.predictions.length > before);
    gone.abort();
    await eventually("it is canceled", () => replicate.predictions.at(-1)?.status === "canceled");
    await eventually("the run has ended", async () => {
      const rows = await sql`select 1 from runs where user_id = ${user.id} and status = 'canceled'`;
      return rows.length === 1;
    });
    deepEqual(await spent(sql, user), NOTHING_SPENT);
  },

  async "each key reaches whom it is for and no one else"(
    { sql, spawned, openai, customer, call }: World,
  ) {
    const user = await customer(1000);
    const options = { provider: "openai", provider_model: "gpt-test" } as const;
    const base_url = openai.url;
    const models = [
      await addModel(sql, options), // at OpenAI, which OPENAI_BASE_URL stands in for
      await addModel(sql, { ...options, base_url }),
      await addModel(sql, { ...options, base_url, api_key_variable: "LOCAL_API_KEY" }),
    ];
    for (const { slug } of models) {
      const { status, body } = await call(
        "run-model",
        { model: slug, input: "Hello?" },
        user.token,
      );
      equal(status, 200, JSON.stringify(body));
    }
    deepEqual(openai.requests.map(({ headers }) => headers.get("authorization")), [
      `Bearer ${KEYS.OPENAI_API_KEY}`,
      "Bearer none",
      `Bearer ${KEYS.LOCAL_API_KEY}`,
    ]);
    const stolen = await addModel(sql, {
      ...options,
      base_url,
      api_key_variable: "OPENAI_API_KEY",
    });
    const refused = await call("run-model", { model: stolen.slug, input: "Hello?" }, user.token);
    deepEqual([refused.status, openai.requests.length], [502, 3]);

    if (Deno.build.os !== "linux") return;
    const { gateway: _gateway, ...parts } = (await readStackFile(spawned.path)).processes;
    const having: string[] = [];
    for (const [name, pid] of Object.entries(parts)) {
      const variables = await Deno.readTextFile(`/proc/${pid}/environ`);
      if (Object.values(KEYS).some((key) => variables.includes(key))) having.push(name);
    }
    deepEqual(having, ["functions"]);
    for (const name of ["functions", "api"]) {
      const log = await Deno.readTextFile(join(dirname(spawned.path), `${name}.log`));
      equal(Object.values(KEYS).some((key) => log.includes(key)), false);
    }
  },

  async "the rate of the day comes from the source and a failing source changes nothing"(
    { sql, source, call }: World,
  ) {
    const sync = async () => {
      const { status, body } = await call("fx-sync", {});
      return status === 200 ? body : `${status} ${body.code}`;
    };
    const rates = () =>
      sql`select day::text, usd_eur::text, source from currency_rates order by day`;
    const file = (day: string, rate: string) => () =>
      new Response(`<?xml version="1.0" encoding="UTF-8"?>
        <gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
        <Cube><Cube time='${day}'><Cube currency='JPY' rate='183.15'/><Cube currency='USD' rate='${rate}'/></Cube></Cube>
        </gesmes:Envelope>`);
    const broken: (() => Response)[] = [
      () => new Response("out of order", { status: 500 }),
      () => new Response("<html>Sorry</html>"),
      () => new Response("not XML at all <"),
      file("2026-01-05", "0"),
      file("2026-01-05", "-1.2"),
      file("2026-01-05", "NaN"),
      file("tomorrow", "1.2"),
    ];
    for (const answer of broken) {
      source.answer = answer;
      equal(await sync(), "502 provider_failed");
    }
    deepEqual([...await rates()], []);
    source.answer = file("2026-01-05", "1.25");
    deepEqual(await sync(), { day: "2026-01-05", usd_eur: "0.80", outcome: "set" });
    equal((await sync()).outcome, "unchanged");
    source.answer = file("2026-01-06", "1.1765");
    deepEqual(await sync(), { day: "2026-01-06", usd_eur: "0.8499787505", outcome: "set" });
    // What an admin has set for today stays.
    const today = new Date().toISOString().slice(0, 10);
    await sql`select set_currency_rate(${today}, '0.9')`;
    source.answer = file(today, "1.1765");
    deepEqual(await sync(), { day: today, usd_eur: "0.90", outcome: "overridden" });
    const kept = [...await rates()].map(({ day, usd_eur }) => [day, usd_eur]);
    deepEqual(kept, [
      ["2026-01-05", "0.8000000000"],
      ["2026-01-06", "0.8499787505"],
      [today, "0.9000000000"],
    ]);
  },
};
