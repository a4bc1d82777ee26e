/** Subscriptions: begun, renewed and ended. */
import { periodEnd } from "./calendar.ts";
import { invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import {
  cardOf,
  collect,
  type Collected,
  draftInvoice,
  finalizeInvoice,
  makeLine,
  voidInvoice,
} from "./invoices.ts";
import { wholeList } from "./lists.ts";
import { formatAmount } from "./money.ts";
import type { Promotion } from "./promotions.ts";
import type { Card, Invoice, Price, Subscription, SubscriptionItem } from "./wire.ts";
import { find, type World } from "./world.ts";

/** What a subscription begins with. */
export interface SubscriptionOf {
  customer: string;
  price: Price;
  quantity: number;
  card: Card | null;
  metadata: Record<string, string>;
  description: string | null;
  promotion?: Promotion | undefined;
}

/** The old form of a price, which items still carry. */
function planOf(price: Price): SubscriptionItem["plan"] {
  return {
    id: price.id,
    object: "plan",
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: "per_unit",
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? "month",
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: {},
    meter: null,
    nickname: null,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: "licensed",
  };
}

/** An item with another price or quantity. */
export const withPrice = (
  item: SubscriptionItem,
  price: Price,
  quantity: number,
): SubscriptionItem => ({ ...item, plan: planOf(price), price, quantity });

function makeSubscription(world: World, asked: SubscriptionOf): Subscription {
  const id = newId("sub");
  const now = world.now();
  const item: SubscriptionItem = {
    id: newId("si"),
    object: "subscription_item",
    billing_thresholds: null,
    created: now,
    current_period_end: periodEnd(now, asked.price.recurring, now),
    current_period_start: now,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: planOf(asked.price),
    price: asked.price,
    quantity: asked.quantity,
    subscription: id,
    tax_rates: [],
  };
  return {
    id,
    object: "subscription",
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: now,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: "included" }, type: "flexible" },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: "charge_automatically",
    created: now,
    currency: asked.price.currency,
    customer: asked.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: asked.card?.id ?? null,
    default_source: null,
    default_tax_rates: [],
    description: asked.description,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: wholeList(`/v1/subscription_items?subscription=${id}`, [item]),
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: asked.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: "off",
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: "incomplete",
    test_clock: null,
    transfer_data: null,
    trial_end: null,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: "create_invoice" },
    },
    trial_start: null,
  };
}

/** The one item of a subscription; the stand-in makes none with more. */
export function itemOf(subscription: Subscription): SubscriptionItem {
  const [item] = subscription.items.data;
  if (!item) throw new Error(`The subscription ${subscription.id} has no item`);
  return item;
}

/** The name of what a price is for. */
export const productName = (world: World, price: Price): string =>
  world.store.get("product", price.product)?.name ?? price.product;

/** Replaces a subscription and says so, if anything changed. */
export function changeSubscription(
  world: World,
  before: Subscription,
  change: Partial<Subscription>,
): Subscription {
  const subscription: Subscription = { ...before, ...change };
  if (JSON.stringify(subscription) === JSON.stringify(before)) return before;
  world.store.put("subscription", subscription);
  emit(world, "customer.subscription.updated", subscription, before);
  return subscription;
}

/** The line for one whole period. */
function periodLine(world: World, subscription: Subscription, item: SubscriptionItem) {
  const { price, quantity = 1 } = item;
  const unit = price.unit_amount ?? 0;
  const each = `${formatAmount(unit, price.currency)} / ${price.recurring?.interval}`;
  return makeLine({
    subscription,
    item: item.id,
    price,
    quantity,
    amount: unit * quantity,
    description: `${quantity} × ${productName(world, price)} (at ${each})`,
    period: { start: item.current_period_start, end: item.current_period_end },
    proration: false,
  });
}

/** Begins a subscription with a card that is charged now, the customer being there. */
export function startSubscription(
  world: World,
  asked: SubscriptionOf,
): { subscription: Subscription; invoice: Invoice } {
  const made = makeSubscription(world, asked);
  world.store.put("subscription", made);
  emit(world, "customer.subscription.created", made);
  const now = world.now();
  const draft = draftInvoice(world, {
    subscription: made,
    reason: "subscription_create",
    lines: [periodLine(world, made, itemOf(made))],
    period: { start: now, end: now },
    promotion: asked.promotion,
  });
  const open = finalizeInvoice(world, draft);
  const { invoice, paid } = collect(world, open, asked.card ?? undefined, { offSession: false });
  const subscription = changeSubscription(world, made, {
    latest_invoice: invoice.id,
    status: paid ? "active" : "incomplete",
  });
  return { subscription, invoice };
}

const RUNNING = ["active", "past_due", "unpaid", "trialing"];

/** Whether a subscription goes on. */
export const isRunning = ({ status }: Subscription): boolean => RUNNING.includes(status);

function checkRunning(subscription: Subscription) {
  if (isRunning(subscription)) return;
  throw invalidRequest(`The subscription ${subscription.id} is ${subscription.status}`);
}

