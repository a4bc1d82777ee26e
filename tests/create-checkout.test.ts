/**
 * What is bought in a checkout is what was offered: paid on the page, it is in the balance, and refunded, it is not,
 * however Stripe's events come.
 *
 * Method: the real functions, the real client, and the stand-in for Stripe, whose signed events go to the real webhook.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { call, ledgerTest, signUp, stack, type TestUser } from "./harness.ts";
import {
  buy,
  customerOf,
  delivered,
  idOf,
  journal,
  openCheckout,
  packageOrder,
  PACKAGES,
  pay,
  press,
  remaining,
  sessionOf,
  standIn,
  stripe,
} from "./stripe-flows.ts";

const checkout = (user: TestUser, body: unknown, headers: Record<string, string> = {}) =>
  call("create-checkout", { token: user.token, body, headers });

ledgerTest("a package of 100 tokens is paid with €1.00 and is in the balance", async (sql) => {
  const user = await signUp();
  const { session_id, url } = await openCheckout(user, packageOrder());
  ok(url.startsWith(`${stack.url}/stand-in/checkout/${session_id}`));
  const page = await (await fetch(url)).text();
  match(page, /Starter/);
  match(page, /1\.00 EUR/);
  equal(await remaining(sql, user), 0);

  const paid = await pay(url);
  equal(paid.status, 303);
  equal(paid.location, `${stack.url}/?checkout=success&session_id=${session_id}`);
  await delivered(await customerOf(sql, user));
  equal(await remaining(sql, user), 100);

  const session = await sessionOf(session_id);
  deepEqual([session.amount_total, session.currency, session.client_reference_id], [
    100,
    "eur",
    user.id,
  ]);
  const { data: purchases } = await user.client.from("purchases")
    .select("kind, description, amount_cents, currency, tokens_granted, stripe_id");
  deepEqual(purchases, [{
    kind: "package",
    description: "Starter",
    amount_cents: 100,
    currency: "eur",
    tokens_granted: 100,
    stripe_id: session.payment_intent,
  }]);
  const { body } = await call(`admin/users/${user.id}/explain`, { secret: true });
  const [line] = body.lines;
  deepEqual([line.source, line.amount, line.description, line.reference], [
    "purchase",
    100,
    "Starter",
    session.payment_intent,
  ]);
  equal(body.remaining, 100);

  const again = await fetch(url);
  match(await again.text(), /paid already/);
  equal((await pay(url)).status, 200);
  equal(await remaining(sql, user), 100);
});

ledgerTest(
  "the early-bird bonus is part of what was bought: one row, all purchased",
  async (sql) => {
    const user = await signUp();
    await buy(sql, user, packageOrder(PACKAGES.earlyBird));
    deepEqual(await journal(sql, user), [["purchase", 4000]]);
    const [account] =
      await sql`select tokens_purchased from user_tokens where user_id = ${user.id}`;
    equal(account?.["tokens_purchased"], 4000);
  },
);

ledgerTest(
  "what was offered counts, though the package changes before the payment",
  async (sql) => {
    const [dearer, gone] = [crypto.randomUUID(), crypto.randomUUID()];
    await sql`
    insert into token_packages (id, name, tokens, bonus_tokens, price_cents)
    select id, 'Of a test', 500, 50, 500 from unnest(${[dearer, gone]}::uuid[]) as id`;
    try {
      const user = await signUp();
      const offers = [
        await openCheckout(user, packageOrder(dearer)),
        await openCheckout(user, packageOrder(gone)),
      ];
      await sql`update token_packages set price_cents = 900, tokens = 1 where id = ${dearer}`;
      await sql`delete from token_packages where id = ${gone}`;
      for (const { url } of offers) equal((await pay(url)).status, 303);
      await delivered(await customerOf(sql, user));
      deepEqual(await journal(sql, user), [["purchase", 550], ["purchase", 550]]);
      const events = await sql`
      select attention from private.stripe_events
      where user_id = ${user.id} and attention is not null`;
      deepEqual([...events], []);
      const now = await openCheckout(user, packageOrder(dearer));
      equal((await sessionOf(now.session_id)).amount_total, 900);
    } finally {
      await sql`delete from token_packages where id = any(${[dearer, gone]})`;
    }
  },
);

ledgerTest("promotion codes lessen the price and grant all", async (sql) => {
  const bargain = async (code: string) => {
    const user = await signUp();
    const { url } = await openCheckout(user, packageOrder());
    equal((await press(url, { action: "apply", code: "NOTHING" })).status, 400);
    equal((await press(url, { action: "apply", code })).status, 303);
    equal((await pay(url)).status, 303);
    await delivered(await customerOf(sql, user));
    const [purchase] = await sql`
      select amount_cents, tokens_granted from purchases where user_id = ${user.id}`;
    deepEqual(await journal(sql, user), [["purchase", 100]]);
    return purchase;
  };
  deepEqual(await Promise.all([bargain("SAVE20"), bargain("FREE100")]), [
    { amount_cents: 80, tokens_granted: 100 },
    { amount_cents: 0, tokens_granted: 100 },
  ]);
});

ledgerTest("a refund of a discounted package takes all of it, for what was paid", async (sql) => {
  const user = await signUp();
  const { session_id, url } = await openCheckout(user, packageOrder(PACKAGES.medium));
  await press(url, { action: "apply", code: "SAVE20" });
  await pay(url);
  const customer = await customerOf(sql, user);
  const { payment_intent } = await sessionOf(session_id);
  for (const [amount, left] of [[200, 900], [600, 0]] as const) {
    await stripe((client) =>
      client.refunds.create({ payment_intent: idOf(payment_intent), amount })
    );
    await delivered(customer);
    equal(await remaining(sql, user), left);
  }
});

ledgerTest(
  "a declined card grants nothing; another card pays for the same session",
  async (sql) => {
    const user = await signUp();
    const { session_id, url } = await openCheckout(user, packageOrder());
    const declined = await pay(url, "declined");
    equal(declined.status, 402);
    match(declined.html, /Your card was declined/);
    const customer = await customerOf(sql, user);
    await delivered(customer);
    equal(await remaining(sql, user), 0);
    equal((await sessionOf(session_id)).status, "open");
    equal((await pay(url)).status, 303);
    await delivered(customer);
    deepEqual(await journal(sql, user), [["purchase", 100]]);
  },
);

ledgerTest(
  "a bank debit grants nothing until it succeeds, and nothing when it fails",
  async (sql) => {
    const debit = async (succeed: boolean) => {
      const user = await signUp();
      const { customer, session } = await buy(sql, user, packageOrder(), "delayed");
      equal(session.payment_status, "unpaid");
      deepEqual(await journal(sql, user), []);
      const event = async () =>
        (await sql`
        select outcome from private.stripe_events
        where object_id = ${session.id} and type = 'checkout.session.completed'`)[0]?.["outcome"];
      equal(await event(), "waiting");
      await standIn(`payment_intents/${idOf(session.payment_intent)}/complete`, { succeed });
      await delivered(customer);
      return [await event(), await journal(sql, user)];
    };
    deepEqual(await Promise.all([debit(true), debit(false)]), [
      ["applied", [["purchase", 100]]],
      ["ignored", []],
    ]);
  },
);

ledgerTest("the same Idempotency-Key is the same session, with another order 409", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const key = { "idempotency-key": "order-1" };
  const first = await checkout(user, packageOrder(), key);
  equal(first.status, 200);
  deepEqual((await checkout(user, packageOrder(), key)).body, first.body);
  deepEqual(
    (await checkout(user, { ...packageOrder(), operation_id: "order-1" })).body,
    first.body,
  );
  for (
    const order of [
      packageOrder(PACKAGES.medium),
      { ...packageOrder(), save_payment_method: true },
      { ...packageOrder(), success_url: `${stack.url}/thanks` },
      { kind: "usd_deposit", amount: "25.00" },
      { kind: "plan", tier: "basic" },
    ]
  ) {
    const conflict = await checkout(user, order, key);
    deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  }
  // Keys are a user's own.
  const others = await checkout(other, packageOrder(), key);
  equal(others.status, 200);
  ok(others.body.session_id !== first.body.session_id);
  ok((await checkout(user, packageOrder())).body.session_id !== first.body.session_id);
});

ledgerTest("many requests at once with one key make one session and one customer", async (sql) => {
  const user = await signUp();
  const answers = await Promise.all(Array.from(
    { length: 10 },
    () => checkout(user, packageOrder(), { "idempotency-key": "once" }),
  ));
  deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  equal(new Set(answers.map(({ body }) => body.session_id)).size, 1);
  const customer = await customerOf(sql, user);
  const sessions = await stripe((client) => client.checkout.sessions.list({ customer }));
  equal(sessions.data.length, 1);
  const { email } = user;
  const customers = await stripe((client) => client.customers.list({ email }));
  deepEqual(customers.data.map(({ id }) => id), [customer]);
});

ledgerTest("a USD deposit raises the USD balance, and its refund lowers it", async (sql) => {
  const user = await signUp();
  const balance = async () =>
    (await user.client.rpc("get_usd_balance", { user_id: user.id })).data[0].usd_balance;
  equal(await balance(), "0.00");
  const order = { kind: "usd_deposit", amount: "25.50" };
  const { url } = await openCheckout(user, order);
  // It is credited by what was paid: a discount would be money for nothing.
  equal((await press(url, { action: "apply", code: "FREE100" })).status, 400);
  const { customer, session } = await buy(sql, user, order);
  deepEqual([session.amount_total, session.currency], [2550, "usd"]);
  equal(await balance(), "25.50");
  deepEqual(await journal(sql, user), []);
  for (const [amount, left] of [[1, "25.49"], [1000, "15.49"], [1549, "0.00"]] as const) {
    await stripe((client) =>
      client.refunds.create({ payment_intent: idOf(session.payment_intent), amount })
    );
    await delivered(customer);
    equal(await balance(), left);
  }
});

/** How the events of a test's customer are delivered. */
const DELIVERIES = {
  "as they come": {},
  "four times each": { duplicate: 3 },
  "backwards": { reorder: true },
  "late, in any order, and twice": { delay_ms: [0, 250], duplicate: 1 },
} as const;

