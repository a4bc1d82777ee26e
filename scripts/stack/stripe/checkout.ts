/** Checkout sessions: made, listed, expired. */
import { z } from "zod";
import { invalidParameter, invalidRequest, type StripeFailure } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate } from "./lists.ts";
import { checkTotal } from "./money.ts";
import {
  boolean,
  email,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  text,
  url,
} from "./params.ts";
import { makePrice, PriceData } from "./products.ts";
import { discountOn, findPromotion, type Promotion } from "./promotions.ts";
import { listParams, noParams, params, route } from "./route.ts";
import type { Checkout } from "./store.ts";
import { isRunning } from "./subscriptions.ts";
import type { Customer, LineItem, Price, Session } from "./wire.ts";
import { find, type World } from "./world.ts";

const LineItemParam = z.strictObject({
  metadata: metadata.optional(),
  price: text().optional(),
  price_data: PriceData.optional(),
  quantity: integer(0, 1_000_000),
});

const PaymentIntentData = z.strictObject({
  description: text(1000).optional(),
  metadata: metadata.optional(),
  receipt_email: email.optional(),
  setup_future_usage: oneOf("off_session", "on_session").optional(),
  statement_descriptor_suffix: text(22).optional(),
});

const SubscriptionData = z.strictObject({
  description: text(500).optional(),
  metadata: metadata.optional(),
});

const SavedMethods = z.strictObject({
  allow_redisplay_filters: list(oneOf("always", "limited", "unspecified")).optional(),
  payment_method_remove: oneOf("disabled", "enabled").optional(),
  payment_method_save: oneOf("disabled", "enabled").optional(),
});

const Create = params({
  allow_promotion_codes: boolean.optional(),
  billing_address_collection: oneOf("auto", "required").optional(),
  cancel_url: url.optional(),
  client_reference_id: text(200).optional(),
  customer: text().optional(),
  customer_creation: oneOf("always", "if_required").optional(),
  customer_email: email.optional(),
  customer_update: z.strictObject({
    address: oneOf("auto", "never").optional(),
    name: oneOf("auto", "never").optional(),
  }).optional(),
  discounts: list(
    z.strictObject({
      coupon: text().optional(),
      promotion_code: text().optional(),
    }),
    1,
  ).optional(),
  expires_at: integer(0).optional(),
  line_items: list(LineItemParam).optional(),
  locale: oneOf("auto", "de", "en", "en-GB", "es", "fr", "it", "ja", "nl", "pl", "pt").optional(),
  metadata: metadata.optional(),
  mode: oneOf("payment", "setup", "subscription"),
  payment_intent_data: PaymentIntentData.optional(),
  payment_method_collection: oneOf("always", "if_required").optional(),
  payment_method_types: list(oneOf("card", "sepa_debit", "us_bank_account")).optional(),
  saved_payment_method_options: SavedMethods.optional(),
  submit_type: oneOf("auto", "book", "donate", "pay", "subscribe").optional(),
  subscription_data: SubscriptionData.optional(),
  success_url: url.optional(),
  ui_mode: oneOf("hosted_page").optional(),
});

type Asked = z.output<typeof Create>;

const exclusive = (one: string, other: string): StripeFailure =>
  invalidParameter(`You may only specify one of these parameters: ${one}, ${other}.`, {
    code: "parameters_exclusive",
    param: one,
  });

function checkMode({ mode, ...asked }: Asked) {
  if (mode === "setup") {
    throw invalidParameter("The stand-in for Stripe does not know the mode `setup`.", {
      param: "mode",
    });
  }
  if (mode === "subscription" && asked.payment_method_types?.some((type) => type !== "card")) {
    throw invalidParameter("The stand-in for Stripe takes cards only in `subscription` mode.", {
      param: "payment_method_types",
    });
  }
  const misfits = mode === "subscription"
    ? (["payment_intent_data", "customer_creation"] as const)
    : (["subscription_data", "payment_method_collection"] as const);
  for (const param of misfits) {
    if (asked[param] === undefined) continue;
    throw invalidParameter(`You can not pass \`${param}\` in \`${mode}\` mode.`, { param });
  }
}

