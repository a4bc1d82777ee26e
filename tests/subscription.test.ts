/**
 * A plan gives its credits each paid period and its multiplier while it is in force; changing, cancelling and failing to
 * pay do what they should, and credits that were bought stay.
 *
 * Method: the real functions, the real client, and the stand-in for Stripe, whose signed events go to the real webhook.
 * Time passes by moving what is behind into the past.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { delay } from "../scripts/stack/parts.ts";
import { call, ledgerTest, makeUser, signUp, stack, type TestUser } from "./harness.ts";
import {
  buy,
  delivered,
  idOf,
  journal,
  openCheckout,
  packageOrder,
  passDays,
  pay,
  press,
  remaining,
  sessionOf,
  standIn,
  stripe,
  subscriber,
} from "./stripe-flows.ts";

/** A user's plan, as they see it. */
async function planOf({ token }: TestUser) {
  const { status, body } = await call("subscription", { token });
  equal(status, 200, JSON.stringify(body));
  return body;
}

/** What a charge of 1,000 costs a user. */
const costOf1000 = async (user_id: string): Promise<number> =>
  (await call("credits/calculate", { secret: true, body: { user_id, base_amount: 1000 } })).body
    .amount;

const update = (user_id: string, tier: string, operation_id: string) =>
  call("subscription/update", { secret: true, body: { user_id, tier, operation_id } });

async function renew(subscription: string, customer: string, fail = false) {
  const invoice = await standIn(`subscriptions/${subscription}/renew`, { fail });
  await delivered(customer);
  return invoice;
}

/** Stripe's events know the second only: a change and its undoing within one could not be told apart. */
const nextSecond = () => delay(1000 - Date.now() % 1000);

ledgerTest("anyone sees the plans on sale, with the terms of each", async (sql) => {
  const { status, body } = await call("subscription/plans");
  equal(status, 200);
  const [standard] = body.data.filter(({ tier }: { tier: string }) => tier === "standard");
  deepEqual(standard, {
    tier: "standard",
    name: "Standard",
    description: "4,000 tokens a month, calls at nine tenths",
    monthly_cost: "29.00",
    currency: "eur",
    fixed_cost: "7.00",
    credits_included: 4000,
    bonus_credits: 500,
    multiplier: "0.9",
    purchase_rate: "1.1",
  });
  const [{ count } = { count: 0 }] = await sql<{ count: number }[]>`
    select count(*) from subscription_plans where active`;
  equal(body.data.length, count);
});

ledgerTest("a user without a plan has none, and the multiplier 1", async () => {
  const user = await signUp();
  deepEqual(await planOf(user), {
    tier: null,
    next_tier: null,
    status: "none",
    current_period_start: null,
    current_period_end: null,
    cancel_at_period_end: false,
    multiplier: "1",
    purchase_rate: "1",
    credits_included: 0,
  });
  equal(await costOf1000(user.id), 1000);
});

ledgerTest("a plan gives credits each period, its bonus once, and its multiplier", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "standard");
  deepEqual(await journal(sql, user), [["subscription", 4500]]);
  const { current_period_start, current_period_end, ...plan } = await planOf(user);
  deepEqual(plan, {
    tier: "standard",
    next_tier: null,
    status: "active",
    cancel_at_period_end: false,
    multiplier: "0.9",
    purchase_rate: "1.1",
    credits_included: 4000,
  });
  ok(Date.parse(current_period_start) <= Date.now());
  ok(Date.parse(current_period_end) - Date.now() > 27 * 86_400_000);
  const calculated = await call("credits/calculate", {
    secret: true,
    body: { user_id: user.id, base_amount: 11 },
  });
  deepEqual(calculated.body, { base_amount: 11, multiplier: "0.9", amount: 10 });
  const { data } = await user.client.from("subscriptions").select("tier, status");
  deepEqual(data, [{ tier: "standard", status: "active" }]);

  const second = await call("create-checkout", {
    token: user.token,
    body: { kind: "plan", tier: "premium" },
  });
  deepEqual([second.status, second.body.code], [409, "already_subscribed"]);

  await passDays(sql, subscription, customer, 32);
  await renew(subscription, customer);
  deepEqual(await journal(sql, user), [["subscription", 4500], ["subscription", 4000]]);
  ok(Date.parse((await planOf(user)).current_period_end) > Date.now());
  // Once more at once: a period begun early is still a period paid for.
  await renew(subscription, customer);
  equal(await remaining(sql, user), 12_500);
});

