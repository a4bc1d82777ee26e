import type Stripe from "stripe";
import type { RpcOne } from "./database.ts";
import { stripeKey } from "./stripe.ts";

/** A user as Stripe is to know them. */
export interface Buyer {
  user_id: string;
  /** Null until the first checkout. */
  stripe_customer_id: string | null;
  /** Null for those who signed in without. */
  email?: string | null;
}

/** The user's customer at Stripe, made when there is none: the first one saved is the only one used. */
export async function customerOf(
  client: Stripe,
  rpcOne: RpcOne,
  { user_id, stripe_customer_id, email }: Buyer,
): Promise<string> {
  if (stripe_customer_id) return stripe_customer_id;
  const customer = await client.customers.create(
    { ...(email ? { email } : {}), metadata: { user_id } },
    // With the address, or a user who changes it after a failure could not pay for a day.
    { idempotencyKey: stripeKey("customer", user_id, email ?? "") },
  );
  const saved = await rpcOne("save_stripe_customer", { user_id, stripe_customer_id: customer.id });
  return saved.customer_id;
}

/** The way of paying that can be charged while the customer is away: the default one, or else a card. */
export async function chargeableMethod(
  client: Stripe,
  stripeCustomerId: string,
): Promise<string | undefined> {
  const customer = await client.customers.retrieve(stripeCustomerId);
  if (customer.deleted) return undefined;
  const chosen = customer.invoice_settings.default_payment_method;
  if (chosen) return typeof chosen === "string" ? chosen : chosen.id;
  const cards = await client.paymentMethods.list({
    customer: stripeCustomerId,
    type: "card",
    limit: 1,
  });
  return cards.data[0]?.id;
}
