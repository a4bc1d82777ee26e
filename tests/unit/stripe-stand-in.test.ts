/**
 * The stand-in for Stripe answers, refuses, and sends events as Stripe does, and keeps its state.
 *
 * Method: the real client calls it over HTTP; a webhook of the test's own checks each event's signature with the real
 * library. Shapes need no test: they are typed by the library's types.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notStrictEqual as notEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import Stripe from "stripe";
import { openStandIn, type StandIn } from "../../scripts/stack/stripe/stand-in.ts";

const KEY = "sk_test_local_unit";
const SECRET = "whsec_unit";

interface Lab {
  stripe: Stripe;
  url: string;
  /** The events that arrived, in order. */
  events: Stripe.Event[];
  /** What the webhook answers; it may throw to give no answer. */
  answer: { status: number };
  /** The types of the events that came since the last call, in the order that they were made, once nothing waits. */
  news(): Promise<string[]>;
  /** Calls a control. */
  control(path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Posts a page's form. */
  post(url: string | null, form: Record<string, string>): Promise<Response>;
  /** Ends the stand-in and starts it again on its file, to which a crash may have left half a line. */
  restart(torn?: string): void;
}

function clientFor(port: number, key = KEY, maxNetworkRetries = 0): Stripe {
  return new Stripe(key, {
    host: "127.0.0.1",
    port,
    protocol: "http",
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries,
    telemetry: false,
  });
}

/** Defines a test with a stand-in of its own. */
function labTest(name: string, body: (lab: Lab) => Promise<void>) {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "scrip-" });
    const events: Stripe.Event[] = [];
    const answer = { status: 200 };
    const onListen = () => {};
    const webhook = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, async (request) => {
      const signature = request.headers.get("stripe-signature") ?? "";
      const payload = await request.text();
      events.push(await Stripe.webhooks.constructEventAsync(payload, signature, SECRET));
      return new Response(null, { status: answer.status });
    });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen },
      (request) => standIn.handle(request),
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const open = () =>
      openStandIn({
        key: KEY,
        webhookSecret: SECRET,
        webhookUrl: `http://127.0.0.1:${webhook.addr.port}`,
        publicUrl: url,
        stateFile: `${folder}/stripe.jsonl`,
      });
    let standIn: StandIn = open();
    let seen = 0;
    const headers = { authorization: `Bearer ${KEY}` };
    const stripe = clientFor(server.addr.port);
    try {
      await body({
        stripe,
        url,
        events,
        answer,
        async news() {
          const response = await fetch(`${url}/stand-in/settled`, { headers });
          equal((await response.json()).settled, true);
          const fresh = events.slice(seen);
          seen = events.length;
          // They are delivered several at a time; the list knows how they came to be.
          const { data } = await stripe.events.list({ limit: 100 });
          const age = ({ id }: Stripe.Event) => data.findIndex((event) => event.id === id);
          return fresh.toSorted((a, b) => age(b) - age(a)).map(({ type }) => type);
        },
        async control(path, asked) {
          const response = await fetch(`${url}/stand-in/${path}`, {
            headers,
            ...(asked === undefined ? {} : { method: "POST", body: JSON.stringify(asked) }),
          });
          return { status: response.status, body: await response.json() };
        },
        post: (url, form) =>
          fetch(url ?? "", {
            method: "POST",
            body: new URLSearchParams(form),
            redirect: "manual",
          }),
        restart(torn = "") {
          standIn.stop();
          Deno.writeTextFileSync(`${folder}/stripe.jsonl`, torn, { append: true });
          standIn = open();
        },
      });
    } finally {
      await server.shutdown();
      standIn.stop();
      await webhook.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Asserts that a call is refused, and how. */
async function refuses(
  call: Promise<unknown>,
  expected: { status?: number; type?: string; code?: string; param?: string; message?: RegExp },
) {
  await rejects(call, (error) => {
    ok(error instanceof Stripe.errors.StripeError, `${error}`);
    const { status = 400, type = "StripeInvalidRequestError", code, param, message } = expected;
    equal(error.statusCode, status, error.message);
    equal(error.type, type);
    if (code !== undefined) equal(error.code, code, error.message);
    if (param !== undefined) equal(error.param, param, error.message);
    if (message) match(error.message, message);
    match(error.requestId ?? "", /^req_\w+$/);
    return true;
  });
}

const sorted = (types: string[]) => types.toSorted();

function line(amount: number, currency = "usd") {
  return {
    quantity: 1,
    price_data: { currency, unit_amount: amount, product_data: { name: "1,000 tokens" } },
  };
}

const PAYMENT = {
  mode: "payment",
  success_url: "https://app.test/ok?session={CHECKOUT_SESSION_ID}",
  cancel_url: "https://app.test/no",
} as const;

const monthly = (amount: number, product = "plan_pro") => ({
  currency: "usd",
  unit_amount: amount,
  recurring: { interval: "month" },
  product,
} as const);

/** Pays a checkout session as tests elsewhere do. */
const pay = ({ control }: Lab, session: { id: string }, card = "works") =>
  control(`sessions/${session.id}/pay`, { card });

async function subscribe(lab: Lab, card = "works") {
  const { stripe } = lab;
  const customer = await stripe.customers.create({ email: "sub@example.test" });
  await stripe.products.retrieve("plan_pro").catch(() =>
    stripe.products.create({ id: "plan_pro", name: "Pro" })
  );
  const session = await stripe.checkout.sessions.create({
    mode: "subscription",
    success_url: PAYMENT.success_url,
    customer: customer.id,
    line_items: [{ quantity: 1, price_data: monthly(2000) }],
    metadata: { kind: "plan" },
    subscription_data: { metadata: { kind: "plan", tier: "pro" } },
  });
  await lab.news();
  await pay(lab, session, card);
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["subscription"] });
  const { subscription } = done;
  if (typeof subscription !== "object" || !subscription) throw new Error("no subscription");
  const [item] = subscription.items.data;
  if (!item) throw new Error("no item");
  return { customer, session: done, subscription, item };
}

