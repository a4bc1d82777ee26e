/**
 * What calls cost is exact to the last digit, and whatever is tracked and run in whatever order and at the same time, sums,
 * runs, holds and the journal agree.
 *
 * Method: random programs (fast-check) of calls, holds and runs, one after the other against a small model that counts in
 * ten-billionths of a dollar with bigint, and all at once against the invariants; then races made on purpose.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import { errorCode, makeUser, makeUsers, outcomes, untilBlocked } from "./harness.ts";
import {
  addModel,
  ceil,
  DOLLAR,
  round,
  type TestModel,
  times,
  units,
  usageTest,
} from "./models.ts";
import { parallel } from "./stripe-events.ts";

const CONNECTIONS = 32;
const MILLION = 10n ** 6n;
const MARKUPS = 10n ** 4n;
/** settings.usd_per_token. */
const USD_PER_TOKEN = DOLLAR / 100n;
const FIXED_TOKENS = 3;
const TOKENS = 60;
const USERS = 2;

/** Writes units as a decimal string. */
function decimal(value: bigint, decimals = 10): string {
  const digits = value.toString().padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

interface Quantities {
  input: number;
  cached: number;
  output: number;
}

interface Prices {
  input: bigint;
  cached: bigint;
  output: bigint;
  call: bigint;
  /** In ten-thousandths. */
  markup: bigint;
}

interface Step {
  kind: "track" | "track and charge" | "track no tokens" | "hold" | "start" | "finish";
  user: number;
  id: number;
  model: "metered" | "fixed";
  amount: number;
  used: Quantities;
  outcome: "succeeded" | "failed" | "canceled";
  /** Whether a call says itself that it cost a cent a unit of amount. */
  explicit: boolean;
}

const quantities = (min: number, max: number) =>
  fc.record({
    input: fc.integer({ min, max }),
    part: fc.nat({ max: 4 }),
    output: fc.integer({ min, max }),
  }).map(({ input, part, output }) => ({ input, cached: Math.floor(input * part / 4), output }));

// Few ids, amounts and quantities, so that replays, conflicts and refusals are common.
const program = (minLength: number, maxLength: number) =>
  fc.tuple(quantities(0, 100), quantities(1000, 4000)).chain((used) =>
    // Some are done twice.
    fc.array(fc.tuple(stepOf(used), fc.integer({ min: 1, max: 2 })), { minLength, maxLength })
  ).map((steps) => steps.flatMap(([step, often]) => Array.from({ length: often }, () => step)));

const stepOf = (used: Quantities[]) =>
  fc.record<Step>({
    kind: fc.constantFrom<Step["kind"][]>(
      "track",
      "track and charge",
      "track and charge",
      "track no tokens",
      "hold",
      "start",
      "start",
      "finish",
      "finish",
    ),
    user: fc.nat({ max: USERS - 1 }),
    id: fc.nat({ max: 3 }),
    model: fc.constantFrom("metered", "metered", "fixed"),
    amount: fc.constantFrom(1, 7, 20),
    used: fc.constantFrom(...used),
    outcome: fc.constantFrom("succeeded", "succeeded", "failed", "canceled"),
    explicit: fc.boolean(),
  });

const price = fc.oneof(
  fc.bigInt({ min: 1n, max: DOLLAR }),
  fc.bigInt({ min: DOLLAR, max: 100n * DOLLAR }),
);
const prices: fc.Arbitrary<Prices> = fc.record({
  input: price,
  cached: price,
  output: price,
  call: fc.bigInt({ min: 1n, max: DOLLAR / 100n }),
  markup: fc.bigInt({ min: 1n, max: 30_000n }),
});

interface World {
  users: string[];
  models: Record<Step["model"], TestModel>;
  prices: Prices;
}

async function makeWorld(sql: postgres.Sql, prices: Prices): Promise<World> {
  return {
    users: await makeUsers(sql, USERS, TOKENS),
    models: {
      metered: await addModel(sql, {
        fixed_tokens: null,
        markup: decimal(prices.markup, 4),
        price: {
          input: decimal(prices.input),
          cachedInput: decimal(prices.cached),
          output: decimal(prices.output),
          call: decimal(prices.call),
        },
      }),
      fixed: await addModel(sql, { fixed_tokens: FIXED_TOKENS }),
    },
    prices,
  };
}

const runOperation = (step: Step) => `run-${step.id}`;
const callOperation = (step: Step) => `call-${step.id}`;
const explicitCost = ({ explicit, amount }: Step) =>
  explicit ? `0.${`${amount}`.padStart(2, "0")}` : null;

/** Does a step; what Scrip answers, or the code of its refusal. */
async function perform(sql: postgres.Sql, world: World, step: Step) {
  const user = world.users[step.user] ?? "";
  const { slug, service, model } = world.models[step.model];
  const { input, cached, output } = step.used;
  try {
    switch (step.kind) {
      case "hold": {
        const [row] = await sql`
          select remaining, replayed from reserve_tokens(${user}, ${step.amount}, ${
          callOperation(step)
        })`;
        return { ...row };
      }
      case "start": {
        const [row] = await sql`
          select run_status, tokens_reserved, remaining, replayed
          from start_model_run(
            ${user}, ${slug}, ${runOperation(step)}, ${sql.json({ model: step.model })},
            input_tokens => ${input}, output_tokens => ${output}
          )`;
        return { ...row };
      }
      case "finish": {
        const [run] = await sql`
          select id from runs where user_id = ${user} and operation_id = ${runOperation(step)}`;
        const [row] = await sql`
          select run_status, tokens_used, remaining, overdrawn, replayed
          from finish_run(
            ${
          run?.["id"] ?? crypto.randomUUID()
        }, ${step.outcome}, error => 'broken', input_tokens => ${input},
            cached_input_tokens => ${cached}, output_tokens => ${output}
          )`;
        return { ...row };
      }
      default: {
        const tokens = step.kind === "track"
          ? null
          : step.kind === "track no tokens"
          ? 0
          : step.amount;
        const [row] = await sql`
          select cost_usd, cost_eur, usd_eur, unpriced, tokens_charged, remaining, overdrawn, replayed
          from track_usage(
            ${user}, ${
          callOperation(step)
        }, ${service}, 'chat', ${model}, ${input}, ${cached}, ${output},
            explicit_cost_usd => ${explicitCost(step)}, tokens => ${tokens}, success => ${
          step.outcome === "succeeded"
        }
          )`;
        return { ...row };
      }
    }
  } catch (error) {
    return errorCode(error);
  }
}

/** A dollar amount as Scrip writes it: without zeros at its end, but with cents. */
const usdText = (value: bigint | null) =>
  value === null ? null : decimal(value).replace(/(\.\d\d\d*?)0+$/, "$1");

interface Sums {
  calls: number;
  failed: number;
  unpriced: number;
  input: number;
  cached: number;
  output: number;
  charged: number;
  usd: bigint;
}

interface Run {
  request: string;
  status: "running" | Step["outcome"];
  fixed: boolean;
  reserved: number;
  /** What it was answered at its start and, once it has ended, at its end. */
  remaining: number;
  used: number;
}

/** What one user's tokens and usage should be. */
class Model {
  balance = TOKENS;
  reserved = 0;
  readonly sums: Sums = {
    calls: 0,
    failed: 0,
    unpriced: 0,
    input: 0,
    cached: 0,
    output: 0,
    charged: 0,
    usd: 0n,
  };
  readonly #holds = new Map<number, { amount: number; remaining: number; active: boolean }>();
  readonly #charges = new Set<number>();
  readonly #calls = new Map<
    number,
    { asked: string; explicit: boolean; answer: Record<string, unknown> }
  >();
  readonly #runs = new Map<number, Run>();

  constructor(readonly prices: Prices) {}

  get remaining() {
    return this.balance - this.reserved;
  }

  apply(step: Step, usdEur: bigint): string | Record<string, unknown> {
    switch (step.kind) {
      case "hold":
        return this.#hold(step);
      case "start":
        return this.#start(step);
      case "finish":
        return this.#finish(step);
      default:
        return this.#track(step, usdEur);
    }
  }

  /** The price of a call at the metered model; null at the other, which has none. */
  #cost(model: Step["model"], { input, cached, output }: Quantities): bigint | null {
    if (model === "fixed") return null;
    const { prices } = this;
    const tokens = BigInt(input - cached) * prices.input + BigInt(cached) * prices.cached +
      BigInt(output) * prices.output;
    return round(tokens + prices.call * MILLION, MILLION);
  }

  #tokens(cost: bigint | null): number {
    if (cost === null) return FIXED_TOKENS;
    const tokens = ceil(cost * this.prices.markup, MARKUPS * USD_PER_TOKEN);
    return tokens > 1n ? Number(tokens) : 1;
  }

  #hold({ id, amount }: Step) {
    const held = this.#holds.get(id);
    if (held) {
      return held.amount === amount
        ? { remaining: held.remaining, replayed: true }
        : "operation_id_reused";
    }
    if (this.#charges.has(id)) return "operation_id_reused";
    if (this.remaining < amount) return "insufficient_tokens";
    this.reserved += amount;
    this.#holds.set(id, { amount, remaining: this.remaining, active: true });
    return { remaining: this.remaining, replayed: false };
  }

  #start(step: Step) {
    const before = this.#runs.get(step.id);
    if (before && before.request !== step.model) return "operation_id_reused";
    if (before?.status === "running") return "operation_in_progress";
    if (before) {
      const { status: run_status, reserved: tokens_reserved, remaining } = before;
      return { run_status, tokens_reserved, remaining, replayed: true };
    }
    const reserved = this.#tokens(this.#cost(step.model, { ...step.used, cached: 0 }));
    if (this.remaining < reserved) return "insufficient_tokens";
    this.reserved += reserved;
    const { remaining } = this;
    this.#runs.set(step.id, {
      request: step.model,
      status: "running",
      fixed: step.model === "fixed",
      reserved,
      remaining,
      used: 0,
    });
    return { run_status: "running", tokens_reserved: reserved, remaining, replayed: false };
  }

  #finish({ id, outcome, used }: Step) {
    const run = this.#runs.get(id);
    if (!run) return "run_not_found";
    const replayed = run.status !== "running";
    if (!replayed) {
      const succeeded = outcome === "succeeded";
      const cost = this.#cost(run.fixed ? "fixed" : "metered", used);
      run.status = outcome;
      run.used = succeeded ? this.#tokens(cost) : 0;
      this.reserved -= run.reserved;
      this.balance -= run.used;
      run.remaining = this.remaining;
      this.#count(used, succeeded ? cost : 0n, run.used, succeeded);
    }
    return {
      run_status: run.status,
      tokens_used: run.used,
      remaining: run.remaining,
      overdrawn: run.remaining < 0,
      replayed,
    };
  }

  #track(step: Step, usdEur: bigint) {
    const { id, kind, model, amount, used, outcome } = step;
    const success = outcome === "succeeded";
    const tokens = kind === "track and charge" ? amount : 0;
    const said = step.explicit ? BigInt(amount) * DOLLAR / 100n : null;
    const cost = said ?? (success ? this.#cost(model, used) : 0n);
    const asked = JSON.stringify([model, used, success, tokens]);
    const held = this.#holds.get(id);
    const first = this.#calls.get(id);
    if (first) {
      // A cost that is said is that of the first call, however that was known; one that isn't was not said then.
      const same = first.asked === asked &&
        (said === null ? !first.explicit : first.answer["cost_usd"] === usdText(said)) &&
        !(kind === "track no tokens" && held?.active);
      if (!same) return "operation_id_reused";
      // No one asks for what is left who asks for no tokens.
      const unasked = kind === "track" ? { remaining: null, overdrawn: false } : {};
      return { ...first.answer, ...unasked, replayed: true };
    }
    if (tokens > 0 && !held && this.remaining < tokens) return "insufficient_tokens";
    if (held && kind !== "track") {
      this.reserved -= held.amount;
      held.active = false;
    }
    this.balance -= tokens;
    if (tokens > 0) this.#charges.add(id);
    this.#count(used, cost, tokens, success);
    const remaining = tokens > 0 || held && kind !== "track" ? this.remaining : null;
    const answer = {
      cost_usd: usdText(cost),
      cost_eur: usdText(cost === null ? null : round(cost * usdEur, DOLLAR)),
      usd_eur: usdText(usdEur),
      unpriced: cost === null,
      tokens_charged: tokens,
      remaining,
      overdrawn: (remaining ?? 0) < 0,
    };
    this.#calls.set(id, { asked, explicit: step.explicit, answer });
    return { ...answer, replayed: false };
  }

  #count(used: Quantities, cost: bigint | null, charged: number, success: boolean) {
    const { sums } = this;
    sums.calls++;
    if (!success) sums.failed++;
    if (cost === null) sums.unpriced++;
    sums.input += used.input;
    sums.cached += used.cached;
    sums.output += used.output;
    sums.charged += charged;
    sums.usd += cost ?? 0n;
  }
}

