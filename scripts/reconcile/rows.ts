/** What reconcile keeps of Stripe's objects: the rows of snapshot.sql. */
import type Stripe from "stripe";

/** A payment that was made. */
export type ChargeRow = {
  payment_intent_id: string;
  /** From create-checkout or auto top-up; null for an invoice's payment, or one that is not Scrip's. */
  kind: string | null;
  user_id: string | null;
  customer_id: string | null;
  amount_cents: number;
  currency: string;
  refunded_cents: number;
  refund_ids: string;
  disputed: boolean;
  paid_at: string;
};

/** A dispute. */
export type DisputeRow = {
  id: string;
  payment_intent_id: string | null;
  status: string;
  taken_cents: number;
};

/** What is paid without a charge of its own. */
export type BoughtRow = {
  id: string;
  kind: string;
  user_id: string | null;
  amount_cents: number;
  currency: string;
  paid_at: string;
};

/** A payment of an invoice. */
export type InvoicePaymentRow = { payment_intent_id: string; invoice_id: string };

/** A subscription. */
export type SubscriptionRow = {
  id: string;
  user_id: string | null;
  tier: string | null;
  status: string;
  current_period_start: string | null;
  current_period_end: string | null;
  cancel_at_period_end: boolean;
};

/** The plans, by their product at Stripe. */
export type Plans = ReadonlyMap<string, string>;

/** The id of what another object refers to, expanded or not. */
export const idOf = (reference: string | { id: string } | null | undefined): string | null =>
  typeof reference === "string" ? reference : reference?.id ?? null;

const time = (seconds: number) => new Date(seconds * 1000).toISOString();

const UNDONE = ["failed", "canceled"];

/** A charge with all of its refunds; undefined when nothing was paid. */
export function chargeRow(
  charge: Stripe.Charge,
  refunds: readonly Stripe.Refund[],
): ChargeRow | undefined {
  const payment_intent_id = idOf(charge.payment_intent);
  // A charge without a payment intent was not made by Scrip.
  if (charge.status !== "succeeded" || !charge.captured || !payment_intent_id) return undefined;
  const counting = refunds.filter(({ status }) => !UNDONE.includes(status ?? ""));
  return {
    payment_intent_id,
    kind: charge.metadata["kind"] ?? null,
    user_id: charge.metadata["user_id"] ?? null,
    customer_id: idOf(charge.customer),
    amount_cents: charge.amount_captured,
    currency: charge.currency,
    refunded_cents: counting.reduce((sum, { amount }) => sum + amount, 0),
    refund_ids: counting.map(({ id }) => id).join(" "),
    disputed: charge.disputed,
    paid_at: time(charge.created),
  };
}

/**
 * A dispute. What it takes is told by the signs of its balance transactions alone, since their amounts are in the
 * currency of the account, not of the charge.
 */
export function disputeRow(dispute: Stripe.Dispute): DisputeRow {
  const transactions = dispute.balance_transactions;
  const withdrawn = transactions.filter(({ amount }) => amount < 0).length;
  const reinstated = transactions.filter(({ amount }) => amount > 0).length;
  const isTaken = dispute.status !== "won" &&
    (withdrawn > reinstated || dispute.status === "lost" && withdrawn === 0);
  return {
    id: dispute.id,
    payment_intent_id: idOf(dispute.payment_intent),
    status: dispute.status,
    taken_cents: isTaken ? dispute.amount : 0,
  };
}

/** A paid invoice for a plan; undefined when it is for something else. */
export function invoiceRow(invoice: Stripe.Invoice, plans: Plans): BoughtRow | undefined {
  const subscription = invoice.parent?.subscription_details;
  const isForPlan = subscription?.metadata?.["kind"] !== undefined ||
    invoice.lines.data.some(({ pricing }) =>
      plans.has(idOf(pricing?.price_details?.product) ?? "")
    );
  if (!invoice.id || !subscription || !isForPlan || invoice.status !== "paid") return undefined;
  return {
    id: invoice.id,
    kind: "plan",
    user_id: subscription.metadata?.["user_id"] ?? null,
    amount_cents: invoice.amount_paid,
    currency: invoice.currency,
    paid_at: time(invoice.status_transitions.paid_at ?? invoice.created),
  };
}

/** The payments of an invoice that was read with them. */
export function invoicePaymentRows(invoice: Stripe.Invoice): InvoicePaymentRow[] {
  return (invoice.payments?.data ?? []).flatMap(({ payment }) => {
    const payment_intent_id = idOf(payment.payment_intent);
    return payment_intent_id && invoice.id ? [{ payment_intent_id, invoice_id: invoice.id }] : [];
  });
}

/** A checkout of Scrip's that cost nothing; undefined for any other. */
export function freeCheckoutRow(session: Stripe.Checkout.Session): BoughtRow | undefined {
  const kind = session.metadata?.["kind"];
  const isFree = session.mode === "payment" && session.payment_status === "no_payment_required";
  if (kind === undefined || !isFree || session.payment_intent) return undefined;
  return {
    id: session.id,
    kind,
    user_id: session.metadata?.["user_id"] ?? null,
    amount_cents: session.amount_total ?? 0,
    currency: session.currency ?? "",
    paid_at: time(session.created),
  };
}

/** A subscription; undefined when it is not for a plan. */
export function subscriptionRow(
  subscription: Stripe.Subscription,
  plans: Plans,
): SubscriptionRow | undefined {
  const { metadata, items: { data: items } } = subscription;
  const planned = items.find(({ price }) => plans.has(idOf(price.product) ?? ""));
  if (!planned && metadata["kind"] === undefined) return undefined;
  const item = planned ?? items[0];
  const named = [...plans.values()].find((tier) => tier === metadata["tier"]);
  const end = item?.current_period_end;
  const ends = subscription.cancel_at !== null && end !== undefined &&
    subscription.cancel_at <= end;
  return {
    id: subscription.id,
    user_id: metadata["user_id"] ?? null,
    tier: plans.get(idOf(planned?.price.product) ?? "") ?? named ?? null,
    status: subscription.status,
    current_period_start: item ? time(item.current_period_start) : null,
    current_period_end: item ? time(item.current_period_end) : null,
    cancel_at_period_end: subscription.cancel_at_period_end || ends,
  };
}