labTest("a call without the key, or with another, is 401", async ({ url, control }) => {
  const port = Number(new URL(url).port);
  await refuses(clientFor(port, "sk_test_other").customers.list(), {
    status: 401,
    type: "StripeAuthenticationError",
  });
  equal((await fetch(`${url}/v1/customers`)).status, 401);
  equal((await fetch(`${url}/stand-in/settled`)).status, 401);
  const basic = { authorization: `Basic ${btoa(`${KEY}:`)}` };
  equal((await fetch(`${url}/v1/customers`, { headers: basic })).status, 200);
  const old = { ...basic, "stripe-version": "2020-08-27" };
  equal((await fetch(`${url}/v1/customers`, { headers: old })).status, 400);
  equal((await control("nothing", {})).status, 404);
});

labTest("customers are made, read, changed, listed, and refused", async (lab) => {
  const { stripe } = lab;
  const made = await stripe.customers.create({ email: "a@b.test", metadata: { a: "1", b: "2" } });
  const changed = await stripe.customers.update(made.id, { name: "A", metadata: { a: "", c: 3 } });
  deepEqual({ ...changed.metadata }, { b: "2", c: "3" });
  deepEqual(await lab.news(), ["customer.created", "customer.updated"]);
  const updated = lab.events.find(({ type }) => type === "customer.updated");
  deepEqual(updated?.data.previous_attributes, { metadata: { a: "1", c: null }, name: null });
  equal(updated?.api_version, Stripe.API_VERSION);
  const read = await stripe.customers.retrieve(made.id);
  equal(read.deleted ? "" : read.email, "a@b.test");

  const more = await Promise.all([1, 2, 3].map(() => stripe.customers.create()));
  const all = await stripe.customers.list().autoPagingToArray({ limit: 10 });
  equal(all.length, 4);
  equal(all.at(-1)?.id, made.id);
  const first = await stripe.customers.list({ limit: 3 });
  deepEqual([first.data.length, first.has_more], [3, true]);
  const last = await stripe.customers.list({ limit: 3, starting_after: first.data[2]?.id ?? "" });
  deepEqual([last.data.map(({ id }) => id), last.has_more], [[made.id], false]);
  const before = await stripe.customers.list({ limit: 2, ending_before: made.id });
  deepEqual([before.data.length, before.has_more], [2, true]);
  equal((await stripe.customers.list({ created: { gt: made.created + 60 } })).data.length, 0);
  equal((await stripe.customers.list({ created: { lte: made.created + 60 } })).data.length, 4);
  equal(more.length, 3);

  await refuses(stripe.customers.retrieve("cus_none"), { status: 404, code: "resource_missing" });
  await refuses(stripe.customers.create({ email: "nobody" }), { code: "email_invalid" });
  await refuses(stripe.customers.create({ tax_exempt: "none" }), {
    code: "parameter_unknown",
    param: "tax_exempt",
  });
  await refuses(stripe.customers.list({ limit: 101 }), { code: "parameter_invalid_integer" });
  await refuses(stripe.customers.list({ starting_after: "cus_none" }), { param: "starting_after" });
  await refuses(stripe.customers.retrieve(made.id, { expand: ["balance"] }), {
    message: /cannot be expanded/,
  });
  const keys = Array.from({ length: 51 }, (_, index) => [`k${index}`, "v"]);
  await refuses(stripe.customers.create({ metadata: Object.fromEntries(keys) }), {
    param: "metadata",
  });
  await refuses(stripe.customers.create({ metadata: { ["k".repeat(41)]: "v" } }), {});
  await refuses(stripe.customers.create({ metadata: { k: "v".repeat(501) } }), {});
});

labTest("an idempotency key gives the same answer, and refuses other parameters", async (lab) => {
  const { stripe } = lab;
  const options = { idempotencyKey: "once" };
  const first = await stripe.customers.create({ email: "a@b.test" }, options);
  const again = await stripe.customers.create({ email: "a@b.test" }, options);
  equal(again.id, first.id);
  notEqual(again.lastResponse.requestId, first.lastResponse.requestId);
  const raw = await fetch(`${lab.url}/v1/customers`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "idempotency-key": "once" },
    body: "email=a%40b.test",
  });
  equal(raw.headers.get("idempotent-replayed"), "true");
  equal((await raw.json()).id, first.id);
  const other = { type: "StripeIdempotencyError" };
  await refuses(stripe.customers.create({ email: "c@d.test" }, options), other);
  lab.restart();
  equal((await stripe.customers.create({ email: "a@b.test" }, options)).id, first.id);
  equal((await stripe.customers.list()).data.length, 1);
  deepEqual(await lab.news(), ["customer.created"]);
  // A call whose parameters are wrong has not begun: its key is free.
  const fixed = { idempotencyKey: "fixed" };
  await refuses(stripe.customers.create({ email: "x" }, fixed), { code: "email_invalid" });
  await stripe.customers.create({ email: "x@y.test" }, fixed);
});