function checkTogether(asked: Asked) {
  checkMode(asked);
  if (asked.customer !== undefined) {
    if (asked.customer_email !== undefined) throw exclusive("customer", "customer_email");
    if (asked.customer_creation !== undefined) throw exclusive("customer", "customer_creation");
  } else {
    for (const param of ["customer_update", "saved_payment_method_options"] as const) {
      if (asked[param] === undefined) continue;
      throw invalidParameter(`\`${param}\` can only be used with \`customer\`.`, { param });
    }
  }
  if (asked.allow_promotion_codes !== undefined && asked.discounts !== undefined) {
    throw exclusive("allow_promotion_codes", "discounts");
  }
  if (!asked.line_items?.length) {
    throw invalidParameter("Missing required param: line_items.", {
      code: "parameter_missing",
      param: "line_items",
    });
  }
  if (asked.success_url === undefined) {
    throw invalidParameter("Missing required param: success_url.", {
      code: "parameter_missing",
      param: "success_url",
    });
  }
}

const HALF_HOUR = 1800;
const DAY = 86_400;

function expiryOf(world: World, asked: number | undefined): number {
  const age = (asked ?? world.now() + DAY) - world.now();
  const wrong = (bound: string) =>
    invalidRequest(
      `The \`expires_at\` timestamp must be ${bound} from Checkout Session creation.`,
      { param: "expires_at" },
    );
  // Clocks of two machines differ a little.
  if (age < HALF_HOUR - 10) throw wrong("at least 30 minutes");
  if (age > DAY + 10) throw wrong("less than 24 hours");
  return world.now() + age;
}

function makeItems(world: World, asked: Asked): { item: LineItem; price: Price }[] {
  return (asked.line_items ?? []).map((line, index) => {
    const param = `line_items[${index}]`;
    if ((line.price === undefined) === (line.price_data === undefined)) {
      if (line.price !== undefined) throw exclusive(`${param}[price]`, `${param}[price_data]`);
      throw invalidParameter(`You must specify either \`price\` or \`price_data\` for ${param}.`, {
        code: "parameter_missing",
        param: `${param}[price]`,
      });
    }
    const price = line.price_data
      ? makePrice(world, line.price_data, `${param}[price_data]`)
      : find(world, "price", line.price ?? "", `${param}[price]`);
    const amount = (price.unit_amount ?? 0) * line.quantity;
    const item: LineItem = {
      id: newId("li"),
      object: "item",
      adjustable_quantity: null,
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: price.currency,
      description: world.store.get("product", price.product)?.name ?? null,
      metadata: mergeMetadata({}, line.metadata),
      price,
      quantity: line.quantity,
    };
    return { item, price };
  });
}

function checkPrices(mode: string, prices: readonly Price[]): string {
  const currencies = new Set(prices.map(({ currency }) => currency));
  if (currencies.size > 1) {
    throw invalidRequest(
      `All prices in a Checkout Session must have the same currency; got ${
        [...currencies].join(", ")
      }.`,
      { param: "line_items" },
    );
  }
  const recurring = prices.filter((price) => price.type === "recurring").length;
  if (mode === "payment" && recurring > 0) {
    throw invalidRequest(
      "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.",
      { param: "line_items" },
    );
  }
  if (mode === "subscription" && recurring === 0) {
    throw invalidRequest(
      "You must provide at least one recurring price in `subscription` mode when using prices.",
      { param: "line_items" },
    );
  }
  if (mode === "subscription" && prices.length > 1) {
    throw invalidRequest("The stand-in for Stripe takes one line item in `subscription` mode.", {
      param: "line_items",
    });
  }
  return [...currencies][0] ?? "usd";
}

