/**
 * Auto top-up buys a package when the balance falls below the threshold: once, within the month's cap, and never again
 * after a decline.
 *
 * Method: a card saved by a real checkout is charged off-session by the real function at the stand-in for Stripe. Runs of
 * others may do the work of a test's own, so that what became of the user is looked at, not what a run answered.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { call, ledgerTest, signUp, type TestUser } from "./harness.ts";
import {
  buy,
  delivered,
  eventually,
  journal,
  packageOrder,
  PACKAGES,
  press,
  remaining,
  standIn,
  stripe,
} from "./stripe-flows.ts";

const SETTINGS = {
  enabled: true,
  threshold: 50,
  package_id: PACKAGES.starter,
  monthly_cap_cents: 1000,
};

async function run() {
  const { status, body } = await call("auto-top-up/run", { secret: true, method: "POST" });
  equal(status, 200, JSON.stringify(body));
  return body;
}

const read = async ({ token }: TestUser) => (await call("auto-top-up", { token })).body;

const put = ({ token }: TestUser, body: unknown) =>
  call("auto-top-up", { method: "PUT", token, body });

/** A user with 100 tokens, a saved card, and auto top-up. */
async function saver(sql: postgres.Sql, card = "works", settings = {}) {
  const user = await signUp();
  const order = { ...packageOrder(), save_payment_method: true };
  const { customer } = await buy(sql, user, order, card);
  const saved = await put(user, { ...SETTINGS, ...settings });
  equal(saved.status, 200, JSON.stringify(saved.body));
  let spent = 0;
  const spend = async (amount: number) => {
    await sql`select charge_tokens(${user.id}, ${amount}, ${`spend ${++spent}`})`;
  };
  return { user, customer, spend, saved: saved.body };
}

/** What the automatic payments of a customer came to at Stripe. */
async function payments(customer: string): Promise<string[]> {
  const { data } = await stripe((client) => client.paymentIntents.list({ customer }));
  return data.filter(({ metadata }) => metadata["kind"] === "top_up").map(({ status }) => status);
}

/** Runs until nothing of a user's is in flight, as cron does. */
async function runToEnd(user: TestUser, customer: string): Promise<void> {
  await run();
  await eventually("the top-up ended", async () => {
    await delivered(customer);
    return !(await read(user)).in_flight;
  });
}

ledgerTest(
  "a user without auto top-up sees that it is off, and needs a card for it",
  async (sql) => {
    const user = await signUp();
    const off = {
      enabled: false,
      threshold: null,
      package_id: null,
      monthly_cap_cents: null,
      currency: null,
      spent_cents: 0,
      in_flight: false,
      stopped_reason: null,
      stopped_at: null,
    };
    deepEqual(await read(user), off);
    const refused = await put(user, SETTINGS);
    deepEqual([refused.status, refused.body.code], [409, "payment_method_required"]);
    // A card that was not saved cannot be charged either.
    await buy(sql, user);
    equal((await put(user, SETTINGS)).body.code, "payment_method_required");
    deepEqual(await read(user), off);
    const prepared = await put(user, { ...SETTINGS, enabled: false });
    deepEqual([prepared.status, prepared.body.enabled, prepared.body.threshold], [200, false, 50]);
  },
);

ledgerTest("spending below the threshold buys the package, once", async (sql) => {
  const { user, customer, spend, saved } = await saver(sql);
  deepEqual(saved, {
    ...SETTINGS,
    currency: "eur",
    spent_cents: 0,
    in_flight: false,
    stopped_reason: null,
    stopped_at: null,
  });
  await spend(50);
  await runToEnd(user, customer);
  deepEqual(await payments(customer), []);
  await spend(1);
  await runToEnd(user, customer);
  equal(await remaining(sql, user), 149);
  await runToEnd(user, customer);
  deepEqual(await payments(customer), ["succeeded"]);
  deepEqual(await journal(sql, user), [
    ["purchase", 100],
    ["charge", -50],
    ["charge", -1],
    ["purchase", 100],
  ]);
  const { enabled, spent_cents, in_flight } = await read(user);
  deepEqual([enabled, spent_cents, in_flight], [true, 100, false]);
  const { data } = await user.client.from("purchases").select("kind").eq("kind", "top_up");
  equal(data?.length, 1);
});

