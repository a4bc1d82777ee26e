/**
 * Makes happen what the world does to payments: renewals, disputes, banks that refuse, webhooks
 * that arrive twice or late. For tests and demonstrations; it takes JSON and the same key.
 */
import { z } from "zod";
import { CARD_NAMES, chooseDefault } from "./cards.ts";
import { expireCheckout, withPromotion } from "./checkout.ts";
import type { Deliverer } from "./delivery.ts";
import { closeDispute, DisputeCharge, openDispute } from "./disputes.ts";
import { invalidRequest, missing, StripeFailure } from "./errors.ts";
import { newId } from "./ids.ts";
import { payCheckout, settleDelayed } from "./pay.ts";
import { promotionByCode } from "./promotions.ts";
import { failRefund, succeedRefund } from "./refunds.ts";
import type { Delivery } from "./store.ts";
import {
  backdateSubscription,
  closeSubscription,
  expirePending,
  payInvoice,
  renewSubscription,
} from "./subscriptions.ts";
import { find, type World } from "./world.ts";

const CardName = z.enum(CARD_NAMES);
const Fail = z.strictObject({ fail: z.boolean().default(false) });
const Nothing = z.strictObject({});
const Milliseconds = z.int().min(0).max(60_000);

const Pay = z.strictObject({
  card: CardName.default("works"),
  promotion_code: z.string().optional(),
  email: z.email().default("someone@example.test"),
});

const Mode = z.strictObject({
  customer: z.string().nullable().default(null),
  types: z.array(z.string()).nullable().default(null),
  count: z.int().positive().nullable().default(null),
  duplicate: z.int().min(0).max(20).default(0),
  delay_ms: z.tuple([Milliseconds, Milliseconds]).nullable().default(null),
  reorder: z.boolean().default(false),
  drop: z.boolean().default(false),
});

/** Which deliveries are meant. */
const Which = z.strictObject({ customer: z.string().optional() });

const Settled = Which.extend({ timeout_ms: z.int().min(0).max(60_000).default(15_000) });

interface Command {
  path: string;
  run(world: World, id: string, body: unknown): object;
}

function command<T>(
  path: string,
  schema: z.ZodType<T>,
  run: (world: World, id: string, asked: T) => object,
): Command {
  return { path, run: (world, id, body) => run(world, id, readJson(schema, body)) };
}

function readJson<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw invalidRequest(z.prettifyError(result.error));
}

function pay(world: World, id: string, asked: z.output<typeof Pay>) {
  if (asked.promotion_code !== undefined) {
    const promotion = promotionByCode(asked.promotion_code);
    if (!promotion) throw missing("promotion code", asked.promotion_code, "promotion_code");
    world.store.put("checkout", withPromotion(find(world, "checkout", id), promotion));
  }
  return payCheckout(world, id, asked.card, asked.email);
}

function setMode(world: World, asked: z.output<typeof Mode>) {
  const others = world.store.all("delivery_mode")
    .filter((mode) => mode.customer === asked.customer);
  for (const mode of others) world.store.remove("delivery_mode", mode.id);
  const changes = asked.duplicate > 0 || asked.delay_ms || asked.reorder || asked.drop;
  if (changes) world.store.put("delivery_mode", { id: newId("req"), ...asked });
  return asked;
}

/** Delivers again, in a delivery of its own. */
function resend(world: World, id: string) {
  find(world, "event", id);
  const before = world.store.get("delivery", id);
  const delivery: Delivery = {
    id: `${id}#${newId("req")}`,
    event: id,
    customer: before?.customer ?? null,
    status: "waiting",
    attempts: 0,
    due_ms: Date.now(),
    after: null,
    answer: null,
  };
  world.store.put("delivery", delivery);
  return delivery;
}

function flush(world: World, asked: z.output<typeof Which>) {
  const held = world.store.all("delivery").filter((delivery) =>
    (delivery.status === "held" || delivery.status === "given_up") &&
    (asked.customer === undefined || delivery.customer === asked.customer)
  );
  for (const delivery of held) {
    const due_ms = Date.now();
    world.store.put("delivery", { ...delivery, status: "waiting", attempts: 0, due_ms });
  }
  return { flushed: held.length };
}

