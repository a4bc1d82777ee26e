/** `verify-and-activate-code` grants what the worked examples say, once, and makes guessing slow. */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { call, createCodes, ledgerTest, signUp, type TestUser } from "./harness.ts";

const activate = (user: TestUser, code: unknown, key?: string) =>
  call("verify-and-activate-code", {
    token: user.token,
    body: { code },
    ...(key ? { headers: { "idempotency-key": key } } : {}),
  });

ledgerTest("the worked examples of a first and a second code", async (sql) => {
  const examples = [
    { base: 1000, bonus: 1500, tokens: 0, onTop: false, granted: 2500 },
    { base: 1000, bonus: 1500, tokens: 1500, onTop: false, granted: 2500 },
    { base: 1000, bonus: 1500, tokens: 1500, onTop: true, granted: 4000 },
    { base: 0, bonus: 0, tokens: 2500, onTop: false, granted: 2500 },
  ];
  for (const { base, bonus, tokens, onTop, granted } of examples) {
    const user = await signUp();
    await sql`
      update subscribers set base_tokens = ${base}, bonus_tokens = ${bonus} where user_id = ${user.id}`;
    const [code] = await createCodes(sql, 1, { tokens, onTop });
    deepEqual((await activate(user, code)).body, {
      tokens_granted: granted,
      balance: granted,
      replayed: false,
    });
    const [second] = await createCodes(sql, 1, { tokens: 70 });
    deepEqual((await activate(user, second)).body, {
      tokens_granted: 70,
      balance: granted + 70,
      replayed: false,
    });
  }
});

ledgerTest("the same key replays; without it the code is already used", async (sql) => {
  const user = await signUp();
  const [code = ""] = await createCodes(sql, 1);
  await activate(user, code, "key");
  const replay = await activate(user, code.toLowerCase().replaceAll("-", " "), "key");
  deepEqual(replay.body, { tokens_granted: 2500, balance: 2500, replayed: true });
  const again = await activate(user, code);
  deepEqual([again.status, again.body.code], [409, "code_already_used"]);
  const [other] = await createCodes(sql, 1);
  equal((await activate(user, other, "key")).body.code, "operation_id_reused");
});

ledgerTest("used up is 409, expired 410, for another address 403, revoked 404", async (sql) => {
  const [first, second] = [await signUp(), await signUp()];
  const [code] = await createCodes(sql, 1);
  await activate(first, code);
  const usedUp = await activate(second, code);
  deepEqual([usedUp.status, usedUp.body.code], [409, "code_already_used"]);

  const [expired, bound, revoked] = await createCodes(sql, 3);
  await sql`update access_codes set expires_at = now() where code_hint = ${
    expired?.slice(-4) ?? ""
  }`;
  await sql`update access_codes set email = 'someone@else.test' where code_hint = ${
    bound?.slice(-4) ?? ""
  }`;
  await sql`update access_codes set revoked_at = now() where code_hint = ${
    revoked?.slice(-4) ?? ""
  }`;
  for (
    const [it, status, problem] of [
      [expired, 410, "code_expired"],
      [bound, 403, "forbidden"],
      [revoked, 404, "code_not_found"],
    ] as const
  ) {
    const answer = await activate(second, it);
    deepEqual([answer.status, answer.body.code], [status, problem]);
  }
  equal((await sql`select remaining from get_token_balance(${second.id})`)[0]?.["remaining"], 0);
});

ledgerTest(
  "the tenth wrong guess in a minute is 429 with Retry-After, and then so is a right one",
  async (sql) => {
    const user = await signUp();
    for (let guess = 1; guess <= 10; guess++) {
      const answer = await activate(user, `WRNG-WRNG-WRNG-${1000 + guess}`);
      equal(answer.status, guess < 10 ? 404 : 429, `guess ${guess}`);
      if (guess < 10) continue;
      equal(answer.body.code, "rate_limited");
      match(answer.headers.get("retry-after") ?? "", /^([1-9]|[1-5]\d|60)$/);
    }
    const [code] = await createCodes(sql, 1);
    equal((await activate(user, code)).status, 429);
  },
);

ledgerTest("what cannot be a code is 400 and names the field", async () => {
  const user = await signUp();
  for (const code of ["", "SHORT", "x".repeat(17), 5, null, undefined, "ABCD-EFGH-JKMN-PQ!T"]) {
    const answer = await activate(user, code);
    deepEqual([answer.status, answer.body.code], [400, "invalid_request"]);
    match(answer.body.message, /code|body/);
  }
});
