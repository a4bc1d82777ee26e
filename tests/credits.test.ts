/**
 * `credits` does for other backends, over HTTP, what the SQL functions do: success, replay, conflict, refusal, and bad
 * input that changes nothing.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { call, ledgerTest, makeUser, stack } from "./harness.ts";

const NOBODY = "00000000-0000-4000-8000-000000000000";
const credits = (route: string, body: unknown, headers: Record<string, string> = {}) =>
  call(`credits/${route}`, { secret: true, body, headers });

ledgerTest("charge: success, replay, conflict, refusal", async (sql) => {
  const user_id = await makeUser(sql, 10);
  const body = { user_id, amount: 4, operation_id: "a", metadata: { model: "m" } };
  const first = await credits("charge", body);
  equal(first.status, 200);
  const replay = await credits("charge", body);
  deepEqual(replay.body, { ...first.body, replayed: true });
  for (const other of [{ amount: 5 }, { description: "other" }, { metadata: { model: "n" } }]) {
    const conflict = await credits("charge", { ...body, ...other });
    deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  }
  const refused = await credits("charge", { user_id, amount: 7, operation_id: "b" });
  equal(refused.status, 403);
  deepEqual(refused.body, {
    code: "insufficient_tokens",
    message: "Insufficient tokens: you have 6, need 7",
    details: null,
    hint: null,
  });
  const [journal] = await sql`
    select count(*), min(actor) as actor from token_transactions where user_id = ${user_id} and type = 'charge'`;
  deepEqual(journal, { count: 1, actor: "service_role" });
});

ledgerTest("a user without tokens is told: you have 0, need 1", async (sql) => {
  const user_id = await makeUser(sql, 0);
  const refused = await credits("charge", { user_id, amount: 1, operation_id: "a" });
  deepEqual([refused.status, refused.body.message], [
    403,
    "Insufficient tokens: you have 0, need 1",
  ]);
  equal((await sql`select 1 from token_transactions where user_id = ${user_id}`).length, 0);
});

ledgerTest(
  "the operation id may come in the Idempotency-Key header, and must not differ",
  async (sql) => {
    const user_id = await makeUser(sql, 10);
    const keyed = await credits("charge", { user_id, amount: 1 }, { "idempotency-key": "k" });
    equal(keyed.body.replayed, false);
    const replay = await credits("charge", { user_id, amount: 1, operation_id: "k" });
    equal(replay.body.replayed, true);
    const both = await credits("charge", { user_id, amount: 1, operation_id: "l" }, {
      "idempotency-key": "k",
    });
    deepEqual([both.status, both.body.code], [400, "invalid_request"]);
    const none = await credits("charge", { user_id, amount: 1 });
    equal(none.status, 400);
    match(none.body.message, /operation_id/);
  },
);

ledgerTest("reserve, settle, release", async (sql) => {
  const user_id = await makeUser(sql, 100);
  const hold = await credits("reserve", {
    user_id,
    amount: 60,
    operation_id: "h",
    ttl_seconds: 60,
  });
  deepEqual([hold.status, hold.body.amount, hold.body.remaining], [200, 60, 40]);
  ok(Date.parse(hold.body.expires_at) > Date.now());
  equal((await credits("charge", { user_id, amount: 41, operation_id: "c" })).status, 403);
  equal((await credits("charge", { user_id, amount: 1, operation_id: "h" })).status, 409);
  const settled = await credits("settle", { user_id, operation_id: "h", amount: 25 });
  deepEqual(
    [settled.body.amount, settled.body.remaining, settled.body.overdrawn, settled.body.replayed],
    [25, 75, false, false],
  );
  deepEqual((await credits("settle", { user_id, operation_id: "h", amount: 25 })).body, {
    ...settled.body,
    replayed: true,
  });
  equal((await credits("release", { user_id, operation_id: "h" })).body.code, "hold_not_active");

  await credits("reserve", { user_id, amount: 30, operation_id: "i" });
  const released = await credits("release", { user_id, operation_id: "i" });
  deepEqual([released.body.amount, released.body.remaining], [30, 75]);
  equal((await credits("release", { user_id, operation_id: "i" })).body.replayed, true);
  equal((await credits("settle", { user_id, operation_id: "i" })).body.code, "hold_not_active");

  await credits("reserve", { user_id, amount: 75, operation_id: "j", ttl_seconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const balance = await call(`credits/balance/${user_id}`, { secret: true });
  deepEqual([balance.body.reserved, balance.body.remaining], [0, 75]);
  equal((await credits("charge", { user_id, amount: 70, operation_id: "d" })).body.remaining, 5);
  const late = await credits("settle", { user_id, operation_id: "j" });
  deepEqual([late.body.remaining, late.body.overdrawn], [-70, true]);
});

ledgerTest("add and refund", async (sql) => {
  const user_id = await makeUser(sql, 0);
  for (const type of ["add", "purchase", "subscription", "bonus", "referral"]) {
    const added = await credits("add", { user_id, amount: 10, type, operation_id: type });
    deepEqual([added.status, added.body.amount], [200, 10]);
  }
  const { body } = await call(`credits/balance/${user_id}`, { secret: true });
  deepEqual([body.purchased, body.admin_bonus, body.earned, body.total], [30, 10, 10, 50]);
  await credits("charge", { user_id, amount: 20, operation_id: "c" });
  const part = { user_id, amount: 15, operation_id: "r1", charge_operation_id: "c" };
  equal((await credits("refund", part)).body.remaining, 45);
  equal((await credits("refund", part)).body.replayed, true);
  equal(
    (await credits("refund", { ...part, operation_id: "r2" })).body.code,
    "refund_exceeds_charge",
  );
  const rest = await credits("refund", { user_id, operation_id: "r3", charge_operation_id: "c" });
  deepEqual([rest.body.amount, rest.body.remaining], [5, 50]);
});

ledgerTest("charge-batch answers each charge by itself, in order", async (sql) => {
  const [rich, poor] = [await makeUser(sql, 100), await makeUser(sql, 5)];
  const charges = [
    { user_id: poor, amount: 3, operation_id: "1" },
    { user_id: rich, amount: 10, operation_id: "1" },
    { user_id: poor, amount: 3, operation_id: "2" },
    { user_id: NOBODY, amount: 1, operation_id: "1" },
    { user_id: poor, amount: 2, operation_id: "3" },
    { user_id: rich, amount: 10, operation_id: "1" },
  ];
  const { status, body } = await credits("charge-batch", { charges });
  equal(status, 200);
  deepEqual(
    body.results.map((r: Record<string, { code?: string }>) => r["error"]?.code ?? r["remaining"]),
    [2, 90, "insufficient_tokens", "user_not_found", 0, 90],
  );
  equal(body.results[5].replayed, true);
  equal((await credits("charge-batch", { charges: [] })).status, 400);
  const large = Array.from(
    { length: 1000 },
    (_, i) => ({ user_id: rich, amount: 1, operation_id: `l${i}` }),
  );
  const many = await credits("charge-batch", { charges: large });
  equal(many.body.results.filter((r: Record<string, unknown>) => r["transaction_id"]).length, 90);
  equal((await credits("charge-batch", { charges: [...large, large[0]] })).status, 400);
});

ledgerTest("check and calculate", async (sql) => {
  const user_id = await makeUser(sql, 5);
  const check = (amount: number) =>
    call(`credits/check/${user_id}?amount=${amount}`, { secret: true });
  deepEqual((await check(5)).body, { allowed: true, have: 5, need: 5 });
  deepEqual((await check(6)).body, { allowed: false, have: 5, need: 6 });
  deepEqual((await credits("calculate", { user_id, base_amount: 7 })).body, {
    base_amount: 7,
    multiplier: "1",
    amount: 7,
  });
});

ledgerTest("unknown users, charges and holds are 404", async (sql) => {
  const user_id = await makeUser(sql, 5);
  for (
    const [route, body, code] of [
      ["charge", { user_id: NOBODY, amount: 1, operation_id: "x" }, "user_not_found"],
      ["add", { user_id: NOBODY, amount: 1, operation_id: "x" }, "user_not_found"],
      ["reserve", { user_id: NOBODY, amount: 1, operation_id: "x" }, "user_not_found"],
      ["calculate", { user_id: NOBODY, base_amount: 1 }, "user_not_found"],
      ["settle", { user_id, operation_id: "x" }, "hold_not_found"],
      ["release", { user_id, operation_id: "x" }, "hold_not_found"],
      ["refund", { user_id, operation_id: "x", charge_operation_id: "y" }, "charge_not_found"],
    ] as const
  ) {
    const answer = await credits(route, body);
    deepEqual([answer.status, answer.body.code], [404, code], route);
  }
  for (const path of [`credits/balance/${NOBODY}`, `credits/check/${NOBODY}?amount=1`]) {
    equal((await call(path, { secret: true })).status, 404, path);
  }
});

ledgerTest("bad input is 400, names the field, and changes nothing", async (sql) => {
  const user_id = await makeUser(sql, 5);
  const good = { user_id, amount: 1, operation_id: "x" };
  const bad: [field: string, body: string][] = [
    ...[0, -1, 1.5, 9_000_000_000_000_001, "1", null, true, [1], {}].map((
      amount,
    ): [string, string] => [
      "amount",
      JSON.stringify({ ...good, amount }),
    ]),
    ["amount", `{"user_id":"${user_id}","operation_id":"x","amount":1e400}`],
    ["amount", JSON.stringify({ user_id, operation_id: "x" })],
    ["body", `{"user_id":"${user_id}","operation_id":"x","amount":NaN}`],
    ["body", "not json"],
    ["body", ""],
    ["body", "[]"],
    ["body", JSON.stringify({ ...good, description: "x".repeat(70_000) })],
    ["user_id", JSON.stringify({ ...good, user_id: "me" })],
    ["operation_id", JSON.stringify({ ...good, operation_id: "" })],
    ["operation_id", JSON.stringify({ ...good, operation_id: "x".repeat(256) })],
    ["operation_id", JSON.stringify({ ...good, operation_id: "a\u0000b" })],
    ["metadata", JSON.stringify({ ...good, metadata: [] })],
    ["price", JSON.stringify({ ...good, price: 1 })],
  ];
  for (const [field, body] of bad) {
    const response = await fetch(`${stack.url}/functions/v1/credits/charge`, {
      method: "POST",
      headers: { apikey: stack.secret_key, "content-type": "application/json" },
      body,
    });
    const answer = await response.json();
    deepEqual([response.status, answer.code], [400, "invalid_request"], body.slice(0, 120));
    ok(answer.message.startsWith(field), `${answer.message} does not name ${field}`);
  }
  equal((await sql`select used from get_token_balance(${user_id})`)[0]?.["used"], 0);
});

ledgerTest("a wrong method is 405 with Allow, an unknown route 404", async () => {
  const wrong = await call("credits/charge", { method: "PUT", secret: true, body: {} });
  deepEqual([wrong.status, wrong.body.code], [405, "method_not_allowed"]);
  match(wrong.headers.get("allow") ?? "", /POST/);
  const unknown = await call("credits/steal", { secret: true, body: {} });
  deepEqual([unknown.status, unknown.body.code], [404, "not_found"]);
  for (const answer of [wrong, unknown]) match(answer.headers.get("x-request-id") ?? "", /.{8}/);
});