function checkCustomer(world: World, asked: Asked, currency: string): Customer | null {
  if (asked.customer === undefined) return null;
  const customer = find(world, "customer", asked.customer, "customer");
  const other = world.store.all("subscription").find((subscription) =>
    subscription.customer === customer.id && isRunning(subscription) &&
    subscription.currency !== currency
  );
  if (asked.mode === "subscription" && other) {
    throw invalidRequest(
      "You cannot combine currencies on a single customer. This customer has an active subscription " +
        `with currency ${other.currency}.`,
      { param: "customer" },
    );
  }
  return customer;
}

const sum = (amounts: readonly number[]) => amounts.reduce((a, b) => a + b, 0);

/** A session with a promotion applied, or without one. */
export function withPromotion(checkout: Checkout, promotion: Promotion | undefined): Checkout {
  const items = checkout.items.map((item) => {
    const off = discountOn(item.amount_subtotal, promotion);
    return { ...item, amount_discount: off, amount_total: item.amount_subtotal - off };
  });
  const total = sum(items.map(({ amount_total }) => amount_total));
  const off = sum(items.map(({ amount_discount }) => amount_discount));
  return {
    ...checkout,
    items,
    session: {
      ...checkout.session,
      amount_total: total,
      discounts: promotion ? [{ coupon: null, promotion_code: promotion.id }] : [],
      total_details: { amount_discount: off, amount_shipping: 0, amount_tax: 0 },
    },
  };
}

function makeSession(
  world: World,
  asked: Asked,
  currency: string,
  customer: Customer | null,
  subtotal: number,
): Session {
  const id = newId("cs_test");
  const paid = asked.mode === "payment";
  const debit = currency === "usd" ? "us_bank_account" : "sepa_debit";
  return {
    id,
    object: "checkout.session",
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: asked.allow_promotion_codes ?? null,
    allowed_payment_method_types: null,
    amount_subtotal: subtotal,
    amount_total: subtotal,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: asked.billing_address_collection ?? null,
    cancel_url: asked.cancel_url ?? null,
    client_reference_id: asked.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: world.now(),
    currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: customer?.id ?? null,
    customer_account: null,
    customer_creation: paid && !customer ? asked.customer_creation ?? "if_required" : null,
    customer_details: customerDetails(customer?.email ?? asked.customer_email ?? null, customer),
    customer_email: asked.customer_email ?? null,
    discounts: [],
    expires_at: expiryOf(world, asked.expires_at),
    integration_identifier: null,
    invoice: null,
    invoice_creation: paid ? NO_INVOICE : null,
    livemode: false,
    locale: asked.locale ?? null,
    managed_payments: null,
    metadata: mergeMetadata({}, asked.metadata),
    mode: asked.mode,
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: paid ? "if_required" : asked.payment_method_collection ?? "always",
    payment_method_configuration_details: null,
    payment_method_options: { card: { request_three_d_secure: "automatic" } },
    payment_method_types: asked.payment_method_types ?? (paid ? ["card", debit] : ["card"]),
    payment_status: "unpaid",
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: savedMethods(asked),
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: "open",
    submit_type: asked.submit_type ?? null,
    subscription: null,
    success_url: asked.success_url ?? null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: "hosted_page",
    url: `${world.publicUrl}/stand-in/checkout/${id}`,
    wallet_options: null,
  };
}

const NO_INVOICE: Session["invoice_creation"] = {
  enabled: false,
  invoice_data: {
    account_tax_ids: null,
    custom_fields: null,
    description: null,
    footer: null,
    issuer: null,
    metadata: {},
    rendering_options: null,
  },
};

function savedMethods(asked: Asked): Session["saved_payment_method_options"] {
  if (asked.customer === undefined) return null;
  const { allow_redisplay_filters, payment_method_remove, payment_method_save } =
    asked.saved_payment_method_options ?? {};
  return {
    allow_redisplay_filters: allow_redisplay_filters ?? ["always"],
    payment_method_remove: payment_method_remove ?? "disabled",
    payment_method_save: payment_method_save ?? null,
  };
}

