/**
 * No token is lost, doubled or invented when many ask at once.
 *
 * Method: real connections to Postgres, all callers started together, then counts and the ledger's proof.
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { createCodes, ledgerTest, makeUser, makeUsers, outcomes, untilBlocked } from "./harness.ts";

const CONNECTIONS = 64;
const times = (count: number) => Array.from({ length: count }, (_, i) => i);

ledgerTest("1,000 callers after 1 token: exactly 1 wins", async (sql) => {
  const user = await makeUser(sql, 1);
  const { results, codes } = await outcomes(
    times(1000).map((i) => sql`select * from charge_tokens(${user}, 1, ${`charge-${i}`})`),
  );
  equal(results.length, 1);
  deepEqual(new Set(codes), new Set(["insufficient_tokens"]));
  const [balance] = await sql`select remaining, used from get_token_balance(${user})`;
  deepEqual(balance, { remaining: 0, used: 1 });
}, CONNECTIONS);

ledgerTest("1,000 holders after 1 token: exactly 1 wins", async (sql) => {
  const user = await makeUser(sql, 1);
  const { results, codes } = await outcomes(
    times(1000).map((i) => sql`select * from reserve_tokens(${user}, 1, ${`hold-${i}`})`),
  );
  equal(results.length, 1);
  deepEqual(new Set(codes), new Set(["insufficient_tokens"]));
}, CONNECTIONS);

ledgerTest("200 callers with one operation_id: one charge, 199 replays", async (sql) => {
  const user = await makeUser(sql, 1000);
  const rows = (await Promise.all(
    times(200).map(() => sql`select * from charge_tokens(${user}, 7, 'the-same')`),
  )).flat();
  equal(rows.filter(({ replayed }) => !replayed).length, 1);
  equal(rows.filter(({ replayed }) => replayed).length, 199);
  equal(new Set(rows.map(({ transaction_id }) => transaction_id)).size, 1);
  deepEqual(new Set(rows.map(({ remaining }) => remaining)), new Set([993]));
}, CONNECTIONS);

ledgerTest(
  "200 reservations and 200 settlements with one operation_id: one hold, one charge",
  async (sql) => {
    const user = await makeUser(sql, 1000);
    const holds = (await Promise.all(
      times(200).map(() => sql`select * from reserve_tokens(${user}, 9, 'the-same')`),
    )).flat();
    equal(holds.filter(({ replayed }) => !replayed).length, 1);
    const charges = (await Promise.all(
      times(200).map(() => sql`select * from settle_tokens(${user}, 'the-same', 5)`),
    )).flat();
    equal(charges.filter(({ replayed }) => !replayed).length, 1);
    const [balance] = await sql`select used, reserved from get_token_balance(${user})`;
    deepEqual(balance, { used: 5, reserved: 0 });
  },
  CONNECTIONS,
);

ledgerTest("100 refunds of one charge at once: never more than was charged", async (sql) => {
  const user = await makeUser(sql, 100);
  await sql`select charge_tokens(${user}, 100, 'charge')`;
  const { results, codes } = await outcomes(
    times(100).map((i) => sql`select * from refund_tokens(${user}, ${`refund-${i}`}, 'charge', 3)`),
  );
  equal(results.length, 33);
  deepEqual(new Set(codes), new Set(["refund_exceeds_charge"]));
}, CONNECTIONS);

ledgerTest("50 users activate a single-use code: exactly 1 gets it", async (sql) => {
  const users = await makeUsers(sql, 50, 0);
  const [code = ""] = await createCodes(sql, 1);
  const { results, codes } = await outcomes(
    users.map((user) => sql`select * from activate_access_code(${user}, ${code}, 'activation')`),
  );
  equal(results.length, 1);
  deepEqual([new Set(codes), codes.length], [new Set(["code_already_used"]), 49]);
  const [sum] = await sql`
    select sum(tokens_purchased)::bigint as tokens from user_tokens where user_id = any(${users})`;
  deepEqual(sum, { tokens: 2500 });
}, CONNECTIONS);

ledgerTest("one user activates two codes at once: base and bonus are granted once", async (sql) => {
  for (const user of await makeUsers(sql, 20, 0)) {
    const codes = await createCodes(sql, 2, { tokens: 100 });
    const rows = (await Promise.all(
      codes.map((code) => sql`select * from activate_access_code(${user}, ${code}, ${code})`),
    )).flat();
    deepEqual(rows.map(({ tokens_granted }) => tokens_granted).sort(), [100, 2500]);
  }
}, CONNECTIONS);

ledgerTest(
  "batches over the same users in any order neither deadlock nor overdraw",
  async (sql) => {
    const users = await makeUsers(sql, 10, 100);
    const batches = times(60).map((b) =>
      times(50).map((i) => ({
        user_id: users[(b * 7 + i * (b % 2 ? 1 : 9)) % users.length],
        amount: 1,
        operation_id: `batch-${b}-${i}`,
      }))
    );
    const results = (await Promise.all(
      batches.map((batch) => sql`select * from charge_tokens_batch(${sql.json(batch)})`),
    )).flat();
    equal(results.length, 3000);
    equal(results.filter(({ transaction_id }) => transaction_id).length, 1000);
    const codes = results.flatMap(({ error }) => error ? [error.code] : []);
    deepEqual([new Set(codes), codes.length], [new Set(["insufficient_tokens"]), 2000]);
  },
  CONNECTIONS,
);

ledgerTest("edits by hand race with charges: both count, in one order", async (sql) => {
  const user = await makeUser(sql, 10_000);
  await sql`insert into token_requests (user_id, amount) values (${user}, 50)`;
  const edits = times(100).flatMap((i) => [
    sql`select charge_tokens(${user}, 1, ${`charge-${i}`})`,
    sql`update user_tokens set tokens_purchased = tokens_purchased + 1 where user_id = ${user}`,
    sql`update subscribers set admin_bonus_tokens = admin_bonus_tokens + 1 where user_id = ${user}`,
    sql`select add_tokens(${user}, 1, 'bonus', ${`bonus-${i}`})`,
    sql`update token_requests set status = ${
      i % 2 ? "approved" : "rejected"
    } where user_id = ${user}`,
  ]);
  await Promise.all(edits);
  const [balance] = await sql`select purchased, admin_bonus, used from get_token_balance(${user})`;
  deepEqual(balance, { purchased: 10_100, admin_bonus: 200, used: 100 });
}, CONNECTIONS);

for (
  const [edit, statement] of [
    ["releases", "update token_holds set status = 'released' where user_id = $1"],
    ["resizes", "update token_holds set amount = 60 where user_id = $1"],
    ["deletes", "delete from token_holds where user_id = $1"],
  ] as const
) {
  ledgerTest(
    `an edit by hand ${edit} a hold while it is being settled: its tokens count once`,
    async (sql) => {
      const user = await makeUser(sql, 100);
      await sql`select reserve_tokens(${user}, 40, 'hold')`;
      const admin = await sql.reserve();
      await admin`begin`;
      await admin.unsafe(statement, [user]);
      const settling = outcomes([sql`select * from settle_tokens(${user}, 'hold', 30)`]);
      await untilBlocked(sql);
      await admin`commit`;
      admin.release();
      await settling;
      const [balance] = await sql`select reserved from get_token_balance(${user})`;
      deepEqual(balance, { reserved: 0 });
    },
  );
}

ledgerTest(
  "a balance added by hand while another part of it is edited goes on where the journal ended",
  async (sql) => {
    const user = await makeUser(sql, 100);
    await sql`delete from user_tokens where user_id = ${user}`;
    const admin = await sql.reserve();
    await admin`begin`;
    await admin`insert into user_tokens (user_id) values (${user})`;
    const earning = sql`update subscribers set earned_tokens = 5 where user_id = ${user}`.execute();
    await untilBlocked(sql);
    await admin`commit`;
    admin.release();
    await earning;
    const [balance] = await sql`select remaining from charge_tokens(${user}, 5, 'charge')`;
    deepEqual(balance, { remaining: 0 });
  },
);
