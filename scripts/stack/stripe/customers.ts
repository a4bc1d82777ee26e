/** Customers. */
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { invalidRequest } from "./errors.ts";
import { paginate } from "./lists.ts";
import { email, list, mergeMetadata, metadata, text, unsettable } from "./params.ts";
import { listParams, noParams, params, route } from "./route.ts";
import { z } from "zod";
import type { Card, Customer } from "./wire.ts";
import { find, type World } from "./world.ts";

const Address = z.strictObject({
  city: z.string().optional(),
  country: z.string().optional(),
  line1: z.string().optional(),
  line2: z.string().optional(),
  postal_code: z.string().optional(),
  state: z.string().optional(),
});

const FIELDS = {
  address: unsettable(Address).optional(),
  description: unsettable(text()).optional(),
  email: unsettable(email).optional(),
  invoice_settings: z.strictObject({
    default_payment_method: unsettable(text()).optional(),
  }).optional(),
  metadata: metadata.optional(),
  name: unsettable(text(256)).optional(),
  phone: unsettable(text(20)).optional(),
  preferred_locales: list(text(20)).optional(),
} as const;

const Create = params({ ...FIELDS, payment_method: text().optional() });
const Update = params(FIELDS);

/** A customer's balance, taxes and shipping are those of one just made. */
export function makeCustomer(world: World, fields: Partial<Customer> = {}): Customer {
  const customer: Customer = {
    id: newId("cus"),
    object: "customer",
    address: null,
    balance: 0,
    created: world.now(),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: newId("cus").slice(4, 12).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: "none",
    test_clock: null,
    ...fields,
  };
  world.store.put("customer", customer);
  emit(world, "customer.created", customer);
  return customer;
}

/** Replaces a customer and says so, if anything changed. */
export function changeCustomer(
  world: World,
  before: Customer,
  change: Partial<Customer>,
): Customer {
  const customer: Customer = { ...before, ...change };
  if (JSON.stringify(customer) === JSON.stringify(before)) return before;
  world.store.put("customer", customer);
  emit(world, "customer.updated", customer, before);
  return customer;
}

/** The card that is used when nothing says which. */
export function withDefaultCard(customer: Customer, card: Card): Partial<Customer> {
  return {
    invoice_settings: { ...customer.invoice_settings, default_payment_method: card.id },
  };
}

function addressOf(
  address: z.output<typeof Address> | null,
): NonNullable<Customer["address"]> | null {
  return address && {
    city: address.city ?? null,
    country: address.country ?? null,
    line1: address.line1 ?? null,
    line2: address.line2 ?? null,
    postal_code: address.postal_code ?? null,
    state: address.state ?? null,
  };
}

function changesOf(world: World, asked: z.output<typeof Update>, before?: Customer) {
  const { address, description, email, invoice_settings, name, phone, preferred_locales } = asked;
  const card = invoice_settings?.default_payment_method;
  if (card) {
    const param = "invoice_settings[default_payment_method]";
    const { customer } = find(world, "payment_method", card, param);
    if (customer === null || customer !== before?.id) {
      throw invalidRequest(
        `The customer does not have a payment method with the ID ${card}. ` +
          "The payment method must be attached to the customer.",
        { code: "resource_missing", param },
      );
    }
  }
  const change: Partial<Customer> = {
    metadata: mergeMetadata(before?.metadata ?? {}, asked.metadata),
    ...(address === undefined ? {} : { address: addressOf(address) }),
    ...(description === undefined ? {} : { description }),
    ...(email === undefined ? {} : { email }),
    ...(name === undefined ? {} : { name }),
    ...(phone === undefined ? {} : { phone }),
    ...(preferred_locales === undefined ? {} : { preferred_locales }),
    ...(card === undefined || !before ? {} : {
      invoice_settings: { ...before.invoice_settings, default_payment_method: card },
    }),
  };
  return change;
}

/** The calls about customers; `attach` gives a customer the card that it is made with. */
export const customerRoutes = (
  attach: (world: World, card: string, customer: Customer) => Card,
) => [
  route("POST", "/v1/customers", Create, (world, { payment_method, ...asked }) => {
    const customer = makeCustomer(world, changesOf(world, asked));
    if (payment_method !== undefined) attach(world, payment_method, customer);
    return find(world, "customer", customer.id);
  }),
  route("GET", "/v1/customers/:id", noParams, (world, _, id) => find(world, "customer", id)),
  route("POST", "/v1/customers/:id", Update, (world, asked, id) => {
    const before = find(world, "customer", id);
    return changeCustomer(world, before, changesOf(world, asked, before));
  }),
  route("GET", "/v1/customers", listParams({ email: text(512).optional() }), (world, asked) => {
    const all = world.store.all("customer")
      .filter(({ email }) => asked.email === undefined || email === asked.email);
    return paginate("/v1/customers", all, asked);
  }),
];
