/**
 * `npm run bench`: how fast the core is, as ratios against a floor in the same run.
 *
 * The floor is the cheapest SQL that could do the same write: one UPDATE of a row by primary key and one INSERT with a
 * primary key, in one statement and one round trip. Everything runs on one throwaway Postgres with fsync on, through
 * the same driver and as many connections, in short turns one after the other, so that a machine that slows down slows
 * all of them. The ledger is verified at the end.
 */
import process from "node:process";
import postgres from "postgres";
import Stripe from "stripe";
import { runCases } from "./bench/runs.ts";
import { createUsageFloor, seedUsage, usageCases } from "./bench/usage.ts";
import { applyPrelude, migrate, seed as seedRows } from "./stack/migrate.ts";
import { startPostgres } from "./stack/postgres.ts";
import { makeDataFolder } from "./stack/spawn.ts";
import { serveApi } from "./stack/stripe/api.ts";
import { payCheckout } from "./stack/stripe/pay.ts";
import { Store } from "./stack/stripe/store.ts";

const CONNECTIONS = 8;
const USERS = 1000;
const TURNS = 12;
const TURN_MS = 220;
const BATCH = 100;
const TOKENS = 1_000_000_000_000;

/** What is measured. */
export interface Case {
  name: string;
  /** What its rate is divided by, and the least that is hoped for. */
  against?: { name: string; aim: number; times?: number };
  /** How long a turn of it is, if not {@link TURN_MS}. */
  turnMs?: number;
  run(): Promise<unknown>;
}

interface Measured {
  rate: number;
  p50: number;
  p99: number;
}

const print = (text: string) => process.stdout.write(`${text}\n`);
let last = 0;
const nextId = () => `${++last}`;

/** Users with so many charges behind them, written as the operations would have. */
async function seed(sql: postgres.Sql, users: number, rows: number): Promise<string[]> {
  const ids = Array.from({ length: users }, () => crypto.randomUUID());
  await sql`insert into auth.users (id, email) select id, id || '@bench.test' from unnest(${ids}::uuid[]) as id`;
  await sql`update user_tokens set tokens_purchased = ${TOKENS} where user_id = any(${ids})`;
  if (rows === 0) return ids;
  await sql.begin(async (sql) => {
    await sql`select set_config('scrip.posting', 'on', true)`;
    await sql`
      insert into token_transactions
        (user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, actor)
      select id, n + 1, 'charge', 'used', -1, ${TOKENS}::bigint - n, ${TOKENS}::bigint - n, 'seed-' || n, 'bench'
      from unnest(${ids}::uuid[]) as id, generate_series(1, ${rows}::bigint) as n`;
    // Plans are made for tables of this size, not for empty ones.
    await sql`
      insert into token_holds (user_id, operation_id, amount, status, ended_at)
      select id, 'hold-' || n, 1, 'released', now()
      from unnest(${ids}::uuid[]) as id, generate_series(1, ${rows}::bigint, 10) as n`;
    await sql`
      update user_tokens
      set tokens_used = ${rows}, journal_seq = ${rows} + 1, journal_balance = ${TOKENS}::bigint - ${rows}
      where user_id = any(${ids})`;
  });
  return ids;
}

/** The event of a paid checkout, in the shape that Stripe sends; every call makes another payment, of some user. */
async function checkouts(directory: string, user: () => string) {
  const key = "sk_test_local_bench";
  const world = {
    store: new Store(`${directory}/stripe.jsonl`),
    publicUrl: "http://localhost",
    now: () => Math.floor(Date.now() / 1000),
    request: { id: null, idempotency_key: null },
  };
  const client = new Stripe(key, {
    httpClient: Stripe.createFetchHttpClient(async (input, init) => {
      const request = new Request(input, init);
      return serveApi(world, request, await request.text(), key);
    }),
  });
  const price = { amount_cents: "1000", currency: "eur" };
  const metadata = { kind: "tokens", user_id: "USER", tokens: "1200", ...price };
  const session = await client.checkout.sessions.create({
    mode: "payment",
    success_url: "http://localhost/",
    line_items: [{
      quantity: 1,
      price_data: { currency: "eur", unit_amount: 1000, product_data: { name: "Tokens" } },
    }],
    metadata,
    payment_intent_data: { metadata },
  });
  const paid = payCheckout(world, session.id, "works", "someone@bench.test");
  if (paid.outcome !== "paid") throw new Error(`The checkout is ${paid.outcome}`);
  const event = world.store.all("event").find(({ type }) => type === "checkout.session.completed");
  if (!event) throw new Error("There is no event of the checkout");
  world.store.close();
  const template = JSON.stringify(event);
  const ids = [event.id, session.id, `${paid.session.payment_intent}`];
  return () => {
    const number = nextId();
    const text = ids.reduce((text, id) => text.replaceAll(id, id + number), template);
    return JSON.parse(text.replaceAll("USER", user()));
  };
}