labTest("products have ids of one's own", async (lab) => {
  const { stripe } = lab;
  const product = await stripe.products.create({ id: "plan_pro", name: "Pro" });
  equal(product.active, true);
  await refuses(stripe.products.create({ id: "plan_pro", name: "Pro" }), {
    code: "resource_already_exists",
  });
  equal((await stripe.products.update("plan_pro", { name: "Pro 2" })).name, "Pro 2");
  equal((await stripe.products.retrieve("plan_pro")).name, "Pro 2");
  await refuses(stripe.products.retrieve("plan_x"), { status: 404, code: "resource_missing" });
  await refuses(stripe.products.create({ id: "a b", name: "x" }), { param: "id" });
  // @ts-expect-error the name is missing
  await refuses(stripe.products.create({}), { code: "parameter_missing", param: "name" });
  deepEqual(await lab.news(), ["product.created", "product.updated"]);
});

labTest("a payment: session, intent, charge, saved card, and their events", async (lab) => {
  const { stripe, news } = lab;
  const customer = await stripe.customers.create({ email: "a@b.test" });
  const session = await stripe.checkout.sessions.create({
    ...PAYMENT,
    customer: customer.id,
    metadata: { kind: "package" },
    payment_intent_data: { metadata: { kind: "package" }, setup_future_usage: "off_session" },
    line_items: [line(999)],
  });
  deepEqual([session.status, session.payment_status, session.amount_total], [
    "open",
    "unpaid",
    999,
  ]);
  await news();
  const response = await lab.post(session.url, { action: "pay", card: "works" });
  equal(response.headers.get("location"), `https://app.test/ok?session=${session.id}`);
  deepEqual(await news(), [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "payment_method.attached",
    "checkout.session.completed",
  ]);
  const expand = ["payment_intent.latest_charge", "line_items.data.price.product"];
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand });
  deepEqual([done.status, done.payment_status, done.url], ["complete", "paid", null]);
  const intent = done.payment_intent;
  ok(typeof intent === "object" && intent && typeof intent.latest_charge === "object");
  deepEqual({ ...intent.metadata }, { kind: "package" });
  deepEqual([intent.status, intent.latest_charge?.paid], ["succeeded", true]);
  deepEqual({ ...intent.latest_charge?.metadata }, { kind: "package" });
  equal(done.line_items?.data[0]?.description, "1,000 tokens");
  const cards = await stripe.customers.listPaymentMethods(customer.id, { type: "card" });
  equal(cards.data[0]?.card?.last4, "4242");
  equal((await stripe.paymentMethods.list({ customer: customer.id })).data.length, 1);
  const found = await stripe.checkout.sessions.list({ payment_intent: intent.id });
  deepEqual(found.data.map(({ id }) => id), [session.id]);
  // Nobody pays twice.
  match(await (await lab.post(`${lab.url}/stand-in/checkout/${session.id}`, {})).text(), /already/);
  equal((await pay(lab, session)).status, 400);
  await refuses(stripe.checkout.sessions.expire(session.id), { message: /\["open"\]/ });
});

labTest("a checkout session is refused as Stripe would", async (lab) => {
  const { sessions } = lab.stripe.checkout;
  const good = { ...PAYMENT, line_items: [line(999)] };
  await refuses(sessions.create({ ...good, success_url: "javascript:alert(1)" }), {
    code: "url_invalid",
    param: "success_url",
  });
  await refuses(sessions.create({ ...good, line_items: [line(49)] }), { code: "amount_too_small" });
  await refuses(sessions.create({ ...good, line_items: [line(999, "xxx")] }), {
    param: "line_items[0][price_data][currency]",
    message: /Invalid currency: xxx/,
  });
  await refuses(sessions.create({ ...good, line_items: [{ ...line(999), quantity: 1.5 }] }), {
    code: "parameter_invalid_integer",
    param: "line_items[0][quantity]",
  });
  await refuses(sessions.create({ ...good, line_items: [line(999), line(999, "eur")] }), {
    message: /same currency/,
  });
  await refuses(sessions.create({ ...good, customer: "cus_none" }), { code: "resource_missing" });
  await refuses(sessions.create({ mode: "payment", line_items: [line(999)] }), {
    code: "parameter_missing",
    param: "success_url",
  });
  await refuses(sessions.create({ ...PAYMENT }), {
    code: "parameter_missing",
    param: "line_items",
  });
  await refuses(sessions.create({ ...good, subscription_data: { description: "x" } }), {
    param: "subscription_data",
  });
  await refuses(
    sessions.create({
      ...good,
      allow_promotion_codes: true,
      discounts: [{ promotion_code: "promo_standinSave20" }],
    }),
    { code: "parameters_exclusive", param: "allow_promotion_codes" },
  );
  await refuses(sessions.create({ ...good, discounts: [{ promotion_code: "promo_none" }] }), {
    code: "resource_missing",
  });
  await refuses(sessions.create({ ...good, expires_at: Math.floor(Date.now() / 1000) + 60 }), {
    message: /at least 30 minutes/,
  });
  const price_data = { ...monthly(900), product: "plan_none" };
  await refuses(sessions.create({ ...good, line_items: [{ quantity: 1, price_data }] }), {
    code: "resource_missing",
    param: "line_items[0][price_data][product]",
  });
  await lab.stripe.products.create({ id: "plan_pro", name: "Pro" });
  const recurring = [{ quantity: 1, price_data: monthly(900) }];
  await refuses(sessions.create({ ...good, line_items: recurring }), {
    message: /recurring price/,
  });
  const plan = { ...good, mode: "subscription" } as const;
  await refuses(sessions.create(plan), { message: /at least one recurring price/ });
  await refuses(
    sessions.create({
      ...plan,
      line_items: recurring,
      payment_intent_data: { description: "x" },
    }),
    { param: "payment_intent_data" },
  );
  await refuses(sessions.create({ ...plan, line_items: recurring, expand: ["url"] }), {
    message: /cannot be expanded/,
  });
  await refuses(sessions.retrieve("cs_none"), { status: 404, code: "resource_missing" });
  equal((await sessions.list()).data.length, 0);
  deepEqual(await lab.news(), ["product.created"]);
});

