/** Payment intents and their charges. */
import { z } from "zod";
import { outcomeOf, resolveCard } from "./cards.ts";
import { type ErrorBody, invalidParameter, invalidRequest, StripeFailure } from "./errors.ts";
import { emit } from "./events.ts";
import { newId, randomText } from "./ids.ts";
import { paginate } from "./lists.ts";
import { checkCharge, checkCurrency } from "./money.ts";
import { boolean, email, integer, list, mergeMetadata, metadata, oneOf, text } from "./params.ts";
import { listParams, noParams, params, route } from "./route.ts";
import type { Card, Charge, PaymentIntent } from "./wire.ts";
import { find, type World } from "./world.ts";

/** What a payment is for. */
export interface Payment {
  amount: number;
  currency: string;
  customer: string | null;
  description: string | null;
  metadata: Record<string, string>;
  payment_method_types: string[];
  receipt_email: string | null;
  setup_future_usage: "off_session" | "on_session" | null;
  statement_descriptor_suffix: string | null;
  automatic: boolean;
}

/** Makes a payment intent that nothing has been paid on. */
export function makeIntent(world: World, payment: Payment): PaymentIntent {
  const id = newId("pi");
  const { automatic, ...known } = payment;
  const intent: PaymentIntent = {
    id,
    object: "payment_intent",
    allowed_payment_method_types: null,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: automatic ? { allow_redirects: "always", enabled: true } : null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: "automatic_async",
    client_secret: `${id}_secret_${randomText(24)}`,
    confirmation_method: "automatic",
    created: world.now(),
    customer_account: null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: Object.fromEntries(
      known.payment_method_types.map((type) => [
        type,
        type === "card"
          ? { installments: null, network: null, request_three_d_secure: "automatic" }
          : {},
      ]),
    ),
    payment_record: null,
    processing: null,
    review: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    status: "requires_payment_method",
    transfer_data: null,
    transfer_group: null,
    ...known,
  };
  world.store.put("payment_intent", intent);
  emit(world, "payment_intent.created", intent);
  return intent;
}

const DECLINES = {
  declined: {
    code: "card_declined",
    decline_code: "generic_decline",
    message: "Your card was declined.",
    seller: "The bank did not return any further details with this decline.",
  },
  authentication_required: {
    code: "authentication_required",
    decline_code: "authentication_required",
    message: "Your card was declined. This transaction requires authentication.",
    seller: "The bank did not authorize this payment without authentication.",
  },
} as const;

type Decline = typeof DECLINES[keyof typeof DECLINES];

function detailsOf(card: Card, amount: number | null): Charge["payment_method_details"] {
  const { card: own, sepa_debit, us_bank_account } = card;
  if (own) {
    return {
      type: "card",
      card: {
        amount_authorized: amount,
        authorization_code: null,
        brand: own.brand,
        checks: own.checks,
        country: own.country,
        electronic_commerce_indicator: null,
        exp_month: own.exp_month,
        exp_year: own.exp_year,
        extended_authorization: { status: "disabled" },
        fingerprint: own.fingerprint ?? null,
        funding: own.funding,
        incremental_authorization: { status: "unavailable" },
        installments: null,
        last4: own.last4,
        mandate: null,
        multicapture: { status: "unavailable" },
        network: own.brand,
        network_token: { used: false },
        network_transaction_id: "767996624510102",
        overcapture: { maximum_amount_capturable: amount ?? 0, status: "unavailable" },
        regulated_status: own.regulated_status,
        three_d_secure: null,
        transaction_link_id: null,
        wallet: null,
      },
    };
  }
  if (sepa_debit) {
    const { generated_from: _, ...known } = sepa_debit;
    return { type: "sepa_debit", sepa_debit: { ...known, mandate: null } };
  }
  if (us_bank_account) {
    const { financial_connections_account: _f, networks: _n, status_details: _s, ...known } =
      us_bank_account;
    return { type: "us_bank_account", us_bank_account: { ...known, payment_reference: null } };
  }
  return null;
}