// What a step leaves of 1,200 tokens for €10.00: 1,200 − floor(1,200 × refunded and disputed ÷ 1,000).
const AFTER = { one: 801, both: 400, failed: 801, disputed: 201, won: 801, all: 0 } as const;

/** Refunds in parts, one of which fails, and a dispute that is won, each told by its name. */
async function* reversals(payment_intent: string) {
  const refund = (amount?: number) =>
    stripe((client) =>
      client.refunds.create({ payment_intent, ...(amount === undefined ? {} : { amount }) })
    );
  await refund(333);
  yield "one" as const;
  const second = await refund(334);
  yield "both" as const;
  await standIn(`refunds/${second.id}/fail`, {});
  yield "failed" as const;
  const { latest_charge } = await stripe((client) =>
    client.paymentIntents.retrieve(payment_intent)
  );
  const dispute = await standIn(`charges/${idOf(latest_charge)}/dispute`, { amount: 500 });
  yield "disputed" as const;
  await standIn(`disputes/${dispute.id}/close`, { status: "won" });
  yield "won" as const;
  await refund();
  yield "all" as const;
}

/** A customer with a paid package, whose events are delivered in a certain way from the payment on. */
async function buyer(sql: postgres.Sql, delivery: Record<string, unknown>) {
  const user = await signUp();
  const { session_id, url } = await openCheckout(user, packageOrder(PACKAGES.medium));
  const customer = await customerOf(sql, user);
  await standIn("delivery", { customer, ...delivery });
  equal((await pay(url)).status, 303);
  await delivered(customer);
  return { user, customer, payment: idOf((await sessionOf(session_id)).payment_intent) };
}

