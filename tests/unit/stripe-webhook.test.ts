/**
 * Nothing reaches the database but an event that Stripe signed lately with one of the secrets, of the mode of the key;
 * the database gets it as it came; what fails is sent again by Stripe, and what needs a person is logged.
 *
 * Method: events signed by Stripe's own library, one way of being wrong at a time.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import Stripe from "stripe";
import { scripError } from "../../functions/_shared/errors.ts";
import { stripeAccess } from "../../functions/_shared/stripe.ts";
import { routes } from "../../functions/stripe-webhook/routes.ts";
import { WEBHOOK_SECRET } from "./fake-stripe.ts";
import { type Answer, errorOf, sender, USER } from "./fakes.ts";

const send = sender("stripe-webhook", routes);
const now = () => Math.floor(Date.now() / 1000);

const EVENT = {
  id: "evt_1",
  object: "event",
  type: "checkout.session.completed",
  created: 1_795_000_000,
  livemode: false,
  data: { object: { id: "cs_1", object: "checkout.session", amount: 12.5, more: [null, {}] } },
};

const APPLIED = { outcome: "applied", attention: null, user_id: USER, error: null };

const environment = (more: Record<string, string> = {}) =>
  stripeAccess(
    new Map(Object.entries({
      STRIPE_SECRET_KEY: "sk_test_x",
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ...more,
    })),
  );

const sign = (payload: string, secret = WEBHOOK_SECRET, timestamp = now()) =>
  Stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
    timestamp,
    cryptoProvider: Stripe.createSubtleCryptoProvider(),
  });

/** Posts a body with a signature. */
const post = (
  body: string,
  signature: string | undefined,
  answer: Answer = () => [APPLIED],
  stripe = environment(),
) =>
  send("POST", "", {
    ...(signature === undefined ? {} : { headers: { "stripe-signature": signature } }),
    body,
    answer,
    stripe,
  });

/** Posts an event that is signed. */
const deliver = async (event: unknown, answer?: Answer, stripe = environment()) => {
  const body = typeof event === "string" ? event : JSON.stringify(event);
  return await post(body, await sign(body), answer, stripe);
};

/** Expects an error, and no call of the database. */
async function refused(sent: ReturnType<typeof post>, code: string, message?: RegExp) {
  const { response, calls } = await sent;
  const error = await errorOf(response);
  equal(error.code, code, error.message);
  equal(error.status, code === "provider_failed" ? 502 : 400);
  if (message) match(error.message, message);
  deepEqual(calls, []);
}

Deno.test("an event goes to the database as it came", async () => {
  const { response, calls, log } = await deliver(EVENT);
  equal(response.status, 200);
  deepEqual(await response.json(), { received: true, outcome: "applied" });
  deepEqual(calls, [{ name: "handle_stripe_event", args: { event: EVENT } }]);
  equal(log.length, 1);
  equal(log[0]?.user_id, USER);
  ok(!JSON.stringify(log).includes("cs_1"));
  for (const outcome of ["duplicate", "waiting", "ignored"]) {
    const other = await deliver(EVENT, () => [{ ...APPLIED, outcome }]);
    deepEqual(await other.response.json(), { received: true, outcome });
  }
});

Deno.test("a signature that is missing, wrong or malformed is refused", async () => {
  const body = JSON.stringify(EVENT);
  const good = await sign(body);
  const headers = [
    undefined,
    "",
    "x",
    "v1",
    `t=${now()}`,
    // Stripe's library stumbles over this one with an error that is not about signatures.
    `t=${now()},v1`,
    `t=${now()},v1=`,
    `t=${now()},v1=${"0".repeat(64)}`,
    good.replace("v1=", "v0="),
    good.replace(/^t=\d+/, `t=${now() - 1}`),
    good.slice(0, -1),
    await sign(body, "whsec_other"),
  ];
  for (const header of headers) await refused(post(body, header), "invalid_signature");
});

Deno.test("a body altered after signing is refused", async () => {
  const body = JSON.stringify(EVENT);
  const signature = await sign(body);
  for (const altered of [body.replace("cs_1", "cs_2"), `${body} `, body.slice(1), ""]) {
    await refused(post(altered, signature), "invalid_signature");
  }
});