const outcomeFields = (decline: Decline | null): NonNullable<Charge["outcome"]> => ({
  advice_code: decline ? "try_again_later" : null,
  network_advice_code: null,
  network_decline_code: decline ? "05" : null,
  network_status: decline ? "declined_by_network" : "approved_by_network",
  reason: decline?.decline_code ?? null,
  risk_level: "normal",
  risk_score: 12,
  seller_message: decline?.seller ?? "Payment complete.",
  type: decline ? "issuer_declined" : "authorized",
});

function makeCharge(
  world: World,
  intent: PaymentIntent,
  card: Card,
  status: "succeeded" | "pending" | "failed",
  decline: Decline | null,
): Charge {
  const failed = status === "failed";
  const charge: Charge = {
    id: newId("ch"),
    object: "charge",
    amount: intent.amount,
    amount_captured: failed ? 0 : intent.amount,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: failed ? null : newId("txn"),
    billing_details: card.billing_details,
    calculated_statement_descriptor: "STAND-IN",
    captured: !failed,
    created: world.now(),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: decline?.message ?? null,
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: outcomeFields(decline),
    paid: status === "succeeded",
    payment_intent: intent.id,
    payment_method: card.id,
    payment_method_details: detailsOf(card, failed ? null : intent.amount),
    radar_options: {},
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: intent.statement_descriptor_suffix,
    status,
    transfer_data: null,
    transfer_group: null,
  };
  world.store.put("charge", charge);
  return charge;
}

/** What became of an attempt to charge. */
export interface Attempt {
  intent: PaymentIntent;
  charge: Charge;
  /** The error of a 402; absent when the payment succeeded or is under way. */
  error?: ErrorBody;
}

