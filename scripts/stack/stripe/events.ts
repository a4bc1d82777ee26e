/** Makes events, and decides when each is delivered. */
import Stripe from "stripe";
import { newId } from "./ids.ts";
import type { Delivery, DeliveryMode } from "./store.ts";
import type { EventObjects, EventType, StripeEvent } from "./wire.ts";
import type { World } from "./world.ts";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What changed, as it was before; in nested objects too, and lists as a whole. */
export function previousAttributes(before: object, after: object): Record<string, unknown> {
  const now = new Map(Object.entries(after));
  const changed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(before)) {
    const other: unknown = now.get(name);
    if (JSON.stringify(value) === JSON.stringify(other)) continue;
    changed[name] = isRecord(value) && isRecord(other) ? previousAttributes(value, other) : value;
  }
  for (const name of now.keys()) {
    // Names that are new in a hash, metadata say, were null before.
    if (!(name in before)) changed[name] = null;
  }
  return changed;
}

/** The customer that an event is about. */
function customerOf(object: EventObjects[EventType], world: World): string | null {
  if (object.object === "customer") return object.id;
  if ("customer" in object) return object.customer;
  if (object.object === "dispute") {
    return world.store.get("charge", object.charge)?.customer ?? null;
  }
  if (object.object === "invoice_payment") {
    return world.store.get("invoice", object.invoice)?.customer ?? null;
  }
  return null;
}

/** The mode of delivery that applies, the one of the customer first. */
function takeMode(world: World, type: string, customer: string | null): DeliveryMode | undefined {
  const applies = (mode: DeliveryMode) =>
    (mode.customer === null || mode.customer === customer) &&
    (mode.types === null || mode.types.includes(type));
  const found = world.store.all("delivery_mode")
    .filter(applies)
    .sort((a, b) => Number(a.customer === null) - Number(b.customer === null))[0];
  if (!found || found.count === null) return found;
  if (found.count > 1) world.store.put("delivery_mode", { ...found, count: found.count - 1 });
  else world.store.remove("delivery_mode", found.id);
  return found;
}

const between = ([from, to]: [number, number]) => from + Math.random() * (to - from);

/** The event of one request that is delivered first so far, by customer, while they are reordered. */
const firsts = new WeakMap<World, Map<string | null, string>>();

function schedule(world: World, event: StripeEvent, customer: string | null, copy: number) {
  const mode = copy === 0 ? takeMode(world, event.type, customer) : undefined;
  const copies = mode?.duplicate ?? 0;
  for (let number = 0; number <= copies; number++) {
    const id = number === 0 ? event.id : `${event.id}#${number}`;
    const delivery: Delivery = {
      id,
      event: event.id,
      customer,
      status: mode?.drop ? "held" : "waiting",
      attempts: 0,
      due_ms: Date.now() + (mode?.delay_ms ? between(mode.delay_ms) : 0),
      after: null,
      answer: null,
    };
    world.store.put("delivery", delivery);
    if (mode?.reorder && !mode.drop) putFirst(world, delivery);
  }
}

/** Lets a delivery come before those that this request made for the customer, so that they arrive backwards. */
function putFirst(world: World, delivery: Delivery) {
  const ofWorld = firsts.get(world) ?? new Map<string | null, string>();
  firsts.set(world, ofWorld);
  const other = world.store.get("delivery", ofWorld.get(delivery.customer) ?? "");
  if (other) world.store.put("delivery", { ...other, after: delivery.id });
  ofWorld.set(delivery.customer, delivery.id);
}

/**
 * Sends an event.
 *
 * @param before what it is about, as it was; for events that tell of a change.
 */
export function emit<T extends EventType>(
  world: World,
  type: T,
  object: EventObjects[T],
  before?: EventObjects[T],
): void {
  const event: StripeEvent = {
    id: newId("evt"),
    object: "event",
    api_version: Stripe.API_VERSION,
    created: world.now(),
    data: {
      object,
      ...(before ? { previous_attributes: previousAttributes(before, object) } : {}),
    },
    livemode: false,
    pending_webhooks: 1,
    request: world.request,
    type,
  };
  world.store.put("event", event);
  schedule(world, event, customerOf(object, world), 0);
}