labTest("a promotion code makes it cheaper, or free", async (lab) => {
  const { stripe, news } = lab;
  const make = () =>
    stripe.checkout.sessions.create({
      ...PAYMENT,
      allow_promotion_codes: true,
      customer_email: "a@b.test",
      line_items: [line(1000)],
    });
  const cheaper = await make();
  equal((await lab.post(cheaper.url, { action: "apply", code: "NONE" })).status, 400);
  equal((await lab.post(cheaper.url, { action: "apply", code: "save20" })).status, 303);
  await lab.post(cheaper.url, { action: "pay", card: "works" });
  const paid = await stripe.checkout.sessions.retrieve(cheaper.id, { expand: ["payment_intent"] });
  ok(typeof paid.payment_intent === "object");
  deepEqual([paid.amount_total, paid.payment_intent?.amount], [800, 800]);
  equal(paid.total_details?.amount_discount, 200);
  await news();
  const free = await make();
  await lab.control(`sessions/${free.id}/pay`, { promotion_code: "FREE100" });
  const done = await stripe.checkout.sessions.retrieve(free.id);
  deepEqual([done.payment_status, done.payment_intent], ["no_payment_required", null]);
  deepEqual(await news(), ["checkout.session.completed"]);
});

labTest("a card that is declined leaves the session open; the next one pays", async (lab) => {
  const session = await lab.stripe.checkout.sessions.create({
    ...PAYMENT,
    line_items: [line(999)],
  });
  equal((await lab.post(session.url, { action: "pay", card: "declined" })).status, 400);
  const email = "a@b.test";
  const declined = await lab.post(session.url, { action: "pay", card: "declined", email });
  equal(declined.status, 402);
  match(await declined.text(), /role="alert">\s*Your card was declined/);
  deepEqual(await lab.news(), [
    "payment_intent.created",
    "charge.failed",
    "payment_intent.payment_failed",
  ]);
  equal((await lab.post(session.url, { action: "pay", card: "works", email })).status, 303);
  deepEqual(await lab.news(), [
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
  ]);
  equal((await lab.stripe.paymentIntents.list()).data.length, 1);
});

for (const succeed of [true, false]) {
  labTest(`a bank debit ${succeed ? "succeeds" : "fails"} later`, async (lab) => {
    const { sessions } = lab.stripe.checkout;
    const session = await sessions.create({
      ...PAYMENT,
      customer_email: "a@b.test",
      line_items: [line(999, "eur")],
    });
    await lab.post(session.url, { action: "pay", card: "delayed" });
    deepEqual(await lab.news(), [
      "payment_intent.created",
      "payment_intent.processing",
      "charge.pending",
      "checkout.session.completed",
    ]);
    const waiting = await sessions.retrieve(session.id);
    deepEqual([waiting.status, waiting.payment_status], ["complete", "unpaid"]);
    const path = `payment_intents/${waiting.payment_intent}/complete`;
    equal((await lab.control(path, { succeed })).status, 200);
    deepEqual(
      await lab.news(),
      succeed
        ? [
          "charge.succeeded",
          "payment_intent.succeeded",
          "checkout.session.async_payment_succeeded",
        ]
        : [
          "charge.failed",
          "payment_intent.payment_failed",
          "checkout.session.async_payment_failed",
        ],
    );
    const done = await sessions.retrieve(session.id);
    equal(done.payment_status, succeed ? "paid" : "unpaid");
    equal((await lab.control(path, { succeed })).status, 400);
  });
}

labTest("a session expires, and says so", async (lab) => {
  const { sessions } = lab.stripe.checkout;
  const session = await sessions.create({ ...PAYMENT, line_items: [line(999)] });
  match(await (await fetch(session.url ?? "")).text(), /No money moves/);
  equal((await sessions.expire(session.id)).status, "expired");
  deepEqual(await lab.news(), ["checkout.session.expired"]);
  const page = await fetch(session.url ?? "");
  equal(page.status, 410);
  match(await page.text(), /has expired/);
  equal((await lab.post(session.url, { action: "pay", card: "works" })).status, 410);
  const missing = await fetch(`${lab.url}/stand-in/checkout/cs_none`);
  equal(missing.status, 404);
  await missing.body?.cancel();
});

labTest("what a customer or the project named is escaped on the page", async (lab) => {
  const session = await lab.stripe.checkout.sessions.create({
    ...PAYMENT,
    line_items: [{
      quantity: 1,
      price_data: {
        currency: "usd",
        unit_amount: 100,
        product_data: { name: "<script>alert('x')</script>" },
      },
    }],
  });
  const page = await fetch(session.url ?? "");
  ok(!(await page.text()).includes("<script"));
  match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
});