/** Sends all events about a customer, the last one first. */
async function resendBackwards(customer: string): Promise<void> {
  const { deliveries } = await standIn(`deliveries?${new URLSearchParams({ customer })}`);
  for (const { event } of deliveries.toReversed()) {
    await standIn(`events/${event}/resend`, {});
    await delivered(customer);
  }
}

ledgerTest("events of a subscription may come backwards, late and twice", async (sql) => {
  const subscribe = async (delivery: Record<string, unknown>) => {
    const user = await signUp();
    const { session_id, url } = await openCheckout(user, { kind: "plan", tier: "standard" });
    const { customer, subscription: _none } = await sessionOf(session_id);
    await standIn("delivery", { customer, ...delivery });
    equal((await pay(url)).status, 303);
    await delivered(idOf(customer));
    const subscription = idOf((await sessionOf(session_id)).subscription);
    await passDays(sql, subscription, idOf(customer), 32);
    await renew(subscription, idOf(customer), true);
    await nextSecond();
    const { latest_invoice } = await stripe((client) =>
      client.subscriptions.retrieve(subscription)
    );
    await standIn(`invoices/${idOf(latest_invoice)}/pay`, {});
    await delivered(idOf(customer));
    if (delivery["drop"]) await resendBackwards(idOf(customer));
    const { tier, status } = await planOf(user);
    return [tier, status, await remaining(sql, user)];
  };
  const modes = [
    { duplicate: 2 },
    { reorder: true },
    { delay_ms: [0, 200], duplicate: 1 },
    { drop: true },
  ];
  for (const result of await Promise.all(modes.map(subscribe))) {
    deepEqual(result, ["standard", "active", 8500]);
  }
});

ledgerTest("an upgrade grants the difference for the rest, once it is paid", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "basic");
  equal(await remaining(sql, user), 1100);
  equal(await costOf1000(user.id), 1000);
  await passDays(sql, subscription, customer, 10);

  await standIn("delivery", { customer, drop: true });
  const answer = await update(user.id, "premium", "up");
  equal(answer.status, 200, JSON.stringify(answer.body));
  const { tier, action, pending, tokens_granted, remaining: left, replayed } = answer.body;
  deepEqual([tier, action, pending, tokens_granted, left, replayed], [
    "premium",
    "upgraded",
    true,
    0,
    1100,
    false,
  ]);
  // Nothing is granted before Stripe says that it is paid.
  equal(await remaining(sql, user), 1100);
  equal((await planOf(user)).tier, "basic");
  await standIn("delivery", { customer });
  await standIn("flush", { customer });
  await delivered(customer);

  const { items } = await stripe((client) => client.subscriptions.retrieve(subscription));
  const [item] = items.data;
  ok(item);
  const invoices = await stripe((client) => client.invoices.list({ customer }));
  equal(invoices.data.length, 2);
  const [credit, rest] = invoices.data[0]?.lines.data ?? [];
  ok(credit && rest && credit.amount < 0 && rest.amount > 0);
  const share = (rest.period.end - rest.period.start) /
    (item.current_period_end - item.current_period_start);
  const granted = Math.floor(14_000 * share);
  ok(granted > 14_000 * 17 / 28 && granted < 14_000 * 22 / 31, `${granted}`);
  deepEqual(await journal(sql, user), [["subscription", 1100], ["subscription", granted]]);
  const after = await planOf(user);
  deepEqual([after.tier, after.next_tier, after.multiplier], ["premium", null, "0.8"]);
  equal(await costOf1000(user.id), 800);

  const replay = await update(user.id, "premium", "up");
  deepEqual([replay.status, replay.body.replayed], [200, true]);
  const conflict = await update(user.id, "standard", "up");
  deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  const same = await update(user.id, "premium", "same");
  deepEqual([same.body.action, same.body.pending], ["unchanged", false]);
  await delivered(customer);
  equal((await stripe((client) => client.invoices.list({ customer }))).data.length, 2);
  equal(await remaining(sql, user), 1100 + granted);

  await passDays(sql, subscription, customer, 22);
  await renew(subscription, customer);
  equal(await remaining(sql, user), 1100 + granted + 15_000);
});

