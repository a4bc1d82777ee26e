/** Checkouts at Stripe, for everything that users buy. The price comes from the database, never from the caller. */
import type Stripe from "stripe";
import { z } from "zod";
import { customerOf } from "./customers.ts";
import type { Row } from "./database.ts";
import type { Deps } from "./deps.ts";
import { scripError } from "./errors.ts";
import { must, OperationId } from "./fields.ts";
import { operationId } from "./http.ts";
import { planPrice } from "./plans.ts";
import { isSafe, notConfigured, stripeKey } from "./stripe.ts";

/** What is bought. */
export type Order =
  | { kind: "package"; package_id: string; save_payment_method?: boolean | undefined }
  | { kind: "plan"; tier: string }
  | { kind: "usd_deposit"; amount: string }
  | { kind: "tokens"; amount: string; currency: string };

const URL_RULE = must("an absolute http or https URL of at most 2048 characters");

// Stripe puts the session's id there.
const TEMPLATE = "{CHECKOUT_SESSION_ID}";

/** A URL that a browser is sent back to, in the form that browsers make of it. */
export const ReturnUrl = z.string(URL_RULE).max(2048, URL_RULE).transform((text, context) => {
  const isPlain = /^https?:\/\/[^/\\]/i.test(text) && !/[\s\\\p{C}]/u.test(text);
  const url = isPlain ? URL.parse(text) : null;
  if (url && isSafe(url)) return url.href.replaceAll(encodeURIComponent(TEMPLATE), TEMPLATE);
  context.addIssue({ code: "custom", message: "must be an absolute http or https URL" });
  return z.NEVER;
});

/** The fields that every request for a checkout may have. */
export const checkoutFields = {
  success_url: ReturnUrl.optional(),
  cancel_url: ReturnUrl.optional(),
  operation_id: OperationId.optional(),
};

/** Those fields, as given. */
interface CheckoutOptions {
  success_url?: string | undefined;
  cancel_url?: string | undefined;
  operation_id?: string | undefined;
}

/**
 * Where to send a browser: the URL given, or a path of the first origin.
 *
 * @throws {ScripError} `invalid_request` when CHECKOUT_ORIGINS does not list its origin.
 */
export function returnUrl(
  origins: string[],
  [field, given]: [string, string | undefined],
  path: string,
): string {
  const [first] = origins;
  if (first === undefined) throw notConfigured("CHECKOUT_ORIGINS");
  if (given === undefined) return first + path;
  if (origins.includes(new URL(given).origin)) return given;
  throw scripError("invalid_request", `${field}: must be of an origin of this project's web app`);
}

/**
 * Opens a checkout for a user.
 *
 * @throws {ScripError} what quote_checkout() raises, `operation_id_reused`, or `provider_failed`.
 */
export async function openCheckout(
  { rpcOne, stripe }: Deps,
  request: Request,
  userId: string,
  order: Order,
  options: CheckoutOptions,
) {
  const operation = operationId(request, options.operation_id, crypto.randomUUID());
  const { origins } = stripe;
  const success = `/?checkout=success&session_id=${TEMPLATE}`;
  const urls = {
    success_url: returnUrl(origins, ["success_url", options.success_url], success),
    cancel_url: returnUrl(origins, ["cancel_url", options.cancel_url], "/?checkout=cancelled"),
  };
  const { kind, package_id, tier, amount, currency } = { ...NOTHING, ...order };
  const asked = { user_id: userId, kind, package_id, tier, amount, currency };
  const quote = await rpcOne("quote_checkout", asked);
  return await stripe.call(async (client) => {
    const buyer = { user_id: userId, ...quote };
    const session = await client.checkout.sessions.create({
      customer: await customerOf(client, rpcOne, buyer),
      client_reference_id: userId,
      ...urls,
      ...await orderParams(client, order, quote, metadataOf(userId, order, quote)),
    }, { idempotencyKey: stripeKey("checkout", userId, operation) });
    if (!session.url) throw new Error(`Stripe's session ${session.id} has no URL`);
    return { session_id: session.id, url: session.url };
  });
}

const NOTHING = {
  package_id: undefined,
  tier: undefined,
  amount: undefined,
  currency: undefined,
};

type Quote = Row<"quote_checkout">;

/** What the webhook learns the order from; every value is text, as Stripe wants it. */
function metadataOf(userId: string, order: Order, quote: Quote): Record<string, string> {
  return {
    kind: order.kind,
    user_id: userId,
    ...(order.kind === "package" ? { package_id: order.package_id } : {}),
    ...(order.kind === "plan" ? { tier: order.tier } : {}),
    ...(order.kind === "usd_deposit" ? { usd: quote.usd } : {}),
    ...(order.kind === "package" || order.kind === "tokens" ? { tokens: `${quote.tokens}` } : {}),
    amount_cents: `${quote.amount_cents}`,
    currency: quote.price_currency,
  };
}

async function orderParams(
  client: Stripe,
  order: Order,
  quote: Quote,
  metadata: Record<string, string>,
): Promise<Stripe.Checkout.SessionCreateParams> {
  if (order.kind === "plan") {
    return {
      mode: "subscription",
      line_items: [{
        quantity: 1,
        price_data: await planPrice(client, { ...quote, currency: quote.price_currency }),
      }],
      allow_promotion_codes: true,
      metadata,
      subscription_data: { metadata },
    };
  }
  const { name, description, price_currency: currency, amount_cents } = quote;
  const product_data = { name, ...(description ? { description } : {}) };
  const isSaved = order.kind === "package" && order.save_payment_method;
  return {
    mode: "payment",
    line_items: [{
      quantity: 1,
      price_data: { currency, unit_amount: amount_cents, product_data },
    }],
    // What is credited by the amount paid takes no discount.
    allow_promotion_codes: order.kind === "package",
    metadata,
    payment_intent_data: { metadata, ...(isSaved ? { setup_future_usage: "off_session" } : {}) },
  };
}