/** A user with US dollars and a master token with credits. */
interface Owner {
  id: string;
  token: string;
  key: string;
}

/** Gives each user US dollars and a token. */
async function addTokens(sql: postgres.Sql, users: string[]): Promise<Owner[]> {
  return await Promise.all(users.map(async (id) => {
    await sql`select * from deposit_usd(${id}, '1000000', 'seed')`;
    const [made] = await sql`select * from create_api_token(${id}, 'master', 'bench', 'seed')`;
    const { token_id: token, api_key: key } = made ?? {};
    await sql`select * from refill_token(${id}, ${token}, 'usd', '500000', 'refill')`;
    return { id, token, key };
  }));
}

function operations(sql: postgres.Sql, user: () => string) {
  const charge = (id: string) =>
    sql`select * from charge_tokens(${user()}, 1, ${id}, actor => 'bench')`;
  return {
    charge: () => charge(nextId()),
    pair: async () => {
      const [id, owner] = [nextId(), user()];
      await sql`select * from reserve_tokens(${owner}, 2, ${id})`;
      await sql`select * from settle_tokens(${owner}, ${id}, 1, 'bench')`;
    },
    replay: () => charge("replayed"),
    batch: () => {
      const charges = Array.from(
        { length: BATCH },
        () => ({ user_id: user(), amount: 1, operation_id: nextId() }),
      );
      return sql`select * from charge_tokens_batch(${sql.json(charges)}, 'bench')`;
    },
    balance: () => sql`select * from get_token_balance(${user()})`,
  };
}

function makeCases(
  sql: postgres.Sql,
  users: { fresh: string[]; few: string; many: string },
  owners: Owner[],
  handle: Case["run"],
): Case[] {
  const anyone = () => users.fresh[Math.floor(Math.random() * USERS)] ?? "";
  const one = users.fresh[0] ?? "";
  const owner = () =>
    owners[Math.floor(Math.random() * owners.length)] ?? { id: "", token: "", key: "" };
  const floor = (id: () => string) => () =>
    sql`
    with spent as (update floor_accounts set balance = balance - 1 where id = ${id()} returning id, balance)
    insert into floor_entries (account_id, amount, balance_after) select id, -1, balance from spent returning id, balance_after`;
  const all = operations(sql, anyone);
  const cases: Case[] = [
    { name: "floor", run: floor(anyone) },
    { name: "floor, one row", run: floor(() => one) },
    { name: "select by key", run: () => sql`select * from floor_accounts where id = ${anyone()}` },
    { name: "charge", against: { name: "floor", aim: 0.75 }, run: all.charge },
    {
      name: "charge, one user",
      against: { name: "floor, one row", aim: 1 },
      run: operations(sql, () => one).charge,
    },
    { name: "reserve + settle", against: { name: "floor", aim: 0.4 }, run: all.pair },
    { name: "replay", against: { name: "floor", aim: 3 }, run: all.replay },
    {
      name: `batch of ${BATCH}`,
      against: { name: "charge", aim: 4, times: BATCH },
      run: all.batch,
    },
    { name: "balance", against: { name: "select by key", aim: 0.5 }, run: all.balance },
    {
      name: "stripe event, a purchase",
      against: { name: "floor", aim: 0.15 },
      run: handle,
    },
    {
      name: "refill",
      against: { name: "floor", aim: 0.15 },
      run: () => {
        const { id, token } = owner();
        return sql`select * from refill_token(${id}, ${token}, 'usd', '0.01', ${nextId()}, 'bench')`;
      },
    },
    {
      name: "consume credits",
      against: { name: "floor", aim: 0.5 },
      run: () => sql`select * from consume_api_credits(${owner().key}, 1, ${nextId()}, 'bench')`,
    },
  ];
  const [few, many] = [operations(sql, () => users.few), operations(sql, () => users.many)];
  for (const name of ["charge", "pair", "replay", "batch", "balance"] as const) {
    const label = name === "pair" ? "reserve + settle" : name;
    cases.push({ name: `${label}, 1,000 rows`, run: few[name] });
    cases.push({
      name: `${label}, 1,000,000 rows`,
      against: { name: `${label}, 1,000 rows`, aim: 0.9 },
      run: many[name],
    });
  }
  return cases;
}