ledgerTest("tokens that are held count as spent", async (sql) => {
  const { user, customer } = await saver(sql);
  await sql`select reserve_tokens(${user.id}, 60, 'hold')`;
  await runToEnd(user, customer);
  equal(await remaining(sql, user), 140);
});

ledgerTest("a month's cap is never exceeded", async (sql) => {
  const { user, customer, spend } = await saver(sql, "works", { monthly_cap_cents: 250 });
  for (const left of [110, 120, 30, 20]) {
    await spend(await remaining(sql, user) - (left > 100 ? left - 100 : left));
    await runToEnd(user, customer);
    equal(await remaining(sql, user), left);
  }
  deepEqual(await payments(customer), ["succeeded", "succeeded"]);
  const { enabled, spent_cents, stopped_reason } = await read(user);
  deepEqual([enabled, spent_cents, stopped_reason], [true, 200, null]);
  // What was bought last month counts no more.
  await sql`update private.top_ups set created_at = created_at - interval '32 days' where user_id = ${user.id}`;
  await runToEnd(user, customer);
  equal(await remaining(sql, user), 120);
});

ledgerTest("a declined card stops it, the user is told why, and may begin again", async (sql) => {
  const stopped = async (card: string, reason: RegExp) => {
    const { user, customer, spend } = await saver(sql, card);
    await spend(60);
    await runToEnd(user, customer);
    const { enabled, stopped_reason, stopped_at, spent_cents } = await read(user);
    deepEqual([enabled, spent_cents], [false, 0]);
    match(stopped_reason, reason);
    ok(Math.abs(Date.parse(stopped_at) - Date.now()) < 60_000);
    await runToEnd(user, customer);
    // What the user could still go on with is ended.
    deepEqual(await payments(customer), ["canceled"]);
    equal(await remaining(sql, user), 40);
    return { user, customer };
  };
  const [{ user, customer }] = await Promise.all([
    stopped("declines_later", /^Your card was declined\.$/),
    stopped("authentication_later", /confirmed by the owner of the card|requires authentication/),
  ]);

  const portal = await call("subscription/portal", { method: "POST", token: user.token });
  equal((await press(portal.body.url, { action: "card", card: "works" })).status, 303);
  const again = await put(user, SETTINGS);
  deepEqual([again.body.enabled, again.body.stopped_reason, again.body.stopped_at], [
    true,
    null,
    null,
  ]);
  await runToEnd(user, customer);
  equal(await remaining(sql, user), 140);
  equal((await read(user)).spent_cents, 100);
});

ledgerTest("many runs at once charge each user once", async (sql) => {
  const savers = await Promise.all([saver(sql), saver(sql), saver(sql)]);
  for (const { spend } of savers) await spend(60);
  await Promise.all(Array.from({ length: 10 }, run));
  for (const { user, customer } of savers) {
    await runToEnd(user, customer);
    deepEqual(await payments(customer), ["succeeded"]);
    equal(await remaining(sql, user), 140);
  }
});

ledgerTest("a run that died before it paid is made good by a later one", async (sql) => {
  const { user, customer, spend } = await saver(sql);
  // As claim_auto_top_ups leaves it, which would take what is due of others as well.
  await sql.begin(async (transaction) => {
    await transaction`
      insert into private.top_ups (user_id, package_id, description, amount_cents, currency, tokens)
      values (${user.id}, ${PACKAGES.starter}, 'Starter', 100, 'eur', 100)`;
    await transaction`select charge_tokens(${user.id}, 60, 'spend')`;
  });
  await run();
  deepEqual(await payments(customer), []);
  equal((await read(user)).in_flight, true);
  await laterThan(sql, user, "3 minutes");
  await runToEnd(user, customer);
  await runToEnd(user, customer);
  deepEqual(await payments(customer), ["succeeded"]);
  equal(await remaining(sql, user), 140);
  await spend(100);
  await runToEnd(user, customer);
  equal(await remaining(sql, user), 140);
});

