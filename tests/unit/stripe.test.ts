/**
 * Stripe is reached with the key and at the address that the environment says, never with a live key elsewhere; what
 * Stripe's library throws becomes the error that callers are promised, and names no key.
 *
 * Method: the real library against a server in its place, one answer a kind of error.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { ScripError } from "../../functions/_shared/errors.ts";
import { stripeAccess, stripeKey } from "../../functions/_shared/stripe.ts";
import { startStripe, STRIPE_KEY, stripeError } from "./fake-stripe.ts";
import { USER } from "./fakes.ts";

const access = (variables: Record<string, string>) =>
  stripeAccess(new Map(Object.entries(variables)));

/** The error that a call ends with. */
async function failure(call: Promise<unknown>): Promise<ScripError> {
  const error = await call.then(() => undefined, (thrown) => thrown);
  ok(error instanceof ScripError, `${error}`);
  return error;
}

Deno.test("a live key and STRIPE_API_URL exclude each other", () => {
  const STRIPE_API_URL = "http://127.0.0.1:15123";
  for (const STRIPE_SECRET_KEY of ["sk_live_x", "rk_live_x"]) {
    throws(() => access({ STRIPE_SECRET_KEY, STRIPE_API_URL }), /STRIPE_API_URL.*live key/);
    equal(access({ STRIPE_SECRET_KEY }).livemode, true);
  }
  for (const STRIPE_SECRET_KEY of ["sk_test_x", "rk_test_x", "x_sk_live_x"]) {
    equal(access({ STRIPE_SECRET_KEY, STRIPE_API_URL }).livemode, false);
  }
});

Deno.test("nothing need be configured until it is needed", async () => {
  const { call, livemode, webhookSecrets, origins } = access({});
  deepEqual({ livemode, webhookSecrets, origins }, {
    livemode: false,
    webhookSecrets: [],
    origins: [],
  });
  const { status, body } = await failure(call((client) => client.customers.create()));
  deepEqual([status, body.code, body.message], [
    502,
    "provider_failed",
    "Stripe is not configured: STRIPE_SECRET_KEY is missing",
  ]);
});

Deno.test("origins are origins, encrypted unless of this machine", () => {
  const origins = (CHECKOUT_ORIGINS: string) => access({ CHECKOUT_ORIGINS }).origins;
  deepEqual(
    origins("https://a.test/, http://localhost:5173,http://127.0.0.1:1 , http://[::1]:2,"),
    [
      "https://a.test",
      "http://localhost:5173",
      "http://127.0.0.1:1",
      "http://[::1]:2",
    ],
  );
  for (
    const wrong of [
      "a.test",
      "http://a.test",
      "https://a.test/path",
      "https://u@a.test",
      "https://a.test?q",
      "javascript:alert(1)",
      "*",
      "null",
    ]
  ) throws(() => origins(`https://b.test,${wrong}`), /CHECKOUT_ORIGINS must list/, wrong);
});

Deno.test("the secrets of events are a list", () => {
  deepEqual(access({ STRIPE_WEBHOOK_SECRET: "whsec_a, whsec_b," }).webhookSecrets, [
    "whsec_a",
    "whsec_b",
  ]);
});

Deno.test("Stripe is called with the key, the pinned version, and without telemetry", async () => {
  await using stripe = startStripe(() => ({ body: { id: "cus_1" } }));
  for (let times = 0; times < 2; times++) {
    await stripe.access.call((client) => client.customers.create({ name: "é" }));
  }
  const [, request] = stripe.requests;
  equal(request?.operation, "POST /v1/customers");
  equal(request?.fields["name"], "é");
  equal(request?.headers.get("authorization"), `Bearer ${STRIPE_KEY}`);
  equal(request?.headers.get("stripe-version"), "2026-10-28.endive");
  match(request?.headers.get("user-agent") ?? "", /Scrip/);
  equal(request?.headers.get("x-stripe-client-telemetry"), null);
});

Deno.test("each error of Stripe's is the caller's one, without keys", async () => {
  const refused = "Invalid API Key provided: sk_test_*****************abcd of rk_live_secret";
  const cases: [number, Record<string, unknown>, [number, string, RegExp, string | undefined]][] = [
    [400, { type: "idempotency_error", message: "Keys for idempotent requests" }, [
      409,
      "operation_id_reused",
      /^This operation_id was used before with other arguments$/,
      undefined,
    ]],
    [400, { type: "invalid_request_error", message: `No such price ${refused}` }, [
      502,
      "provider_failed",
      /^Stripe refuses: No such price .*\(a key\) of \(a key\)$/,
      undefined,
    ]],
    [401, { type: "invalid_request_error", message: refused }, [
      502,
      "provider_failed",
      /^Stripe refuses the key of this project$/,
      undefined,
    ]],
    [402, { type: "card_error", code: "card_declined", message: "Your card was declined." }, [
      409,
      "payment_method_required",
      /^Your card was declined\.$/,
      undefined,
    ]],
    [403, { type: "invalid_request_error", message: refused }, [
      502,
      "provider_failed",
      /^Stripe refuses the key of this project$/,
      undefined,
    ]],
    ...[409, 429, 500, 503].map((
      status,
    ): typeof cases[number] => [status, { type: "api_error", message: "secret" }, [
      502,
      "provider_failed",
      /^Stripe cannot be reached, try again$/,
      "5",
    ]]),
  ];
  for (const [status, error, expected] of cases) {
    await using stripe = startStripe(() => stripeError(status, error));
    const told = await failure(stripe.access.call((client) => client.customers.create()));
    deepEqual([told.status, told.body.code, told.headers["retry-after"]], [
      expected[0],
      expected[1],
      expected[3],
    ], `${status}`);
    match(told.body.message, expected[2]);
    ok(told.cause instanceof Error);
  }
});

Deno.test("a Stripe that answers no JSON, or not at all, cannot be reached", async () => {
  await using stripe = startStripe(() => ({ body: "<html>" }));
  const call = () => failure(stripe.access.call((client) => client.customers.create()));
  match((await call()).body.message, /cannot be reached/);
  await stripe[Symbol.asyncDispose]();
  const { body, headers } = await call();
  match(body.message, /cannot be reached/);
  equal(headers["retry-after"], "5");
});

Deno.test("what is no error of Stripe's stays as it is", async () => {
  await using stripe = startStripe(() => ({ body: {} }));
  const mine = new Error("mine");
  await rejects(stripe.access.call(() => Promise.reject(mine)), mine);
});

Deno.test("idempotency keys are the user's own, and fit a header", () => {
  const key = stripeKey("checkout", USER, "😀".repeat(255));
  match(key, /^scrip-checkout-[0-9a-f-]{36}-[0-9a-f]{64}$/);
  ok(key !== stripeKey("checkout", USER, "a") && key.length <= 255);
});
