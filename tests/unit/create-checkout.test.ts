/**
 * A checkout costs what the database says and belongs to the caller, whatever the request says; it leads back to an
 * origin of the web app alone; the same operation is the same checkout.
 *
 * Method: the real routes and the real library, with a server in Stripe's place that shows what was asked of it.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notStrictEqual as notEqual,
  strictEqual as equal,
} from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { stripeAccess } from "../../functions/_shared/stripe.ts";
import { routes } from "../../functions/create-checkout/routes.ts";
import { routes as subscription } from "../../functions/subscription/routes.ts";
import { ORIGIN, startStripe, type StripeAnswer, stripeError } from "./fake-stripe.ts";
import { type Answer, asSecret, asUser, errorOf, OTHER_USER, sender, USER } from "./fakes.ts";

const send = sender("create-checkout", routes);
const PACKAGE = "11111111-2222-4333-8444-555555555555";
const SESSION = { id: "cs_1", url: "https://checkout.stripe.test/cs_1" };
const EMAIL = "a@example.test";

/** A quote as SQL makes it: null where a kind has none. */
const quote = (more: Record<string, unknown> = {}) => ({
  name: "1,000 tokens",
  description: null,
  amount_cents: 1000,
  price_currency: "eur",
  tokens: null,
  usd: null,
  stripe_customer_id: "cus_1",
  email: EMAIL,
  stripe_product_id: null,
  ...more,
});

const quoting = (more?: Record<string, unknown>): Answer => ({ name }) =>
  name === "quote_checkout" ? [quote(more)] : [{ customer_id: "cus_saved" }];

const opens: StripeAnswer = ({ operation }) => ({
  body: operation === "POST /v1/customers" ? { id: "cus_new" } : SESSION,
});

/** Orders something, and shows what Stripe and the database were asked. */
async function order(
  body: unknown,
  answer: Answer = quoting(),
  headers: Record<string, string> = asUser,
  says = opens,
) {
  await using stripe = startStripe(says);
  const sent = await send("POST", "", { headers, body, answer, stripe: stripe.access });
  return { ...sent, requests: stripe.requests };
}

const buy = (more: Record<string, unknown> = {}, headers = asUser) =>
  order({ kind: "package", package_id: PACKAGE, ...more }, quoting({ tokens: 1100 }), headers);

/** Expects an error, and that neither Stripe nor the database was asked. */
async function refused(sent: ReturnType<typeof order>, message: RegExp) {
  const { response, calls, requests } = await sent;
  const error = await errorOf(response);
  equal(error.status, 400, error.message);
  match(error.message, message);
  deepEqual([calls, requests], [[], []]);
}

Deno.test("a package costs what is quoted, and is paid once", async () => {
  const { response, calls, requests } = await buy();
  deepEqual(await response.json(), { session_id: SESSION.id, url: SESSION.url });
  deepEqual(calls, [{
    name: "quote_checkout",
    args: { user_id: USER, kind: "package", package_id: PACKAGE },
  }]);
  equal(requests.length, 1);
  equal(requests[0]?.operation, "POST /v1/checkout/sessions");
  const metadata = {
    kind: "package",
    user_id: USER,
    package_id: PACKAGE,
    tokens: "1100",
    amount_cents: "1000",
    currency: "eur",
  };
  const named = (prefix: string) =>
    Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [`${prefix}[${key}]`, value]),
    );
  deepEqual(requests[0]?.fields, {
    mode: "payment",
    customer: "cus_1",
    client_reference_id: USER,
    success_url: `${ORIGIN}/?checkout=success&session_id={CHECKOUT_SESSION_ID}`,
    cancel_url: `${ORIGIN}/?checkout=cancelled`,
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "eur",
    "line_items[0][price_data][unit_amount]": "1000",
    "line_items[0][price_data][product_data][name]": "1,000 tokens",
    allow_promotion_codes: "true",
    ...named("metadata"),
    ...named("payment_intent_data[metadata]"),
  });
});

Deno.test("a card is kept when the user says so", async () => {
  const usage = "payment_intent_data[setup_future_usage]";
  const { requests } = await buy({ save_payment_method: true });
  equal(requests[0]?.fields[usage], "off_session");
  const { requests: without } = await buy({ save_payment_method: false });
  equal(without[0]?.fields[usage], undefined);
});