ledgerTest("an upgrade that cannot be paid changes nothing", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "basic", "declines_later");
  const state = async () => [
    await planOf(user),
    await journal(sql, user),
    [...await sql`select * from subscriptions where user_id = ${user.id}`],
    (await stripe((client) => client.subscriptions.retrieve(subscription))).items.data[0]?.price.id,
  ];
  const before = await state();
  for (const operation of ["up", "up"]) {
    const refused = await update(user.id, "premium", operation);
    deepEqual([refused.status, refused.body.code], [409, "payment_method_required"]);
    match(refused.body.message, /declined/);
  }
  await delivered(customer);
  deepEqual(await state(), before);

  await standIn(`customers/${customer}/card`, { card: "works" });
  await stripe(async (client) => {
    const { invoice_settings } = Object(await client.customers.retrieve(customer));
    await client.subscriptions.update(subscription, {
      default_payment_method: invoice_settings.default_payment_method,
    });
  });
  equal((await update(user.id, "premium", "up-again")).status, 200);
  await delivered(customer);
  equal((await planOf(user)).tier, "premium");
});

ledgerTest("a downgrade counts from the next period on", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "premium");
  equal(await remaining(sql, user), 17_000);
  const answer = await update(user.id, "basic", "down");
  deepEqual([answer.status, answer.body.action, answer.body.pending], [200, "scheduled", true]);
  await delivered(customer);
  const { tier, next_tier, current_period_end, ...plan } = await planOf(user);
  deepEqual([tier, next_tier, plan.multiplier], ["premium", "basic", "0.8"]);
  equal(Date.parse(answer.body.effective_at), Date.parse(current_period_end));
  equal(await costOf1000(user.id), 800);
  equal(await remaining(sql, user), 17_000);

  await passDays(sql, subscription, customer, 32);
  const { amount_paid } = await renew(subscription, customer);
  equal(amount_paid, 900);
  const after = await planOf(user);
  deepEqual([after.tier, after.next_tier, after.multiplier], ["basic", null, "1"]);
  equal(await costOf1000(user.id), 1000);
  deepEqual(await journal(sql, user), [["subscription", 17_000], ["subscription", 1000]]);
});

ledgerTest(
  "a plan cancelled in the portal ends with its period, and can be bought again",
  async (sql) => {
    const { user, customer, subscription } = await subscriber(sql, "standard");
    await buy(sql, user, packageOrder());
    const portal = await call("subscription/portal", {
      token: user.token,
      body: { return_url: `${stack.url}/account` },
    });
    equal(portal.status, 200);
    const page = await (await fetch(portal.body.url)).text();
    match(page, /Standard/);
    ok(page.includes(`${stack.url}/account`));
    const act = async (action: string) => {
      equal((await press(portal.body.url, { action, subscription })).status, 303);
      await delivered(customer);
      const { tier, status, cancel_at_period_end } = await planOf(user);
      return [tier, status, cancel_at_period_end];
    };
    deepEqual(await act("cancel"), ["standard", "active", true]);
    await nextSecond();
    deepEqual(await act("resume"), ["standard", "active", false]);
    await nextSecond();
    deepEqual(await act("cancel"), ["standard", "active", true]);
    equal(await costOf1000(user.id), 900);

    await standIn(`subscriptions/${subscription}/end`, {});
    await delivered(customer);
    const { tier, status } = await planOf(user);
    deepEqual([tier, status], [null, "canceled"]);
    equal(await costOf1000(user.id), 1000);
    equal(await remaining(sql, user), 4600);

    await buy(sql, user, { kind: "plan", tier: "basic" });
    equal((await planOf(user)).tier, "basic");
    // Without the bonus, which is for a user's first period.
    equal(await remaining(sql, user), 5600);
  },
);

