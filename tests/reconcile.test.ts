/**
 * Reconcile finds every difference between Stripe and Scrip, and none where there is none.
 *
 * Method: users of the test's own pay at the stand-in for Stripe, read by the real client; then events are kept from the
 * webhook, or made up, and the differences of these users are compared with what was done. What other tests do on the
 * same stack is left aside.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import type Stripe from "stripe";
import { z } from "zod";
import { stripeAccess } from "../functions/_shared/stripe.ts";
import { readPeriod } from "../scripts/reconcile.ts";
import { compare, compareSnapshot, type Difference } from "../scripts/reconcile/compare.ts";
import { chargeRow, disputeRow } from "../scripts/reconcile/rows.ts";
import { openSnapshot, type Period } from "../scripts/reconcile/snapshot.ts";
import { delay } from "../scripts/stack/parts.ts";
import { assertLedgerClean, call, connect, makeUser, signUp, stack } from "./harness.ts";

const STARTER = "018f0000-0000-7000-8000-000000000001";
const MINUTE_MS = 60_000;
const DAY_SECONDS = 86_400;

const env = new Map([
  ["STRIPE_SECRET_KEY", stack.stripe_secret_key],
  ["STRIPE_API_URL", stack.stripe_api_url ?? ""],
]);
const access = stripeAccess(env);

/** Does something with the real client. */
const stripe = <T>(work: (client: Stripe) => Promise<T>): Promise<T> => access.call(work);

