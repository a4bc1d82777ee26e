/** The shapes of Stripe's JSON as they travel, derived from the types of the real client. */
import type Stripe from "stripe";

/** A reference to another object travels as its id; the client's types allow the object too. */
type Unexpanded<T> = string extends T ? Extract<T, string | null | undefined> : Wire<T>;

/** A type of the client's as it is in JSON: decimals are strings, nothing is expanded. */
export type Wire<T> = T extends Stripe.Decimal ? string
  : T extends readonly (infer U)[] ? Unexpanded<U>[]
  : T extends object ? { [K in keyof T]: Unexpanded<T[K]> }
  : T;

export type Card = Wire<Stripe.PaymentMethod>;
export type Charge = Wire<Stripe.Charge>;
export type Customer = Wire<Stripe.Customer>;
export type Dispute = Wire<Stripe.Dispute>;
export type Invoice = Wire<Stripe.Invoice>;
export type InvoiceLine = Wire<Stripe.InvoiceLineItem>;
export type InvoicePayment = Wire<Stripe.InvoicePayment>;
export type LineItem = Wire<Stripe.LineItem>;
export type Metadata = Stripe.Metadata;
export type PaymentIntent = Wire<Stripe.PaymentIntent>;
export type PortalSession = Wire<Stripe.BillingPortal.Session>;
export type Price = Wire<Stripe.Price>;
export type Product = Wire<Stripe.Product>;
export type Refund = Wire<Stripe.Refund>;
export type Session = Wire<Stripe.Checkout.Session>;
export type Subscription = Wire<Stripe.Subscription>;
export type SubscriptionItem = Wire<Stripe.SubscriptionItem>;

/** The events that the stand-in sends, each with what it is about. */
export interface EventObjects {
  "charge.dispute.closed": Dispute;
  "charge.dispute.created": Dispute;
  "charge.dispute.funds_reinstated": Dispute;
  "charge.dispute.funds_withdrawn": Dispute;
  "charge.failed": Charge;
  "charge.pending": Charge;
  "charge.refunded": Charge;
  "charge.succeeded": Charge;
  "charge.updated": Charge;
  "checkout.session.async_payment_failed": Session;
  "checkout.session.async_payment_succeeded": Session;
  "checkout.session.completed": Session;
  "checkout.session.expired": Session;
  "customer.created": Customer;
  "customer.subscription.created": Subscription;
  "customer.subscription.deleted": Subscription;
  "customer.subscription.pending_update_applied": Subscription;
  "customer.subscription.pending_update_expired": Subscription;
  "customer.subscription.updated": Subscription;
  "customer.updated": Customer;
  "invoice.created": Invoice;
  "invoice.finalized": Invoice;
  "invoice.paid": Invoice;
  "invoice.payment_failed": Invoice;
  "invoice.payment_succeeded": Invoice;
  "invoice.updated": Invoice;
  "invoice.voided": Invoice;
  "invoice_payment.paid": InvoicePayment;
  "payment_intent.canceled": PaymentIntent;
  "payment_intent.created": PaymentIntent;
  "payment_intent.payment_failed": PaymentIntent;
  "payment_intent.processing": PaymentIntent;
  "payment_intent.succeeded": PaymentIntent;
  "payment_method.attached": Card;
  "product.created": Product;
  "product.updated": Product;
  "refund.created": Refund;
  "refund.failed": Refund;
  "refund.updated": Refund;
}

/** The name of an event that the stand-in sends. */
export type EventType = keyof EventObjects;

/** An event as it travels. */
export type StripeEvent = Omit<Wire<Stripe.EventBase>, "data" | "type"> & {
  type: EventType;
  data: { object: EventObjects[EventType]; previous_attributes?: Record<string, unknown> };
};

/** A list as it travels. */
export interface List<T> {
  object: "list";
  url: string;
  has_more: boolean;
  data: T[];
}