/** Makes a user's attempt one that was handed out so long ago. */
const laterThan = (sql: postgres.Sql, user: TestUser, age: string) =>
  sql`
    update private.top_ups
    set claimed_at = claimed_at - ${age}::interval, created_at = created_at - ${age}::interval
    where user_id = ${user.id} and status = 'in_flight'`;

ledgerTest("a run that died after it paid charges no second time", async (sql) => {
  const { user, customer, spend } = await saver(sql);
  await standIn("delivery", { customer, drop: true });
  await spend(60);
  await run();
  await eventually("it is paid", async () => (await payments(customer)).length === 1);
  // Neither the answer nor the event was heard of: it is in flight, and stays so however often it is done again.
  for (let times = 0; times < 3; times++) {
    equal((await read(user)).in_flight, true);
    await laterThan(sql, user, "3 minutes");
    await run();
  }
  deepEqual(await payments(customer), ["succeeded"]);
  equal(await remaining(sql, user), 40);
  await standIn("flush", { customer });
  await runToEnd(user, customer);
  deepEqual(await payments(customer), ["succeeded"]);
  equal(await remaining(sql, user), 140);
  equal((await read(user)).in_flight, false);
});

ledgerTest(
  "an attempt too old to be repeated is given up, and a late event still counts",
  async (sql) => {
    const { user, customer, spend } = await saver(sql);
    await standIn("delivery", { customer, drop: true });
    await spend(60);
    await run();
    await eventually("it is paid", async () => (await payments(customer)).length === 1);
    await laterThan(sql, user, "24 hours");
    await run();
    const { enabled, in_flight, stopped_reason } = await read(user);
    deepEqual([enabled, in_flight], [false, false]);
    match(stopped_reason, /not known/);
    await standIn("flush", { customer });
    await delivered(customer);
    equal(await remaining(sql, user), 140);
    await run();
    deepEqual(await payments(customer), ["succeeded"]);
  },
);

ledgerTest("a user who switches it off is charged no more", async (sql) => {
  const { user, customer, spend } = await saver(sql);
  await put(user, { ...SETTINGS, enabled: false });
  await spend(60);
  await run();
  deepEqual(await payments(customer), []);
  equal((await read(user)).stopped_reason, null);
});

ledgerTest("what cannot be, and who may not, is refused", async (sql) => {
  const { user, saved } = await saver(sql);
  const cases: [change: Record<string, unknown>, status: number, code: string][] = [
    [{ package_id: crypto.randomUUID() }, 404, "package_not_found"],
    [{ package_id: PACKAGES.medium, monthly_cap_cents: 999 }, 400, "invalid_request"],
    [{ threshold: 0 }, 400, "invalid_request"],
    [{ threshold: 1.5 }, 400, "invalid_request"],
    [{ threshold: 1_000_000_000_001 }, 400, "invalid_request"],
    [{ monthly_cap_cents: 49 }, 400, "invalid_request"],
    [{ monthly_cap_cents: 100_000_000 }, 400, "invalid_request"],
    [{ enabled: "yes" }, 400, "invalid_request"],
    [{ enabled: undefined }, 400, "invalid_request"],
    [{ package_id: "starter" }, 400, "invalid_request"],
    [{ user_id: user.id }, 400, "invalid_request"],
    [{ stopped_reason: null }, 400, "invalid_request"],
  ];
  for (const [change, status, code] of cases) {
    const answer = await put(user, { ...SETTINGS, ...change });
    deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(change));
  }
  deepEqual(await read(user), saved);
  const post = (options: Parameters<typeof call>[1]) =>
    call("auto-top-up/run", { method: "POST", ...options });
  equal((await post({ token: user.token })).status, 403);
  equal((await post({})).status, 401);
  equal((await post({ secret: true, body: { user_id: user.id } })).status, 400);
  equal((await call("auto-top-up")).status, 401);
  equal((await call("auto-top-up", { secret: true })).status, 403);
  equal((await call("auto-top-up", { method: "PUT", secret: true, body: SETTINGS })).status, 403);
});