labTest("off-session payments succeed, are declined, or require authentication", async (lab) => {
  const { stripe, news } = lab;
  const customer = await stripe.customers.create();
  const params = {
    amount: 500,
    currency: "usd",
    customer: customer.id,
    confirm: true,
    off_session: true,
    metadata: { kind: "top_up" },
  } as const;
  const attach = (id: string) => stripe.paymentMethods.attach(id, { customer: customer.id });
  const charge = async (id: string, key: string) => {
    const card = await attach(id);
    await news();
    return stripe.paymentIntents.create({ ...params, payment_method: card.id }, {
      idempotencyKey: key,
    });
  };
  const paid = await charge("pm_card_visa", "a");
  deepEqual([paid.status, paid.amount_received], ["succeeded", 500]);
  deepEqual(await news(), [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
  ]);
  const card = { status: 402, type: "StripeCardError" };
  await refuses(charge("pm_card_chargeCustomerFail", "b"), { ...card, code: "card_declined" });
  deepEqual(await news(), [
    "payment_intent.created",
    "charge.failed",
    "payment_intent.payment_failed",
  ]);
  await rejects(charge("pm_card_authenticationRequired", "c"), (error) => {
    ok(error instanceof Stripe.errors.StripeCardError);
    equal(error.code, "authentication_required");
    equal(error.payment_intent?.status, "requires_payment_method");
    equal(error.payment_intent?.last_payment_error?.code, "authentication_required");
    return true;
  });
  await news();
  // The same key repeats the answer and charges nothing.
  const [last] = (await stripe.paymentMethods.list({ customer: customer.id })).data;
  const again = { ...params, payment_method: last?.id ?? "" };
  await refuses(stripe.paymentIntents.create(again, { idempotencyKey: "c" }), {
    ...card,
    code: "authentication_required",
  });
  deepEqual(await news(), []);
  equal((await stripe.paymentIntents.list({ customer: customer.id })).data.length, 3);
  equal((await stripe.charges.list({ payment_intent: paid.id })).data[0]?.status, "succeeded");

  const unpaid = (await stripe.paymentIntents.list()).data.find((one) =>
    one.status !== "succeeded"
  );
  equal((await stripe.paymentIntents.cancel(unpaid?.id ?? "")).status, "canceled");
  deepEqual(await news(), ["payment_intent.canceled"]);
  for (const [id, status] of [[unpaid?.id ?? "", "canceled"], [paid.id, "succeeded"]] as const) {
    await rejects(stripe.paymentIntents.cancel(id), (error) => {
      ok(error instanceof Stripe.errors.StripeInvalidRequestError);
      equal(error.code, "payment_intent_unexpected_state");
      equal(error.payment_intent?.status, status);
      return true;
    });
  }
  await refuses(stripe.paymentIntents.create(params), { code: "payment_intent_unexpected_state" });
  await refuses(stripe.paymentIntents.create({ ...params, amount: 49 }), {
    code: "amount_too_small",
  });
  await refuses(stripe.paymentIntents.create({ ...again, confirm: false }), {
    param: "off_session",
  });
  await refuses(stripe.paymentIntents.create({ ...again, payment_method: "pm_none" }), {
    code: "resource_missing",
  });
  const { customer: _, ...anonymous } = again;
  await refuses(stripe.paymentIntents.create(anonymous), { param: "payment_method" });
  await refuses(attach("pm_card_chargeDeclined"), { ...card, code: "card_declined" });
  await refuses(stripe.paymentIntents.retrieve("pi_none"), { status: 404 });
});

async function paidCharge(lab: Lab) {
  const { stripe } = lab;
  const customer = await stripe.customers.create();
  const card = await stripe.paymentMethods.attach("pm_card_visa", { customer: customer.id });
  const intent = await stripe.paymentIntents.create({
    amount: 1000,
    currency: "usd",
    customer: customer.id,
    payment_method: card.id,
    confirm: true,
    expand: ["latest_charge"],
  });
  await lab.news();
  const charge = intent.latest_charge;
  if (typeof charge !== "object" || !charge) throw new Error("no charge");
  return { intent, charge };
}

labTest("refunds: part, the rest, no more; and one that fails", async (lab) => {
  const { stripe, news } = lab;
  const { intent, charge } = await paidCharge(lab);
  const part = await stripe.refunds.create({ charge: charge.id, amount: 300 });
  deepEqual([part.status, part.payment_intent], ["succeeded", intent.id]);
  deepEqual(await news(), ["refund.created", "charge.refunded", "refund.updated"]);
  const told = lab.events.find(({ type }) => type === "charge.refunded")?.data.object;
  ok(told?.object === "charge" && !("refunds" in told));
  equal(told.amount_refunded, 300);
  await refuses(stripe.refunds.create({ charge: charge.id, amount: 701 }), { param: "amount" });
  await refuses(stripe.refunds.create({ charge: charge.id, amount: 0 }), { param: "amount" });
  await refuses(stripe.refunds.create({}), { code: "parameter_missing" });
  await stripe.refunds.create({ payment_intent: intent.id, reason: "requested_by_customer" });
  equal((await stripe.charges.retrieve(charge.id)).refunded, true);
  await refuses(stripe.refunds.create({ charge: charge.id }), { code: "charge_already_refunded" });
  await news();
  equal((await lab.control(`refunds/${part.id}/fail`, {})).status, 200);
  deepEqual(await news(), ["refund.failed", "refund.updated", "charge.updated"]);
  const after = await stripe.charges.retrieve(charge.id, { expand: ["refunds"] });
  deepEqual([after.amount_refunded, after.refunded], [700, false]);
  equal(after.refunds?.data.length, 2);
  equal((await stripe.refunds.list({ charge: charge.id })).data[1]?.status, "failed");
  equal((await lab.control(`refunds/${part.id}/fail`, {})).status, 400);
});

