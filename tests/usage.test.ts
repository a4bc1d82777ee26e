/**
 * What a user is told of calls is what was recorded: each call once, however often and at once it is told; sums are those
 * of the rows, days and months are those of UTC, and every row comes exactly once in pages and in the export.
 *
 * Method: the routes on the running stack with users and models of each test's own, against the tables.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { call, makeUser, signUp, stack, type TestUser } from "./harness.ts";
import {
  addModel,
  customer,
  DOLLAR,
  round,
  setPrice,
  spent,
  type TestModel,
  times,
  units,
  usageTest,
} from "./models.ts";
import { parallel } from "./stripe-events.ts";

const newId = (): string => crypto.randomUUID();

/** Tells of a call, as another backend does. */
const tell = (body: Record<string, unknown>) => call("usage", { secret: true, body });

/** Tells of a call and asserts that it is taken. */
async function told(body: Record<string, unknown>) {
  const answer = await tell(body);
  equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

const callOf = (user: { id: string } | string, { service, model }: TestModel) => ({
  user_id: typeof user === "string" ? user : user.id,
  operation_id: newId(),
  service,
  operation: "chat",
  model,
});

const read = async (user: TestUser, path: string) => {
  const { status, body } = await call(`usage${path}`, { token: user.token });
  equal(status, 200, JSON.stringify(body));
  return body;
};

/** Euros for a dollar today. */
async function rateNow(sql: postgres.Sql): Promise<bigint> {
  const [row] = await sql`
    select usd_eur::text from currency_rates where day <= (now() at time zone 'UTC')::date
    order by day desc limit 1`;
  return units(row?.["usd_eur"] ?? "0.85");
}

usageTest("a call is recorded with what it cost, to the last digit", async (sql) => {
  const user = await signUp();
  const gpt4 = await addModel(sql, { price: { input: "30", output: "60" } });
  const ada = await addModel(sql, { price: { input: "0.10" } });
  const rate = await rateNow(sql);
  const euros = (usd: bigint) => round(usd * rate, DOLLAR);

  const given = { ...callOf(user, gpt4), input_tokens: 1000, output_tokens: 500 };
  const row = await told(given);
  const { id, occurred_at, cost_eur, usd_eur, price_id, ...rest } = row;
  match(`${id} ${price_id}`, /^[0-9a-f-]{36} [0-9a-f-]{36}$/);
  ok(Math.abs(Date.parse(occurred_at) - Date.now()) < 60_000);
  deepEqual([units(cost_eur), units(usd_eur)], [euros(units("0.06")), rate]);
  deepEqual(rest, {
    ...given,
    cached_input_tokens: 0,
    seconds: 0,
    images: 0,
    success: true,
    cost_usd: "0.06",
    unpriced: false,
    tokens_charged: 0,
    remaining: null,
    overdrawn: false,
    replayed: false,
  });
  const tiny = await told({ ...callOf(user, ada), input_tokens: 1 });
  deepEqual([tiny.cost_usd, units(tiny.cost_eur)], ["0.0000001", euros(1000n)]);
  const failed = await told({
    ...callOf(user, gpt4),
    input_tokens: 1000,
    success: false,
    error: "x",
  });
  deepEqual([failed.cost_usd, failed.unpriced], ["0.00", false]);
  const unknown = await told({ ...callOf(user, gpt4), model: "no such model", input_tokens: 1 });
  deepEqual([unknown.cost_usd, unknown.cost_eur, unknown.unpriced], [null, null, true]);
  const known = await told({ ...callOf(user, gpt4), model: "no such model", cost_usd: "1.25" });
  deepEqual([known.cost_usd, known.price_id, known.unpriced], ["1.25", null, false]);

  await setPrice(sql, gpt4, { input: "15", output: "60" });
  const cheaper = await told({ ...callOf(user, gpt4), input_tokens: 1000, output_tokens: 500 });
  deepEqual([cheaper.cost_usd, (await told(given)).cost_usd], ["0.045", "0.06"]);

  const { summary, recent_history } = await read(user, "");
  deepEqual([summary.total_calls, summary.failed_calls, summary.unpriced_calls], [6, 1, 1]);
  equal(summary.total_cost_usd, "1.3550001");
  equal(recent_history.length, 6);
  equal(recent_history.at(-1).id, id);
});

usageTest(
  "a call that is told again answers as before, and another under its id is refused",
  async (sql) => {
    const user = await customer(sql, 100);
    const model = await addModel(sql, { price: { call: "0.01" } });
    const given = { ...callOf(user, model), tokens: 7 };
    const first = await told(given);
    deepEqual([first.tokens_charged, first.remaining, first.replayed], [7, 93, false]);
    deepEqual(await told(given), { ...first, replayed: true });
    for (
      const other of [{ tokens: 8 }, { input_tokens: 1 }, { success: false }, { model: "other" }]
    ) {
      const { status, body } = await tell({ ...given, ...other });
      deepEqual([status, body.code], [409, "operation_id_reused"], JSON.stringify(other));
    }
    deepEqual(await spent(sql, user), { used: 7, reserved: 0, charges: 1 });

    const answers = await Promise.all(
      times(20).map(() => {
        return told({ ...given, operation_id: "twenty times", tokens: 3 });
      }),
    );
    equal(answers.filter(({ replayed }) => !replayed).length, 1);
    equal(new Set(answers.map(({ id, remaining }) => `${id} ${remaining}`)).size, 1);
    deepEqual(await spent(sql, user), { used: 10, reserved: 0, charges: 2 });
    equal((await read(user, "")).summary.total_calls, 2);

    const missing = await tell({ ...given, operation_id: undefined });
    deepEqual([missing.status, missing.body.code], [400, "invalid_request"]);
    const nobody = await tell({ ...given, user_id: newId() });
    deepEqual([nobody.status, nobody.body.code], [404, "user_not_found"]);
  },
);

usageTest("a call settles its hold, releases it, or charges what is there", async (sql) => {
  const user = await customer(sql, 100);
  const model = await addModel(sql);
  const hold = async (amount: number) => {
    const operation_id = newId();
    const body = { user_id: user.id, amount, operation_id };
    equal((await call("credits/reserve", { secret: true, body })).status, 200);
    return { ...callOf(user, model), operation_id };
  };
  const settled = await told({ ...await hold(50), tokens: 20 });
  deepEqual([settled.tokens_charged, settled.remaining], [20, 80]);
  const released = await told({ ...await hold(50), tokens: 0, success: false });
  deepEqual([released.tokens_charged, released.remaining], [0, 80]);
  const kept = await told(await hold(50));
  deepEqual([kept.tokens_charged, kept.remaining], [0, null]);
  deepEqual(await spent(sql, user), { used: 20, reserved: 50, charges: 1 });
  const more = await told({ ...await hold(10), tokens: 45 });
  deepEqual([more.tokens_charged, more.remaining, more.overdrawn], [45, -15, true]);

  const before = (await read(user, "")).summary.total_calls;
  const refused = await tell({ ...callOf(user, model), tokens: 1 });
  deepEqual([refused.status, refused.body.code], [403, "insufficient_tokens"]);
  equal((await read(user, "")).summary.total_calls, before);
});

usageTest("of a batch each call is taken or refused by itself, in order", async (sql) => {
  const [user, other] = [await customer(sql, 5), await makeUser(sql, 5)];
  const model = await addModel(sql, { price: { call: "0.001" } });
  const replayed = await told(callOf(user, model));
  const { id: _, occurred_at: __, ...again } = replayed;
  const calls = [
    { ...callOf(user, model), tokens: 3 },
    { ...callOf(other, model), tokens: 5 },
    { ...callOf(user, model), tokens: 3 }, // more than is left
    { ...callOf(newId(), model) },
    { ...callOf(user, model), tokens: 2 },
    { ...callOf(user, model), operation_id: again.operation_id },
    { ...callOf(user, model), operation_id: again.operation_id, images: 1 },
  ];
  const { results } = await told({ calls });
  deepEqual(
    results.map((result: { error?: { code: string }; replayed?: boolean }) =>
      result.error?.code ?? result.replayed
    ),
    [false, false, "insufficient_tokens", "user_not_found", false, true, "operation_id_reused"],
  );
  deepEqual(
    results.map((result: { operation_id: string }) => result.operation_id),
    calls.map(({ operation_id }) => operation_id),
  );
  deepEqual(await spent(sql, user), { used: 5, reserved: 0, charges: 2 });
  const second = await told({ calls });
  deepEqual(
    second.results.map((result: Record<string, unknown>) => result["id"]),
    results.map((result: Record<string, unknown>) => result["id"]),
  );
  deepEqual(await spent(sql, user), { used: 5, reserved: 0, charges: 2 });

  const many = times(501).map(() => callOf(user, model));
  const tooMany = await tell({ calls: many });
  deepEqual([tooMany.status, tooMany.body.code], [400, "invalid_request"]);
  const most = await told({ calls: many.slice(1) });
  equal(most.results.filter((result: { replayed: boolean }) => !result.replayed).length, 500);
});

interface Sums {
  calls: number;
  failed_calls: number;
  unpriced_calls: number;
  input_tokens: number;
  output_tokens: number;
  tokens_charged: number;
  cost_usd: string;
  cost_eur: string;
}

/** What the rows of a user add up to, by something. */
const sumsBy = (sql: postgres.Sql, user: TestUser, by: postgres.Fragment, where = sql`true`) =>
  sql<Sums[]>`
    select
      ${by} as of, count(*) as calls, count(*) filter (where not success) as failed_calls,
      count(*) filter (where cost_usd is null) as unpriced_calls, sum(input_tokens)::bigint as input_tokens,
      sum(output_tokens)::bigint as output_tokens, sum(tokens_charged)::bigint as tokens_charged,
      coalesce(sum(cost_usd), 0)::text as cost_usd, coalesce(sum(cost_eur), 0)::text as cost_eur
    from usage_events e
    where user_id = ${user.id} and ${where}
    group by 1 order by 1`;

/** The same of what the summary says. */
const said = (
  rows: (Sums & Record<string, unknown>)[],
  name: (row: Record<string, unknown>) => unknown,
) =>
  rows.map((row) => ({
    of: name(row),
    calls: row.calls,
    failed_calls: row.failed_calls,
    unpriced_calls: row.unpriced_calls,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    tokens_charged: row.tokens_charged,
    cost_usd: units(row.cost_usd),
    cost_eur: units(row.cost_eur),
  })).sort((a, b) => `${a.of}` < `${b.of}` ? -1 : 1);

const exact = (rows: readonly Sums[]) => said(rows.map((row) => ({ ...row })), (row) => row["of"]);

usageTest(
  "the summary is the sum of the rows, in all and by service, model, operation and day",
  async (sql) => {
    const user = await customer(sql, 10_000);
    const models = [
      await addModel(sql, { price: { input: "2.5", output: "10.0000000001" } }),
      await addModel(sql, { provider_model: "other", price: { second: "0.000725" } }),
      await addModel(sql),
    ];
    const now = Date.now();
    const day = 86_400_000;
    const calls = times(300).map((n) => {
      const model = models[n % 3];
      ok(model);
      return {
        ...callOf(user, model),
        operation: `op-${n % 4}`,
        input_tokens: 37 * n % 1001,
        output_tokens: 53 * n % 997,
        seconds: n / 8,
        success: n % 7 !== 0,
        ...(n % 5 === 0 ? { tokens: n % 11 + 1 } : {}),
        ...(n % 13 === 0 ? { cost_usd: `0.${n}` } : {}),
        response_time_ms: n,
        // Around midnight, and over three months.
        occurred_at: new Date(now - (n % 70) * day - (n % 2 ? now % day + 1 - n % 3 : 0))
          .toISOString(),
      };
    });
    for (const half of [calls.slice(0, 150), calls.slice(150)]) {
      const { results } = await told({ calls: half });
      deepEqual(results.filter((result: { error?: unknown }) => result.error), []);
    }
    const from = new Date(now - 69 * day).toISOString().slice(0, 10);
    const { summary, ...about } = await read(user, `?period=all_time&group_by=day`);
    deepEqual([about.service, about.period], [null, "all_time"]);
    const named = (key: string) => (row: Record<string, unknown>) => row[key];
    deepEqual(
      said(summary.by_service, named("service")),
      exact(await sumsBy(sql, user, sql`service`)),
    );
    deepEqual(
      said(summary.by_operation, named("operation")),
      exact(await sumsBy(sql, user, sql`operation`)),
    );
    deepEqual(
      said(summary.by_day, named("day")),
      exact(await sumsBy(sql, user, sql`(occurred_at at time zone 'UTC')::date::text`)),
    );
    deepEqual(
      said(summary.by_model, (row) => `${row["service"]} ${row["model"]}`),
      exact(await sumsBy(sql, user, sql`service || ' ' || model`)),
    );

    const periods: [string, postgres.Fragment][] = [
      ["", sql`occurred_at at time zone 'UTC' >= date_trunc('month', now() at time zone 'UTC')`],
      [
        "?period=last_30_days",
        sql`(occurred_at at time zone 'UTC')::date > (now() at time zone 'UTC')::date - 30`,
      ],
      ["?period=all_time", sql`true`],
      [`?from=${from}&to=${from}`, sql`(occurred_at at time zone 'UTC')::date = ${from}`],
      [`?to=${from}`, sql`(occurred_at at time zone 'UTC')::date <= ${from}`],
      [
        `?from=2026-01-01&service=${models[1]?.service}`,
        sql`service = ${models[1]?.service ?? ""}`,
      ],
    ];
    for (const [query, where] of periods) {
      const { summary, recent_history } = await read(user, query);
      const [sums] = exact(await sumsBy(sql, user, sql`'all'`, where));
      const { total_calls, total_cost_usd, total_cost_eur, total_tokens, ...rest } = summary;
      deepEqual(
        said(
          [{ ...rest, calls: total_calls, cost_usd: total_cost_usd, cost_eur: total_cost_eur }],
          () => "all",
        ),
        sums ? [sums] : said([{ ...rest, calls: 0, cost_usd: "0", cost_eur: "0" }], () => "all"),
        query,
      );
      equal(total_tokens, rest.input_tokens + rest.output_tokens);
      equal(recent_history.length, Math.min(10, total_calls));
    }
    const other = await signUp();
    equal((await read(other, "?period=all_time")).summary.total_calls, 0);
  },
);

// Rows

const ROWS = 2345;

/** Many calls of one user, the last of many within the same thousandth of a second. */
async function manyCalls(sql: postgres.Sql) {
  const user = await signUp();
  const model = await addModel(sql);
  const names = ["=1+1", "+1", "-1", "@sum", '"quoted", and parted\nby lines', "plain", "\tx", "ü"];
  await parallel(times(Math.ceil(ROWS / 500)), 2, (n) =>
    sql`
      select track_usage_batch(jsonb_agg(jsonb_build_object(
        'user_id', ${user.id}::text, 'operation_id', 'call-' || i, 'service', ${model.service}::text, 'model', ${model.model}::text,
        'operation', (${names}::text[])[1 + i % ${names.length}::int], 'input_preview', (${names}::text[])[1 + i % ${names.length}::int],
        'occurred_at', case when i % 3 > 0 then date_trunc('second', now()) - interval '1 minute' + i % 3 * interval '1 microsecond' end
      )))
      from generate_series(${n * 500}::int, ${Math.min(ROWS, n * 500 + 500) - 1}::int) i`);
  return { user, model, names };
}

/** Reads CSV, quotes and all. (RFC 4180) */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (
    const [, quoted, plain = "", end = ""] of text.matchAll(
      /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g,
    )
  ) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows.slice(0, -1);
}

