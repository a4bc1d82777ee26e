/**
 * Running a model costs what its price says if it succeeded, and nothing otherwise: at most once per Idempotency-Key, never
 * beyond the balance, and the same whether the answer is waited for, streamed, or not waited for.
 *
 * Method: the routes on the running stack, with the provider `demo` (which fails and waits as its input tells it to) and
 * users of each test's own, against runs, usage, holds, the journal and the ledger's proof.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import type postgres from "postgres";
import { z } from "zod";
import { connect, oneRow } from "../functions/_shared/database.ts";
import { call, makeUser, signUp, stack, type TestUser } from "./harness.ts";
import {
  addModel,
  ceil,
  customer,
  DOLLAR,
  type Event,
  eventsOf,
  eventually,
  listen,
  NOTHING_SPENT,
  type Order,
  round,
  setPrice,
  spent,
  stream,
  textOf,
  times,
  units,
  usageTest,
} from "./models.ts";
import { parallel } from "./stripe-events.ts";

/** The models of supabase/seed.sql that cost one token and five. */
const TEXT = "demo-text";
const IMAGE = "demo-image";

const ask = (user: TestUser, order: Order = {}, key?: string) =>
  call("run-model", {
    token: user.token,
    body: { model: TEXT, input: "Why is the sky blue?", ...order },
    ...(key ? { headers: { "idempotency-key": key } } : {}),
  });

/** Runs a model and asserts that it succeeds. */
async function run(user: TestUser, order?: Order, key?: string) {
  const { status, body } = await ask(user, order, key);
  equal(status, 200, JSON.stringify(body));
  return body;
}

const getRun = async (user: TestUser, id: unknown) =>
  (await call(`run-model/${id}`, { token: user.token })).body;

/** The user's only run, once it has ended. */
const ended = (sql: postgres.Sql, user: TestUser) =>
  eventually("the run has ended", async () => {
    const [run, ...others] = await sql`select id, status from runs where user_id = ${user.id}`;
    equal(others.length, 0);
    return run?.["status"] !== "running" && await getRun(user, run?.["id"]);
  });

const Usage = z.object({
  run_id: z.string(),
  operation: z.string(),
  input_tokens: z.int(),
  output_tokens: z.int(),
  images: z.int(),
  cost_usd: z.string().nullable(),
  tokens_charged: z.int(),
  success: z.boolean(),
  error: z.string().nullable(),
  input_preview: z.string().nullable(),
  output_summary: z.string().nullable(),
  response_time_ms: z.int(),
});

/** The user's only call, as it was recorded. */
async function usageOf(user: TestUser) {
  const { data } = await user.client.from("usage_events").select(
    "run_id, operation, input_tokens, output_tokens, images, cost_usd::text, tokens_charged, success, error, " +
      "input_preview, output_summary, response_time_ms",
  );
  equal(data?.length, 1);
  const [row] = z.array(Usage).parse(data);
  ok(row);
  return row;
}

usageTest("a run answers with its result, what it cost and what is left", async (sql) => {
  const user = await customer(sql, 10);
  const first = await run(user, { operation: "chat" });
  deepEqual(Object.keys(first).sort(), [
    "remaining",
    "replayed",
    "result",
    "run_id",
    "status",
    "tokens_used",
  ]);
  const { run_id, result, ...rest } = first;
  deepEqual(rest, { status: "succeeded", tokens_used: 1, remaining: 9, replayed: false });
  match(result.text, /\w+ \w+/);
  const stored = await getRun(user, run_id);
  deepEqual([stored.status, stored.result, stored.tokens_used], ["succeeded", result, 1]);
  const usage = await usageOf(user);
  deepEqual(
    [usage.run_id, usage.operation, usage.input_tokens, usage.output_tokens, usage.tokens_charged],
    [run_id, "chat", 5, result.text.split(" ").length, 1],
  );
  deepEqual([usage.success, usage.error, usage.input_preview], [
    true,
    null,
    "Why is the sky blue?",
  ]);
  equal(result.text.startsWith(usage.output_summary?.slice(0, 20)), true);

  const image = await run(user, { model: IMAGE, input: "A lighthouse" });
  match(image.result.images[0].url, /^data:image\/svg\+xml;base64,/);
  deepEqual([image.tokens_used, image.remaining], [5, 4]);
  const embedding = await run(user, { model: "demo-embedding", input: { input: ["a", "b"] } });
  equal(embedding.result.embeddings.length, 2);
  deepEqual(await spent(sql, user), { used: 7, reserved: 0, charges: 3 });
});

