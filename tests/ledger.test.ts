/**
 * Whatever operations and edits come in whatever order and at the same time, the journal equals the balances, parts are
 * never negative, holds add up, and a refused operation changes nothing.
 *
 * Method: random programs over a few users (fast-check). Run one after the other, each result is compared with a small
 * model; run all at once, the invariants are checked.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import { assertLedgerClean, connect, errorCode, ledgerTest, makeUsers } from "./harness.ts";

const USERS = 3;
const TOKENS = 60;

type Step =
  & { user: number; id: number; amount: number }
  & {
    kind:
      | "charge"
      | "reserve"
      | "settle"
      | "release"
      | "refund"
      | "add"
      | "bonus edit"
      | "purchase edit"
      | "request";
  };

// Few ids and amounts, so that replays, conflicts and refusals are common.
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"][]>(
    "charge",
    "reserve",
    "settle",
    "release",
    "refund",
    "add",
    "bonus edit",
    "purchase edit",
    "request",
  ),
  user: fc.nat({ max: USERS - 1 }),
  id: fc.nat({ max: 5 }),
  amount: fc.integer({ min: 1, max: 40 }),
});

/** Does a step; what Scrip answers, or the code of its refusal. */
async function perform(sql: postgres.Sql, users: string[], { kind, user, id, amount }: Step) {
  const u = users[user] ?? "";
  try {
    switch (kind) {
      case "charge":
        return (await sql`select remaining, replayed from charge_tokens(${u}, ${amount}, ${`c${id}`})`)[
          0
        ];
      case "reserve":
        return (await sql`select remaining, replayed from reserve_tokens(${u}, ${amount}, ${`h${id}`})`)[
          0
        ];
      case "settle":
        return (await sql`select remaining, replayed from settle_tokens(${u}, ${`h${id}`}, ${amount})`)[
          0
        ];
      case "release":
        return (await sql`select remaining, replayed from release_tokens(${u}, ${`h${id}`})`)[0];
      case "refund":
        return (await sql`select remaining, replayed from refund_tokens(${u}, ${`r${id}`}, ${`c${
          id % 3
        }`}, ${amount})`)[0];
      case "add":
        return (await sql`select remaining, replayed from add_tokens(${u}, ${amount}, 'add', ${`a${id}`})`)[
          0
        ];
      case "bonus edit":
        await sql`update subscribers set admin_bonus_tokens = ${amount} where user_id = ${u}`;
        return "edited";
      case "purchase edit":
        await sql`update user_tokens set tokens_purchased = ${amount * 2} where user_id = ${u}`;
        return "edited";
      case "request":
        await sql`
          insert into token_requests (user_id, id, amount, status)
          values (${u}, ${`00000000-0000-4000-8000-00000000000${id}`}, ${amount}, 'approved')
          on conflict (user_id, id) do update
          set status = case token_requests.status when 'approved' then 'rejected' else 'approved' end::token_request_status`;
        return "edited";
    }
  } catch (error) {
    return errorCode(error);
  }
}

interface Hold {
  amount: number;
  remaining: number;
  settled?: { amount: number; remaining: number };
  released?: boolean;
}

/** What one user's balance should be, in the fewest words. */
class Model {
  purchased = TOKENS;
  bonus = 0;
  used = 0;
  readonly requests = new Map<number, { amount: number; approved: boolean }>();
  readonly holds = new Map<number, Hold>();
  readonly done = new Map<string, { amount: number; of?: number; remaining: number }>();

  get reserved() {
    const active = [...this.holds.values()].filter((h) => !h.settled && !h.released);
    return active.reduce((sum, { amount }) => sum + amount, 0);
  }

  get remaining() {
    const approved = [...this.requests.values()].filter((r) => r.approved);
    const requested = approved.reduce((sum, { amount }) => sum + amount, 0);
    return this.purchased + this.bonus + requested - this.used - this.reserved;
  }

  /** An operation that is done once an id; `effect` changes the model or refuses. */
  private once(key: string, amount: number, effect: () => string | undefined, of?: number) {
    const first = this.done.get(key);
    if (first) {
      if (first.amount !== amount || first.of !== of) return "operation_id_reused";
      return { remaining: first.remaining, replayed: true };
    }
    const refusal = effect();
    if (refusal) return refusal;
    const { remaining } = this;
    this.done.set(key, { amount, remaining, ...(of === undefined ? {} : { of }) });
    return { remaining, replayed: false };
  }