usageTest("the export has every call exactly once, and no formula", async (sql) => {
  const { user, names } = await manyCalls(sql);
  const response = await fetch(`${stack.url}/functions/v1/usage/export`, {
    headers: { authorization: `Bearer ${user.token}`, apikey: stack.publishable_key },
  });
  equal(response.status, 200);
  match(response.headers.get("content-type") ?? "", /^text\/csv/);
  match(response.headers.get("content-disposition") ?? "", /attachment/);
  const [header = [], ...rows] = parseCsv(await response.text());
  const column = (name: string) => rows.map((row) => row[header.indexOf(name)]);
  equal(rows.length, ROWS);
  deepEqual(
    column("operation_id").sort(),
    times(ROWS).map((i) => `call-${i}`).sort(),
  );
  const moments = column("occurred_at");
  deepEqual(moments, moments.toSorted().reverse(), "newest first");
  for (const name of ["operation", "input_preview"]) {
    deepEqual(
      [...new Set(column(name))].sort(),
      names.map((text) => /^[=+\-@\t]/.test(text) ? `'${text}` : text).sort(),
    );
  }
  deepEqual(rows.filter((row) => row.length !== header.length), []);
});

usageTest("the pages of the history have every call exactly once, newest first", async (sql) => {
  const { user, model } = await manyCalls(sql);
  const seen: { id: string; occurred_at: string }[] = [];
  let pages = 0;
  for (let next: string | null = ""; next !== null; pages++) {
    const page = await read(
      user,
      `/history?limit=200${next && `&before=${encodeURIComponent(next)}`}`,
    );
    seen.push(...page.data);
    next = page.next;
  }
  equal(pages, Math.ceil(ROWS / 200));
  equal(seen.length, ROWS);
  equal(new Set(seen.map(({ id }) => id)).size, ROWS);
  const rows = await sql`
    select id from usage_events where user_id = ${user.id} order by occurred_at desc, id desc`;
  deepEqual(seen.map(({ id }) => id), rows.map(({ id }) => id));
  const of = async (query: string) => (await read(user, `/history?${query}`)).data.length;
  deepEqual([await of(`service=${model.service}&limit=3`), await of("service=other")], [3, 0]);
  deepEqual([await of("to=2025-12-31"), await of("from=2026-01-01&limit=4")], [0, 4]);
  deepEqual(await read(await signUp(), "/history"), { data: [], next: null });
});