for (const status of ["won", "lost"] as const) {
  labTest(`a dispute that is ${status}`, async (lab) => {
    const { charge } = await paidCharge(lab);
    const { body } = await lab.control(`charges/${charge.id}/dispute`, {});
    deepEqual(await lab.news(), [
      "charge.dispute.created",
      "charge.dispute.funds_withdrawn",
      "charge.updated",
    ]);
    const dispute = await lab.stripe.disputes.retrieve(`${body["id"]}`);
    deepEqual(dispute.balance_transactions.map(({ amount }) => amount), [-1000]);
    equal((await lab.stripe.charges.retrieve(charge.id)).disputed, true);
    await refuses(lab.stripe.refunds.create({ charge: charge.id }), { code: "charge_disputed" });
    await lab.control(`disputes/${dispute.id}/close`, { status });
    deepEqual(
      await lab.news(),
      status === "won"
        ? ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
        : ["charge.dispute.closed"],
    );
    const [closed] = (await lab.stripe.disputes.list({ charge: charge.id })).data;
    equal(closed?.status, status);
    equal(closed?.balance_transactions.length, status === "won" ? 2 : 1);
  });
}

labTest("a subscription begins, renews, fails, recovers and ends", async (lab) => {
  const { stripe, news } = lab;
  const { customer, session, subscription, item } = await subscribe(lab);
  deepEqual(await news(), [
    "payment_method.attached",
    "customer.subscription.created",
    "invoice.created",
    "invoice.finalized",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice_payment.paid",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "customer.subscription.updated",
    "checkout.session.completed",
  ]);
  deepEqual([session.payment_status, session.payment_intent], ["paid", null]);
  deepEqual([subscription.status, { ...subscription.metadata }], [
    "active",
    { kind: "plan", tier: "pro" },
  ]);
  const invoice = await stripe.invoices.retrieve(`${session.invoice}`, { expand: ["payments"] });
  equal(invoice.billing_reason, "subscription_create");
  equal(invoice.parent?.subscription_details?.subscription, subscription.id);
  deepEqual({ ...invoice.parent?.subscription_details?.metadata }, { kind: "plan", tier: "pro" });
  const [first] = invoice.lines.data;
  equal(first?.parent?.subscription_item_details?.subscription_item, item.id);
  equal(first?.pricing?.price_details?.product, "plan_pro");
  deepEqual({ ...first?.period }, {
    end: item.current_period_end,
    start: item.current_period_start,
  });
  const intent = `${invoice.payments?.data[0]?.payment.payment_intent}`;
  const links = await stripe.invoicePayments.list({
    payment: { type: "payment_intent", payment_intent: intent },
  });
  deepEqual(links.data.map((link) => link.invoice), [invoice.id]);

  await lab.control(`subscriptions/${subscription.id}/renew`, {});
  deepEqual(await news(), [
    "invoice.created",
    "customer.subscription.updated",
    "invoice.finalized",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice_payment.paid",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
  ]);
  const renewed = await stripe.subscriptions.retrieve(subscription.id, {
    expand: ["latest_invoice", "items"],
  });
  equal(renewed.items.data[0]?.current_period_start, item.current_period_end);
  ok(typeof renewed.latest_invoice === "object");
  equal(renewed.latest_invoice?.billing_reason, "subscription_cycle");

  const failed = await lab.control(`subscriptions/${subscription.id}/renew`, { fail: true });
  const failure = await news();
  ok(failure.includes("invoice.payment_failed") && !failure.includes("invoice.paid"));
  equal((await stripe.subscriptions.retrieve(subscription.id)).status, "past_due");
  await lab.control(`invoices/${failed.body["id"]}/pay`, { fail: true });
  equal((await stripe.invoices.retrieve(`${failed.body["id"]}`)).attempt_count, 2);
  await news();
  await lab.control(`invoices/${failed.body["id"]}/pay`, {});
  deepEqual(await news(), [
    "charge.succeeded",
    "payment_intent.succeeded",
    "invoice_payment.paid",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "customer.subscription.updated",
  ]);
  equal((await stripe.subscriptions.retrieve(subscription.id)).status, "active");

  const { control } = lab;
  equal((await control(`subscriptions/${subscription.id}/end`, {})).status, 400);
  const ending = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
  ok(ending.cancel_at_period_end && ending.cancel_at === ending.items.data[0]?.current_period_end);
  equal((await control(`subscriptions/${subscription.id}/renew`, {})).status, 400);
  equal((await control(`subscriptions/${subscription.id}/end`, {})).status, 200);
  deepEqual(await news(), ["customer.subscription.updated", "customer.subscription.deleted"]);
  await refuses(stripe.subscriptions.cancel(subscription.id), { status: 404 });
  await refuses(stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false }), {
    message: /canceled subscription can only update/,
  });
  equal((await stripe.subscriptions.list({ customer: customer.id })).data.length, 0);
  equal((await stripe.subscriptions.list({ customer: customer.id, status: "all" })).data.length, 1);
  equal((await stripe.invoices.list({ subscription: subscription.id })).data.length, 3);
});

