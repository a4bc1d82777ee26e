/** What every call works with. */
import { missing } from "./errors.ts";
import type { Kind, Kinds, Store } from "./store.ts";

/** The stand-in as one request sees it. */
export interface World {
  store: Store;
  /** The address that browsers reach the stand-in's pages at. */
  publicUrl: string;
  /** Seconds since 1970. */
  now(): number;
  /** The request that is being answered; nulls for what happens by itself. */
  request: { id: string | null; idempotency_key: string | null };
}

const NOUNS: Record<Kind, string> = {
  answered: "request",
  charge: "charge",
  checkout: "checkout.session",
  customer: "customer",
  delivery: "delivery",
  delivery_mode: "delivery mode",
  dispute: "dispute",
  event: "notification",
  invoice: "invoice",
  invoice_payment: "invoice_payment",
  payment_intent: "payment_intent",
  payment_method: "PaymentMethod",
  pending_line: "invoice item",
  portal: "billing_portal.session",
  price: "price",
  product: "product",
  refund: "refund",
  subscription: "subscription",
};

/**
 * What has this id.
 *
 * @param param the parameter that names it; without one, the path does.
 * @throws {StripeFailure} when there is none.
 */
export function find<K extends Kind>(
  { store }: World,
  kind: K,
  id: string,
  param?: string,
): Kinds[K] {
  const found = store.get(kind, id);
  if (found === undefined) throw missing(NOUNS[kind], id, param);
  return found;
}