ledgerTest(
  "a failed renewal keeps the plan for the days of grace; paying brings it back",
  async (sql) => {
    const { user, customer, subscription } = await subscriber(sql, "standard");
    await passDays(sql, subscription, customer, 32);
    await nextSecond();
    const invoice = await renew(subscription, customer, true);
    const state = async () => {
      const { tier, status } = await planOf(user);
      return [tier, status, await costOf1000(user.id), await remaining(sql, user)];
    };
    deepEqual(await state(), ["standard", "past_due", 900, 4500]);
    const [row] = await sql`
    select past_due_since, payment_failed_at from subscriptions where user_id = ${user.id}`;
    ok(row?.["past_due_since"] && row["payment_failed_at"]);

    await sql`
    update subscriptions s
    set past_due_since = now() - make_interval(days => o.past_due_grace_days, secs => -60)
    from settings o where s.user_id = ${user.id}`;
    deepEqual(await state(), ["standard", "past_due", 900, 4500]);
    await sql`
    update subscriptions s
    set past_due_since = now() - make_interval(days => o.past_due_grace_days, secs => 1)
    from settings o where s.user_id = ${user.id}`;
    deepEqual(await state(), [null, "past_due", 1000, 4500]);

    await nextSecond();
    await standIn(`invoices/${invoice.id}/pay`, {});
    await delivered(customer);
    deepEqual(await state(), ["standard", "active", 900, 8500]);
    const [after] = await sql`
    select past_due_since, payment_failed_at from subscriptions where user_id = ${user.id}`;
    deepEqual(after, { past_due_since: null, payment_failed_at: null });
  },
);

ledgerTest("a subscription that is never paid ends, and leaves what was bought", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "basic");
  await renew(subscription, customer, true);
  await standIn(`subscriptions/${subscription}/end`, {});
  await delivered(customer);
  const { tier, status } = await planOf(user);
  deepEqual([tier, status], [null, "canceled"]);
  deepEqual(await journal(sql, user), [["subscription", 1100]]);
});

ledgerTest("a refund of a plan's invoice takes its credits back in proportion", async (sql) => {
  const { user, customer, subscription } = await subscriber(sql, "standard");
  await passDays(sql, subscription, customer, 32);
  const invoice = await renew(subscription, customer);
  equal(await remaining(sql, user), 8500);
  const refund = async (amount: number) => {
    const { data } = await stripe((client) => client.invoicePayments.list({ invoice: invoice.id }));
    const payment_intent = idOf(data[0]?.payment.payment_intent);
    await stripe((client) => client.refunds.create({ payment_intent, amount }));
    await delivered(customer);
    return await remaining(sql, user);
  };
  // floor(4,000 × 1,000 ÷ 2,900) = 1,379
  equal(await refund(1000), 7121);
  equal(await refund(1900), 4500);
  equal((await planOf(user)).tier, "standard");
});

ledgerTest("the portal is for the user's own customer, made when there is none", async (sql) => {
  const user = await signUp();
  const open = (body?: unknown) =>
    call("subscription/portal", { method: "POST", token: user.token, body });
  const first = await open();
  equal(first.status, 200, JSON.stringify(first.body));
  match(await (await fetch(first.body.url)).text(), /You have no subscription/);
  await open({});
  const customers = await sql`select 1 from private.stripe_customers where user_id = ${user.id}`;
  equal(customers.length, 1);
  const foreign = await open({ return_url: "https://elsewhere.example/" });
  deepEqual([foreign.status, foreign.body.code], [400, "invalid_request"]);
  equal((await open({ customer: "cus_1" })).status, 400);
  equal((await call("subscription/portal", { method: "POST" })).status, 401);
  equal((await call("subscription/portal", { method: "POST", secret: true })).status, 403);
});

ledgerTest("the journal is read page by page, newest first, by its owner", async (sql) => {
  const user = await signUp();
  await sql`
    select add_tokens(${user.id}, n, 'add', 'gift ' || n) from generate_series(1, 5) n`;
  const read = (query: string, token = user.token) =>
    call(`subscription/transactions${query}`, { token });
  const seen: number[] = [];
  for (let before: string | null = ""; before !== null;) {
    const page: Awaited<ReturnType<typeof call>> = await read(
      `?limit=2${before ? `&before=${before}` : ""}`,
    );
    equal(page.status, 200);
    seen.push(...page.body.data.map(({ amount }: { amount: number }) => amount));
    before = page.body.next;
  }
  deepEqual(seen, [5, 4, 3, 2, 1]);
  const { data, next } = (await read("")).body;
  deepEqual([data.length, next], [5, null]);
  deepEqual([data[0].type, data[0].operation_id, data[0].balance_after, data[0].remaining_after], [
    "add",
    "gift 5",
    15,
    15,
  ]);
  equal((await read("?limit=5")).body.next, null);
  deepEqual((await read("", (await signUp()).token)).body, { data: [], next: null });
  for (const query of ["?limit=0", "?limit=201", "?before=0", "?before=x", "?user_id=1"]) {
    equal((await read(query)).status, 400, query);
  }
  equal((await call("subscription/transactions", { secret: true })).status, 403);
});