labTest("an upgrade is prorated to the second and charged at once", async (lab) => {
  const { stripe, news } = lab;
  const { subscription, item } = await subscribe(lab);
  await stripe.products.create({ id: "plan_max", name: "Max" });
  await news();
  const { current_period_start: start, current_period_end: end } = item;
  const third = start + Math.round((end - start) / 3);
  const updated = await stripe.subscriptions.update(subscription.id, {
    items: [{ id: item.id, price_data: monthly(5000, "plan_max") }],
    proration_behavior: "always_invoice",
    payment_behavior: "pending_if_incomplete",
    proration_date: third,
    expand: ["latest_invoice"],
  });
  equal(updated.items.data[0]?.price.product, "plan_max");
  const invoice = updated.latest_invoice;
  ok(typeof invoice === "object" && invoice);
  const share = (end - third) / (end - start);
  deepEqual(invoice.lines.data.map(({ amount }) => amount), [
    -Math.round(2000 * share),
    Math.round(5000 * share),
  ]);
  deepEqual([invoice.billing_reason, invoice.status], ["subscription_update", "paid"]);
  equal(invoice.parent?.subscription_details?.subscription_proration_date, third);
  ok(invoice.lines.data.every((line) => line.parent?.subscription_item_details?.proration));
  deepEqual({ ...invoice.lines.data[0]?.period }, { start: third, end });
  deepEqual(
    sorted(await news()),
    sorted([
      "invoice.created",
      "invoice.finalized",
      "payment_intent.created",
      "charge.succeeded",
      "payment_intent.succeeded",
      "invoice_payment.paid",
      "invoice.updated",
      "invoice.paid",
      "invoice.payment_succeeded",
      "customer.subscription.updated",
    ]),
  );
  // A downgrade that is not charged for makes no invoice.
  await stripe.subscriptions.update(subscription.id, {
    items: [{ id: item.id, price_data: monthly(2000) }],
    proration_behavior: "none",
    metadata: { tier: "pro" },
  });
  deepEqual(await news(), ["customer.subscription.updated"]);
  // One that is charged for later comes with the next invoice.
  await stripe.subscriptions.update(subscription.id, {
    items: [{ id: item.id, price_data: monthly(4000, "plan_max") }],
  });
  const { body } = await lab.control(`subscriptions/${subscription.id}/renew`, {});
  equal((await stripe.invoices.retrieve(`${body["id"]}`)).lines.data.length, 3);
});

labTest("an upgrade that is not paid: refused, past due, or pending", async (lab) => {
  const { stripe, news } = lab;
  const { subscription, item } = await subscribe(lab, "declines_later");
  await news();
  const params = {
    items: [{ id: item.id, price_data: monthly(5000) }],
    proration_behavior: "always_invoice" as const,
  };
  await refuses(
    stripe.subscriptions.update(subscription.id, {
      ...params,
      payment_behavior: "error_if_incomplete",
    }),
    { status: 402, type: "StripeCardError", code: "card_declined" },
  );
  deepEqual(await news(), []);
  equal((await stripe.invoices.list()).data.length, 1);

  const pending = await stripe.subscriptions.update(subscription.id, {
    ...params,
    payment_behavior: "pending_if_incomplete",
  });
  equal(pending.items.data[0]?.price.unit_amount, 2000);
  equal(pending.pending_update?.subscription_items?.[0]?.price.unit_amount, 5000);
  ok((await news()).includes("invoice.payment_failed"));
  await lab.control(`invoices/${pending.latest_invoice}/pay`, {});
  ok((await news()).includes("customer.subscription.pending_update_applied"));
  const applied = await stripe.subscriptions.retrieve(subscription.id);
  deepEqual([applied.items.data[0]?.price.unit_amount, applied.pending_update], [5000, null]);

  const other = { ...params, items: [{ id: item.id, price_data: monthly(9000) }] };
  const due = await stripe.subscriptions.update(subscription.id, other);
  deepEqual([due.status, due.items.data[0]?.price.unit_amount], ["past_due", 9000]);
  await lab.control(`subscriptions/${subscription.id}/end`, {});
  const ended = await stripe.subscriptions.retrieve(subscription.id);
  equal(ended.cancellation_details?.reason, "payment_failed");
});

labTest("a change of a subscription is refused as Stripe would", async (lab) => {
  const { subscriptions } = lab.stripe;
  const { subscription, item } = await subscribe(lab);
  const items = [{ id: item.id, price_data: monthly(5000) }];
  await refuses(
    subscriptions.update(subscription.id, {
      items,
      payment_behavior: "pending_if_incomplete",
      metadata: { tier: "max" },
    }),
    { param: "metadata" },
  );
  await refuses(subscriptions.update(subscription.id, { items: [{ id: "si_none" }] }), {
    code: "resource_missing",
  });
  await refuses(subscriptions.update(subscription.id, { items, proration_date: 5 }), {
    param: "proration_date",
  });
  const euros = [{ id: item.id, price_data: { ...monthly(5000), currency: "eur" } }];
  await refuses(subscriptions.update(subscription.id, { items: euros }), {
    message: /only supports/,
  });
  await refuses(subscriptions.update(subscription.id, { trial_end: "now" }), {
    code: "parameter_unknown",
  });
  await refuses(subscriptions.retrieve("sub_none"), { status: 404, code: "resource_missing" });
  const canceled = await subscriptions.cancel(subscription.id);
  deepEqual([canceled.status, canceled.cancellation_details?.reason], [
    "canceled",
    "cancellation_requested",
  ]);
});