usageTest("100 tokens are 100 calls, and the 101st is refused and leaves no trace", async (sql) => {
  const user = await customer(sql, 100);
  await parallel(times(100), 8, () => run(user));
  deepEqual(await spent(sql, user), { used: 100, reserved: 0, charges: 100 });
  const traces = () =>
    sql`
      select
        (select count(*) from token_transactions where user_id = ${user.id}) as journal,
        (select count(*) from token_holds where user_id = ${user.id}) as holds,
        (select count(*) from runs where user_id = ${user.id}) as runs,
        (select sum(calls)::bigint from usage_daily where user_id = ${user.id}) as calls`;
  const before = [...await traces()];
  deepEqual({ ...before[0] }, { journal: 101, holds: 100, runs: 100, calls: 100 });
  for (const order of [{}, { stream: true }]) {
    const { status, body } = await ask(user, order);
    equal(status, 403);
    deepEqual([body.code, body.message], [
      "insufficient_tokens",
      "Insufficient tokens: you have 0, need 1",
    ]);
  }
  deepEqual([...await traces()], before);
});

usageTest("of 50 calls at once with 10 tokens exactly 10 run", async (sql) => {
  const user = await customer(sql, 10);
  const slow = { prompt: "hello", delay_ms: 200 };
  const answers = await Promise.all(times(50).map(() => ask(user, { input: slow })));
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  deepEqual([count(200), count(403)], [10, 40]);
  deepEqual(await spent(sql, user), { used: 10, reserved: 0, charges: 10 });
});

usageTest(
  "of 20 calls at once with one key one runs; the others are told so, or its result",
  async (sql) => {
    const user = await customer(sql, 10);
    const order = { input: { prompt: "hello", delay_ms: 300 } };
    const answers = await Promise.all(times(20).map(() => ask(user, order, "the-same")));
    const [ran, ...others] = answers.toSorted((a, b) =>
      Number(a.body.replayed !== false) - Number(b.body.replayed !== false)
    );
    deepEqual([ran?.status, ran?.body.replayed], [200, false]);
    for (const { status, body } of others) {
      if (status === 200) deepEqual([body.run_id, body.replayed], [ran?.body.run_id, true]);
      else {deepEqual([status, body.code, body.details], [
          409,
          "operation_in_progress",
          ran?.body.run_id,
        ]);}
    }
    ok(others.some(({ status }) => status === 409));
    const again = await run(user, order, "the-same");
    deepEqual(again, { ...ran?.body, replayed: true });
    deepEqual(await spent(sql, user), { used: 1, reserved: 0, charges: 1 });

    for (const other of [{ ...order, model: IMAGE }, { input: "hello" }]) {
      const { status, body } = await ask(user, other, "the-same");
      deepEqual([status, body.code], [409, "operation_id_reused"]);
    }
    deepEqual(await spent(sql, user), { used: 1, reserved: 0, charges: 1 });
  },
);

usageTest(
  "a failure is told, without keys, charges nothing, and stays the answer of its key",
  async (sql) => {
    const user = await customer(sql, 10);
    const key = `sk-${"a1".repeat(12)}`;
    const order = { input: { prompt: `My key is ${key}`, fail: `Out of order for ${key}` } };
    const first = await ask(user, order, "fails");
    deepEqual([first.status, first.body.code], [502, "provider_failed"]);
    match(first.body.message, /Out of order/);
    const usage = await usageOf(user);
    deepEqual([usage.success, usage.cost_usd, usage.tokens_charged], [false, "0.0000000000", 0]);
    const again = await ask(user, order, "fails");
    deepEqual([again.status, again.body], [502, first.body]);
    const stored = await ended(sql, user);
    deepEqual([stored.status, stored.tokens_used, stored.remaining], ["failed", 0, 10]);
    equal(JSON.stringify([first, again, usage, stored]).includes(key), false);
    deepEqual(await spent(sql, user), NOTHING_SPENT);
    const [kept] =
      await sql`select to_jsonb(r)::text as row from runs r where user_id = ${user.id}`;
    equal(kept?.["row"].includes(key), false);
  },
);