/** A plan that nobody is offered, with a purchase rate that leaves fractions. */
async function withOddPlan(sql: postgres.Sql, body: (tier: string) => Promise<void>) {
  const tier = `odd_${crypto.randomUUID().replaceAll("-", "_")}`;
  await sql`
    insert into subscription_plans (
      tier, name, monthly_cost, currency, fixed_cost, credits_included, bonus_credits, multiplier,
      purchase_rate, active
    )
    values (${tier}, 'Odd', 1, 'eur', 0, 1, 0, 1, 1.23457, false)`;
  try {
    await body(tier);
  } finally {
    await sql`delete from subscriptions where tier = ${tier}`;
    await sql`delete from subscription_plans where tier = ${tier}`;
  }
}

ledgerTest(
  "money buys floor(amount × base_rate × the plan's purchase_rate) tokens",
  async (sql) => {
    const [{ base_rate } = { base_rate: 0 }] = await sql<{ base_rate: number }[]>`
    select base_rate::float8 from settings`;
    const user = await signUp();
    const purchase = (body: unknown, headers: Record<string, string> = {}) =>
      call("subscription/purchase", { token: user.token, body, headers });
    const tokensFor = async (amount: unknown, currency: string) => {
      const { status, body } = await purchase({ amount, currency });
      equal(status, 200, JSON.stringify(body));
      const { metadata, amount_total } = await sessionOf(body.session_id);
      return { url: body.url, tokens: Number(metadata?.["tokens"]), amount_total };
    };
    const plain = await tokensFor("1.23", "EUR");
    deepEqual([plain.tokens, plain.amount_total], [1.23 * base_rate, 123]);
    equal((await tokensFor(1.5, "usd")).tokens, 1.5 * base_rate);

    await withOddPlan(sql, async (tier) => {
      await sql`
      insert into subscriptions (user_id, tier, status, current_period_start, current_period_end)
      values (${user.id}, ${tier}, 'active', now(), now() + interval '1 month')`;
      const { url, tokens } = await tokensFor("0.57", "eur");
      const exact = 0.57 * base_rate * 1.23457;
      ok(exact % 1 > 0.01, `${exact} has no fraction to lose`);
      equal(tokens, Math.floor(exact));
      // What was offered counts, though the plan ends before the payment.
      await sql`update subscriptions set current_period_end = now() where user_id = ${user.id}`;
      equal((await press(url, { action: "apply", code: "FREE100" })).status, 400);
      equal((await pay(url)).status, 303);
      await delivered(idOf((await sessionOf(url.split("/").at(-1) ?? "")).customer));
      deepEqual(await journal(sql, user), [["purchase", tokens]]);
    });

    const key = { "idempotency-key": "money" };
    const first = await purchase({ amount: "2.00", currency: "eur" }, key);
    deepEqual((await purchase({ amount: "2.00", currency: "eur" }, key)).body, first.body);
    equal(
      (await purchase({ amount: "2.01", currency: "eur" }, key)).body.code,
      "operation_id_reused",
    );
    for (
      const [body, field] of [
        [{ amount: "1.00", currency: "gbp" }, "currency"],
        [{ amount: "1.00", currency: "euro" }, "currency"],
        [{ amount: "1.00" }, "currency"],
        [{ amount: "0.49", currency: "eur" }, "amount"],
        [{ amount: "100000.01", currency: "eur" }, "amount"],
        [{ amount: "1.001", currency: "eur" }, "amount"],
        [{ amount: -1, currency: "eur" }, "amount"],
        [{ currency: "eur" }, "amount"],
        [{ amount: "1.00", currency: "eur", tokens: 5 }, "tokens"],
      ] as const
    ) {
      const answer = await purchase(body);
      deepEqual([answer.status, answer.body.code], [400, "invalid_request"], JSON.stringify(body));
      ok(answer.body.message.startsWith(field), answer.body.message);
    }
  },
);