/** Euros for a dollar today. */
async function rateNow(sql: postgres.Sql): Promise<bigint> {
  const [row] = await sql`
    select usd_eur::text from currency_rates where day <= (now() at time zone 'UTC')::date
    order by day desc limit 1`;
  return units(row?.["usd_eur"] ?? "0.85");
}

/** What Scrip says that a user has used, in the words of {@link Sums}. */
async function sumsOf(sql: postgres.Sql, user: string): Promise<Sums> {
  const [row] = await sql`select * from summarize_usage(${user}, period => 'all_time')`;
  ok(row);
  return {
    calls: row["total_calls"],
    failed: row["failed_calls"],
    unpriced: row["unpriced_calls"],
    input: row["input_tokens"],
    cached: row["cached_input_tokens"],
    output: row["output_tokens"],
    charged: row["tokens_charged"],
    usd: units(row["total_cost_usd"]),
  };
}

/** A run that costs more than was held for it, and than there is. */
const OVERDRAWN: [Prices, Step[]] = [
  { input: 100n * DOLLAR, cached: DOLLAR, output: 100n * DOLLAR, call: 1n, markup: MARKUPS },
  (["start", "finish"] as const).map((kind, n) => ({
    kind,
    user: 0,
    id: 0,
    model: "metered",
    amount: 1,
    used: { input: 4000 * n, cached: 0, output: 4000 * n },
    outcome: "succeeded",
    explicit: false,
  })),
];