/** Runs all cases in turns; the first turn warms up. */
async function measure(cases: Case[]): Promise<Map<string, Measured>> {
  const samples = new Map(cases.map(({ name }) => [name, { latencies: [0].slice(1), ms: 0 }]));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { name, run, turnMs = TURN_MS } of cases) {
      const latencies: number[] = [];
      const began = performance.now();
      await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
        for (let now = performance.now(); now < began + turnMs;) {
          await run();
          latencies.push(performance.now() - now);
          now = performance.now();
        }
      }));
      const sample = samples.get(name);
      if (turn === 0 || !sample) continue;
      sample.ms += performance.now() - began;
      sample.latencies.push(...latencies);
    }
  }
  return new Map([...samples].map(([name, { latencies, ms }]) => {
    latencies.sort((a, b) => a - b);
    const percentile = (p: number) => latencies[Math.floor((latencies.length - 1) * p)] ?? NaN;
    return [name, {
      rate: latencies.length / ms * 1000,
      p50: percentile(0.5),
      p99: percentile(0.99),
    }];
  }));
}

function report(cases: Case[], results: Map<string, Measured>) {
  print(
    `${"".padEnd(34)}${"per second".padStart(11)}${"p50 ms".padStart(8)}${
      "p99 ms".padStart(8)
    }   ratio`,
  );
  for (const { name, against } of cases) {
    const result = results.get(name);
    const base = against && results.get(against.name);
    if (!result) continue;
    const rate = result.rate * (against?.times ?? 1);
    const ratio = base
      ? `${(rate / base.rate).toFixed(2)} of ${against.name} (aim ${against.aim})`
      : "";
    print(
      `${name.padEnd(34)}${Math.round(rate).toLocaleString("en").padStart(11)}` +
        `${result.p50.toFixed(2).padStart(8)}${result.p99.toFixed(2).padStart(8)}   ${ratio}`,
    );
  }
}

const directory = await makeDataFolder();
const cluster = await startPostgres({ directory: `${directory}/postgres` });
const sql = postgres(cluster.url("postgres"), { max: CONNECTIONS, onnotice: () => {} });
const admin = postgres(cluster.url("postgres", "supabase_admin"), { max: 1 });
let failed = false;
try {
  await applyPrelude(cluster.url("postgres", "supabase_admin"));
  await migrate(cluster.url("postgres"));
  await seedRows(cluster.url("postgres"));
  print(
    `Postgres 17, ${CONNECTIONS} connections, ${navigator.hardwareConcurrency} cores, fsync on. Seeding …`,
  );
  const fresh = await seed(sql, USERS, 0);
  const [few = ""] = await seed(sql, 1, 1000);
  const [many = ""] = await seed(sql, 1, 1_000_000);
  await sql`create table floor_accounts (id uuid primary key, balance bigint not null)`;
  await sql`
    create table floor_entries (
      id uuid primary key default gen_random_uuid(), account_id uuid not null, amount bigint not null,
      balance_after bigint not null, created_at timestamptz not null default now()
    )`;
  await sql`insert into floor_accounts select user_id, ${TOKENS} from user_tokens`;
  const anyone = () => fresh[Math.floor(Math.random() * USERS)] ?? "";
  const callers = { few: fresh[0] ?? "", many: fresh[1] ?? "" };
  await createUsageFloor(sql);
  await Promise.all([seedUsage(sql, callers.few, 100), seedUsage(sql, callers.many, 1_000_000)]);
  const nextCheckout = await checkouts(
    directory,
    anyone,
  );
  const handle = () => sql`select * from handle_stripe_event(${sql.json(nextCheckout())})`;
  const owners = await addTokens(sql, fresh);
  // Plans are made for a project that has sold before.
  await Promise.all(Array.from({ length: 1000 }, handle));
  await admin`vacuum analyze`;
  await admin`checkpoint`;
  const runs = await runCases(cluster.url("postgres"), fresh, CONNECTIONS);
  const cases = [
    ...makeCases(sql, { fresh, few, many }, owners, handle),
    ...usageCases(sql, anyone, nextId, callers),
    ...runs.cases,
  ];
  report(cases, await measure(cases));
  await runs.end();
  const problems = await sql`select * from verify_ledger()`;
  failed = problems.length > 0;
  print(failed ? `verify_ledger found ${problems.length} problems` : "verify_ledger: clean");
} finally {
  await Promise.all([sql.end(), admin.end()]);
  await cluster.stop();
  await Deno.remove(directory, { recursive: true });
}
process.exit(failed ? 1 : 0);