ledgerTest("subscription/update gives plans that are paid for by other means", async (sql) => {
  const user = await signUp();
  const started = await update(user.id, "standard", "start");
  equal(started.status, 200, JSON.stringify(started.body));
  const { effective_at, ...receipt } = started.body;
  deepEqual(receipt, {
    tier: "standard",
    action: "started",
    pending: false,
    tokens_granted: 4500,
    remaining: 4500,
    replayed: false,
  });
  ok(Math.abs(Date.parse(effective_at) - Date.now()) < 60_000);
  deepEqual((await update(user.id, "standard", "start")).body, { ...started.body, replayed: true });
  const conflict = await update(user.id, "basic", "start");
  deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  const same = await update(user.id, "standard", "same");
  deepEqual([same.body.action, same.body.tokens_granted], ["unchanged", 0]);
  equal((await planOf(user)).multiplier, "0.9");

  await sql`
    update subscriptions
    set current_period_start = now() - interval '10 days', current_period_end = now() + interval '20 days'
    where user_id = ${user.id}`;
  const upgraded = await update(user.id, "premium", "up");
  // floor(11,000 × 20 ÷ 30), of a period that goes on while this runs
  deepEqual([upgraded.body.action, upgraded.body.pending], ["upgraded", false]);
  const { tokens_granted } = upgraded.body;
  ok(tokens_granted <= 7333 && tokens_granted >= 7332, `${tokens_granted}`);
  equal(await costOf1000(user.id), 800);

  const scheduled = await update(user.id, "basic", "down");
  deepEqual([scheduled.body.action, scheduled.body.tokens_granted], ["scheduled", 0]);
  const { tier, next_tier, current_period_end } = await planOf(user);
  deepEqual([tier, next_tier, current_period_end], [
    "premium",
    "basic",
    scheduled.body.effective_at,
  ]);
  await sql`
    update subscriptions set current_period_end = now() - interval '1 day' where user_id = ${user.id}`;
  deepEqual([(await planOf(user)).tier, await costOf1000(user.id)], [null, 1000]);
  const next = await update(user.id, "basic", "next month");
  deepEqual([next.body.action, next.body.tokens_granted], ["started", 1000]);
  deepEqual(await journal(sql, user), [
    ["subscription", 4500],
    ["subscription", tokens_granted],
    ["subscription", 1000],
  ]);
});

ledgerTest("subscription/update at once by many starts one plan", async (sql) => {
  const user = await makeUser(sql, 0);
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => update(user, "basic", `start ${i % 5}`)),
  );
  const started = answers.filter(({ body }) => body.action === "started" && !body.replayed);
  equal(started.length, 1);
  const [{ total } = { total: 0 }] = await sql<{ total: number }[]>`
    select sum(amount)::bigint as total from token_transactions where user_id = ${user}`;
  equal(total, 1100);
});

ledgerTest("subscription/update refuses bad input and other callers", async (sql) => {
  const user = await signUp();
  const user_id = await makeUser(sql, 0);
  const cases: [body: unknown, status: number, code: string][] = [
    [{ user_id, tier: "golden", operation_id: "a" }, 404, "plan_not_found"],
    [
      { user_id: crypto.randomUUID(), tier: "basic", operation_id: "a" },
      404,
      "user_not_found",
    ],
    [{ user_id, tier: "basic" }, 400, "invalid_request"],
    [{ user_id, operation_id: "a" }, 400, "invalid_request"],
    [{ user_id: "me", tier: "basic", operation_id: "a" }, 400, "invalid_request"],
    [{ user_id, tier: "basic", operation_id: "a", tokens: 1 }, 400, "invalid_request"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await call("subscription/update", { secret: true, body });
    deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  const body = { user_id: user.id, tier: "premium", operation_id: "mine" };
  equal((await call("subscription/update", { token: user.token, body })).status, 403);
  equal((await call("subscription/update", { body })).status, 401);
  equal((await planOf(user)).tier, null);
  equal((await call("subscription", { secret: true })).status, 403);
  equal((await call("subscription")).status, 401);
});
