/** Payment methods: cards that behave as Stripe's test cards do, and a bank account. */
import { changeCustomer, withDefaultCard } from "./customers.ts";
import { invalidRequest, missing, StripeFailure } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate } from "./lists.ts";
import { oneOf, text } from "./params.ts";
import { listParams, noParams, params, route } from "./route.ts";
import type { Card, Customer } from "./wire.ts";
import { find, type World } from "./world.ts";

/** What there is to pay with, by the name that forms and tests use. */
export const CARDS = {
  works: { last4: "4242", testId: "pm_card_visa", label: "A card that works" },
  declines_later: {
    last4: "0341",
    testId: "pm_card_chargeCustomerFail",
    label: "A card that works now and is declined later, without the customer there",
  },
  authentication_later: {
    last4: "3184",
    testId: "pm_card_authenticationRequired",
    label: "A card that works now and requires authentication later, without the customer there",
  },
  declined: { last4: "0002", testId: "pm_card_chargeDeclined", label: "A card that is declined" },
  delayed: {
    last4: "6789",
    testId: "pm_usBankAccount_success",
    label: "A bank debit, paid or refused some days later",
  },
} as const;

/** The name of something to pay with. */
export type CardName = keyof typeof CARDS;

/** The names of all of them. */
export const CARD_NAMES = [
  "works",
  "declines_later",
  "authentication_later",
  "declined",
  "delayed",
] as const satisfies readonly CardName[];

/** How an attempt to charge goes. */
export type Outcome = "succeeds" | "processing" | "declined" | "authentication_required";

/** How an attempt to charge this goes. */
export function outcomeOf(card: Card, offSession: boolean): Outcome {
  const last4 = card.card?.last4;
  if (last4 === undefined) return "processing";
  if (last4 === CARDS.declined.last4) return "declined";
  if (!offSession) return "succeeds";
  if (last4 === CARDS.declines_later.last4) return "declined";
  return last4 === CARDS.authentication_later.last4 ? "authentication_required" : "succeeds";
}

const CARD = (last4: string): NonNullable<Card["card"]> => ({
  brand: "visa",
  checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
  country: "US",
  display_brand: "visa",
  exp_month: 12,
  exp_year: new Date().getUTCFullYear() + 3,
  fingerprint: `standin${last4}`,
  funding: "credit",
  generated_from: null,
  last4,
  networks: { available: ["visa"], preferred: null },
  regulated_status: "unregulated",
  three_d_secure_usage: { supported: true },
  wallet: null,
});

const DEBITS: { [T in "sepa_debit" | "us_bank_account"]: Pick<Card, T> } = {
  sepa_debit: {
    sepa_debit: {
      bank_code: "37040044",
      branch_code: "",
      country: "DE",
      fingerprint: "standin3000",
      generated_from: { charge: null, setup_attempt: null },
      last4: "3000",
    },
  },
  us_bank_account: {
    us_bank_account: {
      account_holder_type: "individual",
      account_type: "checking",
      bank_name: "STAND-IN BANK",
      financial_connections_account: null,
      fingerprint: "standin6789",
      last4: "6789",
      networks: { preferred: "ach", supported: ["ach"] },
      routing_number: "110000000",
      status_details: {},
    },
  },
};

