/**
 * Auto top-up is switched on by those only who have something to charge; a run charges each claim once, ends what was
 * declined with the reason, and leaves what it cannot know to the next run.
 *
 * Method: the real routes and the real library, with a server in Stripe's place that declines, stalls and repeats itself.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { routes } from "../../functions/auto-top-up/routes.ts";
import { startStripe, type StripeAnswer, stripeError } from "./fake-stripe.ts";
import { type Answer, asAdmin, asSecret, asUser, errorOf, sender, USER } from "./fakes.ts";

const send = sender("auto-top-up", routes);
const ID = "11111111-2222-4333-8444-555555555555";

const SETTINGS = { enabled: true, threshold: 100, package_id: ID, monthly_cap_cents: 5000 };

const TOP_UP = {
  top_up_id: "99999999-2222-4333-8444-555555555555",
  user_id: USER,
  stripe_customer_id: "cus_1",
  package_id: ID,
  amount_cents: 1000,
  currency: "eur",
  tokens: 1100,
  description: "1,000 tokens",
};

/** A customer, with a default payment method or cards. */
const customer = (method: unknown, cards: string[] = []): StripeAnswer => ({ operation }) => ({
  body: operation === "GET /v1/payment_methods"
    ? { object: "list", data: cards.map((id) => ({ id })) }
    : { id: "cus_1", invoice_settings: { default_payment_method: method } },
});

const CUSTOMER = customer("pm_1");

/** A Stripe where paying ends so, and cancelling so. */
const paying = (
  paid: ReturnType<StripeAnswer>,
  cancelled: ReturnType<StripeAnswer> = { body: { id: "pi_1", status: "canceled" } },
): StripeAnswer =>
(request) => {
  if (request.operation === "POST /v1/payment_intents") return paid;
  return request.operation.endsWith("/cancel") ? cancelled : CUSTOMER(request);
};

const intent = (status: string) => ({ body: { id: "pi_1", status } });

const declined = (code: string, message: string, status?: string) =>
  stripeError(402, {
    type: "card_error",
    code,
    message,
    ...(status ? { payment_intent: { id: "pi_1", status } } : {}),
  });

const unexpected = (status: string) =>
  stripeError(400, {
    type: "invalid_request_error",
    code: "payment_intent_unexpected_state",
    payment_intent: { id: "pi_1", status },
  });

/** Runs what is due. */
async function run(says: StripeAnswer, due: unknown[] = [TOP_UP], failing?: Answer) {
  await using stripe = startStripe(says);
  const answer: Answer = (call) => {
    if (call.name === "claim_auto_top_ups") return due;
    return failing ? failing(call) : [{ stopped: true }];
  };
  const sent = await send("POST", "/run", { headers: asSecret, answer, stripe: stripe.access });
  const failures = sent.calls.filter(({ name }) => name === "fail_auto_top_up")
    .map(({ args }) => args);
  const operations = stripe.requests.map(({ operation }) => operation);
  const body = await sent.response.json();
  return { ...sent, body, failures, operations, requests: stripe.requests };
}

const CANCEL = "POST /v1/payment_intents/pi_1/cancel";
const counts = (succeeded: number, failed: number, unknown: number) => ({
  attempted: succeeded + failed + unknown,
  succeeded,
  failed,
  unknown,
});

/** Switches it on or off. */
async function put(body: unknown, says: StripeAnswer, stripeCustomerId: string | null = "cus_1") {
  await using stripe = startStripe(says);
  const answer: Answer = ({ name }) =>
    name === "get_subscription" ? [{ stripe_customer_id: stripeCustomerId }] : [{ enabled: true }];
  const sent = await send("PUT", "", { headers: asUser, body, answer, stripe: stripe.access });
  return { ...sent, names: sent.calls.map(({ name }) => name), requests: stripe.requests };
}

Deno.test("every route refuses strangers and the wrong callers", async () => {
  const cases: [string, string, Record<string, string>, number][] = [
    ["GET", "", {}, 401],
    ["PUT", "", {}, 401],
    ["POST", "/run", {}, 401],
    ["GET", "", asSecret, 403],
    ["PUT", "", asSecret, 403],
    ["POST", "/run", asUser, 403],
    ["POST", "/run", asAdmin, 403],
  ];
  for (const [method, path, headers, status] of cases) {
    const { response, calls } = await send(method, path, { headers });
    equal(response.status, status);
    deepEqual(calls, []);
  }
});