Deno.test("a plan is subscribed to, its product made when Stripe lacks it", async () => {
  const plan = { name: "Premium", amount_cents: 4900, stripe_product_id: "scrip_plan_premium" };
  for (const exists of [false, true]) {
    const says: StripeAnswer = (request) =>
      exists && request.operation === "POST /v1/products"
        ? stripeError(400, { type: "invalid_request_error", code: "resource_already_exists" })
        : opens(request);
    const { response, calls, requests } = await order(
      { kind: "plan", tier: "premium" },
      quoting(plan),
      asUser,
      says,
    );
    equal(response.status, 200);
    deepEqual(calls[0]?.args, { user_id: USER, kind: "plan", tier: "premium" });
    const [product, session] = requests;
    deepEqual([product?.operation, product?.fields], ["POST /v1/products", {
      id: "scrip_plan_premium",
      name: "Premium",
    }]);
    equal(session?.fields["mode"], "subscription");
    equal(session?.fields["line_items[0][price_data][product]"], "scrip_plan_premium");
    equal(session?.fields["line_items[0][price_data][recurring][interval]"], "month");
    equal(session?.fields["subscription_data[metadata][tier]"], "premium");
    equal(session?.fields["metadata[tier]"], "premium");
    equal(session?.fields["metadata[tokens]"], undefined);
    equal(session?.fields["allow_promotion_codes"], "true");
  }
  const broken: StripeAnswer = (request) =>
    request.operation === "POST /v1/products"
      ? stripeError(400, { type: "invalid_request_error" })
      : opens(request);
  const { response } = await order(
    { kind: "plan", tier: "premium" },
    quoting(plan),
    asUser,
    broken,
  );
  equal((await errorOf(response)).code, "provider_failed");
});

Deno.test("a deposit and tokens for an amount take no discount", async () => {
  for (const amount of ["25.00", "25", 25]) {
    const { calls, requests } = await order(
      { kind: "usd_deposit", amount },
      quoting({ usd: "25.00", price_currency: "usd" }),
    );
    deepEqual(calls[0]?.args, { user_id: USER, kind: "usd_deposit", amount: `${amount}` });
    equal(requests[0]?.fields["metadata[usd]"], "25.00");
    equal(requests[0]?.fields["allow_promotion_codes"], "false");
  }
  await using stripe = startStripe(opens);
  const { response, calls } = await sender("subscription", subscription)("POST", "/purchase", {
    headers: asUser,
    body: { amount: 9.99, currency: "EUR" },
    answer: quoting({ tokens: 99_900 }),
    stripe: stripe.access,
  });
  deepEqual(await response.json(), { session_id: SESSION.id, url: SESSION.url });
  deepEqual(calls[0]?.args, { user_id: USER, kind: "tokens", amount: "9.99", currency: "eur" });
  const [request] = stripe.requests;
  equal(request?.fields["metadata[kind]"], "tokens");
  equal(request?.fields["metadata[tokens]"], "99900");
  equal(request?.fields["allow_promotion_codes"], "false");
});

Deno.test("a user's first checkout makes the customer, and the one saved first counts", async () => {
  const first = { stripe_customer_id: null };
  const { calls, requests } = await order({ kind: "plan", tier: "basic" }, quoting(first));
  const [customer] = requests;
  deepEqual([customer?.operation, customer?.fields], ["POST /v1/customers", {
    email: EMAIL,
    "metadata[user_id]": USER,
  }]);
  match(customer?.idempotencyKey ?? "", new RegExp(`^scrip-customer-${USER}-`));
  deepEqual(calls[1], {
    name: "save_stripe_customer",
    args: { user_id: USER, stripe_customer_id: "cus_new" },
  });
  equal(requests.at(-1)?.fields["customer"], "cus_saved");
  const { requests: nameless } = await order(
    { kind: "plan", tier: "basic" },
    quoting({
      ...first,
      email: null,
    }),
  );
  equal(nameless[0]?.fields["email"], undefined);
});

Deno.test("the same operation is the same checkout, another is another", async () => {
  const key = async (more: Record<string, unknown>, headers: Record<string, string> = {}) =>
    (await buy(more, { ...asUser, ...headers })).requests[0]?.idempotencyKey;
  const one = await key({ operation_id: "a" });
  match(one ?? "", new RegExp(`^scrip-checkout-${USER}-`));
  equal(await key({ operation_id: "a" }), one);
  equal(await key({}, { "idempotency-key": "a" }), one);
  notEqual(await key({ operation_id: "b" }), one);
  notEqual(await key({}), await key({}));
  const reused: StripeAnswer = () => stripeError(400, { type: "idempotency_error" });
  const body = { kind: "usd_deposit", amount: "1" };
  const { response } = await order(body, quoting({ usd: "1" }), asUser, reused);
  equal((await errorOf(response)).code, "operation_id_reused");
});

Deno.test("the URLs given are kept, with Stripe's template", async () => {
  const cases = [
    [`${ORIGIN}/done?id={CHECKOUT_SESSION_ID}#x`, `${ORIGIN}/done?id={CHECKOUT_SESSION_ID}#x`],
    [`${ORIGIN}/{CHECKOUT_SESSION_ID}/é`, `${ORIGIN}/{CHECKOUT_SESSION_ID}/%C3%A9`],
    [ORIGIN.toUpperCase(), `${ORIGIN}/`],
    ["http://localhost:5173/a", "http://localhost:5173/a"],
  ];
  for (const [given, sent] of cases) {
    const { requests } = await buy({ success_url: given, cancel_url: given });
    equal(requests[0]?.fields["success_url"], sent);
    equal(requests[0]?.fields["cancel_url"], sent);
  }
});