/** Passes on what Postgres and its client say, until it is told to lose the next answer, and the connection with it. */
function openLossy(url: string) {
  const { hostname, port } = new URL(url);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let losing = false;
  const serve = async (client: Deno.Conn) => {
    const server = await Deno.connect({ hostname, port: Number(port) });
    const losable = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        if (losing) throw new Error("lost");
        controller.enqueue(bytes);
      },
    });
    const up = client.readable.pipeTo(server.writable);
    const down = server.readable.pipeThrough(losable).pipeTo(client.writable);
    const results = await Promise.allSettled([down, up]);
    if (results.some(({ status }) => status === "rejected")) losing = false;
  };
  const accepting = (async () => {
    const served = [];
    for await (const client of listener) served.push(serve(client));
    await Promise.allSettled(served);
  })();
  const lossy = new URL(url);
  lossy.port = `${listener.addr.port}`;
  return {
    url: lossy.href,
    /** Loses the next answer. */
    lose: () => void (losing = true),
    /** Whether none was lost since. */
    isLosing: () => losing,
    async close() {
      listener.close();
      await accepting;
    },
  };
}

usageTest(
  "a start goes on when the database's answer is lost, and is nobody else's",
  async (sql) => {
    const lossy = openLossy(stack.database_url);
    const { rpc, end } = connect({ url: lossy.url, poolSize: 1, prepare: true });
    const rpcOne = oneRow(rpc);
    const user = await makeUser(sql, 100);
    const startModel = (operation_id: string) => ({
      user_id: user,
      operation_id,
      slug: TEXT,
      request: {},
      attempt: crypto.randomUUID(),
    });
    const startWork = (operation_id: string) => ({
      user_id: user,
      operation_id,
      request: {},
      amount: 1,
      service: "s",
      operation: "o",
      model: "m",
      attempt: crypto.randomUUID(),
    });
    const starts = {
      start_model_run: (id: string) => rpcOne("start_model_run", startModel(id)),
      start_run: (id: string) => rpcOne("start_run", startWork(id)),
    };
    try {
      for (const [name, start] of Object.entries(starts)) {
        // The statement is known to the server from now on: its next answer is that of its transaction.
        await start(`${name} before`);
        lossy.lose();
        const { run_id, run_status, replayed } = await start(name);
        deepEqual([lossy.isLosing(), run_status, replayed], [false, "running", false]);
        await rejects(start(name), { status: 409, message: /is under way/ });
        await rpcOne("finish_run", { run_id, outcome: "succeeded" });
        const again = await start(name);
        deepEqual([again.run_id, again.run_status, again.replayed], [run_id, "succeeded", true]);
      }
      deepEqual(await spent(sql, { id: user }), { used: 2, reserved: 2, charges: 2 });
    } finally {
      await end();
      await lossy.close();
    }
  },
);

usageTest("a model that takes too long is given up, and charges nothing", async (sql) => {
  const user = await customer(sql, 10);
  const { slug } = await addModel(sql, { timeout_seconds: 1 });
  const slow = { model: slug, input: { prompt: "hello", delay_ms: 30_000 } };
  const [plain, streamed] = await Promise.all([ask(user, slow), stream(user, slow)]);
  deepEqual([plain.status, plain.body.code], [502, "provider_failed"]);
  match(plain.body.message, /within 1 second/);
  const [name, data] = streamed.at(-1) ?? [];
  deepEqual([name, data?.["code"]], ["error", "provider_failed"]);
  deepEqual(await spent(sql, user), NOTHING_SPENT);
});

