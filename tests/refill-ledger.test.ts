/**
 * Refills give exactly what was paid for, and whatever is done to API tokens and US dollars in whatever order and at the
 * same time, journals, refills and balances agree, versions rise, and the HUB is to hear of them in order.
 *
 * Method: random refills against a model that counts in ten-billionths of a dollar with bigint and never divides;
 * random programs (fast-check) of operations, edits by hand and deletions, one after the other against a small model,
 * and all at once against the invariants.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import {
  assertLedgerClean,
  errorCode,
  ledgerTest,
  makeUsers,
  outcomes,
  untilBlocked,
} from "./harness.ts";

/** Ten-billionths of a dollar in a dollar: rates and fees have ten decimals. */
const DOLLAR = 10n ** 10n;
const MICRO = 10n ** 4n;
const MOST_CREDITS = 9n * 10n ** 15n;

/** Reads a decimal string exactly. */
function units(text: string): bigint {
  const [, sign, whole = "", decimals = ""] = /^(-?)(\d+)(?:\.(\d{1,10}))?$/.exec(text) ?? [];
  if (whole === "") throw new Error(`${text} is not an amount of at most ten decimals`);
  const value = BigInt(whole + decimals.padEnd(10, "0"));
  return sign ? -value : value;
}

/** Writes units as a decimal string. */
function decimal(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(11, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -10)}.${digits.slice(-10)}`;
}

// Formulas

interface Case {
  kind: "product" | "master";
  mode: "usd" | "credits";
  rate: bigint;
  fee: bigint;
  /** Units of US dollars, or credits. */
  amount: bigint;
  /** Credits that the token has, US dollars that its owner has. */
  held: bigint;
  balance: bigint;
}

// As many small numbers as large ones.
const upTo = (decimalDigits: number) =>
  fc.integer({ min: 1, max: decimalDigits }).chain((digits) =>
    fc.bigInt({ min: 10n ** BigInt(digits - 1), max: 10n ** BigInt(digits) })
  );

const refill: fc.Arbitrary<Case> = fc.record({
  kind: fc.constantFrom("product", "product", "master"),
  mode: fc.constantFrom("usd", "usd", "credits"),
  rate: fc.oneof(upTo(19), fc.constantFrom(DOLLAR / 100n, DOLLAR / 1000n, 1n, DOLLAR)),
  fee: fc.oneof(fc.constant(DOLLAR / 10_000n), fc.constant(0n), upTo(13)),
  credits: fc.oneof(upTo(15), upTo(5), fc.constant(1n)),
  micros: upTo(15),
  held: fc.oneof(fc.constant(0n), upTo(15), fc.constant(MOST_CREDITS - 3n)),
  /** How near the amount is to a whole number of credits: any amount, within millionths, or within the last digit. */
  near: fc.constantFrom("any", "micro", "unit"),
  offBy: fc.bigInt({ min: -1n, max: 1n }),
  /** How far the balance is from the price; null for any balance. */
  change: fc.option(fc.bigInt({ min: -1n, max: 1n })),
  any: upTo(19),
}).map(({ kind, mode, rate, fee: anyFee, credits, micros, held, near, offBy, change, any }) => {
  const limit = (value: bigint, least: bigint, most: bigint) =>
    value < least ? least : value > most ? most : value;
  const dollars = limit(
    near === "any"
      ? micros
      : near === "micro"
      ? (credits * rate + anyFee) / MICRO + offBy
      : credits * rate / MICRO + 1n + micros % 10n ** 6n,
    1n,
    10n ** 15n,
  ) * MICRO;
  const fittingFee = dollars - credits * rate + offBy;
  const fits = near === "unit" && fittingFee >= 0n && fittingFee <= 1000n * DOLLAR;
  const fee = fits ? fittingFee : anyFee;
  const amount = mode === "credits" ? credits : dollars;
  const cost = mode === "credits" ? credits * rate + fee : dollars;
  const balance = limit(change === null ? any : cost + change, -9n * 10n ** 19n, 9n * 10n ** 19n);
  return { kind, mode, rate, fee, amount, held, balance };
});

/** A ten-billionth short of two credits, which a quotient that is rounded before its whole part is taken would give. */
const HAIR_SHORT: Case = {
  kind: "product",
  mode: "usd",
  rate: 5n * 10n ** 8n * DOLLAR,
  fee: 1n,
  amount: 10n ** 9n * DOLLAR,
  held: 0n,
  balance: 9n * 10n ** 9n * DOLLAR,
};

/** What must come of a refill: its refusal, or what it costs; how many credits follows from inequalities. */
function expected({ kind, mode, rate, fee, amount, held, balance }: Case): string | bigint {
  if (mode === "credits" && kind === "master") return "invalid_request";
  if (mode === "usd" && amount < fee + rate) return "refill_too_small";
  const cost = mode === "usd" ? amount : amount * rate + fee;
  const room = MOST_CREDITS - held;
  const tooMany = mode === "usd" ? cost >= (room + 1n) * rate + fee : amount > room;
  if (tooMany) return "balance_limit_exceeded";
  return cost > balance ? "insufficient_usd" : cost;
}

/** Answers of refill_token in a transaction that goes on after a refusal, which needs a savepoint. */
const TRY_REFILL = `
  create function pg_temp.try_refill(owner uuid, token uuid, mode text, amount text, operation text)
  returns jsonb
  language plpgsql
  as $$
  begin
    return (
      select to_jsonb(r) || jsonb_build_object('credits_added', r.credits_added::text, 'credits', r.credits::text)
      from public.refill_token(owner, token, mode, amount, operation) r
    );
  exception
    when sqlstate 'PGRST' then
      return jsonb_build_object('code', sqlerrm::jsonb ->> 'code');
  end
  $$`;

/** Does the refills one after the other, each asserted to be as it must; nothing of it is committed. */
async function checkRefills(sql: postgres.Sql, user: string, cases: Case[], seen: Set<string>) {
  const product = crypto.randomUUID();
  await sql`begin`;
  try {
    await sql.unsafe(TRY_REFILL);
    await sql`insert into settings default values on conflict do nothing`;
    await sql`insert into products (id, name) values (${product}, 'Random')`;
    await sql`insert into usd_balances (user_id) values (${user})`;
    const tokens = {
      product: await newToken(sql, user, "product", product),
      master: await newToken(sql, user, "master", null),
    };
    for (const [i, c] of cases.entries()) {
      const rate = decimal(c.rate);
      const { id } = tokens[c.kind];
      await sql`
        with s as (
          update settings set refill_fee_usd = ${decimal(c.fee)}, master_rate_usd = ${rate}
        ),
        p as (
          update products set value_credits_usd = ${rate} where id = ${product}
        ),
        b as (
          update usd_balances set balance = ${decimal(c.balance)} where user_id = ${user}
        )
        update api_tokens set credits = ${c.held.toString()} where id = ${id}`;
      const amount = c.mode === "usd" ? decimal(c.amount).slice(0, -4) : c.amount.toString();
      const [tried] = await sql`
        select pg_temp.try_refill(${user}, ${id}, ${c.mode}, ${amount}, ${`refill-${i}`}) as answer`;
      const answer = tried?.["answer"];
      const cost = expected(c);
      if (typeof cost === "string") {
        deepEqual(answer, { code: cost });
        seen.add(cost);
      } else {
        checkAnswer(c, cost, answer);
        await checkJournals(sql, user, `refill-${i}`, c, cost, BigInt(answer.credits_added));
        seen.add(c.mode);
      }
    }
    await assertLedgerClean(sql);
  } finally {
    await sql`rollback`;
  }
}

/** What refill_token answers, its credits as text, or a refusal. */
type Answer = Record<
  "code" | "credits_added" | "credits" | "usd_spent" | "usd_balance" | "fee" | "rate",
  string
>;

function checkAnswer(c: Case, cost: bigint, answer: Answer) {
  ok(answer.code === undefined, `refused: ${answer.code}`);
  const added = BigInt(answer.credits_added);
  ok(added >= 1n, "at least one credit");
  equal(units(answer.usd_spent), cost);
  equal(units(answer.fee), c.fee);
  equal(units(answer.rate), c.rate);
  equal(BigInt(answer.credits), c.held + added);
  equal(units(answer.usd_balance), c.balance - cost);
  if (c.mode === "credits") {
    equal(added, c.amount);
  } else {
    ok(added * c.rate + c.fee <= cost, "no more than is paid for");
    ok((added + 1n) * c.rate + c.fee > cost, "one more would not be paid for");
  }
}

async function checkJournals(
  sql: postgres.Sql,
  user: string,
  operation: string,
  c: Case,
  cost: bigint,
  added: bigint,
) {
  const [rows] = await sql`
    select
      u.amount::text as paid, u.balance_after::text as left, b.balance::text as balance, t.amount::text as added,
      t.credits_after::text as held, k.credits::text as credits, r.usd_spent::text as spent, r.fee::text,
      r.rate::text, t.version = k.version and r.version = k.version as last
    from usd_transactions u
    join usd_balances b on b.user_id = u.user_id and b.journal_seq = u.seq
    join refill_transactions r on r.user_id = u.user_id and r.operation_id = u.operation_id
    join api_token_transactions t on t.user_id = r.user_id and t.token_id = r.token_id and t.version = r.version
    join api_tokens k on k.user_id = r.user_id and k.id = r.token_id
    where u.user_id = ${user} and u.operation_id = ${operation}`;
  deepEqual({ ...rows }, {
    paid: decimal(-cost),
    left: decimal(c.balance - cost),
    balance: decimal(c.balance - cost),
    added: added.toString(),
    held: (c.held + added).toString(),
    credits: (c.held + added).toString(),
    spent: decimal(cost),
    fee: decimal(c.fee),
    rate: decimal(c.rate),
    last: true,
  });
}

ledgerTest(
  "a refill gives what is paid for, and never more, at any rate, fee and amount",
  async (sql) => {
    const [user = ""] = await makeUsers(sql, 1, 0);
    const seen = new Set<string>();
    await fc.assert(
      // A row that a transaction changes again and again becomes slow: few refills in each.
      fc.asyncProperty(
        fc.array(refill, { minLength: 30, maxLength: 30 }),
        (cases) => checkRefills(sql, user, cases, seen),
      ),
      { numRuns: 40, examples: [[[HAIR_SHORT]]] },
    );
    deepEqual([...seen].sort(), [
      "balance_limit_exceeded",
      "credits",
      "insufficient_usd",
      "invalid_request",
      "refill_too_small",
      "usd",
    ]);
  },
  1,
);

// Programs

const USERS = 3;
const RATE = DOLLAR / 100n;
const MASTER_RATE = DOLLAR / 1000n;
const FEE = DOLLAR / 10_000n;
const KINDS = ["product", "master"] as const;

interface Step {
  kind:
    | "deposit"
    | "refill usd"
    | "refill credits"
    | "consume"
    | "revoke"
    | "rename"
    | "threshold"
    | "edit credits"
    | "edit status"
    | "edit usd"
    | "delete user";
  user: number;
  /** Which of the user's tokens. */
  token: 0 | 1;
  id: number;
  amount: number;
}

// Few ids and amounts, so that replays, conflicts and refusals are common.
const program = (
  kinds: readonly Step["kind"][],
  users: number,
  minLength: number,
  maxLength: number,
) =>
  fc.array(
    fc.record<Step>({
      kind: fc.constantFrom(...kinds),
      user: fc.nat({ max: users - 1 }),
      token: fc.constantFrom(0, 1),
      id: fc.nat({ max: 7 }),
      amount: fc.integer({ min: 1, max: 30 }),
    }),
    { minLength, maxLength },
  );

const OPERATIONS = [
  "deposit",
  "refill usd",
  "refill usd",
  "refill credits",
  "consume",
  "consume",
  "rename",
  "threshold",
] as const;
const EDITS = ["edit credits", "edit status", "edit usd"] as const;

interface Token {
  id: string;
  key: string;
}

async function newToken(
  sql: postgres.Sql,
  user: string,
  kind: "product" | "master",
  product: string | null,
): Promise<Token> {
  const [row] = await sql`
    select * from create_api_token(${user}, ${kind}, 'name 0', ${`create ${kind}`}, ${product})`;
  return { id: row?.["token_id"], key: row?.["api_key"] };
}

interface World {
  user: string;
  tokens: Token[];
}

/** Users with a token of each kind and a few dollars. */
async function makeWorlds(sql: postgres.Sql, count: number): Promise<World[]> {
  const [row] = await sql`
    insert into products (name, value_credits_usd) values ('A cent', 0.01) returning id`;
  const product: string = row?.["id"];
  const users = await makeUsers(sql, count, 0);
  return await Promise.all(users.map(async (user) => {
    await sql`select deposit_usd(${user}, '1', 'first')`;
    return {
      user,
      tokens: [
        await newToken(sql, user, "product", product),
        await newToken(sql, user, "master", null),
      ],
    };
  }));
}

/** Takes away what is to be delivered: the workers of other tests would have to. */
const deliverNothing = (sql: postgres.Sql, users: readonly string[]) =>
  sql`
    delete from private.outbox
    where coalesce(payload #>> '{token,user_id}', payload #>> '{data,user_id}') = any(${users})`;

/** Does a step; what Scrip answers, or the code of its refusal. Amounts of US dollars are in cents. */
async function perform(sql: postgres.Sql, world: World, step: Step) {
  const { user, tokens } = world;
  const { id = "", key = "" } = tokens[step.token] ?? {};
  const operation = `${step.kind === "consume" ? "c" : "u"}${step.id}`;
  const dollars = `${(step.amount / 100).toFixed(2)}`;
  try {
    switch (step.kind) {
      case "deposit": {
        const [row] = await sql`
          select usd_balance, replayed from deposit_usd(${user}, ${dollars}, ${operation})`;
        return { usd: units(row?.["usd_balance"]), replayed: row?.["replayed"] };
      }
      case "refill usd":
      case "refill credits": {
        const [mode, amount] = step.kind === "refill usd"
          ? ["usd", dollars]
          : ["credits", `${step.amount}`];
        const [row] = await sql`
          select * from refill_token(${user}, ${id}, ${mode}, ${amount}, ${operation})`;
        return {
          added: row?.["credits_added"],
          spent: units(row?.["usd_spent"]),
          credits: row?.["credits"],
          usd: units(row?.["usd_balance"]),
          replayed: row?.["replayed"],
        };
      }
      case "consume": {
        const [row] = await sql`
          select credits, version, replayed from consume_api_credits(${key}, ${step.amount}, ${operation})`;
        return { ...row };
      }
      case "revoke":
        return { ...(await sql`select * from revoke_api_token(${user}, ${id})`)[0] };
      case "rename":
        return {
          ...(await sql`select * from rename_api_token(${user}, ${id}, ${`name ${step.id % 2}`})`)[
            0
          ],
        };
      case "threshold":
        await sql`
          select set_low_balance_threshold(${user}, 'api_token', ${`${step.amount}`}, ${id})`;
        return "set";
      case "edit credits":
        await sql`update api_tokens set credits = ${step.amount} where user_id = ${user} and id = ${id}`;
        return "edited";
      case "edit status":
        await sql`
          update api_tokens set status = ${step.id % 2 ? "revoked" : "active"}
          where user_id = ${user} and id = ${id}`;
        return "edited";
      case "edit usd":
        await sql`update usd_balances set balance = ${dollars} where user_id = ${user}`;
        return "edited";
      case "delete user":
        await sql`delete from auth.users where id = ${user}`;
        return "deleted";
    }
  } catch (error) {
    return errorCode(error);
  }
}

/** What one user's US dollars and tokens should be. */
class Model {
  usd = DOLLAR;
  deleted = false;
  readonly tokens = KINDS.map((kind) => ({
    rate: kind === "product" ? RATE : MASTER_RATE,
    master: kind === "master",
    credits: 0,
    version: 1,
    active: true,
    name: "name 0",
    /** The versions of which the HUB is to hear. */
    told: [1],
    done: new Map<number, { amount: number; answer: { credits: number; version: number } }>(),
  }));
  readonly done = new Map<number, { asked: string; answer: Record<string, unknown> }>();

  apply(step: Step) {
    const token = this.tokens[step.token];
    if (!token) throw new Error("no such token");
    const tell = () => {
      token.told.push(++token.version);
    };
    switch (step.kind) {
      case "deposit":
        return this.once(step.id, `deposit ${step.amount}`, () => {
          if (this.deleted) return "user_not_found";
          this.usd += BigInt(step.amount) * RATE;
          return { usd: this.usd };
        });
      case "refill usd":
      case "refill credits":
        return this.once(step.id, `${step.kind} ${step.token} ${step.amount}`, () => {
          if (this.deleted) return "api_token_not_found";
          if (!token.active) return "api_token_revoked";
          const byCredits = step.kind === "refill credits";
          if (byCredits && token.master) return "invalid_request";
          const paid = BigInt(step.amount) * RATE;
          let added = byCredits ? BigInt(step.amount) : 0n;
          while (!byCredits && (added + 1n) * token.rate + FEE <= paid) added++;
          if (added === 0n) return "refill_too_small";
          const spent = byCredits ? added * token.rate + FEE : paid;
          if (spent > this.usd) return "insufficient_usd";
          this.usd -= spent;
          token.credits += Number(added);
          tell();
          return { added: Number(added), spent, credits: token.credits, usd: this.usd };
        });
      case "consume": {
        if (this.deleted) return "api_token_not_found";
        const first = token.done.get(step.id);
        if (first) {
          return first.amount === step.amount
            ? { ...first.answer, replayed: true }
            : "operation_id_reused";
        }
        if (!token.active) return "api_token_revoked";
        if (token.credits < step.amount) return "insufficient_credits";
        token.credits -= step.amount;
        token.version++;
        const answer = { credits: token.credits, version: token.version };
        token.done.set(step.id, { amount: step.amount, answer });
        return { ...answer, replayed: false };
      }
      case "revoke": {
        if (this.deleted) return "api_token_not_found";
        const revoked = token.active;
        token.active = false;
        if (revoked) tell();
        return { revoked };
      }
      case "rename": {
        if (this.deleted) return "api_token_not_found";
        const renamed = token.name !== `name ${step.id % 2}`;
        token.name = `name ${step.id % 2}`;
        if (renamed) tell();
        return { renamed };
      }
      case "threshold":
        if (this.deleted) return "api_token_not_found";
        return token.active ? "set" : "api_token_revoked";
      case "edit credits":
        if (!this.deleted && token.credits !== step.amount) tell();
        if (!this.deleted) token.credits = step.amount;
        return "edited";
      case "edit status": {
        const active = step.id % 2 === 0;
        if (!this.deleted && token.active !== active) tell();
        token.active = active;
        return "edited";
      }
      case "edit usd":
        if (!this.deleted) this.usd = BigInt(step.amount) * RATE;
        return "edited";
      case "delete user":
        if (!this.deleted) { for (const t of this.tokens) t.told.push(++t.version); }
        this.deleted = true;
        return "deleted";
    }
  }

  /** Something that is done once an id; `effect` changes the model or refuses. */
  private once(id: number, asked: string, effect: () => string | Record<string, unknown>) {
    const first = this.done.get(id);
    if (first) {
      return first.asked === asked ? { ...first.answer, replayed: true } : "operation_id_reused";
    }
    const answer = effect();
    if (typeof answer === "string") return answer;
    this.done.set(id, { asked, answer });
    return { ...answer, replayed: false };
  }
}

/** What the HUB is to hear of a token, in order. */
const told = (sql: postgres.Sql, token: string) =>
  sql<{ event: string; version: number; credits: number; status: string; name: string }[]>`
    select
      event, (payload #>> '{token,version}')::bigint as version, (payload #>> '{token,credits}')::bigint as credits,
      payload #>> '{token,status}' as status, payload #>> '{token,name}' as name
    from private.outbox
    where destination = 'hub' and subject = ${token}
    order by seq`;

ledgerTest(
  "random refills, spends and edits, one after the other, answer as the model does",
  async (sql) => {
    await fc.assert(
      fc.asyncProperty(
        program([...OPERATIONS, ...OPERATIONS, ...EDITS, "revoke", "delete user"], USERS, 10, 60),
        async (steps) => {
          const worlds = await makeWorlds(sql, USERS);
          const models = worlds.map(() => new Model());
          for (const step of steps) {
            const [world, model] = [worlds[step.user], models[step.user]];
            if (!world || !model) throw new Error("no such user");
            deepEqual(await perform(sql, world, step), model.apply(step), JSON.stringify(step));
          }
          for (const [i, model] of models.entries()) {
            const { user = "", tokens = [] } = worlds[i] ?? {};
            const [balance] = await sql`select usd_balance from get_usd_balance(${user})`;
            equal(units(balance?.["usd_balance"]), model.deleted ? 0n : model.usd);
            for (
              const [j, { credits, version, active, name, told: versions }] of model.tokens
                .entries()
            ) {
              const id = tokens[j]?.id ?? "";
              const rows = await sql`
              select credits, version, status = 'active' as active, name from api_tokens where id = ${id}`;
              deepEqual(
                rows.map((row) => ({ ...row })),
                model.deleted ? [] : [{ credits, version, active, name }],
              );
              deepEqual((await told(sql, id)).map((row) => row.version), versions);
            }
          }
          await assertLedgerClean(sql);
          await deliverNothing(sql, worlds.map(({ user }) => user));
        },
      ),
      { numRuns: 25 },
    );
  },
  1,
);

/** Does all at once, and asserts what must be true whatever came first. */
async function race(sql: postgres.Sql, worlds: World[], steps: readonly Step[]) {
  const answers = await Promise.all(steps.map(async (step) => {
    const world = worlds[step.user];
    if (!world) throw new Error("no such user");
    return { step, user: world.user, answer: await perform(sql, world, step) };
  }));
  await assertLedgerClean(sql);

  const done = answers.flatMap(({ step, user, answer }) =>
    typeof answer === "object" && "replayed" in answer && !answer.replayed
      ? [{ kind: step.kind, user, added: "added" in answer ? answer.added : 0 }]
      : []
  );
  for (const { user, tokens } of worlds) {
    const mine = done.filter((operation) => operation.user === user);
    const consumed = mine.filter(({ kind }) => kind === "consume").length;
    const [rows] = await sql`
      select
        count(*) filter (where operation_id like 'u%') as operations,
        count(*) filter (where balance_after < 0) as overdrawn,
        (
          select count(*) from api_token_transactions where user_id = ${user} and type = 'consume'
        ) as consumed,
        (
          select coalesce(sum(credits_added), 0)::bigint from refill_transactions where user_id = ${user}
        ) as added
      from usd_transactions
      where user_id = ${user}`;
    deepEqual({ ...rows }, {
      operations: mine.length - consumed,
      overdrawn: 0,
      consumed,
      added: mine.reduce((sum, { added }) => sum + added, 0),
    }, "callers were told of each operation once");
    for (const { id } of tokens) await checkTold(sql, id);
  }
  await deliverNothing(sql, worlds.map(({ user }) => user));
}

/** Asserts that the HUB is to hear of a token as it was, in the order in which it was so. */
async function checkTold(sql: postgres.Sql, id: string) {
  const rows = await told(sql, id);
  const versions = rows.map(({ version }) => version);
  deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b), "versions rise");
  const last = rows.at(-1);
  const [token] = await sql`select version, status, name from api_tokens where id = ${id}`;
  if (token) {
    ok(last && last.version <= token["version"], "no version is told that is not there");
    deepEqual([last.status, last.name], [token["status"], token["name"]], "the last is so still");
  } else {
    deepEqual([last?.event, last?.credits], ["api_token.deleted", 0]);
  }
  const wrong = await sql`
    with told as (
      select
        (payload #>> '{token,version}')::bigint as version, (payload #>> '{token,credits}')::bigint as credits,
        payload #>> '{token,status}' as status
      from private.outbox
      where destination = 'hub' and subject = ${id}
    ),
    journal as (
      select version, type, credits_after as credits from api_token_transactions where token_id = ${id}
    )
    select 'credits at ' || t.version as problem
    from told t
    where t.credits <> coalesce(
      (select j.credits from journal j where j.version <= t.version order by j.version desc limit 1), 0
    )
    union all
    select j.type || ' of a revoked token at ' || j.version
    from journal j
    where j.type <> 'adjustment'
      and (select t.status from told t where t.version <= j.version order by t.version desc limit 1) = 'revoked'`;
  deepEqual([...wrong], []);
}