Deno.test("URLs that lead elsewhere are refused", async () => {
  const absolute = /_url: must be an absolute http or https URL/;
  const foreign = /_url: must be of an origin of this project's web app$/;
  const cases: [unknown, RegExp][] = [
    ["https://evil.test/", foreign],
    [`${ORIGIN}.evil.test/`, foreign],
    [`${ORIGIN}:8443/`, foreign],
    ["http://localhost:5174/", foreign],
    ["http://app.example.test/", absolute],
    [`https://user@app.example.test/`, absolute],
    [`https://app.example.test:x@evil.test/`, absolute],
    ["javascript:alert(1)", absolute],
    ["data:text/html,x", absolute],
    ["/done", absolute],
    ["//app.example.test", absolute],
    ["https:app.example.test", absolute],
    ["https:\\\\app.example.test", absolute],
    [`${ORIGIN}\\@evil.test`, absolute],
    [`${ORIGIN}/\nx`, absolute],
    [`${ORIGIN}/\tx`, absolute],
    [`${ORIGIN}/\0`, absolute],
    [`${ORIGIN}/\u202e`, absolute],
    [` ${ORIGIN}/`, absolute],
    [`${ORIGIN}/${"x".repeat(2048)}`, absolute],
    ["", absolute],
    [5, absolute],
  ];
  for (const [url, message] of cases) {
    await refused(buy({ success_url: url }), message);
    await refused(buy({ cancel_url: url }), message);
  }
});

Deno.test("a request edited by hand gets nothing", async () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{}, /^kind: must be one of package, plan, usd_deposit$/],
    [{ kind: "top_up" }, /^kind: must be one of/],
    [{ kind: "tokens", amount: "1", currency: "eur" }, /^kind: must be one of/],
    [{ kind: "package" }, /^package_id: is required$/],
    [{ kind: "package", package_id: "x" }, /^package_id: must be a UUID$/],
    [{ kind: "package", package_id: PACKAGE, user_id: OTHER_USER }, /^user_id: is not a field/],
    [{ kind: "package", package_id: PACKAGE, amount: "0.01" }, /^amount: is not a field/],
    [{ kind: "package", package_id: PACKAGE, tokens: 1e9 }, /^tokens: is not a field/],
    [{ kind: "package", package_id: PACKAGE, price_cents: 1 }, /^price_cents: is not a field/],
    [{ kind: "package", package_id: PACKAGE, metadata: {} }, /^metadata: is not a field/],
    [{ kind: "plan", tier: "" }, /^tier: must be/],
    [{ kind: "plan", tier: "a\0" }, /^tier: must be/],
    [{ kind: "plan", tier: "basic", save_payment_method: true }, /^save_payment_method: is not/],
    ...["", "-1", "1.001", "1e3", " 1", "0x1", "NaN", ".5", "1.", 1e21, 0.001, -1, true, null, [1]]
      .map((amount): [Record<string, unknown>, RegExp] => [
        { kind: "usd_deposit", amount },
        /^amount: must be an amount such as "25\.00", with at most 2 decimals$/,
      ]),
  ];
  for (const [body, message] of cases) await refused(order(body), message);
  await refused(order([]), /^body: must be of type object$/);
});

Deno.test("only a user may check out", async () => {
  const body = { kind: "package", package_id: PACKAGE };
  for (const [headers, status] of [[{}, 401], [asSecret, 403]] as const) {
    const { response, calls, requests } = await order(body, quoting(), headers);
    equal(response.status, status);
    deepEqual([calls, requests], [[], []]);
  }
});

Deno.test("what SQL refuses never reaches Stripe", async () => {
  const { response, requests } = await order({ kind: "plan", tier: "basic" }, () => {
    throw scripError("operation_id_reused", "no");
  });
  equal(response.status, 409);
  deepEqual(requests, []);
});

Deno.test("without configuration a checkout says so", async () => {
  const variables = new Map([["CHECKOUT_ORIGINS", ORIGIN]]);
  const body = { kind: "usd_deposit", amount: "5" };
  for (
    const [stripe, name] of [
      [stripeAccess(variables), "STRIPE_SECRET_KEY"],
      [stripeAccess(new Map()), "CHECKOUT_ORIGINS"],
    ] as const
  ) {
    const { response } = await send("POST", "", {
      headers: asUser,
      body,
      answer: quoting(),
      stripe,
    });
    deepEqual(await errorOf(response), {
      status: 502,
      code: "provider_failed",
      message: `Stripe is not configured: ${name} is missing`,
      details: null,
    });
  }
});
