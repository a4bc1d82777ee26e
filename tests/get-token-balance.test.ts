/** `get-token-balance` answers users for themselves and a secret key for anyone. */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { call, ledgerTest, makeUser, signUp } from "./harness.ts";

ledgerTest(
  "a user asks for the own balance, by GET and POST, and for nobody else's",
  async (sql) => {
    const [user, other] = [await signUp(), await signUp()];
    await sql`update user_tokens set tokens_purchased = 12 where user_id = ${user.id}`;
    const token = user.token;
    const answer = await call("get-token-balance", { token });
    deepEqual([answer.status, answer.body.user_id, answer.body.remaining], [200, user.id, 12]);
    deepEqual((await call("get-token-balance", { token, method: "POST" })).body, answer.body);
    deepEqual(
      (await call("get-token-balance", { token, body: { user_id: user.id } })).body,
      answer.body,
    );
    equal((await call("get-token-balance", { token, body: { user_id: other.id } })).status, 403);
  },
);

ledgerTest("a secret key asks for any user and must name one", async (sql) => {
  const user = await makeUser(sql, 7);
  const secret = true;
  equal((await call(`get-token-balance?user_id=${user}`, { secret })).body.remaining, 7);
  equal((await call("get-token-balance", { secret, body: { user_id: user } })).body.remaining, 7);
  equal((await call("get-token-balance", { secret })).status, 400);
  const unknown = await call(`get-token-balance?user_id=${crypto.randomUUID()}`, { secret });
  deepEqual([unknown.status, unknown.body.code], [404, "user_not_found"]);
});

ledgerTest("the worked examples of the balance", async (sql) => {
  const remaining = async (id: string) =>
    (await call(`get-token-balance?user_id=${id}`, { secret: true })).body.remaining;
  equal(await remaining(await makeUser(sql, 0)), 0);
  equal(await remaining(await makeUser(sql, 2500)), 2500);
  const early = await makeUser(sql, 4000);
  equal(await remaining(early), 4000);
  await sql`select add_tokens(${early}, 200, 'referral', 'referral')`;
  equal(await remaining(early), 4200);
});