labTest("a free subscription, and a customer of its own", async (lab) => {
  const { stripe } = lab;
  await stripe.products.create({ id: "plan_pro", name: "Pro" });
  const session = await stripe.checkout.sessions.create({
    ...PAYMENT,
    mode: "subscription",
    customer_email: "new@b.test",
    discounts: [{ promotion_code: "promo_standinFree100" }],
    line_items: [{ quantity: 1, price_data: monthly(2000) }],
  });
  await lab.post(session.url, { action: "pay", card: "works" });
  const types = await lab.news();
  ok(types.includes("customer.created") && types.includes("invoice.paid"));
  ok(!types.includes("payment_intent.created"));
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["invoice"] });
  equal(done.payment_status, "no_payment_required");
  ok(typeof done.invoice === "object");
  deepEqual([done.invoice?.subtotal, done.invoice?.total], [2000, 0]);
});

labTest("the portal cancels, resumes, and changes the card", async (lab) => {
  const { stripe } = lab;
  const { customer, subscription } = await subscribe(lab);
  const portal = await stripe.billingPortal.sessions.create({
    customer: customer.id,
    return_url: "https://app.test/account",
  });
  match(await (await fetch(portal.url)).text(), /https:\/\/app\.test\/account/);
  const status = async () => await stripe.subscriptions.retrieve(subscription.id);
  await lab.post(portal.url, { action: "cancel", subscription: subscription.id });
  equal((await status()).cancel_at_period_end, true);
  await lab.post(portal.url, { action: "resume", subscription: subscription.id });
  equal((await status()).cancel_at_period_end, false);
  await lab.post(portal.url, { action: "card", card: "declines_later" });
  await lab.control(`subscriptions/${subscription.id}/renew`, {});
  equal((await status()).status, "past_due");
  const other = await subscribe(lab);
  const mine = { action: "cancel", subscription: other.subscription.id };
  equal((await lab.post(portal.url, mine)).status, 404);
  equal((await fetch(`${lab.url}/stand-in/portal/none`)).status, 404);
  await refuses(stripe.billingPortal.sessions.create({ customer: "cus_none" }), {
    code: "resource_missing",
  });
  await refuses(
    stripe.billingPortal.sessions.create({ customer: customer.id, return_url: "ftp://x" }),
    { code: "url_invalid" },
  );
});

labTest("an event is sent again until it is taken, across a restart", async (lab) => {
  lab.answer.status = 500;
  await lab.stripe.customers.create();
  const deadline = Date.now() + 5000;
  while (lab.events.length < 2 && Date.now() < deadline) {
    await new Promise((done) => setTimeout(done, 20));
  }
  equal(new Set(lab.events.map(({ id }) => id)).size, 1);
  const [event] = (await lab.stripe.events.list()).data;
  equal(event?.pending_webhooks, 1);
  lab.restart();
  lab.answer.status = 200;
  await lab.news();
  equal((await lab.stripe.events.retrieve(event?.id ?? "")).pending_webhooks, 0);
  equal((await lab.stripe.events.list({ type: "customer.*" })).data.length, 1);
  equal((await lab.stripe.events.list({ types: ["charge.failed"] })).data.length, 0);
});

labTest("events come twice, late, backwards, or not until they are asked for", async (lab) => {
  const { stripe, control, news } = lab;
  await control("delivery", { duplicate: 2, count: 1 });
  await stripe.customers.create();
  await stripe.customers.create();
  equal((await news()).length, 4);
  await control("delivery", { reorder: true });
  await paidCharge(lab);
  const { events } = lab;
  // Only the events of one request are reordered; those of the ones before it may come in between.
  const ofPayment = events.filter(({ type }) => /^(charge|payment_intent)\./.test(type));
  deepEqual(ofPayment.map(({ type }) => type), [
    "payment_intent.succeeded",
    "charge.succeeded",
    "payment_intent.created",
  ]);
  await control("delivery", { drop: true, types: ["customer.created"] });
  await stripe.customers.create();
  deepEqual(await news(), []);
  equal((await control("flush", {})).body["flushed"], 1);
  deepEqual(await news(), ["customer.created"]);
  await control("delivery", { delay_ms: [150, 150] });
  const began = Date.now();
  await stripe.customers.create();
  deepEqual(await news(), ["customer.created"]);
  ok(Date.now() - began >= 145);
  await control("delivery", {});
  const last = events.at(-1)?.id ?? "";
  equal((await control(`events/${last}/resend`, {})).status, 200);
  deepEqual(await news(), ["customer.created"]);
  equal(events.at(-1)?.id, last);
  equal((await control("delivery", { duplicate: -1 })).status, 400);
});

labTest("the state survives a torn last line", async (lab) => {
  const { stripe } = lab;
  const { subscription } = await subscribe(lab);
  await lab.news();
  lab.restart('[["customer","cus_torn",{"id":"cus_torn"');
  const kept = await stripe.subscriptions.retrieve(subscription.id);
  equal(JSON.stringify(kept), JSON.stringify(subscription));
  equal((await stripe.invoices.list()).data.length, 1);
  await stripe.customers.create();
  lab.restart();
  equal((await stripe.customers.list()).data.length, 2);
});
