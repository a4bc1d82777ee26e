import Stripe from "stripe";
import { z } from "zod";
import { chargeableMethod } from "../_shared/customers.ts";
import type { Row } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { ScripError } from "../_shared/errors.ts";
import { alertOperator, json, readJson } from "../_shared/http.ts";

const { errors } = Stripe;

const LANES = 5;

type TopUp = Row<"claim_auto_top_ups">;

/** What became of a payment: `unknown` is found out by the next run, or told by the webhook. */
type Outcome = "succeeded" | "failed" | "unknown";

/**
 * POST auto-top-up/run → claim_auto_top_ups(), a payment each, fail_auto_top_up() for those refused
 *
 * Tokens come by the webhook, as for every payment. Doing a payment again is safe: Stripe knows it by its key.
 */
export const run = (deps: Deps) => async (request: Request) => {
  await deps.verify(request, "secret");
  await readJson(request, z.strictObject({}), { empty: {} });
  // Without a key, nothing is claimed.
  await deps.stripe.call(async () => {});
  const due = await deps.rpc("claim_auto_top_ups", {});
  const outcomes: Outcome[] = [];
  const queue = due.values();
  const lane = async () => {
    for (const topUp of queue) outcomes.push(await attempt(deps, request, topUp));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const count = (outcome: Outcome) => outcomes.filter((each) => each === outcome).length;
  return json({
    attempted: due.length,
    succeeded: count("succeeded"),
    failed: count("failed"),
    unknown: count("unknown"),
  });
};

async function attempt(
  { rpcOne, stripe }: Deps,
  request: Request,
  topUp: TopUp,
): Promise<Outcome> {
  try {
    const { outcome, reason } = await stripe.call((client) => pay(client, topUp));
    if (outcome === "failed") {
      await rpcOne("fail_auto_top_up", { top_up_id: topUp.top_up_id, reason });
    }
    return outcome;
  } catch (error) {
    const cause = error instanceof ScripError ? error.cause ?? error : error;
    alertOperator(request, `Auto top-up ${topUp.top_up_id} is unfinished: ${cause}`);
    return "unknown";
  }
}

const ASKED = "The bank wants the payment to be confirmed by the owner of the card";

/** Pays for a package; `reason` is in words for the user. */
async function pay(client: Stripe, topUp: TopUp): Promise<{ outcome: Outcome; reason: string }> {
  const { top_up_id, user_id, stripe_customer_id: customer, package_id } = topUp;
  const { amount_cents, currency, tokens, description } = topUp;
  const payment_method = await chargeableMethod(client, customer);
  if (!payment_method) return { outcome: "failed", reason: "There is no card to charge" };
  try {
    const intent = await client.paymentIntents.create({
      amount: amount_cents,
      currency,
      customer,
      payment_method,
      off_session: true,
      confirm: true,
      ...(description ? { description } : {}),
      metadata: {
        kind: "top_up",
        user_id,
        package_id,
        top_up_id,
        tokens: `${tokens}`,
        amount_cents: `${amount_cents}`,
        currency,
      },
    }, { idempotencyKey: `scrip-top-up-${top_up_id}` });
    return { outcome: await conclude(client, intent), reason: ASKED };
  } catch (error) {
    if (!(error instanceof errors.StripeCardError)) throw error;
    const outcome = error.payment_intent ? await conclude(client, error.payment_intent) : "failed";
    const isAsked = error.code === "authentication_required";
    return { outcome, reason: isAsked ? ASKED : error.message };
  }
}

/** Ends what only the user, who is away, could go on with. */
async function conclude(client: Stripe, intent: Stripe.PaymentIntent): Promise<Outcome> {
  if (intent.status === "succeeded") return "succeeded";
  if (intent.status === "canceled") return "failed";
  if (!/^requires_(?:action|payment_method)$/.test(intent.status)) return "unknown";
  try {
    await client.paymentIntents.cancel(intent.id);
    return "failed";
  } catch (error) {
    // An answer that Stripe repeats shows the payment as it was, not as it is.
    const now = error instanceof errors.StripeInvalidRequestError && error.payment_intent?.status;
    if (now === "canceled") return "failed";
    if (now === "succeeded") return "succeeded";
    throw error;
  }
}