for (const [name, delivery] of Object.entries(DELIVERIES)) {
  ledgerTest(`refunds and disputes leave what they should, delivered ${name}`, async (sql) => {
    const { user, customer, payment } = await buyer(sql, delivery);
    equal(await remaining(sql, user), 1200);
    for await (const step of reversals(payment)) {
      await delivered(customer);
      equal(await remaining(sql, user), AFTER[step], step);
    }
    const [row] = await sql`
      select refunded_cents, disputed_cents, tokens_clawed_back
      from purchases where user_id = ${user.id}`;
    deepEqual(row, { refunded_cents: 1000, disputed_cents: 0, tokens_clawed_back: 1200 });
  });
}

ledgerTest("events that were lost count when they are sent again, once", async (sql) => {
  const { user, customer, payment } = await buyer(sql, { drop: true });
  const flush = async () => {
    await standIn("flush", { customer });
    await delivered(customer);
  };
  equal(await remaining(sql, user), 0);
  for await (const step of reversals(payment)) {
    // What several steps made comes at once, in no order.
    if (step !== "failed" && step !== "won" && step !== "all") continue;
    await flush();
    equal(await remaining(sql, user), AFTER[step], step);
  }
  const before = await journal(sql, user);
  const { deliveries } = await standIn(`deliveries?${new URLSearchParams({ customer })}`);
  ok(deliveries.length > 10);
  for (const { event } of deliveries) await standIn(`events/${event}/resend`, {});
  await delivered(customer);
  deepEqual(await journal(sql, user), before);
});

