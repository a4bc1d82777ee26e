/** Invoices: made, finalized and collected as Stripe does it for subscriptions. */
import { type Attempt, attempt, makeIntent } from "./payments.ts";
import { defaultCard } from "./cards.ts";
import { z } from "zod";
import { invalidParameter, invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate, wholeList } from "./lists.ts";
import { oneOf, text } from "./params.ts";
import { discountOn, type Promotion } from "./promotions.ts";
import { listParams, noParams, route } from "./route.ts";
import type {
  Card,
  Customer,
  Invoice,
  InvoiceLine,
  InvoicePayment,
  Price,
  Subscription,
} from "./wire.ts";
import { find, type World } from "./world.ts";

/** A period, in seconds since 1970. */
export interface Period {
  start: number;
  end: number;
}

/** What a line of an invoice is for. */
export interface LineOf {
  subscription: Subscription;
  item: string;
  price: Price;
  quantity: number;
  amount: number;
  description: string;
  period: Period;
  proration: boolean;
}

/** Makes a line; it belongs to no invoice yet. */
export function makeLine(asked: LineOf): InvoiceLine {
  return {
    id: newId("il"),
    object: "line_item",
    amount: asked.amount,
    currency: asked.price.currency,
    description: asked.description,
    discount_amounts: [],
    discountable: !asked.proration,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: asked.subscription.metadata,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: asked.proration ? newId("ii") : null,
        proration: asked.proration,
        proration_details: { credited_items: null },
        subscription: asked.subscription.id,
        subscription_item: asked.item,
      },
      type: "subscription_item_details",
    },
    period: { end: asked.period.end, start: asked.period.start },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: asked.price.id, product: asked.price.product },
      type: "price_details",
      unit_amount_decimal: asked.price.unit_amount_decimal,
    },
    quantity: asked.quantity,
    quantity_decimal: `${asked.quantity}`,
    subscription: asked.subscription.id,
    subtotal: asked.amount,
    taxes: [],
  };
}

/** What an invoice is made of. */
export interface InvoiceOf {
  subscription: Subscription;
  reason: "subscription_create" | "subscription_cycle" | "subscription_update";
  lines: InvoiceLine[];
  period: Period;
  promotion?: Promotion | undefined;
  prorationDate?: number | undefined;
}

function discounted(line: InvoiceLine, invoice: string, discount: string, promotion?: Promotion) {
  const amount = line.discountable ? discountOn(line.amount, promotion) : 0;
  const applied: InvoiceLine = {
    ...line,
    invoice,
    ...(amount > 0
      ? {
        discount_amounts: [{ amount, discount }],
        discounts: [discount],
        pretax_credit_amounts: [{ amount, discount, type: "discount" }],
      }
      : {}),
  };
  return { applied, amount };
}

const sum = (amounts: readonly number[]) => amounts.reduce((a, b) => a + b, 0);