Deno.test("a signature is good for five minutes", async () => {
  const body = JSON.stringify(EVENT);
  const at = async (age: number) => post(body, await sign(body, WEBHOOK_SECRET, now() - age));
  equal((await at(290)).response.status, 200);
  await refused(at(302), "invalid_signature");
});

Deno.test("each of the secrets signs, and none signs nothing", async () => {
  const body = JSON.stringify(EVENT);
  const both = environment({ STRIPE_WEBHOOK_SECRET: "whsec_old, whsec_new" });
  for (const secret of ["whsec_old", "whsec_new"]) {
    const { response } = await post(body, await sign(body, secret), undefined, both);
    equal(response.status, 200);
  }
  await refused(post(body, await sign(body), undefined, both), "invalid_signature");
  const none = environment({ STRIPE_WEBHOOK_SECRET: " , " });
  await refused(post(body, await sign(body, " "), undefined, none), "provider_failed");
});

Deno.test("an event of the other mode is refused, both ways", async () => {
  const live = environment({ STRIPE_SECRET_KEY: "rk_live_x" });
  const liveEvent = { ...EVENT, livemode: true };
  await refused(deliver(liveEvent), "livemode_mismatch", /live mode, and the key a test one$/);
  await refused(deliver(EVENT, undefined, live), "livemode_mismatch", /key a live one$/);
  equal((await deliver(liveEvent, undefined, live)).response.status, 200);
});

Deno.test("what is signed but no event is refused", async () => {
  const { data: _, ...thin } = EVENT;
  const bodies = [
    "not JSON",
    "null",
    "[]",
    "{}",
    JSON.stringify({ ...EVENT, object: "v2.core.event" }),
    JSON.stringify(thin),
    JSON.stringify({ ...EVENT, livemode: "false" }),
    JSON.stringify({ ...EVENT, id: 1 }),
    JSON.stringify({ ...EVENT, data: { object: {} } }),
  ];
  for (const body of bodies) await refused(deliver(body), "invalid_request");
});

Deno.test("a body may have a mebibyte", async () => {
  const filled = (bytes: number) => {
    const bare = JSON.stringify({ ...EVENT, filler: "" }).length;
    return JSON.stringify({ ...EVENT, filler: "x".repeat(bytes - bare) });
  };
  equal((await deliver(filled(1_048_576))).response.status, 200);
  await refused(deliver(filled(1_048_577)), "invalid_request", /^body: must be at most/);
});

Deno.test("text that Postgres cannot store does not lose a payment", async () => {
  const { calls } = await deliver({ ...EVENT, name: "a\0b\ud800c" });
  deepEqual(calls[0]?.args, { event: { ...EVENT, name: "a\uFFFDb\uFFFDc" } });
});

Deno.test("an event that needs a person has a line of its own", async () => {
  const attention = "paid 5, expected 10";
  const { response, log } = await deliver(EVENT, () => [{ ...APPLIED, attention }]);
  equal(response.status, 200);
  equal(log.length, 2);
  const [line, alert] = log;
  deepEqual(alert, {
    ...line,
    time: alert?.time,
    level: "error",
    error: `Event evt_1 needs attention: ${attention}`,
  });
});

Deno.test("a failure is Stripe's to send again, and its reason the log's alone", async () => {
  const failed = { ...APPLIED, outcome: "failed", error: "relation on fire" };
  const { response, log } = await deliver(EVENT, () => [failed]);
  equal(response.status, 500);
  const text = await response.text();
  ok(text.includes("internal_error") && !text.includes("fire"));
  equal(log[0]?.error, "Event evt_1: relation on fire");
  const down = await deliver(EVENT, () => {
    throw scripError("service_unavailable", "down");
  });
  equal(down.response.status, 503);
});

Deno.test("no key is needed to hear Stripe", async () => {
  const keyless = stripeAccess(new Map([["STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET]]));
  equal((await deliver(EVENT, undefined, keyless)).response.status, 200);
});