usageTest(
  "random calls, holds and runs, one after the other, answer as the model does",
  async (sql) => {
    const seen = new Set<string>();
    const usdEur = await rateNow(sql);
    await fc.assert(
      fc.asyncProperty(prices, program(20, 45), async (asked, steps) => {
        const world = await makeWorld(sql, asked);
        const models = world.users.map(() => new Model(asked));
        for (const step of steps) {
          const expected = models[step.user]?.apply(step, usdEur);
          const answer = await perform(sql, world, step);
          deepEqual(answer, expected, JSON.stringify(step));
          if (typeof answer === "string") seen.add(answer);
          else if (answer["replayed"]) seen.add(`${step.kind} replayed`);
          else if (answer["overdrawn"]) seen.add(`${step.kind} overdrawn`);
          else seen.add(step.kind);
        }
        for (const [i, model] of models.entries()) {
          const user = world.users[i] ?? "";
          const [balance] = await sql`select remaining, reserved from get_token_balance(${user})`;
          deepEqual({ ...balance }, { remaining: model.remaining, reserved: model.reserved });
          deepEqual(await sumsOf(sql, user), model.sums);
        }
      }),
      { numRuns: 50, examples: [OVERDRAWN] },
    );
    const often = ["track", "track and charge", "track no tokens", "hold", "start", "finish"]
      .flatMap((kind) => [kind, `${kind} replayed`]);
    const refusals = [
      "insufficient_tokens",
      "operation_id_reused",
      "operation_in_progress",
      "run_not_found",
      "finish overdrawn",
    ];
    deepEqual([...often, ...refusals].filter((each) => !seen.has(each)), []);
  },
  1,
);

