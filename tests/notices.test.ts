/**
 * A balance that falls below its threshold writes one notice and one webhook, however many spend at once, and no account
 * that is deleted meanwhile deadlocks with it or leaves a notice behind. Users see their own notices alone.
 *
 * Method: the real routes and supabase-js against the running stack; races on real connections to Postgres.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import {
  call,
  ledgerTest,
  makeUser,
  makeUsers,
  outcomes,
  signUp,
  type TestUser,
  untilBlocked,
} from "./harness.ts";

const CONNECTIONS = 50;
const times = (count: number) => Array.from({ length: count }, (_, i) => i);

const setThreshold = ({ token }: TestUser, body: unknown) =>
  call("notices/thresholds", { method: "PUT", token, body });

const list = async ({ token }: TestUser, query = "") => {
  const { status, body } = await call(`notices${query}`, { token });
  equal(status, 200, JSON.stringify(body));
  return body;
};

/** What the notices and the webhooks of a user say, in order. */
async function told(sql: postgres.Sql, user: string) {
  const notices = await sql`
    select id, data from notices where user_id = ${user} order by created_at`;
  const webhooks = await sql`
    select id, payload -> 'data' as data from private.outbox where subject = ${user} order by seq`;
  deepEqual(
    webhooks.map(({ id, data }) => ({ id, data })),
    notices.map(({ id, data }) => ({ id, data: { notice_id: id, user_id: user, ...data } })),
  );
  return notices.map(({ data }) => data);
}

const lowTokens = (have: number, threshold: number) => ({ balance: "tokens", have, threshold });

ledgerTest(
  "a user sets thresholds, is told when a balance falls below one, and reads it",
  async (sql) => {
    const user = await signUp();
    const row = (balance: string, have: string, threshold: string | null, low: boolean) => ({
      balance,
      token_id: null,
      name: null,
      have,
      threshold,
      low,
    });
    const none = await call("notices/thresholds", { token: user.token });
    deepEqual(none.body, {
      data: [row("tokens", "0", null, false), row("usd", "0.00", null, false)],
    });
    await sql`select add_tokens(${user.id}, 150, 'add', 'grant'), deposit_usd(${user.id}, '10', 'deposit')`;
    equal((await setThreshold(user, { balance: "usd", threshold: 0.000001 })).status, 200);
    const both = await setThreshold(user, { balance: "tokens", threshold: 100 });
    deepEqual(both.body, {
      data: [row("tokens", "150", "100", false), row("usd", "10.00", "0.000001", false)],
    });
    deepEqual(await list(user), { data: [], next: null });

    for (const [i, amount] of [50, 1, 30].entries()) {
      const body = { user_id: user.id, amount, operation_id: `charge ${i}` };
      equal((await call("credits/charge", { secret: true, body })).status, 200);
    }
    await sql`update usd_balances set balance = 0 where user_id = ${user.id}`;
    deepEqual(await told(sql, user.id), [
      lowTokens(99, 100),
      { balance: "usd", have: "0.00", threshold: "0.000001" },
    ]);

    const first = await list(user, "?limit=1");
    const second = await list(user, `?limit=1&before=${first.next}`);
    deepEqual([first.data.length, second.data.length, second.next], [1, 1, null]);
    const [notice] = second.data;
    deepEqual([notice.type, notice.data, notice.read_at], [
      "balance.low",
      lowTokens(99, 100),
      null,
    ]);
    ok(Math.abs(Date.parse(notice.created_at) - Date.now()) < 60_000);
    const read = await call(`notices/${notice.id}/read`, { method: "POST", token: user.token });
    equal(read.body.id, notice.id);
    ok(Math.abs(Date.parse(read.body.read_at) - Date.now()) < 60_000);
    const again = await call(`notices/${notice.id}/read`, { method: "POST", token: user.token });
    deepEqual(again.body, read.body);
    deepEqual((await list(user, "?unread=true")).data, first.data);
    deepEqual((await list(user, "?unread=false")).data, [{ ...notice, ...read.body }]);

    const rows = await call("notices/thresholds", { token: user.token });
    deepEqual(rows.body.data[0], row("tokens", "69", "100", true));
    const off = await setThreshold(user, { balance: "tokens", threshold: null });
    deepEqual(off.body.data[0], row("tokens", "69", null, false));
  },
);