async function standIn(path: string, body?: unknown) {
  const response = await fetch(`${stack.stripe_api_url}/stand-in/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${stack.stripe_secret_key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  ok(response.ok, text);
  return JSON.parse(text);
}

/** A user with a customer at Stripe. */
interface Buyer {
  id: string;
  customer: string;
  /** Opens a checkout. */
  order(order: Record<string, string>): Promise<string>;
  /** Opens a checkout, pays, and waits for the events. */
  buy(
    order: Record<string, string>,
    how?: Record<string, string>,
  ): Promise<Stripe.Checkout.Session>;
  /** Keeps all further events from the webhook. */
  drop(): Promise<void>;
  /** Lets them through, now and later. */
  flush(): Promise<void>;
  /** Waits until nothing is on its way. */
  settle(): Promise<void>;
}

async function newBuyer(): Promise<Buyer> {
  const { id, token } = await signUp();
  const order = async (order: Record<string, string>): Promise<string> => {
    const { status, body } = await call("create-checkout", { token, body: order });
    equal(status, 200, JSON.stringify(body));
    return body.session_id;
  };
  const first = await order({ kind: "package", package_id: STARTER });
  const { customer } = await stripe((client) => client.checkout.sessions.retrieve(first));
  const mine = { customer: `${customer}` };
  const settle = async () => {
    equal((await standIn(`settled?customer=${mine.customer}`)).settled, true);
  };
  return {
    id,
    ...mine,
    order,
    settle,
    async buy(asked, how = {}) {
      const session = await order(asked);
      const paid = await standIn(`sessions/${session}/pay`, how);
      await settle();
      return paid.session;
    },
    drop: () => standIn("delivery", { ...mine, drop: true }),
    async flush() {
      await standIn("delivery", mine);
      await standIn("flush", mine);
      await settle();
    },
  };
}

const PACKAGE = { kind: "package", package_id: STARTER };
const PLAN = { kind: "plan", tier: "basic" };

const lately = (): Period => readPeriod({}, Date.now() + MINUTE_MS);

/** The differences about a user, in few words. */
function brief(differences: readonly Difference[], { id }: { id: string }) {
  return differences
    .filter(({ user_id }) => user_id === id)
    .map((
      { kind, id, detail },
    ) => [kind, id, detail.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "(time)")]);
}

async function differencesOf(sql: postgres.Sql, buyer: { id: string }, period = lately()) {
  const { differences } = await stripe((client) => compare(client, sql, period, 0));
  return brief(differences, buyer);
}

const Answer = z.object({ outcome: z.string(), attention: z.string().nullable() });

/** Hands Scrip an event that Stripe never sent, newer than all that it did send. */
async function makeUp(sql: postgres.Sql, type: string, object: object, daysLater = 0) {
  const event = {
    id: `evt_${crypto.randomUUID().replaceAll("-", "")}`,
    object: "event",
    type,
    created: Math.floor(Date.now() / 1000) + 2 + daysLater * DAY_SECONDS,
    livemode: false,
    data: { object },
  };
  const rows = await sql`select * from handle_stripe_event(${
    sql.json(JSON.parse(JSON.stringify(event)))
  })`;
  return { id: event.id, ...Answer.parse(rows[0]) };
}

/** The payment that an invoice was paid by. */
async function paymentOf(invoice: string): Promise<string> {
  const { data: [payment] } = await stripe((client) => client.invoicePayments.list({ invoice }));
  return `${payment?.payment.payment_intent}`;
}

/** Lets the customer's bank dispute a payment. */
async function disputeOf(payment_intent: string): Promise<Stripe.Dispute> {
  const { data: [charge] } = await stripe((client) => client.charges.list({ payment_intent }));
  const { id } = await standIn(`charges/${charge?.id}/dispute`, {});
  return await stripe((client) => client.disputes.retrieve(id));
}

function reconcileTest(name: string, body: (sql: postgres.Sql) => Promise<void>) {
  Deno.test(name, async () => {
    const sql = connect(1);
    try {
      await body(sql);
      await assertLedgerClean(sql);
    } finally {
      await sql.end();
    }
  });
}

reconcileTest("reconcile finds nothing where every event came", async (sql) => {
  const buyer = await newBuyer();
  const { payment_intent } = await buyer.buy(PACKAGE);
  const refunded = { payment_intent: `${payment_intent}` };
  const part = await stripe((client) => client.refunds.create({ ...refunded, amount: 30 }));
  await stripe((client) => client.refunds.create({ ...refunded, amount: 20 }));
  await standIn(`refunds/${part.id}/fail`, {});
  await buyer.buy({ kind: "usd_deposit", amount: "25.00" });
  await buyer.buy(PACKAGE, { promotion_code: "FREE100" });
  await buyer.buy(PACKAGE, { card: "delayed" });
  const disputed = await buyer.buy(PACKAGE);
  const { subscription } = await buyer.buy(PLAN);
  const subscriptionId = `${subscription}`;
  const invoice = await standIn(`subscriptions/${subscriptionId}/renew`, {});
  const ofInvoice = { payment_intent: await paymentOf(invoice.id), amount: 100 };
  await stripe((client) => client.refunds.create(ofInvoice));
  await stripe((client) =>
    client.subscriptions.update(subscriptionId, { cancel_at_period_end: true })
  );
  const dispute = await disputeOf(`${disputed.payment_intent}`);
  await buyer.settle();
  deepEqual(await differencesOf(sql, buyer), []);
  await standIn(`disputes/${dispute.id}/close`, { status: "won" });
  await standIn(`subscriptions/${subscriptionId}/end`, {});
  await buyer.settle();
  deepEqual(await differencesOf(sql, buyer), []);
});

reconcileTest("reconcile finds what was paid and never came", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  const package_ = await buyer.buy(PACKAGE);
  const free = await buyer.buy(PACKAGE, { promotion_code: "FREE100" });
  const plan = await buyer.buy(PLAN);
  const found = await differencesOf(sql, buyer);
  deepEqual(
    found,
    [
      ["unknown", free.id, "package, 0.00 EUR, paid (time)"],
      ["unknown", plan.invoice, "plan, 9.00 EUR, paid (time)"],
      ["unknown", package_.payment_intent, "package, 1.00 EUR, paid (time)"],
      ["subscription", plan.subscription, "basic, active at Stripe, unknown to Scrip"],
    ],
  );
  await buyer.flush();
  deepEqual(await differencesOf(sql, buyer), []);
});

reconcileTest("reconcile waits for what is on its way", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  await buyer.buy(PACKAGE);
  const [{ differences }] = await Promise.all([
    stripe((client) => compare(client, sql, lately(), 4000)),
    delay(2500).then(() => buyer.flush()),
  ]);
  deepEqual(brief(differences, buyer), []);
});

reconcileTest("reconcile finds refunds and disputes that never came", async (sql) => {
  const buyer = await newBuyer();
  const one = await buyer.buy(PACKAGE);
  const other = await buyer.buy(PACKAGE);
  const plan = await buyer.buy(PLAN);
  await delay(1100);
  const period = { ...lately(), from: new Date() };
  await buyer.drop();
  const refund = await stripe((client) =>
    client.refunds.create({ payment_intent: `${one.payment_intent}`, amount: 40 })
  );
  const dispute = await disputeOf(`${other.payment_intent}`);
  const payment_intent = await paymentOf(`${plan.invoice}`);
  const ofPlan = await stripe((client) => client.refunds.create({ payment_intent }));
  const expected = [
    [
      "refund",
      plan.invoice,
      `9.00 EUR refunded at Stripe (${ofPlan.id}), 0.00 EUR in Scrip`,
    ],
    [
      "refund",
      one.payment_intent,
      `0.40 EUR refunded at Stripe (${refund.id}), 0.00 EUR in Scrip`,
    ],
    [
      "dispute",
      other.payment_intent,
      `1.00 EUR taken at Stripe (${dispute.id} needs_response), 0.00 EUR in Scrip`,
    ],
  ];
  deepEqual(await differencesOf(sql, buyer), expected);
  // The payments were made before this period; their refunds and disputes are of it.
  deepEqual(await differencesOf(sql, buyer, period), expected);
  await buyer.flush();
  deepEqual(await differencesOf(sql, buyer), []);
});

reconcileTest("reconcile finds the invoice of a refund whose link never came", async (sql) => {
  const buyer = await newBuyer();
  await standIn("delivery", {
    customer: buyer.customer,
    types: ["invoice_payment.paid"],
    drop: true,
  });
  const plan = await buyer.buy(PLAN);
  const payment_intent = await paymentOf(`${plan.invoice}`);
  const refund = await stripe((client) => client.refunds.create({ payment_intent }));
  await buyer.settle();
  deepEqual(await differencesOf(sql, buyer), [
    ["refund", plan.invoice, `9.00 EUR refunded at Stripe (${refund.id}), 0.00 EUR in Scrip`],
  ]);
  await buyer.flush();
  deepEqual(await differencesOf(sql, buyer), []);
});

reconcileTest("reconcile finds subscriptions that differ", async (sql) => {
  const buyer = await newBuyer();
  const { subscription } = await buyer.buy(PLAN);
  const id = `${subscription}`;
  await buyer.drop();
  await stripe((client) => client.subscriptions.update(id, { cancel_at_period_end: true }));
  await standIn(`subscriptions/${id}/backdate`, { seconds: 3600 });
  deepEqual(await differencesOf(sql, buyer), [[
    "subscription",
    id,
    "period start (time) at Stripe, (time) in Scrip; period end (time) at Stripe, (time) in Scrip; " +
    "cancel_at_period_end true at Stripe, false in Scrip",
  ]]);
  await standIn(`subscriptions/${id}/end`, {});
  deepEqual(await differencesOf(sql, buyer), [[
    "subscription",
    id,
    "status canceled at Stripe, active in Scrip",
  ]]);
  await buyer.flush();
  deepEqual(await differencesOf(sql, buyer), []);
});

reconcileTest(
  "reconcile finds subscriptions of another plan, or unknown at Stripe",
  async (sql) => {
    const buyer = await newBuyer();
    const { subscription } = await buyer.buy(PLAN);
    const real = await stripe((client) => client.subscriptions.retrieve(`${subscription}`));
    const made = { ...real, id: `sub_${crypto.randomUUID()}`, status: "past_due" };
    await makeUp(sql, "customer.subscription.created", made);
    await makeUp(sql, "customer.subscription.updated", {
      ...real,
      items: {
        ...real.items,
        data: real.items.data.map((item) => ({
          ...item,
          price: { ...item.price, product: "scrip_plan_premium" },
        })),
      },
    });
    const found = await differencesOf(sql, buyer);
    deepEqual(
      found.filter(([kind]) => kind === "subscription").toSorted(),
      [
        ["subscription", made.id, "basic, past_due in Scrip, unknown at Stripe"],
        ["subscription", real.id, "tier basic at Stripe, premium in Scrip"],
      ].toSorted(),
    );
  },
);

reconcileTest("reconcile finds what Scrip holds and Stripe does not say", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  const session = await buyer.buy(PACKAGE);
  const { payment_intent } = session;
  const doubled = await makeUp(sql, "checkout.session.completed", {
    ...session,
    amount_subtotal: 200,
    amount_total: 200,
  });
  await makeUp(sql, "refund.created", {
    id: "re_made_up",
    object: "refund",
    amount: 70,
    created: session.created,
    payment_intent,
    status: "succeeded",
  });
  await makeUp(sql, "charge.dispute.funds_withdrawn", {
    id: "du_made_up",
    object: "dispute",
    amount: 10,
    balance_transactions: [],
    payment_intent,
    status: "needs_response",
  });
  const unpaid = `pi_${crypto.randomUUID()}`;
  await makeUp(sql, "checkout.session.completed", {
    ...session,
    id: `cs_${crypto.randomUUID()}`,
    payment_intent: unpaid,
  });
  const found = await differencesOf(sql, buyer);
  deepEqual(found.filter(([kind]) => kind !== "event"), [
    ["unpaid", unpaid, "package, 1.00 EUR, paid (time)"],
    ["amount", payment_intent, "1.00 EUR at Stripe, 2.00 EUR in Scrip"],
    ["refund", payment_intent, "0.00 EUR refunded at Stripe, 0.70 EUR in Scrip"],
    ["dispute", payment_intent, "0.00 EUR taken at Stripe, 0.10 EUR in Scrip"],
  ]);
  deepEqual(found.filter(([kind]) => kind === "event"), [[
    "event",
    doubled.id,
    "checkout.session.completed applied: Amount 200 differs from the price 100",
  ]]);
  // What was done, with a note, is told for the period in which it came.
  await delay(1100);
  const later = await differencesOf(sql, buyer, { ...lately(), from: new Date() });
  deepEqual(later.filter(([kind]) => kind === "event"), []);
});

reconcileTest("reconcile names another currency", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  const session = await buyer.buy(PACKAGE);
  const metadata = { ...session.metadata, currency: "jpy" };
  await makeUp(sql, "checkout.session.completed", { ...session, currency: "jpy", metadata });
  deepEqual(await differencesOf(sql, buyer), [
    ["amount", session.payment_intent, "1.00 EUR at Stripe, 100 JPY in Scrip"],
  ]);
});

reconcileTest("reconcile names events that failed, wait or need attention", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  const session = await buyer.buy(PACKAGE, { card: "delayed" });
  const { payment_intent } = session;
  const waiting = await makeUp(sql, "checkout.session.completed", session);
  equal(waiting.outcome, "waiting");
  // A debit under way is nothing to look at.
  deepEqual(await differencesOf(sql, buyer), []);
  await standIn(`payment_intents/${payment_intent}/complete`, { succeed: true });
  deepEqual(await differencesOf(sql, buyer), [
    ["unknown", payment_intent, "package, 1.00 EUR, paid (time)"],
    ["event", waiting.id, `checkout.session.completed waiting: waits for ${session.id}`],
  ]);

  await buyer.flush();
  const nobody = crypto.randomUUID();
  const event = await makeUp(sql, "checkout.session.completed", {
    ...session,
    id: `cs_${crypto.randomUUID()}`,
    metadata: { ...session.metadata, user_id: nobody },
  });
  const failed = await makeUp(sql, "checkout.session.completed", {
    ...session,
    id: `cs_${crypto.randomUUID()}`,
    payment_intent: `pi_${crypto.randomUUID()}`,
    amount_total: "many",
    payment_status: "paid",
  });
  equal(failed.outcome, "failed");
  // What waits or failed is told until it is mended, even when it came before the period.
  await delay(1100);
  const period = { ...lately(), from: new Date() };
  const { differences } = await stripe((client) => compare(client, sql, period, 0));
  const detailOf = (id: string) => differences.find((one) => one.id === id)?.detail;
  equal(detailOf(event.id), `checkout.session.completed waiting: Unknown user ${nobody}`);
  match(detailOf(failed.id) ?? "", /^checkout\.session\.completed failed: Handling failed: /);
});

reconcileTest("reconcile finds a payment that was begun before the period", async (sql) => {
  const buyer = await newBuyer();
  const { payment_intent } = await buyer.buy(PACKAGE, { card: "delayed" });
  await delay(1100);
  const period = { ...lately(), from: new Date(Math.floor(Date.now() / 1000) * 1000) };
  await standIn(`payment_intents/${payment_intent}/complete`, { succeed: true });
  await buyer.settle();
  const [purchase] = await sql`
    select 1 from purchases where stripe_id = ${`${payment_intent}`} and paid_at >= ${period.from}`;
  ok(purchase);
  deepEqual(await differencesOf(sql, buyer, period), []);
});

reconcileTest("reconcile finds a refund of a payment that it never knew", async (sql) => {
  const buyer = await newBuyer();
  await buyer.drop();
  const { payment_intent } = await buyer.buy(PACKAGE);
  await delay(1100);
  const period = { ...lately(), from: new Date(Math.floor(Date.now() / 1000) * 1000) };
  const refund = await stripe((client) =>
    client.refunds.create({ payment_intent: `${payment_intent}` })
  );
  const of = "of a payment of (time) unknown to Scrip";
  deepEqual(await differencesOf(sql, buyer, period), [
    ["refund", payment_intent, `1.00 EUR refunded at Stripe (${refund.id}), ${of}`],
  ]);
});

// Later than all that is read of what was before a period.
const LATER_DAYS = 140;

const muchLater = (): Period => {
  const at = (days: number) => new Date(Date.now() + days * DAY_SECONDS * 1000);
  return { from: at(LATER_DAYS - 1), to: at(LATER_DAYS + 1) };
};

reconcileTest("reconcile looks up what is older than what it reads", async (sql) => {
  const buyer = await newBuyer();
  const known = await buyer.buy(PACKAGE);
  await buyer.drop();
  const later = (type: string, object: object) => makeUp(sql, type, object, LATER_DAYS);
  const session = await buyer.buy(PACKAGE);
  await later("checkout.session.completed", session);
  const dispute = await disputeOf(`${session.payment_intent}`);
  await later("charge.dispute.funds_withdrawn", dispute);
  await later(
    "checkout.session.completed",
    await buyer.buy(PACKAGE, { promotion_code: "FREE100" }),
  );
  const { invoice, subscription } = await buyer.buy(PLAN);
  const payment = await paymentOf(`${invoice}`);
  const paid = await stripe((client) => client.invoices.retrieve(`${invoice}`));
  const begun = await stripe((client) => client.subscriptions.retrieve(`${subscription}`));
  await makeUp(sql, "customer.subscription.updated", begun);
  await later("invoice.paid", paid);
  await later("invoice_payment.paid", {
    object: "invoice_payment",
    invoice,
    payment: { type: "payment_intent", payment_intent: payment },
  });
  const refund = await stripe((client) =>
    client.refunds.create({ payment_intent: payment, amount: 200 })
  );
  await later("refund.created", refund);
  const unknown = { ...refund, id: "re_made_up", payment_intent: known.payment_intent, amount: 30 };
  await later("refund.created", unknown);
  deepEqual(await differencesOf(sql, buyer, muchLater()), [
    ["refund", known.payment_intent, "0.00 EUR refunded at Stripe, 0.30 EUR in Scrip"],
  ]);
});

for (const linked of [true, false]) {
  const whether = linked ? "with" : "without";
  reconcileTest(
    `reconcile finds an old invoice by its refund, ${whether} its link`,
    async (sql) => {
      const buyer = await newBuyer();
      const drop = { types: ["invoice_payment.paid"], drop: !linked };
      await standIn("delivery", { customer: buyer.customer, ...drop });
      const { invoice } = await buyer.buy(PLAN);
      await buyer.drop();
      const payment_intent = await paymentOf(`${invoice}`);
      const refund = await stripe((client) =>
        client.refunds.create({ payment_intent, amount: 100 })
      );
      await makeUp(sql, "refund.created", { ...refund, amount: 250 }, LATER_DAYS);
      const held = linked ? "2.50" : "0.00";
      deepEqual(await differencesOf(sql, buyer, muchLater()), [
        ["refund", invoice, `1.00 EUR refunded at Stripe (${refund.id}), ${held} EUR in Scrip`],
      ]);
    },
  );
}

reconcileTest(
  "reconcile reads all pages, and counts payments that are not Scrip's",
  async (sql) => {
    const buyer = await newBuyer();
    await buyer.drop();
    const { payment_intent } = await buyer.buy(PACKAGE);
    const others = 120;
    const customer = await stripe((client) => client.customers.create({ email: "a@example.test" }));
    const ids = new Set<string | null>();
    for (let n = 0; n < others; n++) {
      const { id } = await stripe((client) =>
        client.paymentIntents.create({
          amount: 500,
          confirm: true,
          currency: "eur",
          customer: customer.id,
          payment_method: "pm_card_visa",
        })
      );
      ids.add(id);
    }
    const { differences, counts } = await stripe((client) => compare(client, sql, lately(), 0));
    ok(counts.others >= others, `${counts.others}`);
    ok(counts.payments >= 1);
    deepEqual(differences.filter(({ id }) => ids.has(id)), []);
    deepEqual(brief(differences, buyer).map(([kind, id]) => [kind, id]), [[
      "unknown",
      payment_intent,
    ]]);
  },
);

Deno.test("reconcile tells what verify_ledger finds", async () => {
  const sql = connect(1);
  const rolledBack = new Error();
  try {
    const id = await makeUser(sql, 10);
    const began = sql.begin(async (sql) => {
      await sql`select set_config('scrip.posting', 'on', true)`;
      await sql`update user_tokens set tokens_purchased = 11 where user_id = ${id}`;
      await openSnapshot(sql, lately());
      const { differences } = await compareSnapshot(sql);
      deepEqual(brief(differences, { id }), [
        ["ledger", null, "journal of purchased: 11 expected, 10 found"],
      ]);
      throw rolledBack;
    });
    equal(await began.catch((error) => error), rolledBack);
  } finally {
    await sql.end();
  }
});

async function command(args: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command("node", {
    args: ["run.mjs", "reconcile.ts"].map((name) =>
      fileURLToPath(new URL(`../scripts/${name}`, import.meta.url))
    ).concat(args),
    env: { STRIPE_SECRET_KEY: "", STRIPE_API_URL: "", SUPABASE_DB_URL: "", ...env },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

const DATA = dirname(Deno.env.get("SCRIP_STACK") ?? ".scrip/stack.json");

Deno.test("npm run reconcile exits with 0 without a difference, with 1 for one", async () => {
  const quiet = await command(
    ["--data", DATA, "--from", "2020-01-01", "--to", "2020-01-02"],
    {},
  );
  equal(quiet.code, 0, quiet.stdout + quiet.stderr);
  match(quiet.stdout, /^2020-01-01T00:00:00Z to 2020-01-03T00:00:00Z, Stripe's test mode\n/);
  match(quiet.stdout, /\nNo differences\.\n$/);
  const buyer = await newBuyer();
  await buyer.drop();
  const { payment_intent } = await buyer.buy(PACKAGE);
  const found = await command([], {
    STRIPE_SECRET_KEY: stack.stripe_secret_key,
    STRIPE_API_URL: stack.stripe_api_url ?? "",
    SUPABASE_DB_URL: stack.database_url,
  });
  equal(found.code, 1, found.stdout + found.stderr);
  const line = new RegExp(
    `\\nPaid at Stripe, unknown to Scrip\\n(?:  .*\\n)*` +
      `  ${payment_intent}  package, 1\\.00 EUR, paid [^ ]+  user ${buyer.id}\\n`,
  );
  match(found.stdout, line);
});

Deno.test("npm run reconcile exits with 2 when it could not be done, and says why", async () => {
  const nowhere = "http://127.0.0.1:9";
  const all = {
    STRIPE_SECRET_KEY: stack.stripe_secret_key,
    STRIPE_API_URL: stack.stripe_api_url ?? "",
    SUPABASE_DB_URL: stack.database_url,
  };
  const cases: [string[], Record<string, string>, RegExp][] = [
    [["--from", "2026-02-30"], all, /--from is a day such as 2026-01-31, got 2026-02-30/],
    [["--from", "2026-02-03", "--to", "2026-02-02"], all, /--from 2026-02-03 is after the end/],
    [["--days", "3"], all, /--days/],
    [["--data", "/nowhere"], {}, /no stack at \/nowhere\/stack\.json/],
    [[], { STRIPE_SECRET_KEY: "sk_test_x" }, /SUPABASE_DB_URL is missing/],
    [[], { ...all, STRIPE_API_URL: nowhere }, /Stripe cannot be reached/],
    [[], { ...all, STRIPE_SECRET_KEY: "sk_test_wrong" }, /Stripe refuses the key/],
    [[], { ...all, STRIPE_SECRET_KEY: "sk_live_x" }, /STRIPE_API_URL .* live key/],
    [
      [],
      { ...all, SUPABASE_DB_URL: "postgres://a:secret@127.0.0.1:9/x" },
      /database at 127\.0\.0\.1:9/,
    ],
  ];
  for (const [args, env, reason] of cases) {
    const { code, stderr } = await command(args, env);
    equal(code, 2, stderr);
    match(stderr, /^Cannot reconcile: /);
    match(stderr, reason);
    ok(!stderr.includes("secret@") && !stderr.includes(stack.stripe_secret_key), stderr);
  }
});

Deno.test("reconcile's period is whole days, the last included", () => {
  const now = Date.parse("2026-03-31T12:00:00.500Z");
  const at = (text: string) => new Date(text);
  deepEqual(readPeriod({}, now), {
    from: at("2026-03-01T12:00:01Z"),
    to: at("2026-03-31T12:00:01Z"),
  });
  deepEqual(readPeriod({ from: "2026-03-01", to: "2026-03-01" }, now), {
    from: at("2026-03-01T00:00:00Z"),
    to: at("2026-03-02T00:00:00Z"),
  });
  throws(() => readPeriod({ to: "2026-3-1" }, now));
});

/** A charge and its dispute. */
async function sample() {
  const buyer = await newBuyer();
  const { payment_intent } = await buyer.buy(PACKAGE);
  const { data: [charge] } = await stripe((client) =>
    client.charges.list({ payment_intent: `${payment_intent}` })
  );
  ok(charge);
  const dispute = await disputeOf(`${payment_intent}`);
  await buyer.settle();
  return { charge, dispute };
}

Deno.test("reconcile counts what a dispute takes until it is given back", async () => {
  const { charge, dispute } = await sample();
  const [taken] = dispute.balance_transactions;
  ok(taken);
  // Both in the account's own currency, whose rate changed meanwhile.
  const back = { ...taken, amount: -taken.amount - 7 };
  const takes = (change: Partial<Stripe.Dispute>) =>
    disputeRow({ ...dispute, ...change }).taken_cents;
  equal(takes({}), 100);
  equal(takes({ status: "under_review" }), 100);
  equal(takes({ status: "lost" }), 100);
  equal(takes({ status: "lost", balance_transactions: [] }), 100);
  equal(takes({ status: "won" }), 0);
  equal(takes({ balance_transactions: [taken, back] }), 0);
  equal(takes({ balance_transactions: [taken, back, taken] }), 100);
  equal(takes({ status: "warning_needs_response", balance_transactions: [] }), 0);
  // Nor is one paid that is under way, only authorized, or made without a payment intent.
  equal(chargeRow({ ...charge, status: "pending" }, []), undefined);
  equal(chargeRow({ ...charge, captured: false }, []), undefined);
  equal(chargeRow({ ...charge, payment_intent: null }, []), undefined);
});