// An edit by hand of a row whose account is just being deleted may deadlock with that; operations never do.
for (
  const [what, kinds, runs] of [
    ["refills, spends and edits", [...OPERATIONS, ...EDITS, "revoke"], 15],
    [
      "refills and spends while accounts are deleted",
      [...OPERATIONS, ...OPERATIONS, "delete user"],
      15,
    ],
  ] as const
) {
  ledgerTest(
    `random ${what}, all at once, keep the ledger clean and never deadlock`,
    async (sql) => {
      await fc.assert(
        fc.asyncProperty(program(kinds, USERS, 40, 150), async (steps) => {
          await race(sql, await makeWorlds(sql, USERS), steps);
        }),
        { numRuns: runs, endOnFailure: true }, // a race is another each time: nothing to shrink
      );
    },
    16,
  );
}

// Races

/** One user of {@link makeWorlds}, and a token. */
async function makeToken(sql: postgres.Sql) {
  const [{ user = "", tokens = [] } = {}] = await makeWorlds(sql, 1);
  const [{ id = "", key = "" } = {}] = tokens;
  return { user, id, key };
}

const times = (count: number) => Array.from({ length: count }, (_, i) => i);

ledgerTest("50 calls at once with one operation_id: one is done, 49 are replays", async (sql) => {
  const { user, id, key } = await makeToken(sql);
  await sql`update api_tokens set credits = 1000 where id = ${id}`;
  const calls = {
    refill: () => sql`select * from refill_token(${user}, ${id}, 'usd', '0.0101', 'the-same')`,
    consume: () => sql`select * from consume_api_credits(${key}, 7, 'the-same')`,
    create: () => sql`select * from create_api_token(${user}, 'master', 'one', 'the-same')`,
  };
  for (const [what, call] of Object.entries(calls)) {
    const rows = (await Promise.all(times(50).map(call))).flat();
    equal(rows.filter(({ replayed }) => !replayed).length, 1, what);
    equal(rows.filter(({ replayed }) => replayed).length, 49, what);
    equal(new Set(rows.map((row) => `${row["token_id"]} ${row["credits"]}`)).size, 1, what);
  }
  const made = await sql`select id from api_tokens where user_id = ${user}`;
  equal(made.length, 3);
  await deliverNothing(sql, [user]);
}, 16);

ledgerTest(
  "a token that is deleted while operations wait for it is not there for them",
  async (sql) => {
    for (
      const statement of [
        "delete from api_tokens where user_id = $1",
        "delete from auth.users where id = $1",
      ]
    ) {
      const { user, id, key } = await makeToken(sql);
      await sql`update api_tokens set credits = 10 where id = ${id}`;
      const admin = await sql.reserve();
      await admin`begin`;
      await admin.unsafe(statement, [user]);
      const waiting = outcomes([
        sql`select * from consume_api_credits(${key}, 1, 'consume')`,
        sql`select * from refill_token(${user}, ${id}, 'usd', '1', 'refill')`,
        sql`select * from rename_api_token(${user}, ${id}, 'other')`,
        sql`select * from revoke_api_token(${user}, ${id})`,
      ]);
      await untilBlocked(sql);
      await admin`commit`;
      admin.release();
      deepEqual((await waiting).codes, times(4).map(() => "api_token_not_found"), statement);
      await deliverNothing(sql, [user]);
    }
  },
  8,
);