ledgerTest(
  "a lost dispute keeps the tokens and an inquiry takes none; debt stops spending",
  async (sql) => {
    const { user, customer, payment } = await buyer(sql, {});
    await sql`select charge_tokens(${user.id}, 1000, 'spent')`;
    const { latest_charge } = await stripe((client) => client.paymentIntents.retrieve(payment));
    const inquiry = await standIn(`charges/${idOf(latest_charge)}/dispute`, { inquiry: true });
    await delivered(customer);
    equal(await remaining(sql, user), 200);
    await standIn(`disputes/${inquiry.id}/close`, { status: "lost" });
    const dispute = await standIn(`charges/${idOf(latest_charge)}/dispute`, {});
    await standIn(`disputes/${dispute.id}/close`, { status: "lost" });
    await delivered(customer);
    equal(await remaining(sql, user), -1000);
    const charge = await call("credits/charge", {
      secret: true,
      body: { user_id: user.id, amount: 1, operation_id: "more" },
    });
    deepEqual([charge.status, charge.body.code], [403, "insufficient_tokens"]);
    await buy(sql, user, packageOrder(PACKAGES.medium));
    equal(await remaining(sql, user), 200);
  },
);

ledgerTest("a checkout leads back to the project's own origins only", async () => {
  const user = await signUp();
  const own = await openCheckout(user, {
    ...packageOrder(),
    success_url: `${stack.url}/thanks?s={CHECKOUT_SESSION_ID}`,
    cancel_url: `${stack.url}/shop`,
  });
  equal((await pay(own.url)).location, `${stack.url}/thanks?s=${own.session_id}`);
  const port = new URL(stack.url).port;
  for (const field of ["success_url", "cancel_url"]) {
    for (
      const url of [
        "https://elsewhere.example/",
        `${stack.url}.elsewhere.example/`,
        `${stack.url}@elsewhere.example/`,
        `http://user:secret@127.0.0.1:${port}/`,
        `https://127.0.0.1:${port}/`,
        `//127.0.0.1:${port}/`,
        "/thanks",
        "javascript:alert(1)",
        "",
        null,
        7,
      ]
    ) {
      const answer = await checkout(user, { ...packageOrder(), [field]: url });
      deepEqual([answer.status, answer.body.code], [400, "invalid_request"], `${url}`);
      ok(answer.body.message.startsWith(field), answer.body.message);
    }
  }
});

ledgerTest("price, tokens and user are never the caller's to say", async (sql) => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const own = {
    price: 1,
    price_cents: 1,
    amount: "0.50",
    amount_cents: 1,
    currency: "usd",
    tokens: 1_000_000,
    bonus_tokens: 1,
    user_id: other.id,
    metadata: { tokens: "1000000" },
    quantity: 2,
    promotion_code: "FREE100",
    stripe_customer_id: "cus_1",
  };
  for (const [field, value] of Object.entries(own)) {
    const answer = await checkout(user, { ...packageOrder(), [field]: value });
    deepEqual([answer.status, answer.body.code], [400, "invalid_request"]);
    equal(answer.body.message, `${field}: is not a field of this request`);
  }
  const customers = await sql`select 1 from private.stripe_customers where user_id = ${user.id}`;
  equal(customers.length, 0);
});

ledgerTest("what is not for sale is 404, bad input 400, and callers must be users", async (sql) => {
  const user = await signUp();
  const hidden = crypto.randomUUID();
  await sql`
    insert into token_packages (id, name, tokens, price_cents, active)
    values (${hidden}, 'Hidden', 1, 100, false)`;
  const cases: [order: unknown, status: number, code: string][] = [
    [packageOrder(crypto.randomUUID()), 404, "package_not_found"],
    [packageOrder(hidden), 404, "package_not_found"],
    [{ kind: "plan", tier: "golden" }, 404, "plan_not_found"],
    [packageOrder("starter"), 400, "invalid_request"],
    [{ kind: "package" }, 400, "invalid_request"],
    [{ kind: "tokens", amount: "1.00", currency: "eur" }, 400, "invalid_request"],
    [{ kind: "top_up", package_id: PACKAGES.starter }, 400, "invalid_request"],
    [{}, 400, "invalid_request"],
    [[], 400, "invalid_request"],
    [null, 400, "invalid_request"],
    ...["0.49", "100000.01", "1.001", "-5", "1e3", "", "1,00", null, true].map((
      amount,
    ): [unknown, number, string] => [{ kind: "usd_deposit", amount }, 400, "invalid_request"]),
  ];
  for (const [order, status, code] of cases) {
    const answer = await checkout(user, order);
    deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(order));
  }
  await sql`delete from token_packages where id = ${hidden}`;
  equal((await call("create-checkout", { body: packageOrder() })).status, 401);
  equal((await call("create-checkout", { secret: true, body: packageOrder() })).status, 403);
  const customers = await sql`select 1 from private.stripe_customers where user_id = ${user.id}`;
  equal(customers.length, 0);
});