/** Who paid, or who is about to; null while nothing is known of them. */
export function customerDetails(
  address: string | null,
  customer: Customer | null,
): Session["customer_details"] {
  if (address === null && !customer) return null;
  return {
    address: customer?.address ?? null,
    business_name: null,
    email: address,
    individual_name: null,
    name: customer?.name ?? null,
    phone: customer?.phone ?? null,
    tax_exempt: "none",
    tax_ids: null,
  };
}

function createCheckout(world: World, asked: Asked): Session {
  checkTogether(asked);
  const lines = makeItems(world, asked);
  const currency = checkPrices(asked.mode, lines.map(({ price }) => price));
  const customer = checkCustomer(world, asked, currency);
  const [discount] = asked.discounts ?? [];
  const promotion = discount && findPromotion(discount, "discounts[0]");
  const items = lines.map(({ item }) => item);
  const subtotal = sum(items.map(({ amount_subtotal }) => amount_subtotal));
  checkTotal(subtotal, currency);
  const session = makeSession(world, asked, currency, customer, subtotal);
  const { payment_intent_data, subscription_data } = asked;
  const checkout = withPromotion({
    id: session.id,
    session,
    items,
    intent: {
      description: payment_intent_data?.description ?? subscription_data?.description ?? null,
      metadata: mergeMetadata({}, payment_intent_data?.metadata ?? subscription_data?.metadata),
      receipt_email: payment_intent_data?.receipt_email ?? null,
      setup_future_usage: payment_intent_data?.setup_future_usage ?? null,
      statement_descriptor_suffix: payment_intent_data?.statement_descriptor_suffix ?? null,
    },
    attempted: null,
  }, promotion);
  world.store.put("checkout", checkout);
  return checkout.session;
}

/** Expires an open session. */
export function expireCheckout(world: World, checkout: Checkout): Session {
  if (checkout.session.status !== "open") {
    throw invalidRequest(
      'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has ' +
        `a status of \`${checkout.session.status}\`.`,
    );
  }
  const session: Session = { ...checkout.session, status: "expired", url: null };
  world.store.put("checkout", { ...checkout, session });
  emit(world, "checkout.session.expired", session);
  return session;
}

const ListSessions = listParams({
  customer: text().optional(),
  payment_intent: text().optional(),
  status: oneOf("complete", "expired", "open").optional(),
  subscription: text().optional(),
});

const Update = params({ metadata: metadata.optional() });

/** The calls about checkout sessions. */
export const checkoutRoutes = [
  route("POST", "/v1/checkout/sessions", Create, createCheckout),
  route(
    "GET",
    "/v1/checkout/sessions/:id",
    noParams,
    (world, _, id) => find(world, "checkout", id).session,
  ),
  route("POST", "/v1/checkout/sessions/:id", Update, (world, asked, id) => {
    const checkout = find(world, "checkout", id);
    const entries = mergeMetadata(checkout.session.metadata ?? {}, asked.metadata);
    const session: Session = { ...checkout.session, metadata: entries };
    world.store.put("checkout", { ...checkout, session });
    return session;
  }),
  route(
    "POST",
    "/v1/checkout/sessions/:id/expire",
    noParams,
    (world, _, id) => expireCheckout(world, find(world, "checkout", id)),
  ),
  route("GET", "/v1/checkout/sessions/:id/line_items", listParams({}), (world, asked, id) => {
    // Unlike other lists, this one keeps the order that it was given in.
    const items = [...find(world, "checkout", id).items].reverse();
    return paginate(`/v1/checkout/sessions/${id}/line_items`, items, asked);
  }),
  route("GET", "/v1/checkout/sessions", ListSessions, (world, asked) => {
    const all = world.store.all("checkout").map(({ session }) => session).filter((session) =>
      (asked.customer === undefined || session.customer === asked.customer) &&
      (asked.payment_intent === undefined || session.payment_intent === asked.payment_intent) &&
      (asked.status === undefined || session.status === asked.status) &&
      (asked.subscription === undefined || session.subscription === asked.subscription)
    );
    return paginate("/v1/checkout/sessions", all, asked);
  }),
];
