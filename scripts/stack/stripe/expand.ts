/** Puts objects in the place of their ids, where `expand` asks for it. */
import { invalidParameter } from "./errors.ts";
import { wholeList } from "./lists.ts";
import type { Kind } from "./store.ts";
import type { World } from "./world.ts";

type Fields = Record<string, Kind>;

// By the type of object, the fields that hold an id, or may hold one.
const REFERENCES: Record<string, Fields> = {
  "charge": { customer: "customer", payment_intent: "payment_intent" },
  "checkout.session": {
    customer: "customer",
    invoice: "invoice",
    payment_intent: "payment_intent",
    subscription: "subscription",
  },
  "customer": {},
  "dispute": { charge: "charge", payment_intent: "payment_intent" },
  "invoice": { customer: "customer", default_payment_method: "payment_method" },
  "invoice_payment": { invoice: "invoice" },
  "payment_intent": {
    customer: "customer",
    latest_charge: "charge",
    payment_method: "payment_method",
  },
  "payment_method": { customer: "customer" },
  "price": { product: "product" },
  "refund": { charge: "charge", customer: "customer", payment_intent: "payment_intent" },
  "subscription": {
    customer: "customer",
    default_payment_method: "payment_method",
    latest_invoice: "invoice",
  },
};

// Objects inside others that hold ids; they have no `object` field to tell them by.
const NESTED: Record<string, Record<string, Fields>> = {
  invoice_payment: { payment: { charge: "charge", payment_intent: "payment_intent" } },
  customer: { invoice_settings: { default_payment_method: "payment_method" } },
};

type Json = Record<string, unknown>;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Lists that are sent only when asked for. */
function includable(world: World, object: Json, name: string): unknown {
  const { id, object: type } = object;
  if (type === "checkout.session" && name === "line_items") {
    const items = world.store.get("checkout", `${id}`)?.items ?? [];
    return wholeList(`/v1/checkout/sessions/${id}/line_items`, items);
  }
  if (type === "invoice" && name === "payments") {
    const payments = world.store.all("invoice_payment").filter(({ invoice }) => invoice === id);
    return wholeList("/v1/invoice_payments", payments.reverse());
  }
  if (type === "charge" && name === "refunds") {
    const refunds = world.store.all("refund").filter(({ charge }) => charge === id);
    return wholeList(`/v1/charges/${id}/refunds`, refunds.reverse());
  }
  if (type === "customer" && name === "subscriptions") {
    const running = world.store.all("subscription")
      .filter(({ customer, status }) => customer === id && status !== "canceled");
    return wholeList(`/v1/customers/${id}/subscriptions`, running.reverse());
  }
  return undefined;
}

function expandPath(
  world: World,
  object: Json,
  path: readonly string[],
  asked: string,
  fields: Fields | undefined,
  nested: Record<string, Fields>,
): Json {
  const [name = "", ...rest] = path;
  const refuse = () =>
    invalidParameter(
      `This property cannot be expanded (${
        asked.slice(0, 200)
      }). You may want to try expanding a different property.`,
      { param: "expand" },
    );
  const deeper = (value: unknown): unknown => {
    if (rest.length === 0) return value;
    if (Array.isArray(value)) return value.map(deeper);
    if (!isRecord(value)) return value;
    const type = `${value["object"]}`;
    const inner = isRecord(value) && "object" in value ? REFERENCES[type] : nested[name];
    return expandPath(world, value, rest, asked, inner, NESTED[type] ?? {});
  };
  const value = object[name];
  const kind = fields?.[name];
  if (kind !== undefined) {
    const id = typeof value === "string" ? value : "";
    const found = kind === "checkout" ? undefined : world.store.get(kind, id);
    return { ...object, [name]: deeper(found ?? value ?? null) };
  }
  const list = includable(world, object, name);
  if (list !== undefined) return { ...object, [name]: deeper(isRecord(value) ? value : list) };
  const isContainer = isRecord(value) || Array.isArray(value);
  // A list within an object is always whole; Stripe lets one ask for it all the same.
  const isList = isRecord(value) && value["object"] === "list";
  if (isContainer && (rest.length > 0 || isList)) return { ...object, [name]: deeper(value) };
  throw refuse();
}

const DEEPEST = 4;

/**
 * An answer with the asked-for objects in it.
 *
 * @throws {StripeFailure} when a field cannot be expanded.
 */
export function expandAll(world: World, answer: object, paths: readonly string[]): object {
  let expanded: Json = { ...answer };
  for (const asked of paths) {
    const path = asked.split(".");
    if (path.length > DEEPEST) {
      throw invalidParameter(
        `You cannot expand more than ${DEEPEST} levels of a property (${asked.slice(0, 200)})`,
        { param: "expand" },
      );
    }
    const type = `${expanded["object"]}`;
    expanded = expandPath(world, expanded, path, asked, REFERENCES[type], NESTED[type] ?? {});
  }
  return expanded;
}