usageTest(
  "random calls, holds and runs, all at once, keep sums and ledger and never deadlock",
  async (sql) => {
    await fc.assert(
      fc.asyncProperty(prices, program(40, 100), async (asked, steps) => {
        const world = await makeWorld(sql, asked);
        const answers = await Promise.all(steps.map(async (step) => {
          return { step, answer: await perform(sql, world, step) };
        }));
        // Callers were told of each call once.
        for (const [i, user] of world.users.entries()) {
          const told = answers.filter(({ step, answer }) =>
            step.user === i && typeof answer === "object" && answer["replayed"] === false &&
            !["hold", "start"].includes(step.kind)
          );
          equal((await sumsOf(sql, user)).calls, told.length);
        }
      }),
      { numRuns: 12, endOnFailure: true }, // a race is another each time: nothing to shrink
    );
  },
  16,
);

// Exact

/** Tracks a call of one input token. */
const track = (sql: postgres.Sql, user: string, operation: string, { service, model }: TestModel) =>
  sql`
    select cost_usd, replayed from track_usage(${user}, ${operation}, ${service}, 'embedding', ${model}, input_tokens => 1)`;

usageTest(
  "2,000 calls for a ten-millionth dollar each, of one hot user, add up exactly",
  async (sql) => {
    const user = await makeUser(sql, 0);
    const ada = await addModel(sql, { kind: "embedding", price: { input: "0.10" } });
    await parallel(times(2000), CONNECTIONS, (i) => track(sql, user, `call-${i}`, ada));
    const { calls, input, usd } = await sumsOf(sql, user);
    deepEqual({ calls, input, usd }, { calls: 2000, input: 2000, usd: 2000n * DOLLAR / 10n ** 7n });
    const [row] = await sql`
    select total_cost_usd, total_cost_eur, usd_eur::text as rate
    from summarize_usage(${user}) join usage_events e on e.user_id = ${user} limit 1`;
    equal(row?.["total_cost_usd"], "0.0002");
    // Each call was rounded to ten decimals by itself.
    const each = round(DOLLAR / 10n ** 7n * units(row?.["rate"]), DOLLAR);
    equal(units(row?.["total_cost_eur"]), 2000n * each);
  },
  CONNECTIONS,
);