Deno.test("a user reads the own settings", async () => {
  const { response, calls } = await send("GET", "", {
    headers: asUser,
    answer: () => [{ enabled: false }],
  });
  deepEqual(await response.json(), { enabled: false });
  deepEqual(calls, [{ name: "get_auto_top_up", args: { user_id: USER } }]);
});

Deno.test("it is switched on with a default payment method or a card", async () => {
  for (const says of [customer("pm_1"), customer({ id: "pm_1" }), customer(null, ["pm_2"])]) {
    const { response, calls, names, requests } = await put(SETTINGS, says);
    deepEqual(await response.json(), { enabled: true });
    deepEqual(names, ["get_subscription", "set_auto_top_up", "get_auto_top_up"]);
    deepEqual(calls[1]?.args, { user_id: USER, ...SETTINGS });
    equal(requests[0]?.operation, "GET /v1/customers/cus_1");
  }
});

Deno.test("it is not switched on without anything to charge, and the user is told what to do", async () => {
  const gone: StripeAnswer = () => ({ body: { id: "cus_1", deleted: true } });
  for (
    const [says, id] of [[customer(null), "cus_1"], [gone, "cus_1"], [CUSTOMER, null]] as const
  ) {
    const { response, names } = await put(SETTINGS, says, id);
    equal(response.status, 409);
    const { code, hint } = await response.json();
    equal(code, "payment_method_required");
    match(hint, /card/);
    deepEqual(names, ["get_subscription"]);
  }
});

Deno.test("it is switched off without asking Stripe", async () => {
  const { response, names, requests } = await put({ ...SETTINGS, enabled: false }, () => {
    throw new Error("asked");
  });
  equal(response.status, 200);
  deepEqual(names, ["set_auto_top_up", "get_auto_top_up"]);
  deepEqual(requests, []);
});

Deno.test("settings out of bounds are refused by name", async () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ enabled: "true" }, /^enabled: must be true or false$/],
    [{ threshold: 0 }, /^threshold: must be a whole number/],
    [{ threshold: 1.5 }, /^threshold: must be a whole number/],
    [{ package_id: "x" }, /^package_id: must be a UUID$/],
    [{ monthly_cap_cents: 49 }, /^monthly_cap_cents: must be a whole number from 50 to 99999999$/],
    [{ user_id: ID }, /^user_id: is not a field/],
    [{ price_cents: 1 }, /^price_cents: is not a field/],
  ];
  for (const [wrong, message] of cases) {
    const { response, calls } = await put({ ...SETTINGS, ...wrong }, CUSTOMER);
    const error = await errorOf(response);
    equal(error.status, 400);
    match(error.message, message);
    deepEqual(calls, []);
  }
});

Deno.test("a run charges what is due under the attempt's own key, and leaves the tokens to the webhook", async () => {
  const { body, failures, requests, calls, log } = await run(paying(intent("succeeded")));
  deepEqual(body, counts(1, 0, 0));
  deepEqual(failures, []);
  deepEqual(calls.map(({ name }) => name), ["claim_auto_top_ups"]);
  const payment = requests.at(-1);
  equal(payment?.operation, "POST /v1/payment_intents");
  equal(payment?.idempotencyKey, `scrip-top-up-${TOP_UP.top_up_id}`);
  deepEqual(payment?.fields, {
    amount: "1000",
    currency: "eur",
    customer: "cus_1",
    payment_method: "pm_1",
    off_session: "true",
    confirm: "true",
    description: "1,000 tokens",
    "metadata[kind]": "top_up",
    "metadata[user_id]": USER,
    "metadata[package_id]": ID,
    "metadata[top_up_id]": TOP_UP.top_up_id,
    "metadata[tokens]": "1100",
    "metadata[amount_cents]": "1000",
    "metadata[currency]": "eur",
  });
  equal(log.length, 1);
});