usageTest("what cannot run is refused before anything is held", async (sql) => {
  const user = await customer(sql, 10);
  const unpriced = await addModel(sql, { fixed_tokens: null });
  const cases: [Order, number, string][] = [
    [{ model: "no-such-model" }, 404, "model_not_found"],
    [{ model: "gpt-4o-mini" }, 404, "model_not_found"], // not on offer
    [{ model: unpriced.slug }, 409, "model_unavailable"],
    [{ input: { prompt: 5 } }, 400, "invalid_request"],
    [{ input: { nonsense: true } }, 400, "invalid_request"],
    [{ input: "" }, 400, "invalid_request"],
    [{ input: { prompt: "a", max_output_tokens: 1e9 } }, 400, "invalid_request"],
    [{ model: IMAGE, input: "a", stream: true }, 400, "invalid_request"],
    [{ input: "a".repeat(1_100_000) }, 400, "invalid_request"],
  ];
  for (const [order, status, code] of cases) {
    const answer = await ask(user, order);
    const what = JSON.stringify(order).slice(0, 80);
    deepEqual([answer.status, answer.body.code], [status, code], what);
  }
  const [rows] = await sql`
    select
      (select count(*) from runs where user_id = ${user.id}) as runs,
      (select count(*) from token_holds where user_id = ${user.id}) as holds,
      (select count(*) from usage_events where user_id = ${user.id}) as calls`;
  deepEqual({ ...rows }, { runs: 0, holds: 0, calls: 0 });
});

// Metered

/** US dollars for a million tokens, and a multiple of it. */
const PRICE = { input: "250", output: "1000.0000000003", call: "0.0007" };

/** What a call costs by {@link PRICE}, in units. */
const costOf = (input: number, output: number) =>
  round(
    BigInt(input) * units(PRICE.input) + BigInt(output) * units(PRICE.output) +
      units(PRICE.call) * 10n ** 6n,
    10n ** 6n,
  );

/** What that is in tokens, with a markup of 1.5, at a cent a token, times a plan's tenths. */
function tokensFor(cost: bigint, tenths: bigint): number {
  const base = ceil(cost * 3n, 2n * DOLLAR / 100n);
  return Number(ceil((base > 1n ? base : 1n) * tenths, 10n));
}

for (const [tier, tenths] of [[null, 10n], ["premium", 8n]] as const) {
  usageTest(
    `a metered call costs what its price and markup say, times the multiplier ${
      tier ? "of a plan" : "1"
    }`,
    async (sql) => {
      const user = await customer(sql, 1000);
      if (tier) await sql`select change_subscription(${user.id}, ${tier}, 'subscription')`;
      const [before] = await sql`select remaining from get_token_balance(${user.id})`;
      const model = await addModel(sql, {
        fixed_tokens: null,
        markup: "1.5",
        max_output_tokens: 100,
        price: PRICE,
      });
      const input = { prompt: "one two three", max_output_tokens: 40, delay_ms: 700 };
      const running = run(user, { model: model.slug, input });
      const most = tokensFor(costOf(3, 40), tenths);
      await eventually("the most that it can cost is held", async () => {
        const { reserved } = await spent(sql, user);
        return reserved === most;
      });
      // A price of a later moment is of later calls.
      await setPrice(sql, model, { input: "9999" });
      const { tokens_used, remaining } = await running;
      const usage = await usageOf(user);
      equal(usage.input_tokens, 3);
      ok(usage.output_tokens > 10 && usage.output_tokens <= 40);
      const cost = costOf(3, usage.output_tokens);
      equal(units(usage.cost_usd ?? ""), cost);
      equal(tokens_used, tokensFor(cost, tenths));
      equal(remaining, before?.["remaining"] - tokens_used);
      deepEqual(await spent(sql, user), { used: tokens_used, reserved: 0, charges: 1 });
    },
  );
}

usageTest("a metered call is refused if the most that it can cost is not there", async (sql) => {
  const most = tokensFor(costOf(3, 40), 10n);
  const user = await customer(sql, most - 1);
  const { slug } = await addModel(sql, {
    fixed_tokens: null,
    markup: "1.5",
    max_output_tokens: 40,
    price: PRICE,
  });
  const { status, body } = await ask(user, { model: slug, input: "one two three" });
  equal(status, 403);
  equal(body.message, `Insufficient tokens: you have ${most - 1}, need ${most}`);
});

// Streams