ledgerTest("an API token has a threshold of its own, for its owner alone", async (sql) => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const { body: token } = await call("refill/tokens", {
    token: user.token,
    body: { kind: "master", name: "Mine", operation_id: "token" },
  });
  await sql`update api_tokens set credits = 11 where user_id = ${user.id}`;
  const threshold = { balance: "api_token", token_id: token.id, threshold: 10 };
  const refused = await setThreshold(other, threshold);
  deepEqual([refused.status, refused.body.code], [404, "api_token_not_found"]);
  const set = await setThreshold(user, threshold);
  deepEqual(set.body.data.at(-1), {
    balance: "api_token",
    token_id: token.id,
    name: "Mine",
    have: "11",
    threshold: "10",
    low: false,
  });
  const spend = (credits: number) =>
    call("credits/tokens/consume", {
      secret: true,
      body: { api_key: token.key, credits, operation_id: `spend ${credits}` },
    });
  equal((await spend(2)).status, 200);
  equal((await spend(1)).status, 200);
  deepEqual(await told(sql, user.id), [
    { balance: "api_token", token_id: token.id, name: "Mine", have: 9, threshold: 10 },
  ]);
  equal(
    (await call(`refill/tokens/${token.id}`, { method: "DELETE", token: user.token })).status,
    200,
  );
  const revoked = await setThreshold(user, threshold);
  deepEqual([revoked.status, revoked.body.code], [409, "api_token_revoked"]);
});

ledgerTest("nobody sees or reads the notices of others", async (sql) => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  await sql`select add_tokens(${user.id}, 1, 'add', 'grant')`;
  equal((await setThreshold(user, { balance: "tokens", threshold: 1 })).status, 200);
  await sql`select charge_tokens(${user.id}, 1, 'charge')`;
  const seen = async ({ client }: TestUser) =>
    (await client.from("notices").select("id, type, data, read_at")).data;
  const [notice] = (await list(user)).data;
  deepEqual(await seen(user), [
    { id: notice.id, type: "balance.low", data: lowTokens(0, 1), read_at: null },
  ]);
  deepEqual(await seen(other), []);
  deepEqual((await list(other)).data, []);
  const read = await call(`notices/${notice.id}/read`, { method: "POST", token: other.token });
  deepEqual([read.status, read.body.code], [404, "notice_not_found"]);

  const { error: updated } = await user.client.from("notices")
    .update({ read_at: "2026-01-01" }).eq("id", notice.id);
  equal(updated?.code, "42501");
  const { error: deleted } = await user.client.from("notices").delete().eq("id", notice.id);
  equal(deleted?.code, "42501");
  const { error: called } = await user.client.rpc("set_low_balance_threshold", {
    user_id: other.id,
    balance: "tokens",
    threshold: "1",
  });
  match(called?.code ?? "", /^(42501|PGRST202)$/);
  deepEqual((await list(user)).data, [notice]);

  const cases: [path: string, options: Parameters<typeof call>[1], status: number][] = [
    ["notices", {}, 401],
    ["notices", { secret: true }, 403],
    ["notices/thresholds", {}, 401],
    ["notices/thresholds", { method: "PUT", secret: true, body: {} }, 403],
    [`notices/${notice.id}/read`, { method: "POST", secret: true }, 403],
    ["notices?limit=0", { token: user.token }, 400],
    ["notices/x/read", { method: "POST", token: user.token }, 400],
    ["notices/thresholds", { method: "POST", token: user.token, body: {} }, 405],
  ];
  for (const [path, options, status] of cases) {
    equal((await call(path, options)).status, status, path);
  }
});

ledgerTest("what is no threshold is refused, and changes none", async () => {
  const user = await signUp();
  const { body: before } = await setThreshold(user, { balance: "tokens", threshold: 7 });
  for (
    const body of [
      { balance: "tokens", threshold: 0 },
      { balance: "tokens", threshold: 1.5 },
      { balance: "tokens", threshold: "9000000000000001" },
      { balance: "usd", threshold: "0" },
      { balance: "usd", threshold: "9000000000.000001" },
      { balance: "usd", threshold: "1.0000001" },
      { balance: "api_token", threshold: 1 },
      { balance: "euro", threshold: 1 },
      { balance: "tokens" },
    ]
  ) {
    const { status, body: { code } } = await setThreshold(user, body);
    deepEqual([status, code], [400, "invalid_request"], JSON.stringify(body));
  }
  deepEqual((await call("notices/thresholds", { token: user.token })).body, before);
});

ledgerTest("50 charges at once across the threshold: one notice", async (sql) => {
  const user = await makeUser(sql, 125);
  await sql`select set_low_balance_threshold(${user}, 'tokens', '100')`;
  await Promise.all(times(50).map((i) => sql`select charge_tokens(${user}, 1, ${`charge-${i}`})`));
  deepEqual(await told(sql, user), [lowTokens(99, 100)]);
}, CONNECTIONS);

ledgerTest("50 edits by hand at once across the threshold: one notice", async (sql) => {
  const user = await makeUser(sql, 125);
  await sql`select set_low_balance_threshold(${user}, 'tokens', '100')`;
  await Promise.all(
    times(50).map((i) =>
      i % 2
        ? sql`select charge_tokens(${user}, 1, ${`charge-${i}`})`
        : sql`update user_tokens set tokens_purchased = tokens_purchased - 1 where user_id = ${user}`
    ),
  );
  deepEqual(await told(sql, user), [lowTokens(99, 100)]);
}, CONNECTIONS);