usageTest("what is asked wrongly is refused", async () => {
  const user = await signUp();
  const queries = [
    "?period=yesterday",
    "?period=all_time&from=2026-01-01",
    "?from=2026-02-30",
    "?from=2026-02-02&to=2026-02-01",
    "?group_by=year",
    "?what=1",
    "/history?before=x",
    "/history?limit=0",
    "/history?limit=201",
    "/export?from=x",
  ];
  for (const query of queries) {
    const { status, body } = await call(`usage${query}`, { token: user.token });
    deepEqual([status, body.code], [400, "invalid_request"], query);
  }
});

usageTest("previews are cut, and hold no keys", async (sql) => {
  const user = await signUp();
  const model = await addModel(sql);
  const key = `sk-proj-${"Ab1".repeat(10)}`;
  await told({
    ...callOf(user, model),
    success: false,
    error: `401 for ${key}`,
    input_preview: `Use ${key} and ${"long ".repeat(100)}`,
    output_summary: `password=hunter2hunter2 ${"x ".repeat(500)}`,
  });
  const [row] = (await read(user, "/history")).data;
  equal(/sk-proj|hunter2/.test(JSON.stringify(row)), false);
  match(row.input_preview, /^Use \[redacted\] and long/);
  deepEqual([[...row.input_preview].length, [...row.output_summary].length], [100, 200]);
  match(row.error, /^401 for \[redacted\]/);
});