usageTest("a stream brings the text as it is made, and then the receipt", async (sql) => {
  const user = await customer(sql, 10);
  const order = { model: TEXT, stream: true, input: { prompt: "hello", delay_ms: 20 } };
  const began = performance.now();
  const response = await listen(user, order, "streamed").response;
  const events: Event[] = [];
  const arrivals: number[] = [];
  for await (const event of eventsOf(response)) {
    events.push(event);
    arrivals.push(performance.now() - began);
  }
  const names = events.map(([name]) => name);
  const deltas = names.length - 2;
  deepEqual(names, ["run", ...times(deltas).map(() => "delta"), "done"]);
  ok(deltas >= 20);
  // Held back, they would come together at the end.
  const [first = 0] = arrivals;
  ok((arrivals.at(-1) ?? 0) - first > 15 * deltas, "the text did not come as it was made");
  const [, done] = events.at(-1) ?? [];
  deepEqual(done, {
    run_id: events[0]?.[1]["run_id"],
    status: "succeeded",
    result: { text: textOf(events), finish_reason: "stop" },
    tokens_used: 1,
    remaining: 9,
    replayed: false,
  });
  deepEqual((await getRun(user, done?.["run_id"])).result, done?.["result"]);

  const again = await stream(user, order, "streamed");
  deepEqual(again, [
    ["run", { run_id: done?.["run_id"] }],
    ["delta", { text: textOf(events) }],
    ["done", { ...done, replayed: true }],
  ]);
  deepEqual(await run(user, { input: order.input }, "streamed"), { ...done, replayed: true });
  deepEqual(await spent(sql, user), { used: 1, reserved: 0, charges: 1 });
});

usageTest("a stream that fails halfway ends with the error, and charges nothing", async (sql) => {
  const user = await customer(sql, 10);
  const order = { model: TEXT, input: { prompt: "hello", fail: "Out of order" } };
  const events = await stream(user, order, "breaks");
  ok(events.length > 5);
  const [name, data] = events.at(-1) ?? [];
  equal(name, "error");
  deepEqual(Object.keys(data ?? {}).sort(), ["code", "details", "hint", "message"]);
  match(`${data?.["code"]} ${data?.["message"]}`, /^provider_failed .*Out of order/);
  const again = await ask(user, order, "breaks");
  deepEqual([again.status, again.body.message], [502, data?.["message"]]);
  deepEqual(await spent(sql, user), NOTHING_SPENT);
});

// Callers who leave

usageTest("a caller who leaves pays nothing for an answer that was not there yet", async (sql) => {
  const orders = [
    { model: TEXT, input: { prompt: "hello", delay_ms: 20_000 } },
    { model: TEXT, stream: true, input: { prompt: "hello", delay_ms: 20_000 } },
  ];
  for (const order of orders) {
    const user = await customer(sql, 10);
    const { response, leave } = listen(user, order);
    response.catch(() => {});
    await eventually("tokens are held", async () => (await spent(sql, user)).reserved === 1);
    leave();
    const stored = await ended(sql, user);
    deepEqual([stored.status, stored.tokens_used, stored.remaining], ["canceled", 0, 10]);
    equal((await usageOf(user)).success, false);
    deepEqual(await spent(sql, user), NOTHING_SPENT);
  }
});

usageTest(
  "a caller who leaves a stream pays for the text that was made, and no more",
  async (sql) => {
    const user = await customer(sql, 1000);
    const { slug } = await addModel(sql, { fixed_tokens: null, markup: "1.5", price: PRICE });
    const order = { model: slug, stream: true, input: { prompt: "one two three", delay_ms: 30 } };
    const { response, leave } = listen(user, order, "left");
    const heard: Event[] = [];
    for await (const event of eventsOf(await response)) {
      heard.push(event);
      if (heard.length === 6) break;
    }
    leave();
    const stored = await ended(sql, user);
    deepEqual([stored.status, stored.result.truncated], ["succeeded", true]);
    ok(stored.result.text.startsWith(textOf(heard)));
    const usage = await usageOf(user);
    equal(usage.output_tokens, stored.result.text.split(" ").length);
    // Some more can have been made before it was known that nobody listens.
    ok(usage.output_tokens >= 5 && usage.output_tokens <= 10, `${usage.output_tokens} words`);
    const cost = costOf(3, usage.output_tokens);
    equal(units(usage.cost_usd ?? ""), cost);
    const tokens = tokensFor(cost, 10n);
    equal(stored.tokens_used, tokens);
    deepEqual(await spent(sql, user), { used: tokens, reserved: 0, charges: 1 });
    const again = await run(user, { model: slug, input: order.input }, "left");
    deepEqual([again.result, again.replayed], [stored.result, true]);
  },
);