usageTest("600 calls of 60 users at once are each counted where they belong", async (sql) => {
  const users = await makeUsers(sql, 60, 100);
  const model = await addModel(sql, { price: { call: "0.003" } });
  await parallel(times(600), CONNECTIONS, (i) =>
    sql`
      select track_usage(
        ${users[i % 60] ?? ""}, ${`call-${i}`}, ${model.service}, ${`op-${
      i % 4
    }`}, ${model.model}, tokens => ${1 + i % 3}
      )`);
  for (const [n, user] of users.entries()) {
    const mine = times(10).map((i) => n + 60 * i);
    const { calls, charged, usd } = await sumsOf(sql, user);
    deepEqual({ calls, charged, usd }, {
      calls: 10,
      charged: mine.reduce((sum, i) => sum + 1 + i % 3, 0),
      usd: 10n * units("0.003"),
    });
  }
}, CONNECTIONS);

// Races

usageTest(
  "a call that is told 200 times at once counts once, and is charged once",
  async (sql) => {
    const user = await makeUser(sql, 100);
    const model = await addModel(sql, { price: { call: "0.01" } });
    const rows = (await Promise.all(
      times(200).map(() =>
        sql`
      select usage_id, tokens_charged, remaining, replayed
      from track_usage(${user}, 'the-same', ${model.service}, 'chat', ${model.model}, tokens => 7)`
      ),
    )).flat();
    equal(rows.filter(({ replayed }) => !replayed).length, 1);
    const answers = new Set(
      rows.map(({ usage_id, tokens_charged, remaining }) =>
        `${usage_id} ${tokens_charged} ${remaining}`
      ),
    );
    equal(answers.size, 1);
    const { calls, charged, usd } = await sumsOf(sql, user);
    deepEqual({ calls, charged, usd }, { calls: 1, charged: 7, usd: units("0.01") });
  },
  CONNECTIONS,
);

usageTest("the first calls of a month, from many at once, make one partition", async (sql) => {
  const users = await makeUsers(sql, 24, 0);
  const model = await addModel(sql);
  const [row] = await sql`
    select to_char(m, 'YYYY_MM') as month, m + interval '1 day' as moment
    from (select date_trunc('month', now() at time zone 'UTC') - make_interval(months => n) as m
      from generate_series(2, 12) n) months
    where to_regclass('private.usage_events_' || to_char(m, 'YYYY_MM')) is null
    order by m limit 1`;
  ok(row, "all months are there already");
  // All connections are there, or the first call would be over before the others begin.
  await Promise.all(times(CONNECTIONS).map(() => sql`select pg_sleep(0.2)`));
  const rows = await parallel(users, CONNECTIONS, (user) =>
    sql`
      select recorded_at from track_usage(
        ${user}, 'call', ${model.service}, 'chat', ${model.model}, occurred_at => ${row["moment"]}
      )`);
  equal(rows.length, 24);
  const [counts] = await sql`
    select count(*) as calls, count(distinct tableoid) as partitions, min(tableoid::regclass::text) as name
    from usage_events where service = ${model.service}`;
  deepEqual({ ...counts }, {
    calls: 24,
    partitions: 1,
    name: `private.usage_events_${row["month"]}`,
  });
}, CONNECTIONS);