ledgerTest(
  "50 times down and up again at once: as many notices as falls in the journal",
  async (sql) => {
    const user = await makeUser(sql, 100);
    await sql`select set_low_balance_threshold(${user}, 'tokens', '100')`;
    await Promise.all(
      times(50).map(async (i) => {
        await sql`select charge_tokens(${user}, 1, ${`charge-${i}`})`;
        await sql`select refund_tokens(${user}, ${`refund-${i}`}, ${`charge-${i}`})`;
      }),
    );
    const [falls] = await sql`
    select count(*)::int as falls from token_transactions
    where user_id = ${user} and balance_after < 100 and balance_after - amount >= 100`;
    equal((await told(sql, user)).length, falls?.["falls"]);
  },
  CONNECTIONS,
);

ledgerTest("50 batches at once over the same users: one notice each", async (sql) => {
  const users = await makeUsers(sql, 5, 200);
  for (const user of users) await sql`select set_low_balance_threshold(${user}, 'tokens', '100')`;
  await Promise.all(
    times(50).map((b) => {
      const charges = users.flatMap((_, i) => ({
        user_id: users[(b + i) % users.length],
        amount: 3,
        operation_id: `batch-${b}`,
      }));
      return sql`select from charge_tokens_batch(${sql.json(charges)})`;
    }),
  );
  for (const user of users) deepEqual(await told(sql, user), [lowTokens(98, 100)]);
}, CONNECTIONS);

ledgerTest("an account deleted while charges cross its threshold leaves no notice", async (sql) => {
  const users = await makeUsers(sql, 20, 110);
  for (const user of users) await sql`select set_low_balance_threshold(${user}, 'tokens', '100')`;
  const { codes } = await outcomes(users.flatMap((user, u) =>
    // In the midst of the charges, a little later for each.
    times(20).map((i) =>
      i % 4 === 3
        ? sql`select set_low_balance_threshold(${user}, 'usd', '5')`
        : i === u - u % 4
        ? sql`delete from auth.users where id = ${user}`
        : sql`select charge_tokens(${user}, 2, ${`charge-${i}`})`
    )
  ));
  // No deadlock: that would be another kind of error.
  deepEqual([...new Set(codes)].filter((code) => code !== "user_not_found"), []);
  const left = await sql`
    select user_id from notices where user_id = any(${users})
    union select user_id from user_tokens where user_id = any(${users})`;
  deepEqual([...left], []);
}, CONNECTIONS);

for (
  const [what, crossing] of [
    ["a charge", "select charge_tokens($1, 20, 'charge')"],
    ["an edit by hand", "update user_tokens set tokens_used = 20 where user_id = $1"],
    ["US dollars taken", "update usd_balances set balance = 1 where user_id = $1"],
    ["credits taken", "update api_tokens set credits = 1 where user_id = $1"],
  ] as const
) {
  ledgerTest(
    `an account's deletion waits for ${what} that writes a notice, and takes it away`,
    async (sql) => {
      const user = await makeUser(sql, 110);
      await sql`
      select deposit_usd(${user}, '10', 'deposit'), set_low_balance_threshold(${user}, 'usd', '5'),
        set_low_balance_threshold(${user}, 'tokens', '100')`;
      await sql`
      insert into api_tokens (user_id, kind, name, credits, low_balance_threshold)
      values (${user}, 'master', 'Mine', 10, 5)`;
      const spender = await sql.reserve();
      await spender`begin`;
      await spender.unsafe(crossing, [user]);
      const deleting = sql`delete from auth.users where id = ${user}`.execute();
      await untilBlocked(sql);
      await spender`commit`;
      spender.release();
      await deleting;
      const [left] = await sql`
      select
        (select count(*)::int from notices where user_id = ${user}) as notices,
        (select count(*)::int from private.outbox where subject = ${user}) as webhooks`;
      deepEqual(left, { notices: 0, webhooks: 1 });
    },
  );
}

ledgerTest("a threshold set while the balance is spent counts from then on", async (sql) => {
  const user = await makeUser(sql, 1000);
  await Promise.all(
    times(40).map((i) =>
      i % 2
        ? sql`select charge_tokens(${user}, 1, ${`charge-${i}`})`
        : sql`select set_low_balance_threshold(${user}, 'tokens', ${`${i + 1}`})`
    ),
  );
  deepEqual(await told(sql, user), []);
  const { results } = await outcomes(
    times(20).map(() => sql`select set_low_balance_threshold(${user}, 'usd', '5')`),
  );
  equal(results.length, 20);
}, CONNECTIONS);
