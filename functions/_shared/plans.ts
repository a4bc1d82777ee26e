import Stripe from "stripe";

/** A plan as Stripe is to sell it. */
export interface PlanPrice {
  stripe_product_id: string;
  /** What customers read on their invoices. */
  name: string;
  /** A month, in the currency's smallest unit. */
  amount_cents: number;
  /** In lower case. */
  currency: string;
}

/** The monthly price of a plan; its product is made when Stripe lacks it. */
export async function planPrice(
  client: Stripe,
  { stripe_product_id, name, amount_cents, currency }: PlanPrice,
) {
  await client.products.create({ id: stripe_product_id, name }).catch((error) => {
    if (!isCode(error, "resource_already_exists")) throw error;
  });
  return {
    currency,
    unit_amount: amount_cents,
    recurring: { interval: "month" as const },
    product: stripe_product_id,
  };
}

const isCode = (error: unknown, code: string) =>
  error instanceof Stripe.errors.StripeInvalidRequestError && error.code === code;