usageTest(
  "40 callers who leave at moments of their own leave nothing held, and nothing charged for nothing",
  async (sql) => {
    const user = await customer(sql, 1000);
    await parallel(times(40), 8, async (n) => {
      const input = { prompt: `hello ${n}`, delay_ms: 3 };
      const order = { model: TEXT, stream: n % 2 === 0, input };
      const { response, leave } = listen(user, order);
      setTimeout(leave, 4 * n);
      await response.then((answer) => answer.text()).catch(() => {});
    });
    await eventually("all runs have ended", async () => {
      const rows = await sql`select 1 from runs where user_id = ${user.id} and status = 'running'`;
      return rows.length === 0;
    });
    const [sums] = await sql`
    select
      count(*) filter (where status = 'succeeded') as succeeded,
      count(*) filter (where status = 'succeeded' and coalesce(result ->> 'text', '') = '') as empty,
      count(*) filter (where status not in ('succeeded', 'canceled')) as others
    from runs where user_id = ${user.id}`;
    ok(sums);
    deepEqual([sums["empty"], sums["others"]], [0, 0]);
    deepEqual(await spent(sql, user), {
      used: sums["succeeded"],
      reserved: 0,
      charges: sums["succeeded"],
    });
  },
);

// Reading

usageTest("runs are their owner's", async (sql) => {
  const [user, other] = [await customer(sql, 10), await signUp()];
  const { run_id } = await run(user);
  const mine = await call(`run-model/${run_id}`, { token: user.token });
  equal(mine.status, 200);
  for (const [method, path] of [["GET", run_id], ["POST", `${run_id}/cancel`]]) {
    const answer = await call(`run-model/${path}`, { method, token: other.token });
    deepEqual([answer.status, answer.body.code], [404, "run_not_found"]);
  }
  const cancel = await call(`run-model/${run_id}/cancel`, { method: "POST", token: user.token });
  deepEqual([cancel.status, cancel.body], [200, mine.body]);
  // Not even their owner reads what the operator earns by them.
  ok((await user.client.from("runs").select()).error);
});

usageTest("anyone reads which models there are, and not where they run", async (sql) => {
  const { slug } = await addModel(sql, {
    provider: "openai",
    provider_model: "secret-model",
    base_url: "http://127.0.0.1:9/secret",
    api_key_variable: "SECRET_API_KEY",
  });
  const { status, body } = await call("run-model/models");
  equal(status, 200);
  const listed = body.data.find((model: { slug: string }) => model.slug === slug);
  deepEqual(Object.keys(listed).sort(), [
    "description",
    "fixed_tokens",
    "kind",
    "max_output_tokens",
    "name",
    "price_mode",
    "slug",
  ]);
  ok(body.data.some((model: { slug: string }) => model.slug === TEXT));
  equal(/secret-model|127\.0\.0\.1|SECRET/.test(JSON.stringify(body)), false);
  // Its key is missing: that is found out before anything is held.
  const user = await customer(sql, 10);
  const refused = await ask(user, { model: slug });
  deepEqual([refused.status, refused.body.code], [502, "provider_failed"]);
  match(refused.body.message, /SECRET_API_KEY is missing/);
  deepEqual([...await sql`select 1 from runs where user_id = ${user.id}`], []);
  await sql`update ai_models set active = false where slug = ${slug}`;
});

usageTest("who wants no previews has none", async (sql) => {
  const user = await customer(sql, 10);
  const { error } = await user.client.from("subscribers").update({ usage_previews: false })
    .eq("user_id", user.id);
  equal(error, null);
  await run(user);
  const { input_preview, output_summary } = await usageOf(user);
  deepEqual({ input_preview, output_summary }, { input_preview: null, output_summary: null });
  const [kept] = await sql`select input_preview from runs where user_id = ${user.id}`;
  deepEqual({ ...kept }, { input_preview: null });
});