Deno.test("a decline ends the attempt with Stripe's words", async () => {
  const reason = "Your card has insufficient funds.";
  for (const status of [undefined, "requires_payment_method"]) {
    const { body, failures, operations } = await run(
      paying(declined("card_declined", reason, status)),
    );
    deepEqual(body, counts(0, 1, 0));
    deepEqual(failures, [{ top_up_id: TOP_UP.top_up_id, reason }]);
    equal(operations.includes(CANCEL), status !== undefined);
  }
});

Deno.test("a payment that the bank wants confirmed is cancelled and ends the attempt", async () => {
  const asked = /confirmed by the owner of the card/;
  for (
    const paid of [
      declined("authentication_required", "secret", "requires_payment_method"),
      intent("requires_action"),
      intent("requires_payment_method"),
    ]
  ) {
    const { body, failures, operations } = await run(paying(paid));
    deepEqual(body, counts(0, 1, 0));
    match(JSON.stringify(failures), asked);
    equal(operations.at(-1), CANCEL);
  }
});

Deno.test("a repeated answer is taken for what it has become", async () => {
  const failed = await run(paying(intent("requires_action"), unexpected("canceled")));
  deepEqual(failed.body, counts(0, 1, 0));
  const paid = await run(paying(intent("requires_action"), unexpected("succeeded")));
  deepEqual([paid.body, paid.failures], [counts(1, 0, 0), []]);
  const cancelled = await run(paying(intent("canceled")));
  deepEqual(cancelled.body, counts(0, 1, 0));
});

Deno.test("nothing to charge ends the attempt", async () => {
  const { body, failures, operations } = await run(customer(null));
  deepEqual(body, counts(0, 1, 0));
  deepEqual(failures, [{ top_up_id: TOP_UP.top_up_id, reason: "There is no card to charge" }]);
  ok(!operations.includes("POST /v1/payment_intents"));
});

Deno.test("what cannot be known is left to the next run, and logged", async () => {
  const answers = [
    stripeError(500, { type: "api_error", message: "oops" }),
    stripeError(429, { type: "invalid_request_error", message: "slow down" }),
    stripeError(400, { type: "idempotency_error", message: "other card" }),
    stripeError(401, { type: "invalid_request_error", message: "bad key" }),
    { body: "<html>" },
  ];
  for (const paid of answers) {
    const { body, failures, log } = await run(paying(paid));
    deepEqual([body, failures], [counts(0, 0, 1), []]);
    equal(log.length, 2);
    match(log[1]?.error ?? "", new RegExp(`^Auto top-up ${TOP_UP.top_up_id} is unfinished: `));
  }
  const processing = await run(paying(intent("processing")));
  deepEqual([processing.body, processing.failures], [counts(0, 0, 1), []]);
  const stuck = await run(paying(intent("requires_action"), stripeError(500, {})));
  deepEqual([stuck.body, stuck.failures], [counts(0, 0, 1), []]);
});

Deno.test("one attempt's trouble is not another's", async () => {
  const due = Array.from({ length: 12 }, (_, index) => ({
    ...TOP_UP,
    top_up_id: `${100 + index}`,
    stripe_customer_id: index === 3 ? "cus_broken" : "cus_1",
  }));
  const says: StripeAnswer = (request) =>
    request.operation === "GET /v1/customers/cus_broken" ? stripeError(500, {}) : paying(
      request.fields["metadata[top_up_id]"] === "105"
        ? declined("card_declined", "No")
        : intent("succeeded"),
    )(request);
  const { body, failures, requests } = await run(says, due);
  deepEqual(body, counts(10, 1, 1));
  deepEqual(failures, [{ top_up_id: "105", reason: "No" }]);
  const keys = requests.filter(({ operation }) => operation === "POST /v1/payment_intents")
    .map(({ idempotencyKey }) => idempotencyKey);
  equal(new Set(keys).size, 11);
  const down = await run(paying(declined("card_declined", "No")), [TOP_UP], () => {
    throw scripError("service_unavailable", "down");
  });
  deepEqual(down.body, counts(0, 0, 1));
});

Deno.test("a run without a key claims nothing", async () => {
  const { response, calls } = await send("POST", "/run", { headers: asSecret });
  equal((await errorOf(response)).code, "provider_failed");
  deepEqual(calls, []);
});

Deno.test("a run with nothing due asks Stripe nothing", async () => {
  const { body, requests } = await run(CUSTOMER, []);
  deepEqual([body, requests], [counts(0, 0, 0), []]);
});