/** Starts a run of a model of a fixed price; its id. */
async function startRun(sql: postgres.Sql, user: string, slug: string, operation: string) {
  const [row] = await sql<{ run_id: string }[]>`
    select run_id from start_model_run(${user}, ${slug}, ${operation}, '{}')`;
  ok(row);
  return row.run_id;
}

/** Makes the time of a run and of its hold be over. */
async function expire(sql: postgres.Sql, run: string) {
  await sql`update token_holds set expires_at = now() where id = ${run}`;
  await sql`update runs set expires_at = now() where id = ${run}`;
}

usageTest(
  "a run that is ended in 24 ways at once ends in one, also while it is swept",
  async (sql) => {
    const user = await makeUser(sql, 1000);
    const { slug } = await addModel(sql, { fixed_tokens: 10 });
    let expected = 0;
    for (const n of times(10)) {
      const id = await startRun(sql, user, slug, `run-${n}`);
      await expire(sql, id);
      const answers = await Promise.all(
        times(24).map(async (i) => {
          if (i % 4 === 3) {
            await sql`select abandon_runs()`;
            return [];
          }
          return await sql`
        select run_status, tokens_used, replayed
        from finish_run(${id}, ${["succeeded", "failed", "canceled"][i % 4] ?? ""})`;
        }),
      );
      const ends = answers.flat();
      ok(ends.filter(({ replayed }) => !replayed).length <= 1);
      equal(
        new Set(ends.map(({ run_status, tokens_used }) => `${run_status} ${tokens_used}`)).size,
        1,
      );
      expected += ends[0]?.["tokens_used"];
    }
    const { calls, charged } = await sumsOf(sql, user);
    deepEqual({ calls, charged }, { calls: 10, charged: expected });
    const [balance] = await sql`select remaining, reserved from get_token_balance(${user})`;
    deepEqual({ ...balance }, { remaining: 1000 - expected, reserved: 0 });
  },
  24,
);

usageTest(
  "an account goes while a run is ended, started and swept, and none waits in a circle",
  async (sql) => {
    const user = await makeUser(sql, 1000);
    const { slug } = await addModel(sql);
    const run = await startRun(sql, user, slug, "run");
    // Its hold is swept and released in one transaction: a row of the user's is changed twice.
    await expire(sql, run);
    const admin = await sql.reserve();
    await admin`begin`;
    await admin`select from auth.users where id = ${user} for update`;
    const waiting = outcomes([
      sql`select * from abandon_runs()`,
      sql`select * from finish_run(${run}, 'succeeded')`,
      sql`select * from start_model_run(${user}, ${slug}, 'other', '{}')`,
    ]);
    await untilBlocked(sql);
    await admin`delete from auth.users where id = ${user}`;
    await admin`commit`;
    admin.release();
    deepEqual((await waiting).codes, ["run_not_found", "user_not_found"]);
    equal((await sql`select from runs where user_id = ${user}`).length, 0);
  },
  8,
);

usageTest(
  "batches of the same users in opposite orders never wait for each other in a circle",
  async (sql) => {
    const users = await makeUsers(sql, 20, 100);
    const model = await addModel(sql);
    const batch = (name: string, order: string[]) =>
      sql.json(order.map((user_id) => ({
        user_id,
        operation_id: `${name}-${user_id}`,
        service: model.service,
        operation: "chat",
        model: model.model,
        tokens: 1,
      })));
    const rows = (await Promise.all(
      times(20).map((i) =>
        sql`
      select error from track_usage_batch(${
          batch(`batch-${i}`, i % 2 ? users : users.toReversed())
        })`
      ),
    )).flat();
    deepEqual([rows.length, rows.filter(({ error }) => error)], [400, []]);
    for (const user of users) equal((await sumsOf(sql, user)).charged, 20);
  },
  CONNECTIONS,
);
