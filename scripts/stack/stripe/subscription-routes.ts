/** The calls about subscriptions. */
import { z } from "zod";
import { invalidRequest, missing } from "./errors.ts";
import { paginate } from "./lists.ts";
import {
  boolean,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  text,
  unsettable,
} from "./params.ts";
import { PriceData } from "./products.ts";
import { listParams, noParams, params, route } from "./route.ts";
import { changeItems } from "./subscription-change.ts";
import { changeSubscription, endSubscription, isRunning, itemOf } from "./subscriptions.ts";
import type { Subscription } from "./wire.ts";
import { find, type World } from "./world.ts";

const CancellationDetails = z.strictObject({
  comment: unsettable(text()).optional(),
  feedback: unsettable(oneOf(
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
  )).optional(),
});

const Item = z.strictObject({
  id: text().optional(),
  price: text().optional(),
  price_data: PriceData.omit({ product_data: true }).required({ product: true, recurring: true })
    .optional(),
  quantity: integer(0, 1_000_000).optional(),
});

/** What a subscription can be changed to. */
export const Update = params({
  cancel_at_period_end: boolean.optional(),
  cancellation_details: CancellationDetails.optional(),
  default_payment_method: text().optional(),
  description: unsettable(text(500)).optional(),
  items: list(Item, 20).optional(),
  metadata: metadata.optional(),
  off_session: boolean.optional(),
  payment_behavior: oneOf("allow_incomplete", "error_if_incomplete", "pending_if_incomplete")
    .default("allow_incomplete"),
  proration_behavior: oneOf("always_invoice", "create_prorations", "none")
    .default("create_prorations"),
  proration_date: integer(0).optional(),
});

const Cancel = params({
  cancellation_details: CancellationDetails.optional(),
  invoice_now: boolean.optional(),
  prorate: boolean.optional(),
});

type Asked = z.output<typeof Update>;

const WITH_PENDING = new Set([
  "expand",
  "items",
  "off_session",
  "payment_behavior",
  "proration_behavior",
  "proration_date",
]);

function checkUpdate(before: Subscription, asked: Asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (before.status === "canceled" || before.status === "incomplete_expired") {
    const allowed = ["cancellation_details", "expand", "metadata", "payment_behavior"];
    if (given.some((name) => !allowed.includes(name) && name !== "proration_behavior")) {
      throw invalidRequest(
        "A canceled subscription can only update its cancellation_details and metadata.",
        { code: "invalid_canceled_subscription_fields" },
      );
    }
  }
  if (asked.payment_behavior !== "pending_if_incomplete") return;
  const unsupported = given.filter((name) => !WITH_PENDING.has(name));
  if (unsupported.length > 0) {
    throw invalidRequest(
      "You cannot use `payment_behavior=pending_if_incomplete` together with " +
        `${unsupported.join(", ")}: only attributes that pending updates support can be changed.`,
      { param: unsupported[0] ?? "payment_behavior" },
    );
  }
}

function cancellation(before: Subscription, asked: Asked): Partial<Subscription> {
  const { cancel_at_period_end: cancel, cancellation_details: details } = asked;
  const known = before.cancellation_details ??
    { comment: null, feedback: null, feedback_option: null, reason: null };
  const said = {
    ...known,
    ...(details?.comment === undefined ? {} : { comment: details.comment }),
    ...(details?.feedback === undefined ? {} : { feedback: details.feedback }),
  };
  if (cancel === undefined || cancel === before.cancel_at_period_end) {
    return { cancellation_details: said };
  }
  return {
    cancel_at: cancel ? itemOf(before).current_period_end : null,
    cancel_at_period_end: cancel,
    canceled_at: cancel ? Math.floor(Date.now() / 1000) : null,
    cancellation_details: { ...said, reason: cancel ? "cancellation_requested" : null },
  };
}

function plainChanges(world: World, before: Subscription, asked: Asked): Partial<Subscription> {
  const { default_payment_method: card, description } = asked;
  if (card !== undefined) {
    const { customer } = find(world, "payment_method", card, "default_payment_method");
    if (customer !== before.customer) {
      throw invalidRequest(
        `The customer does not have a payment method with the ID ${card}. ` +
          "The payment method must be attached to the customer.",
        { code: "resource_missing", param: "default_payment_method" },
      );
    }
  }
  return {
    ...cancellation(before, asked),
    ...(card === undefined ? {} : { default_payment_method: card }),
    ...(description === undefined ? {} : { description }),
    metadata: mergeMetadata(before.metadata, asked.metadata),
  };
}

function updateSubscription(world: World, asked: Asked, id: string): Subscription {
  const before = find(world, "subscription", id);
  checkUpdate(before, asked);
  const change = plainChanges(world, before, asked);
  const [item, more] = asked.items ?? [];
  if (!item) return changeSubscription(world, before, change);
  const own = itemOf(before);
  if (item.id === undefined || more) {
    throw invalidRequest(
      "The stand-in for Stripe keeps one item in a subscription: pass its id in items[0][id].",
      { param: "items" },
    );
  }
  if (item.id !== own.id) throw missing("subscription item", item.id, "items[0][id]");
  return changeItems(world, before, change, {
    item,
    behavior: asked.payment_behavior,
    proration: asked.proration_behavior,
    date: asked.proration_date,
  });
}

function cancelSubscription(
  world: World,
  asked: z.output<typeof Cancel>,
  id: string,
): Subscription {
  const before = find(world, "subscription", id);
  if (before.status === "canceled") throw missing("subscription", id);
  if (asked.prorate || asked.invoice_now) {
    throw invalidRequest("The stand-in for Stripe cancels without prorating or invoicing.", {
      param: asked.prorate ? "prorate" : "invoice_now",
    });
  }
  const { comment, feedback } = asked.cancellation_details ?? {};
  return endSubscription(world, before, {
    reason: "cancellation_requested",
    ...(comment === undefined ? {} : { comment }),
    ...(feedback === undefined ? {} : { feedback }),
  });
}

const List = listParams({
  customer: text().optional(),
  price: text().optional(),
  status: oneOf(
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
  ).optional(),
});

function hasStatus(subscription: Subscription, asked: string | undefined): boolean {
  if (asked === undefined) return subscription.status !== "canceled";
  if (asked === "all") return true;
  return asked === "ended" ? !isRunning(subscription) : subscription.status === asked;
}

/** The calls about subscriptions. */
export const subscriptionRoutes = [
  route(
    "GET",
    "/v1/subscriptions/:id",
    noParams,
    (world, _, id) => find(world, "subscription", id),
  ),
  route("POST", "/v1/subscriptions/:id", Update, updateSubscription),
  route("DELETE", "/v1/subscriptions/:id", Cancel, cancelSubscription),
  route("GET", "/v1/subscriptions", List, (world, asked) => {
    const all = world.store.all("subscription").filter((subscription) =>
      (asked.customer === undefined || subscription.customer === asked.customer) &&
      (asked.price === undefined || itemOf(subscription).price.id === asked.price) &&
      hasStatus(subscription, asked.status)
    );
    return paginate("/v1/subscriptions", all, asked);
  }),
];
