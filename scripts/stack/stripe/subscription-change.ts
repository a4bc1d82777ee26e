/** Changing the price of a running subscription, with Stripe's prorations. */
import type { z } from "zod";
import { formatDay } from "./calendar.ts";
import { type ErrorBody, invalidRequest, StripeFailure } from "./errors.ts";
import {
  cardOf,
  collect,
  draftInvoice,
  finalizeInvoice,
  makeLine,
  type Period,
} from "./invoices.ts";
import { checkCharge } from "./money.ts";
import { makePrice, type PriceData } from "./products.ts";
import {
  changeSubscription,
  expirePending,
  itemOf,
  productName,
  withPrice,
} from "./subscriptions.ts";
import type { Invoice, InvoiceLine, Price, Subscription, SubscriptionItem } from "./wire.ts";
import { find, type World } from "./world.ts";

/** What is to change, and how it is charged. */
export interface ItemChange {
  item: {
    price?: string | undefined;
    price_data?: z.output<typeof PriceData> | undefined;
    quantity?: number | undefined;
  };
  behavior: "allow_incomplete" | "error_if_incomplete" | "pending_if_incomplete";
  proration: "always_invoice" | "create_prorations" | "none";
  date: number | undefined;
}

function newPrice(world: World, before: Subscription, { item }: ItemChange): Price {
  const old = itemOf(before).price;
  if (item.price !== undefined && item.price_data !== undefined) {
    throw invalidRequest(
      "You may only specify one of these parameters: items[0][price], items[0][price_data].",
      { code: "parameters_exclusive", param: "items[0][price]" },
    );
  }
  const price = item.price_data
    ? makePrice(world, item.price_data, "items[0][price_data]")
    : find(world, "price", item.price ?? old.id, "items[0][price]");
  if (price.type !== "recurring") {
    throw invalidRequest(
      `The price specified is set to \`type=one_time\` but this field only accepts prices with \`type=recurring\`.`,
      { param: "items[0][price]" },
    );
  }
  if (price.currency !== before.currency) {
    throw invalidRequest(
      `The price specified only supports \`${price.currency}\`. This doesn't match the expected currency: \`${before.currency}\`.`,
      { param: "items[0][price]" },
    );
  }
  const same = price.recurring?.interval === old.recurring?.interval &&
    price.recurring?.interval_count === old.recurring?.interval_count;
  if (!same) {
    throw invalidRequest("The stand-in for Stripe keeps a subscription's interval.", {
      param: "items[0][price_data][recurring]",
    });
  }
  if ((price.unit_amount ?? 0) > 0) {
    checkCharge(price.unit_amount ?? 0, price.currency, "items[0][price_data][unit_amount]");
  }
  return price;
}

/** The rest of the period, from the given second on. */
function restOf(world: World, item: SubscriptionItem, date: number | undefined): Period {
  const { current_period_start: start, current_period_end: end } = item;
  if (date !== undefined && (date < start || date > end)) {
    throw invalidRequest(
      "Cannot specify a proration date outside of the current subscription period.",
      { param: "proration_date" },
    );
  }
  // A period that was begun on demand may lie in the future: then all of it is left.
  return { start: Math.min(end, Math.max(start, date ?? world.now())), end };
}

/** The share of a price that falls to the rest of the period, to the second. */
function share(item: SubscriptionItem, rest: Period): number {
  const whole = item.current_period_end - item.current_period_start;
  const amount = (item.price.unit_amount ?? 0) * (item.quantity ?? 1);
  return Math.round(amount * (rest.end - rest.start) / whole);
}

function prorations(
  world: World,
  subscription: Subscription,
  after: SubscriptionItem,
  rest: Period,
): InvoiceLine[] {
  const before = itemOf(subscription);
  const line = (item: SubscriptionItem, amount: number, what: string) =>
    makeLine({
      subscription,
      item: item.id,
      price: item.price,
      quantity: item.quantity ?? 1,
      amount,
      description: `${what} time on ${productName(world, item.price)} after ${
        formatDay(rest.start)
      }`,
      period: rest,
      proration: true,
    });
  return [
    line(before, -share(before, rest), "Unused"),
    line(after, share(after, rest), "Remaining"),
  ];
}

/** A pending update waits this long for its payment. */
const PENDING_SECONDS = 23 * 3600;

const pendingUpdate = (world: World, item: SubscriptionItem): Subscription["pending_update"] => ({
  billing_cycle_anchor: null,
  cancel_at_period_end: null,
  discount: null,
  discounts: null,
  expires_at: world.now() + PENDING_SECONDS,
  metadata: null,
  subscription_items: [item],
  trial_end: null,
  trial_from_plan: null,
});

function invoiceNow(
  world: World,
  subscription: Subscription,
  lines: InvoiceLine[],
  rest: Period,
): Invoice {
  const waiting = world.store.all("pending_line")
    .filter((line) => line.subscription === subscription.id);
  for (const line of waiting) world.store.remove("pending_line", line.id);
  const draft = draftInvoice(world, {
    subscription,
    reason: "subscription_update",
    lines: [...waiting.map(({ line }) => line), ...lines],
    period: { start: world.now(), end: world.now() },
    prorationDate: rest.start,
  });
  return finalizeInvoice(world, draft);
}

/**
 * Changes the price or the quantity.
 *
 * @throws {StripeFailure} 402 when the payment fails and the caller wants all or nothing.
 */
export function changeItems(
  world: World,
  asked: Subscription,
  change: Partial<Subscription>,
  wanted: ItemChange,
): Subscription {
  const before = asked.pending_update ? expirePending(world, asked) : asked;
  const old = itemOf(before);
  const price = newPrice(world, before, wanted);
  const item = withPrice(old, price, wanted.item.quantity ?? old.quantity ?? 1);
  const rest = restOf(world, old, wanted.date);
  const lines = wanted.proration === "none" ? [] : prorations(world, before, item, rest);
  const changed = { ...change, items: { ...before.items, data: [item] } };
  if (wanted.proration !== "always_invoice") {
    for (const line of lines) {
      world.store.put("pending_line", { id: line.id, subscription: before.id, line });
    }
    return changeSubscription(world, before, changed);
  }
  const pending = wanted.behavior === "pending_if_incomplete";
  const card = cardOf(world, { ...before, ...change });
  // What the invoice is for; the change itself is told of once it is known how the payment went.
  const meant: Subscription = pending ? before : { ...before, ...changed };
  const open = invoiceNow(world, meant, lines, rest);
  const { invoice, paid, attempt } = collect(world, open, card, { offSession: true });
  if (paid) {
    return changeSubscription(world, before, { ...changed, latest_invoice: invoice.id });
  }
  if (wanted.behavior === "error_if_incomplete") {
    throw refused(attempt?.error);
  }
  return changeSubscription(world, before, {
    latest_invoice: invoice.id,
    ...(pending
      ? { pending_update: pendingUpdate(world, item) }
      : { ...changed, status: "past_due" }),
  });
}

/** The whole change is undone, so the payment that is told of does not exist. */
function refused(error: ErrorBody | undefined): StripeFailure {
  if (!error) {
    return invalidRequest(
      "This customer has no attached payment source or default payment method.",
      { code: "resource_missing" },
    );
  }
  const { payment_intent: _intent, charge: _charge, ...body } = error;
  return new StripeFailure(402, body);
}