/**
 * Begins the next period and charges for it.
 *
 * @param fail whether the card is declined, whichever it is.
 */
export function renewSubscription(world: World, id: string, fail: boolean): Collected {
  const before = find(world, "subscription", id);
  checkRunning(before);
  if (before.cancel_at_period_end) {
    throw invalidRequest(`The subscription ${id} ends with its period: it does not renew`);
  }
  const old = itemOf(before);
  const item: SubscriptionItem = {
    ...old,
    current_period_start: old.current_period_end,
    current_period_end: periodEnd(
      old.current_period_end,
      old.price.recurring,
      before.billing_cycle_anchor,
    ),
  };
  const pending = world.store.all("pending_line").filter((line) => line.subscription === id);
  for (const line of pending) world.store.remove("pending_line", line.id);
  const draft = draftInvoice(world, {
    subscription: before,
    reason: "subscription_cycle",
    lines: [...pending.map(({ line }) => line), periodLine(world, before, item)],
    period: { start: old.current_period_start, end: old.current_period_end },
  });
  const renewed = changeSubscription(world, before, {
    items: { ...before.items, data: [item] },
    latest_invoice: draft.id,
  });
  const open = finalizeInvoice(world, draft);
  const collected = collect(world, open, cardOf(world, renewed), { offSession: true, fail });
  if (!collected.paid) changeSubscription(world, renewed, { status: "past_due" });
  return collected;
}

/**
 * Charges an open invoice again, as Stripe's retries or the customer do.
 *
 * @param fail whether the card is declined, whichever it is; otherwise it is charged with the customer there.
 */
export function payInvoice(world: World, id: string, fail: boolean): Collected {
  const open = find(world, "invoice", id);
  if (open.status !== "open") throw invalidRequest(`The invoice ${id} is ${open.status}`);
  const subscriptionId = open.parent?.subscription_details?.subscription ?? "";
  const subscription = find(world, "subscription", subscriptionId);
  const collected = collect(world, open, cardOf(world, subscription), { offSession: false, fail });
  if (!collected.paid) return collected;
  if (subscription.pending_update) applyPending(world, subscription);
  else if (subscription.status === "past_due" && subscription.latest_invoice === id) {
    changeSubscription(world, subscription, { status: "active" });
  }
  return collected;
}

function applyPending(world: World, before: Subscription) {
  const [item] = before.pending_update?.subscription_items ?? [];
  const subscription = changeSubscription(world, before, {
    items: { ...before.items, data: item ? [item] : before.items.data },
    pending_update: null,
  });
  emit(world, "customer.subscription.pending_update_applied", subscription);
}

/** Takes back a change that was never paid for. */
export function expirePending(world: World, before: Subscription): Subscription {
  const invoice = world.store.get("invoice", before.latest_invoice ?? "");
  if (invoice?.status === "open") voidInvoice(world, invoice);
  const subscription = changeSubscription(world, before, { pending_update: null });
  emit(world, "customer.subscription.pending_update_expired", subscription);
  return subscription;
}

/** Ends a subscription now. */
export function endSubscription(
  world: World,
  before: Subscription,
  details: Partial<NonNullable<Subscription["cancellation_details"]>>,
): Subscription {
  const now = world.now();
  const subscription: Subscription = {
    ...before,
    cancel_at_period_end: before.cancel_at_period_end,
    canceled_at: before.canceled_at ?? now,
    cancellation_details: {
      comment: null,
      feedback: null,
      feedback_option: null,
      reason: null,
      ...before.cancellation_details,
      ...details,
    },
    ended_at: now,
    status: "canceled",
  };
  world.store.put("subscription", subscription);
  emit(world, "customer.subscription.deleted", subscription);
  const pending = world.store.all("pending_line").filter((line) => line.subscription === before.id);
  for (const line of pending) world.store.remove("pending_line", line.id);
  return subscription;
}

/** What its period's end, or Stripe's last retry, does to a subscription. */
export function closeSubscription(world: World, id: string): Subscription {
  const before = find(world, "subscription", id);
  checkRunning(before);
  if (before.cancel_at_period_end) return endSubscription(world, before, {});
  if (before.status === "past_due") {
    return endSubscription(world, before, { reason: "payment_failed" });
  }
  throw invalidRequest(
    `The subscription ${id} goes on: it is neither past due nor set to end with its period`,
  );
}

/** Moves the current period into the past, as if the subscription had begun so much earlier. */
export function backdateSubscription(world: World, id: string, seconds: number): Subscription {
  const before = find(world, "subscription", id);
  checkRunning(before);
  const items = before.items.data.map((item) => ({
    ...item,
    current_period_start: item.current_period_start - seconds,
    current_period_end: item.current_period_end - seconds,
  }));
  return changeSubscription(world, before, {
    billing_cycle_anchor: before.billing_cycle_anchor - seconds,
    items: { ...before.items, data: items },
    start_date: before.start_date - seconds,
  });
}