function decline(world: World, before: PaymentIntent, card: Card, reason: Decline): Attempt {
  const charge = makeCharge(world, before, card, "failed", reason);
  const { code, decline_code, message } = reason;
  const error = {
    advice_code: "try_again_later",
    charge: charge.id,
    code,
    decline_code,
    doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}`,
    message,
    type: "card_error",
  } as const;
  const intent: PaymentIntent = {
    ...before,
    last_payment_error: { ...error, network_decline_code: "05", payment_method: card },
    latest_charge: charge.id,
    payment_method: null,
    status: "requires_payment_method",
  };
  world.store.put("payment_intent", intent);
  emit(world, "charge.failed", charge);
  emit(world, "payment_intent.payment_failed", intent);
  const failure = { ...error, payment_intent: intent, payment_method: card };
  return { intent, charge, error: failure };
}

/**
 * Charges a card, in the way that it behaves.
 *
 * @param forced `fail` declines whatever the card.
 */
export function attempt(
  world: World,
  before: PaymentIntent,
  card: Card,
  options: { offSession: boolean; forced?: "fail" | undefined },
): Attempt {
  const outcome = options.forced === "fail" ? "declined" : outcomeOf(card, options.offSession);
  if (outcome === "declined" || outcome === "authentication_required") {
    return decline(world, before, card, DECLINES[outcome]);
  }
  const pending = outcome === "processing";
  const charge = makeCharge(world, before, card, pending ? "pending" : "succeeded", null);
  const intent: PaymentIntent = {
    ...before,
    amount_received: pending ? 0 : before.amount,
    last_payment_error: null,
    latest_charge: charge.id,
    payment_method: card.id,
    status: pending ? "processing" : "succeeded",
  };
  world.store.put("payment_intent", intent);
  if (pending) {
    emit(world, "payment_intent.processing", intent);
    emit(world, "charge.pending", charge);
  } else {
    emit(world, "charge.succeeded", charge);
    emit(world, "payment_intent.succeeded", intent);
  }
  return { intent, charge };
}

/** Ends a payment that is under way. */
export function completeDelayed(world: World, before: PaymentIntent, succeed: boolean): Attempt {
  const pending = find(world, "charge", before.latest_charge ?? "");
  const reason = DECLINES.declined;
  const message = "The bank account could not be debited.";
  const charge: Charge = {
    ...pending,
    amount_captured: succeed ? pending.amount : 0,
    failure_balance_transaction: succeed ? null : newId("txn"),
    failure_code: succeed ? null : "insufficient_funds",
    failure_message: succeed ? null : message,
    outcome: outcomeFields(succeed ? null : reason),
    paid: succeed,
    status: succeed ? "succeeded" : "failed",
  };
  const intent: PaymentIntent = {
    ...before,
    amount_received: succeed ? before.amount : 0,
    last_payment_error: succeed ? null : {
      charge: charge.id,
      code: "payment_intent_payment_attempt_failed",
      decline_code: "insufficient_funds",
      message,
      type: "invalid_request_error",
    },
    payment_method: succeed ? before.payment_method : null,
    status: succeed ? "succeeded" : "requires_payment_method",
  };
  world.store.put("charge", charge);
  world.store.put("payment_intent", intent);
  emit(world, succeed ? "charge.succeeded" : "charge.failed", charge);
  emit(world, succeed ? "payment_intent.succeeded" : "payment_intent.payment_failed", intent);
  return { intent, charge };
}

const Create = params({
  amount: integer(1),
  automatic_payment_methods: z.strictObject({
    enabled: boolean,
    allow_redirects: oneOf("always", "never").optional(),
  }).optional(),
  confirm: boolean.default(false),
  currency: text(),
  customer: text().optional(),
  description: text(1000).optional(),
  error_on_requires_action: boolean.optional(),
  metadata: metadata.optional(),
  off_session: boolean.optional(),
  payment_method: text().optional(),
  payment_method_types: list(oneOf("card", "sepa_debit", "us_bank_account")).optional(),
  receipt_email: email.optional(),
  setup_future_usage: oneOf("off_session", "on_session").optional(),
  statement_descriptor_suffix: text(22).optional(),
});

function checkCombination(asked: z.output<typeof Create>) {
  if (asked.off_session !== undefined && !asked.confirm) {
    throw invalidParameter("`off_session` can only be set when `confirm` is `true`.", {
      param: "off_session",
    });
  }
  if (asked.error_on_requires_action !== undefined && !asked.confirm) {
    throw invalidParameter("`error_on_requires_action` can only be set when `confirm` is `true`.", {
      param: "error_on_requires_action",
    });
  }
  if (asked.off_session && asked.setup_future_usage) {
    throw invalidParameter(
      "You cannot set `setup_future_usage` when `off_session` is `true`.",
      { param: "setup_future_usage" },
    );
  }
  if (asked.payment_method_types && asked.automatic_payment_methods?.enabled) {
    throw invalidParameter(
      "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
      { code: "parameters_exclusive", param: "automatic_payment_methods" },
    );
  }
}

function cardFor(world: World, asked: z.output<typeof Create>): Card | undefined {
  if (asked.payment_method === undefined) {
    if (!asked.confirm) return undefined;
    throw invalidRequest(
      "You cannot confirm this PaymentIntent because it's missing a payment method. Update the " +
        "PaymentIntent with a payment method and then confirm it again.",
      { code: "payment_intent_unexpected_state", param: "payment_method" },
    );
  }
  const card = resolveCard(world, asked.payment_method, "payment_method");
  if (card.customer !== null && card.customer !== asked.customer) {
    throw invalidRequest(
      asked.customer === undefined
        ? `The PaymentMethod ${card.id} belongs to a Customer. Please include the Customer in the \`customer\` parameter on the PaymentIntent.`
        : `The PaymentMethod ${card.id} does not belong to the Customer you supplied ${asked.customer}.`,
      { param: "payment_method" },
    );
  }
  if (card.customer === null && asked.off_session) {
    throw invalidRequest(
      `The PaymentMethod ${card.id} is not attached to a Customer, and cannot be charged off-session.`,
      { param: "payment_method" },
    );
  }
  return card;
}