  apply({ kind, id, amount }: Step) {
    switch (kind) {
      case "charge":
        return this.once(`c${id}`, amount, () => {
          if (this.remaining < amount) return "insufficient_tokens";
          this.used += amount;
        });
      case "add":
        return this.once(`a${id}`, amount, () => {
          this.purchased += amount;
        });
      case "refund":
        return this.once(`r${id}`, amount, () => this.refund(id % 3, amount), id % 3);
      case "reserve":
        return this.reserve(id, amount);
      case "settle":
        return this.settle(id, amount);
      case "release":
        return this.release(id);
      case "bonus edit":
        this.bonus = amount;
        return "edited";
      case "purchase edit":
        this.purchased = amount * 2;
        return "edited";
      case "request": {
        const request = this.requests.get(id);
        if (request) request.approved = !request.approved;
        else this.requests.set(id, { amount, approved: true });
        return "edited";
      }
    }
  }

  private refund(charge: number, amount: number) {
    const charged = this.done.get(`c${charge}`);
    if (!charged) return "charge_not_found";
    const refunds = [...this.done].filter(([key, { of }]) => key.startsWith("r") && of === charge);
    const left = charged.amount - refunds.reduce((sum, [, r]) => sum + r.amount, 0);
    if (amount > left) return "refund_exceeds_charge";
    this.used -= amount;
  }

  private reserve(id: number, amount: number) {
    const hold = this.holds.get(id);
    if (hold) {
      if (hold.amount !== amount) return "operation_id_reused";
      return { remaining: hold.remaining, replayed: true };
    }
    if (this.remaining < amount) return "insufficient_tokens";
    const remaining = this.remaining - amount;
    this.holds.set(id, { amount, remaining });
    return { remaining, replayed: false };
  }

  private settle(id: number, amount: number) {
    const hold = this.holds.get(id);
    if (!hold) return "hold_not_found";
    if (hold.released) return "hold_not_active";
    if (hold.settled) {
      if (hold.settled.amount !== amount) return "operation_id_reused";
      return { remaining: hold.settled.remaining, replayed: true };
    }
    this.used += amount;
    hold.settled = { amount, remaining: 0 };
    hold.settled.remaining = this.remaining;
    return { remaining: this.remaining, replayed: false };
  }

  private release(id: number) {
    const hold = this.holds.get(id);
    if (!hold) return "hold_not_found";
    if (hold.settled) return "hold_not_active";
    const replayed = hold.released === true;
    hold.released = true;
    return { remaining: this.remaining, replayed };
  }
}

ledgerTest(
  "random operations and edits, one after the other, answer as the model does",
  async (sql) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const users = await makeUsers(sql, USERS, TOKENS);
        const models = users.map(() => new Model());
        for (const s of steps) {
          const model = models[s.user] ?? new Model();
          deepEqual(await perform(sql, users, s), model.apply(s), JSON.stringify(s));
        }
        for (const [i, model] of models.entries()) {
          const [balance] = await sql`select used, reserved, remaining from get_token_balance(${
            users[i] ?? ""
          })`;
          deepEqual(balance, {
            used: model.used,
            reserved: model.reserved,
            remaining: model.remaining,
          });
        }
        await assertLedgerClean(sql);
      }),
      { numRuns: 40 },
    );
  },
  1,
);

Deno.test("random operations and edits, all at once, keep the ledger clean", async () => {
  const sql = connect(16);
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 150 }), async (steps) => {
        const users = await makeUsers(sql, USERS, TOKENS);
        await Promise.all(steps.map((s) => perform(sql, users, s)));
        await assertLedgerClean(sql);
        for (const user of users) {
          const [parts] = await sql`select * from get_token_balance(${user})`;
          equal(
            parts?.["total"],
            parts?.["purchased"] + parts?.["admin_bonus"] + parts?.["approved_requests"],
          );
          for (const [name, value] of Object.entries(parts ?? {})) {
            ok(name === "remaining" || value >= 0, `${name} is ${value}`);
          }
        }
      }),
      { numRuns: 25 },
    );
  } finally {
    await sql.end();
  }
});
