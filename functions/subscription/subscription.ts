import type Stripe from "stripe";
import { z } from "zod";
import type { Row } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { Id, OperationId, Tier } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";
import { planPrice } from "../_shared/plans.ts";
import { stripeKey } from "../_shared/stripe.ts";

/** GET subscription → get_subscription(): a user's own plan; `status` is `none` without one */
export const getSubscription = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const row = await rpcOne("get_subscription", { user_id: userId });
  const { stripe_customer_id: _customer, email: _email, ...subscription } = row;
  return json(subscription);
};

const Update = z.strictObject({
  user_id: Id,
  tier: Tier,
  operation_id: OperationId.optional(),
});

// What SQL leaves to Stripe, by what it will have done once Stripe reports it.
const AT_STRIPE = new Map([["stripe_upgrade", "upgraded"], ["stripe_downgrade", "scheduled"]]);

/**
 * POST subscription/update → change_subscription(), and Stripe where the plan is paid there
 *
 * `action` is `started`, `upgraded`, `scheduled` (for the end of the period) or `unchanged`. With `pending: true` Stripe
 * has taken the change, for an upgrade its payment too, and nothing is granted or scheduled here until its webhook says
 * so. An upgrade that cannot be paid changes nothing: 409 `payment_method_required`.
 */
export const update = ({ verify, rpcOne, stripe }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { operation_id: inBody, ...body } = await readJson(request, Update);
  const operation_id = operationId(request, inBody);
  const change = await rpcOne("change_subscription", { ...body, operation_id, actor });
  const action = AT_STRIPE.get(change.action);
  if (action) {
    const idempotencyKey = stripeKey("subscription", body.user_id, operation_id);
    await stripe.call((client) => changePrice(client, body.tier, change, idempotencyKey));
  }
  const { effective_at, tokens_granted, remaining, replayed } = change;
  return json({
    tier: body.tier,
    action: action ?? change.action,
    pending: action !== undefined,
    effective_at,
    tokens_granted,
    remaining,
    replayed,
  });
};

/** Upgrades are paid for at once or not made; downgrades cost nothing until the next period. */
async function changePrice(
  client: Stripe,
  tier: string,
  change: Row<"change_subscription">,
  idempotencyKey: string,
) {
  const price_data = await planPrice(client, { ...change, name: change.product_name });
  const behavior = change.action === "stripe_upgrade"
    ? {
      proration_behavior: "always_invoice" as const,
      payment_behavior: "error_if_incomplete" as const,
    }
    : { proration_behavior: "none" as const };
  await client.subscriptions.update(change.stripe_subscription_id, {
    items: [{ id: change.stripe_item_id, price_data }],
    metadata: { tier, amount_cents: `${change.amount_cents}`, currency: change.currency },
    ...behavior,
  }, { idempotencyKey });
}