/** Makes a draft of an invoice, and takes from the customer's credit what covers it. */
export function draftInvoice(world: World, asked: InvoiceOf): Invoice {
  const { subscription, reason, period, promotion } = asked;
  const customer = find(world, "customer", subscription.customer);
  const id = newId("in");
  const discount = newId("di");
  const lines = asked.lines.map((line) => discounted(line, id, discount, promotion));
  const subtotal = sum(asked.lines.map(({ amount }) => amount));
  const off = sum(lines.map(({ amount }) => amount));
  const total = subtotal - off;
  // Credit pays first, and what is owed to the customer becomes credit; it counts below zero.
  const credit = Math.min(Math.max(0, total), Math.max(0, -customer.balance));
  const due = Math.max(0, total) - credit;
  const invoice: Invoice = {
    ...blankInvoice(world, id, customer, subscription),
    amount_due: due,
    amount_remaining: due,
    billing_reason: reason,
    discounts: off > 0 ? [discount] : [],
    lines: wholeList(`/v1/invoices/${id}/lines`, lines.map(({ applied }) => applied)),
    parent: {
      quote_details: null,
      subscription_details: {
        metadata: subscription.metadata,
        subscription: subscription.id,
        ...(asked.prorationDate === undefined
          ? {}
          : { subscription_proration_date: asked.prorationDate }),
      },
      type: "subscription_details",
    },
    period_end: period.end,
    period_start: period.start,
    starting_balance: customer.balance,
    subtotal,
    subtotal_excluding_tax: subtotal,
    total,
    total_discount_amounts: off > 0 ? [{ amount: off, discount }] : [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: off > 0 ? [{ amount: off, discount, type: "discount" }] : [],
  };
  world.store.put("invoice", invoice);
  emit(world, "invoice.created", invoice);
  world.store.put("customer", {
    ...customer,
    balance: customer.balance + credit + Math.min(0, total),
    currency: invoice.currency,
    next_invoice_sequence: (customer.next_invoice_sequence ?? 1) + 1,
  });
  return invoice;
}

function blankInvoice(
  world: World,
  id: string,
  customer: Customer,
  subscription: Subscription,
): Omit<Invoice, "amount_due" | "amount_remaining" | "parent" | "subtotal" | "total"> {
  return {
    id,
    object: "invoice",
    account_country: "US",
    account_name: "Stand-in for Stripe",
    account_tax_ids: null,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_paid_off_stripe: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: {
      disabled_reason: null,
      enabled: false,
      liability: null,
      provider: null,
      status: null,
    },
    automatically_finalizes_at: null,
    billing_reason: null,
    collection_method: "charge_automatically",
    created: world.now(),
    currency: subscription.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: "none",
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: "self" },
    last_finalization_error: null,
    latest_revision: null,
    lines: wholeList(`/v1/invoices/${id}/lines`, []),
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    payment_settings: {
      default_mandate: null,
      payment_method_options: null,
      payment_method_types: null,
    },
    period_end: world.now(),
    period_start: world.now(),
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: "draft",
    status_transitions: {
      finalized_at: null,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal_excluding_tax: null,
    test_clock: null,
    total_discount_amounts: [],
    total_excluding_tax: null,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

/** Finalizes a draft. */
export function finalizeInvoice(world: World, draft: Invoice): Invoice {
  const customer = find(world, "customer", draft.customer ?? "");
  const sequence = `${(customer.next_invoice_sequence ?? 2) - 1}`.padStart(4, "0");
  const invoice: Invoice = {
    ...draft,
    effective_at: world.now(),
    ending_balance: customer.balance,
    number: `${customer.invoice_prefix}-${sequence}`,
    status: "open",
    status_transitions: { ...draft.status_transitions, finalized_at: world.now() },
  };
  world.store.put("invoice", invoice);
  emit(world, "invoice.finalized", invoice);
  return invoice;
}

const DESCRIPTIONS = {
  subscription_create: "Subscription creation",
  subscription_cycle: "Subscription update",
  subscription_update: "Subscription update",
} as const;

/** The payment that an invoice waits for; made when it is first attempted. */
function paymentOf(world: World, invoice: Invoice): InvoicePayment {
  const waiting = world.store.all("invoice_payment")
    .find((payment) => payment.invoice === invoice.id && payment.status === "open");
  if (waiting) return waiting;
  const intent = makeIntent(world, {
    amount: invoice.amount_due,
    automatic: false,
    currency: invoice.currency,
    customer: invoice.customer,
    description: Object.entries(DESCRIPTIONS)
      .find(([reason]) => reason === invoice.billing_reason)?.[1] ?? null,
    metadata: {},
    payment_method_types: ["card"],
    receipt_email: null,
    setup_future_usage: invoice.billing_reason === "subscription_create" ? "off_session" : null,
    statement_descriptor_suffix: null,
  });
  const payment: InvoicePayment = {
    id: newId("inpay"),
    object: "invoice_payment",
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: world.now(),
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: intent.id, type: "payment_intent" },
    status: "open",
    status_transitions: { canceled_at: null, paid_at: null },
  };
  world.store.put("invoice_payment", payment);
  return payment;
}

function markPaid(world: World, before: Invoice): Invoice {
  const invoice: Invoice = {
    ...before,
    amount_paid: before.amount_due,
    amount_remaining: 0,
    attempt_count: before.attempt_count + (before.amount_due > 0 ? 1 : 0),
    attempted: true,
    auto_advance: false,
    next_payment_attempt: null,
    status: "paid",
    status_transitions: { ...before.status_transitions, paid_at: world.now() },
  };
  world.store.put("invoice", invoice);
  emit(world, "invoice.updated", invoice, before);
  emit(world, "invoice.paid", invoice);
  emit(world, "invoice.payment_succeeded", invoice);
  return invoice;
}

const RETRY_SECONDS = 3 * 86_400;

/** How collecting an invoice went. */
export interface Collected {
  invoice: Invoice;
  paid: boolean;
  /** What was charged; absent when nothing had to be, or there was no card. */
  attempt?: Attempt;
}

/** Charges an open invoice. */
export function collect(
  world: World,
  open: Invoice,
  card: Card | undefined,
  options: { offSession: boolean; fail?: boolean | undefined },
): Collected {
  if (open.amount_due === 0) return { invoice: markPaid(world, open), paid: true };
  const payment = paymentOf(world, open);
  const intent = find(world, "payment_intent", payment.payment.payment_intent ?? "");
  const tried = card && attempt(world, intent, card, {
    offSession: options.offSession,
    forced: options.fail ? "fail" : undefined,
  });
  if (tried?.intent.status === "succeeded") {
    const paid: InvoicePayment = {
      ...payment,
      amount_paid: open.amount_due,
      status: "paid",
      status_transitions: { canceled_at: null, paid_at: world.now() },
    };
    world.store.put("invoice_payment", paid);
    emit(world, "invoice_payment.paid", paid);
    return { invoice: markPaid(world, open), paid: true, attempt: tried };
  }
  const invoice: Invoice = {
    ...open,
    attempt_count: open.attempt_count + 1,
    attempted: true,
    next_payment_attempt: world.now() + RETRY_SECONDS,
  };
  world.store.put("invoice", invoice);
  emit(world, "invoice.updated", invoice, open);
  emit(world, "invoice.payment_failed", invoice);
  return { invoice, paid: false, ...(tried ? { attempt: tried } : {}) };
}

/** The card that a subscription's invoices are charged to; bank debits are for checkout alone. */
export function cardOf(world: World, subscription: Subscription): Card | undefined {
  const card = defaultCard(world, subscription.customer, subscription.default_payment_method);
  return card?.card && card;
}

/** Voids an open invoice. */
export function voidInvoice(world: World, before: Invoice): Invoice {
  if (before.status !== "open") throw invalidRequest(`The invoice ${before.id} is not open`);
  const invoice: Invoice = {
    ...before,
    auto_advance: false,
    next_payment_attempt: null,
    status: "void",
    status_transitions: { ...before.status_transitions, voided_at: world.now() },
  };
  world.store.put("invoice", invoice);
  emit(world, "invoice.voided", invoice);
  return invoice;
}

const ListInvoices = listParams({
  customer: text().optional(),
  status: oneOf("draft", "open", "paid", "uncollectible", "void").optional(),
  subscription: text().optional(),
});

const ListPayments = listParams({
  invoice: text().optional(),
  payment: z.strictObject({
    payment_intent: text().optional(),
    type: oneOf("payment_intent"),
  }).optional(),
  status: oneOf("canceled", "open", "paid").optional(),
});

/** The calls about invoices and their payments. */
export const invoiceRoutes = [
  route("GET", "/v1/invoices/:id", noParams, (world, _, id) => find(world, "invoice", id)),
  route("GET", "/v1/invoices", ListInvoices, (world, asked) => {
    const all = world.store.all("invoice").filter((invoice) =>
      (asked.customer === undefined || invoice.customer === asked.customer) &&
      (asked.status === undefined || invoice.status === asked.status) &&
      (asked.subscription === undefined ||
        invoice.parent?.subscription_details?.subscription === asked.subscription)
    );
    return paginate("/v1/invoices", all, asked);
  }),
  route(
    "GET",
    "/v1/invoice_payments/:id",
    noParams,
    (world, _, id) => find(world, "invoice_payment", id),
  ),
  route("GET", "/v1/invoice_payments", ListPayments, (world, asked) => {
    const intent = asked.payment?.payment_intent;
    if (asked.payment && intent === undefined) {
      throw invalidParameter("Missing required param: payment[payment_intent].", {
        code: "parameter_missing",
        param: "payment[payment_intent]",
      });
    }
    const all = world.store.all("invoice_payment").filter((payment) =>
      (asked.invoice === undefined || payment.invoice === asked.invoice) &&
      (intent === undefined || payment.payment.payment_intent === intent) &&
      (asked.status === undefined || payment.status === asked.status)
    );
    return paginate("/v1/invoice_payments", all, asked);
  }),
];