/** Makes something to pay with. Dollars are debited from a bank account in the US, all else by SEPA. */
export function makeCard(
  world: World,
  name: CardName,
  details: { currency: string; email: string | null; name: string | null },
): Card {
  const debit = details.currency === "usd" ? "us_bank_account" : "sepa_debit";
  const card: Card = {
    id: newId("pm"),
    object: "payment_method",
    allow_redisplay: "unspecified",
    billing_details: {
      address: {
        city: null,
        country: null,
        line1: null,
        line2: null,
        postal_code: null,
        state: null,
      },
      email: details.email,
      name: details.name,
      phone: null,
      tax_id: null,
    },
    created: world.now(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    ...(name === "delayed"
      ? { type: debit, ...DEBITS[debit] }
      : { type: "card", card: CARD(CARDS[name].last4) }),
  };
  world.store.put("payment_method", card);
  return card;
}

/** Saves a card to a customer. */
export function attachCard(world: World, card: Card, customer: Customer): Card {
  if (card.customer === customer.id) return card;
  if (card.customer !== null) {
    throw invalidRequest(
      "The payment method you provided has already been attached to a customer.",
      {
        code: "payment_method_unexpected_state",
      },
    );
  }
  const attached: Card = { ...card, customer: customer.id };
  world.store.put("payment_method", attached);
  emit(world, "payment_method.attached", attached);
  return attached;
}

/**
 * The card that an id stands for: one that exists or, as on Stripe's test mode, a new one for the
 * well-known ids.
 */
export function resolveCard(world: World, id: string, param?: string): Card {
  const known = Object.entries(CARDS).find(([, { testId }]) => testId === id)?.[0];
  for (const name of ["works", "declines_later", "authentication_later", "declined"] as const) {
    if (known === name) return makeCard(world, name, { currency: "usd", email: null, name: null });
  }
  const card = world.store.get("payment_method", id);
  if (!card) throw missing("PaymentMethod", id, param);
  return card;
}

/** Attaches by id. @throws {StripeFailure} 402 when the card is one that is declined at once. */
export function attachById(world: World, id: string, customer: Customer): Card {
  const card = resolveCard(world, id);
  if (card.card?.last4 === CARDS.declined.last4) {
    throw new StripeFailure(402, {
      type: "card_error",
      code: "card_declined",
      decline_code: "generic_decline",
      message: "Your card was declined.",
    });
  }
  return attachCard(world, card, customer);
}

/** All cards of a customer, oldest first. */
export const cardsOf = (world: World, customer: string): Card[] =>
  world.store.all("payment_method").filter((card) => card.customer === customer);

/** The card to charge when nobody is there to choose: the subscription's, or else the customer's. */
export function defaultCard(world: World, customer: string, own: string | null): Card | undefined {
  const fallback = world.store.get("customer", customer)?.invoice_settings.default_payment_method;
  return world.store.get("payment_method", own ?? fallback ?? "");
}

/** Makes a new card the one that a customer's invoices are charged to. */
export function chooseDefault(world: World, customer: Customer, name: CardName): Card {
  const { email, name: holder } = customer;
  const made = makeCard(world, name, { currency: "usd", email, name: holder ?? null });
  const card = attachCard(world, made, customer);
  changeCustomer(world, customer, withDefaultCard(customer, card));
  return card;
}

const TYPE = oneOf("card", "sepa_debit", "us_bank_account").optional();

function listCards(
  world: World,
  url: string,
  customer: string,
  asked: { type?: string | undefined },
) {
  const all = cardsOf(world, customer)
    .filter(({ type }) => asked.type === undefined || type === asked.type);
  return { url, all };
}

/** The calls about payment methods. */
export const cardRoutes = [
  route(
    "GET",
    "/v1/payment_methods/:id",
    noParams,
    (world, _, id) => find(world, "payment_method", id),
  ),
  route(
    "GET",
    "/v1/payment_methods",
    listParams({ customer: text().optional(), type: TYPE }),
    (world, asked) => {
      // Without a customer, Stripe lists what belongs to none: nothing of use.
      if (asked.customer === undefined) return paginate("/v1/payment_methods", [], asked);
      const customer = find(world, "customer", asked.customer, "customer");
      const { url, all } = listCards(world, "/v1/payment_methods", customer.id, asked);
      return paginate(url, all, asked);
    },
  ),
  route(
    "GET",
    "/v1/customers/:id/payment_methods",
    listParams({ type: TYPE }),
    (world, asked, id) => {
      const customer = find(world, "customer", id);
      const path = `/v1/customers/${id}/payment_methods`;
      const { url, all } = listCards(world, path, customer.id, asked);
      return paginate(url, all, asked);
    },
  ),
  route(
    "POST",
    "/v1/payment_methods/:id/attach",
    params({ customer: text() }),
    (world, asked, id) =>
      attachById(world, id, find(world, "customer", asked.customer, "customer")),
  ),
];
