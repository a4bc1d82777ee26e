/** Paying a checkout session, as the customer on its page does. */
import { attachCard, type CardName, makeCard } from "./cards.ts";
import { customerDetails } from "./checkout.ts";
import { makeCustomer } from "./customers.ts";
import { invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { checkTotal } from "./money.ts";
import { attempt, completeDelayed, makeIntent } from "./payments.ts";
import { PROMOTIONS } from "./promotions.ts";
import type { Checkout } from "./store.ts";
import { startSubscription } from "./subscriptions.ts";
import type { Card, Customer, Session } from "./wire.ts";
import { find, type World } from "./world.ts";

/** How a payment went; `declined` leaves the session open. */
export interface Paid {
  outcome: "paid" | "processing" | "declined";
  session: Session;
}

/** Whether a session can still be paid. */
export function isPayable(world: World, { session }: Checkout): boolean {
  return session.status === "open" && session.expires_at > world.now();
}

/** The customer of a session; made when it has none and something is to be kept for later. */
function customerFor(world: World, { session, intent }: Checkout, email: string): Customer | null {
  if (session.customer !== null) return find(world, "customer", session.customer);
  const needed = session.mode === "subscription" || session.customer_creation === "always" ||
    intent.setup_future_usage !== null;
  return needed ? makeCustomer(world, { email }) : null;
}

function complete(world: World, checkout: Checkout, change: Partial<Session>): Session {
  const session: Session = { ...checkout.session, ...change, status: "complete", url: null };
  world.store.put("checkout", { ...checkout, session });
  emit(world, "checkout.session.completed", session);
  return session;
}

function payOnce(world: World, checkout: Checkout, card: Card, customer: Customer | null): Paid {
  const { session, intent: data } = checkout;
  const known = world.store.get("payment_intent", checkout.attempted ?? "");
  const intent = known ?? makeIntent(world, {
    ...data,
    amount: session.amount_total ?? 0,
    automatic: false,
    currency: session.currency ?? "usd",
    customer: customer?.id ?? null,
    payment_method_types: session.payment_method_types,
  });
  // It may have been declined before a promotion code was entered.
  const due = { ...intent, amount: session.amount_total ?? 0, customer: customer?.id ?? null };
  const { intent: tried, error } = attempt(world, due, card, { offSession: false });
  if (error) {
    world.store.put("checkout", {
      ...checkout,
      session: { ...session, customer: customer?.id ?? null },
      attempted: tried.id,
    });
    return { outcome: "declined", session };
  }
  if (customer && data.setup_future_usage !== null) attachCard(world, card, customer);
  const paid = tried.status === "succeeded";
  const completed = complete(world, checkout, {
    customer: customer?.id ?? null,
    customer_details: customerDetails(card.billing_details.email, customer),
    payment_intent: tried.id,
    payment_status: paid ? "paid" : "unpaid",
  });
  return { outcome: paid ? "paid" : "processing", session: completed };
}

function subscribe(world: World, checkout: Checkout, card: Card, customer: Customer): Paid {
  const { session, items, intent: data } = checkout;
  const [item] = items;
  if (!item?.price) throw new Error(`The session ${session.id} has no price`);
  const promotion = PROMOTIONS.find(({ id }) => id === session.discounts?.[0]?.promotion_code);
  const { subscription, invoice } = startSubscription(world, {
    customer: customer.id,
    price: item.price,
    quantity: item.quantity ?? 1,
    card: attachCard(world, card, customer),
    metadata: data.metadata,
    description: data.description,
    promotion,
  });
  const completed = complete(world, checkout, {
    customer: customer.id,
    customer_details: customerDetails(customer.email, customer),
    invoice: invoice.id,
    payment_status: invoice.amount_due === 0 ? "no_payment_required" : "paid",
    subscription: subscription.id,
  });
  return { outcome: "paid", session: completed };
}

/**
 * Pays.
 *
 * @param email the customer's address, for a session that knows none.
 * @throws {StripeFailure} when the session cannot be paid any more, or not so.
 */
export function payCheckout(world: World, id: string, name: CardName, email: string): Paid {
  const checkout = find(world, "checkout", id);
  const { session } = checkout;
  if (!isPayable(world, checkout)) {
    throw invalidRequest(`The session ${id} cannot be paid: it is ${session.status}`);
  }
  const debit = session.payment_method_types.find((type) => type !== "card");
  if (name === "delayed" && debit === undefined) {
    throw invalidRequest("This session takes cards only");
  }
  const currency = session.currency ?? "usd";
  checkTotal(session.amount_total ?? 0, currency);
  const subscribes = session.mode === "subscription";
  // A subscription begins with its first payment, and leaves no trace of one that was declined.
  if (name === "declined" && subscribes) return { outcome: "declined", session };
  const known = session.customer === null ? null : find(world, "customer", session.customer);
  const address = known?.email ?? session.customer_email ?? email;
  const customer = customerFor(world, checkout, address);
  if (session.amount_total === 0 && !subscribes) {
    const completed = complete(world, checkout, {
      customer: customer?.id ?? null,
      customer_details: customerDetails(address, customer),
      payment_status: "no_payment_required",
    });
    return { outcome: "paid", session: completed };
  }
  const card = makeCard(world, name, { currency, email: address, name: customer?.name ?? null });
  return subscribes && customer
    ? subscribe(world, checkout, card, customer)
    : payOnce(world, checkout, card, customer);
}

/** Ends a bank debit that is under way, and tells of the session that it pays for. */
export function settleDelayed(world: World, intentId: string, succeed: boolean): Session | null {
  const intent = find(world, "payment_intent", intentId);
  if (intent.status !== "processing") {
    throw invalidRequest(`The payment intent ${intentId} is not under way: it is ${intent.status}`);
  }
  completeDelayed(world, intent, succeed);
  const checkout = world.store.all("checkout")
    .find(({ session }) => session.payment_intent === intentId);
  if (!checkout) return null;
  const session: Session = {
    ...checkout.session,
    payment_status: succeed ? "paid" : "unpaid",
  };
  world.store.put("checkout", { ...checkout, session });
  const outcome = succeed ? "succeeded" : "failed";
  emit(world, `checkout.session.async_payment_${outcome}`, session);
  return session;
}