function createIntent(world: World, asked: z.output<typeof Create>): PaymentIntent {
  checkCombination(asked);
  const currency = checkCurrency(asked.currency, "currency");
  checkCharge(asked.amount, currency, "amount");
  const customer = asked.customer === undefined
    ? null
    : find(world, "customer", asked.customer, "customer").id;
  const card = cardFor(world, asked);
  const made = makeIntent(world, {
    amount: asked.amount,
    automatic: asked.payment_method_types === undefined,
    currency,
    customer,
    description: asked.description ?? null,
    metadata: mergeMetadata({}, asked.metadata),
    payment_method_types: asked.payment_method_types ?? ["card", "us_bank_account"],
    receipt_email: asked.receipt_email ?? null,
    setup_future_usage: asked.setup_future_usage ?? null,
    statement_descriptor_suffix: asked.statement_descriptor_suffix ?? null,
  });
  if (!card) return made;
  if (!asked.confirm) {
    const intent: PaymentIntent = {
      ...made,
      payment_method: card.id,
      status: "requires_confirmation",
    };
    world.store.put("payment_intent", intent);
    return intent;
  }
  const { intent, error } = attempt(world, made, card, { offSession: asked.off_session ?? false });
  if (error) throw new StripeFailure(402, error, true);
  return intent;
}

const CANCELABLE = ["requires_payment_method", "requires_confirmation", "requires_action"];

const Cancel = params({
  cancellation_reason: oneOf("abandoned", "duplicate", "fraudulent", "requested_by_customer")
    .optional(),
});

function cancelIntent(
  world: World,
  asked: z.output<typeof Cancel>,
  id: string,
): PaymentIntent {
  const before = find(world, "payment_intent", id);
  if (!CANCELABLE.includes(before.status)) {
    throw new StripeFailure(400, {
      type: "invalid_request_error",
      code: "payment_intent_unexpected_state",
      message:
        `You cannot cancel this PaymentIntent because it has a status of ${before.status}. ` +
        `Only a PaymentIntent with one of the following statuses may be canceled: ${
          CANCELABLE.join(", ")
        }.`,
      payment_intent: before,
    });
  }
  const intent: PaymentIntent = {
    ...before,
    canceled_at: world.now(),
    cancellation_reason: asked.cancellation_reason ?? null,
    status: "canceled",
  };
  world.store.put("payment_intent", intent);
  emit(world, "payment_intent.canceled", intent);
  return intent;
}

/** The calls about payment intents and charges. */
export const paymentRoutes = [
  route("POST", "/v1/payment_intents/:id/cancel", Cancel, cancelIntent),
  route("POST", "/v1/payment_intents", Create, createIntent),
  route(
    "GET",
    "/v1/payment_intents/:id",
    noParams,
    (world, _, id) => find(world, "payment_intent", id),
  ),
  route(
    "GET",
    "/v1/payment_intents",
    listParams({ customer: text().optional() }),
    (world, asked) => {
      const all = world.store.all("payment_intent")
        .filter(({ customer }) => asked.customer === undefined || customer === asked.customer);
      return paginate("/v1/payment_intents", all, asked);
    },
  ),
  route("GET", "/v1/charges/:id", noParams, (world, _, id) => find(world, "charge", id)),
  route(
    "GET",
    "/v1/charges",
    listParams({ customer: text().optional(), payment_intent: text().optional() }),
    (world, asked) => {
      const all = world.store.all("charge").filter((charge) =>
        (asked.customer === undefined || charge.customer === asked.customer) &&
        (asked.payment_intent === undefined || charge.payment_intent === asked.payment_intent)
      );
      return paginate("/v1/charges", all, asked);
    },
  ),
];