const COMMANDS: readonly Command[] = [
  command("sessions/:id/pay", Pay, pay),
  command(
    "sessions/:id/expire",
    Nothing,
    (world, id) => expireCheckout(world, find(world, "checkout", id)),
  ),
  command(
    "customers/:id/card",
    z.strictObject({ card: CardName.exclude(["delayed", "declined"]) }),
    (world, id, { card }) => chooseDefault(world, find(world, "customer", id), card),
  ),
  command(
    "payment_intents/:id/complete",
    z.strictObject({ succeed: z.boolean() }),
    (world, id, { succeed }) => ({ session: settleDelayed(world, id, succeed) }),
  ),
  command(
    "subscriptions/:id/renew",
    Fail,
    (world, id, { fail }) => renewSubscription(world, id, fail).invoice,
  ),
  command("subscriptions/:id/end", Nothing, closeSubscription),
  command(
    "subscriptions/:id/backdate",
    z.strictObject({ seconds: z.int().positive().max(31_536_000) }),
    (world, id, { seconds }) => backdateSubscription(world, id, seconds),
  ),
  command("subscriptions/:id/expire_pending_update", Nothing, (world, id) => {
    const subscription = find(world, "subscription", id);
    if (subscription.pending_update) return expirePending(world, subscription);
    throw invalidRequest(`The subscription ${id} has no pending update`);
  }),
  command("invoices/:id/pay", Fail, (world, id, { fail }) => payInvoice(world, id, fail).invoice),
  command("charges/:id/dispute", DisputeCharge, openDispute),
  command(
    "disputes/:id/close",
    z.strictObject({ status: z.enum(["won", "lost"]) }),
    (world, id, { status }) => closeDispute(world, id, status === "won"),
  ),
  command("refunds/:id/fail", Nothing, failRefund),
  command("refunds/:id/succeed", Nothing, succeedRefund),
  command("delivery", Mode, (world, _, asked) => setMode(world, asked)),
  command("events/:id/resend", Nothing, resend),
  command("flush", Which, (world, _, asked) => flush(world, asked)),
];

function findCommand(pathname: string): { command: Command; id: string } | undefined {
  const parts = pathname.split("/").slice(2);
  for (const command of COMMANDS) {
    const pattern = command.path.split("/");
    const fits = pattern.length === parts.length &&
      pattern.every((part, index) => part === ":id" || part === parts[index]);
    if (fits) return { command, id: parts[pattern.indexOf(":id")] ?? "" };
  }
  return undefined;
}

/** Waits until nothing is left to deliver, of one customer's or at all. */
async function settled(deliverer: Deliverer, search: URLSearchParams): Promise<Response> {
  const { timeout_ms, ...given } = Object.fromEntries(search);
  const { customer, timeout_ms: timeoutMs } = readJson(Settled, {
    ...given,
    ...(timeout_ms === undefined ? {} : { timeout_ms: Number(timeout_ms) }),
  });
  const mine = (delivery: Delivery) => customer === undefined || delivery.customer === customer;
  const waiting = () => deliverer.waiting().filter(mine);
  const done = await deliverer.until(() => waiting().length === 0, timeoutMs);
  const all = deliverer.store.all("delivery").filter(mine);
  const count = (status: Delivery["status"]) => all.filter((one) => one.status === status).length;
  return Response.json({
    settled: done,
    waiting: count("waiting"),
    held: count("held"),
    delivered: count("delivered"),
    given_up: count("given_up"),
  });
}

function listDeliveries(deliverer: Deliverer, search: URLSearchParams): Response {
  const { customer } = readJson(Which, Object.fromEntries(search));
  const all = deliverer.store.all("delivery")
    .filter((delivery) => customer === undefined || delivery.customer === customer)
    .map((delivery) => ({ ...delivery, type: deliverer.store.get("event", delivery.event)?.type }));
  return Response.json({ deliveries: all });
}

/** Answers one command. */
export async function serveControl(
  world: World,
  deliverer: Deliverer,
  request: Request,
  body: string,
): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  try {
    if (request.method === "GET" && pathname === "/stand-in/settled") {
      return await settled(deliverer, searchParams);
    }
    if (request.method === "GET" && pathname === "/stand-in/deliveries") {
      return listDeliveries(deliverer, searchParams);
    }
    const found = request.method === "POST" ? findCommand(pathname) : undefined;
    if (!found) {
      throw new StripeFailure(404, {
        type: "invalid_request_error",
        message: `The stand-in for Stripe has no ${request.method} ${pathname}`,
      });
    }
    const asked: unknown = body === "" ? {} : JSON.parse(body);
    return Response.json(
      world.store.transact(() => found.command.run(world, found.id, asked)),
    );
  } catch (error) {
    if (error instanceof StripeFailure) {
      return Response.json({ error: error.body }, { status: error.status });
    }
    if (!(error instanceof SyntaxError)) throw error;
    const message = "The body is no JSON";
    return Response.json({ error: { type: "invalid_request_error", message } }, { status: 400 });
  }
}
