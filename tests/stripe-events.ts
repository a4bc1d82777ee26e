/**
 * Stripe's events for tests: made by the stand-in's world in this process, in the full shape that Stripe's API sends, kept
 * instead of delivered, so that tests send them in orders of their own, as often as they like, for users of their own.
 */
import Stripe from "stripe";
import type { StackFile } from "../scripts/stack/config.ts";
import { serveApi } from "../scripts/stack/stripe/api.ts";
import { type CardName, chooseDefault } from "../scripts/stack/stripe/cards.ts";
import { withPromotion } from "../scripts/stack/stripe/checkout.ts";
import { closeDispute, openDispute } from "../scripts/stack/stripe/disputes.ts";
import { type Paid, payCheckout, settleDelayed } from "../scripts/stack/stripe/pay.ts";
import { PROMOTIONS } from "../scripts/stack/stripe/promotions.ts";
import { failRefund } from "../scripts/stack/stripe/refunds.ts";
import { Store } from "../scripts/stack/stripe/store.ts";
import {
  closeSubscription,
  payInvoice,
  renewSubscription,
} from "../scripts/stack/stripe/subscriptions.ts";
import type {
  Charge,
  Dispute,
  Invoice,
  InvoiceLine,
  PaymentIntent,
  Refund,
  Session,
  StripeEvent,
  Subscription,
} from "../scripts/stack/stripe/wire.ts";
import type { World } from "../scripts/stack/stripe/world.ts";
import { stack } from "./harness.ts";

/** An event as it travels; tests may make of it what Stripe would not send. */
export type TestEvent = Omit<StripeEvent, "type"> & { type: string };

/** A package of supabase/seed.sql. */
export interface Package {
  id: string;
  tokens: number;
  cents: number;
}

/** The packages that tests buy. */
export const PACKAGES = {
  starter: { id: "018f0000-0000-7000-8000-000000000001", tokens: 100, cents: 100 },
  small: { id: "018f0000-0000-7000-8000-000000000002", tokens: 550, cents: 500 },
  medium: { id: "018f0000-0000-7000-8000-000000000003", tokens: 1200, cents: 1000 },
  early: { id: "018f0000-0000-7000-8000-000000000004", tokens: 4000, cents: 2500 },
} as const satisfies Record<string, Package>;

/** The plans of supabase/seed.sql, as far as payments are concerned. */
export const PLANS = {
  basic: { cents: 900, credits: 1000, bonus: 100 },
  standard: { cents: 2900, credits: 4000, bonus: 500 },
  premium: { cents: 9900, credits: 15_000, bonus: 2000 },
} as const;

/** A plan. */
export type Tier = keyof typeof PLANS;

/** A customer of Stripe's, and the user that he is. */
export interface Buyer {
  user: string;
  customer: string;
}

const KEY = "sk_test_local_till";
const RETURN_URL = "http://localhost/";
/** A Saturday in January whose day most months lack. */
const FIRST_SECOND = Date.UTC(2026, 0, 31, 12) / 1000;

/** Stripe's account as one test has it, with a clock of its own. */
export class Till implements Disposable {
  /** Seconds since 1970. */
  now: number;
  readonly #world: World;
  /** The real client, for calls that have no method here. */
  readonly client: Stripe;
  #taken = 0;

  constructor(now = FIRST_SECOND) {
    this.now = now;
    const folder = Deno.makeTempDirSync({ prefix: "scrip-till-" });
    const store = new Store(`${folder}/stripe.jsonl`);
    // The open file lives on without its name.
    Deno.removeSync(folder, { recursive: true });
    this.#world = {
      store,
      publicUrl: "http://localhost",
      now: () => this.now,
      request: { id: null, idempotency_key: null },
    };
    const answer = async (input: string | URL | Request, init?: RequestInit) => {
      const request = new Request(input, init);
      return serveApi(this.#world, request, await request.text(), KEY);
    };
    this.client = new Stripe(KEY, {
      httpClient: Stripe.createFetchHttpClient(answer),
      maxNetworkRetries: 0,
      telemetry: false,
    });
  }

  [Symbol.dispose](): void {
    this.#world.store.close();
  }

  /** Everything that Stripe holds. */
  get store(): Store {
    return this.#world.store;
  }

  /** The events since the last call, in the order that they happened; those of some types only. */
  take(...types: string[]): TestEvent[] {
    const all = this.store.all("event");
    const fresh = all.slice(this.#taken);
    this.#taken = all.length;
    return fresh.filter(({ type }) => types.length === 0 || types.includes(type));
  }

  #do<T>(work: (world: World) => T): T {
    return this.store.transact(() => work(this.#world));
  }

  /** A user becomes a customer. */
  async buyer(user: string = crypto.randomUUID()): Promise<Buyer> {
    const { id: customer } = await this.client.customers.create({
      email: `${user}@example.test`,
      metadata: { user_id: user },
    });
    return { user, customer };
  }

  /** Opens a checkout for one payment, as create-checkout does, and pays. */
  async #pay(
    { user, customer }: Buyer,
    [currency, cents]: [string, number],
    order: Record<string, string>,
    { card = "works", promotion }: { card?: CardName; promotion?: string } = {},
  ): Promise<Paid> {
    const metadata = { user_id: user, amount_cents: `${cents}`, currency, ...order };
    const session = await this.client.checkout.sessions.create({
      mode: "payment",
      customer,
      client_reference_id: user,
      success_url: RETURN_URL,
      line_items: [{
        quantity: 1,
        price_data: { currency, unit_amount: cents, product_data: { name: "Tokens" } },
      }],
      allow_promotion_codes: true,
      metadata,
      payment_intent_data: { metadata },
    });
    return this.#do((world) => {
      const checkout = world.store.get("checkout", session.id);
      const found = PROMOTIONS.find(({ code }) => code === promotion);
      if (checkout && found) world.store.put("checkout", withPromotion(checkout, found));
      return payCheckout(world, session.id, card, "someone@example.test");
    });
  }

  /** Buys a package. */
  buy(
    buyer: Buyer,
    { id, tokens, cents }: Package = PACKAGES.starter,
    how: { card?: CardName; promotion?: string } = {},
  ): Promise<Paid> {
    const order = { kind: "package", package_id: id, tokens: `${tokens}` };
    return this.#pay(buyer, ["eur", cents], order, how);
  }

  /** Deposits US dollars. */
  deposit(buyer: Buyer, cents: number): Promise<Paid> {
    const usd = (cents / 100).toFixed(2);
    return this.#pay(buyer, ["usd", cents], { kind: "usd_deposit", usd });
  }

  /** Subscribes to a plan. */
  async subscribe(
    { user, customer }: Buyer,
    tier: Tier,
    promotion?: string,
  ): Promise<Subscription | undefined> {
    const metadata = { kind: "plan", user_id: user, tier, ...this.#offer(tier) };
    const session = await this.client.checkout.sessions.create({
      mode: "subscription",
      customer,
      client_reference_id: user,
      success_url: RETURN_URL,
      line_items: [{ quantity: 1, price_data: await this.#price(tier) }],
      allow_promotion_codes: true,
      metadata,
      subscription_data: { metadata },
    });
    const { subscription } = this.#do((world) => {
      const checkout = world.store.get("checkout", session.id);
      const found = PROMOTIONS.find(({ code }) => code === promotion);
      if (checkout && found) world.store.put("checkout", withPromotion(checkout, found));
      return payCheckout(world, session.id, "works", "someone@example.test").session;
    });
    return this.store.get("subscription", subscription ?? "");
  }

  #offer(tier: Tier) {
    return { amount_cents: `${PLANS[tier].cents}`, currency: "eur" };
  }

  async #price(tier: Tier) {
    const product = `scrip_plan_${tier}`;
    if (!this.store.get("product", product)) {
      await this.client.products.create({ id: product, name: tier });
    }
    const recurring = { interval: "month" as const };
    return { currency: "eur", unit_amount: PLANS[tier].cents, recurring, product };
  }

  /** Changes the plan as subscription/update does: an upgrade is invoiced at once, a downgrade not. */
  async change(subscription: Subscription, tier: Tier): Promise<void> {
    const [item] = subscription.items.data;
    const upgrade = PLANS[tier].cents > (item?.price.unit_amount ?? 0);
    await this.client.subscriptions.update(subscription.id, {
      items: [{ id: item?.id ?? "", price_data: await this.#price(tier) }],
      metadata: { tier, ...this.#offer(tier) },
      ...(upgrade
        ? { proration_behavior: "always_invoice", payment_behavior: "error_if_incomplete" }
        : { proration_behavior: "none" }),
    });
  }

  /** Goes on to the end of the period, and begins the next. */
  renew({ id, items }: Subscription, fail = false): Invoice {
    this.now = Math.max(this.now, items.data[0]?.current_period_end ?? 0);
    return this.#do((world) => renewSubscription(world, id, fail).invoice);
  }

  /** Tries again to be paid. */
  payInvoice({ id }: Invoice, fail = false): Invoice {
    return this.#do((world) => payInvoice(world, id, fail).invoice);
  }

  /** Lets a subscription end with its period, or go on after all. */
  async cancel({ id }: Subscription, cancel = true): Promise<void> {
    await this.client.subscriptions.update(id, { cancel_at_period_end: cancel });
  }

  /** The end of a subscription that is cancelled, or was not paid. */
  end({ id, items }: Subscription): Subscription {
    this.now = Math.max(this.now, items.data[0]?.current_period_end ?? 0);
    return this.#do((world) => closeSubscription(world, id));
  }

  /** Charges an automatic top-up to a saved card. */
  async topUp(
    { user, customer }: Buyer,
    { id, tokens, cents }: Package,
    top_up_id: string,
    card: CardName = "works",
  ): Promise<void> {
    const saved = this.#do((world) => {
      const found = world.store.get("customer", customer);
      return found && chooseDefault(world, found, card);
    });
    await this.client.paymentIntents.create({
      amount: cents,
      currency: "eur",
      customer,
      payment_method: saved?.id ?? "",
      off_session: true,
      confirm: true,
      metadata: {
        kind: "top_up",
        user_id: user,
        package_id: id,
        tokens: `${tokens}`,
        amount_cents: `${cents}`,
        currency: "eur",
        top_up_id,
      },
    });
  }

  /** Refunds so much of a payment. */
  async refund(payment_intent: string, amount: number): Promise<Refund> {
    const { id } = await this.client.refunds.create({ payment_intent, amount });
    return this.#found(this.store.get("refund", id));
  }

  /** The buyer's bank sends a refund back. */
  failRefund({ id }: Refund): Refund {
    return this.#do((world) => failRefund(world, id));
  }

  /** The buyer's bank takes money back, or asks only. */
  dispute(
    payment_intent: string,
    asked: { amount?: number; inquiry?: boolean } = {},
  ): Dispute {
    const { id } = this.charge(payment_intent);
    const { inquiry = false, ...amount } = asked;
    return this.#do((world) =>
      openDispute(world, id, { ...amount, inquiry, reason: "fraudulent" })
    );
  }

  /** The bank decides. */
  closeDispute({ id }: Dispute, won: boolean): Dispute {
    return this.#do((world) => closeDispute(world, id, won));
  }

  /** A bank debit that was under way succeeds or fails. */
  settleDelayed(payment_intent: string, succeed: boolean): Session | null {
    return this.#do((world) => settleDelayed(world, payment_intent, succeed));
  }

  /** The charge of a payment that succeeded. */
  charge(payment_intent: string): Charge {
    const found = this.store.all("charge")
      .find((charge) => charge.payment_intent === payment_intent && charge.paid);
    return this.#found(found);
  }

  /** The payment intent of an invoice. */
  paymentOf({ id }: { id: string }): string {
    const found = this.store.all("invoice_payment").find(({ invoice }) => invoice === id);
    return found?.payment.payment_intent ?? "";
  }

  /** Payments that succeeded, oldest first. */
  payments(): PaymentIntent[] {
    return this.store.all("payment_intent").filter(({ status }) => status === "succeeded");
  }

  #found<T>(value: T | undefined): T {
    if (value === undefined) throw new Error("Stripe has no such thing");
    return value;
  }
}

/** An object as API versions before 2025 sent it: with the links that Stripe has moved since. */
function oldObject(till: Till, object: TestEvent["data"]["object"]): object {
  switch (object.object) {
    case "invoice": {
      const { parent, ...kept } = object;
      const { subscription = null, metadata = null } = parent?.subscription_details ?? {};
      const payment_intent = till.paymentOf(object);
      return {
        ...kept,
        charge: till.charge(payment_intent).id,
        lines: { ...kept.lines, data: kept.lines.data.map((line) => oldLine(till, line)) },
        paid: kept.status === "paid",
        payment_intent,
        subscription,
        subscription_details: { metadata },
      };
    }
    case "charge":
    case "payment_intent": {
      const payment = object.object === "charge" ? object.payment_intent : object.id;
      const found = till.store.all("invoice_payment")
        .find((one) => one.payment.payment_intent === payment);
      return { ...object, invoice: found?.invoice ?? null };
    }
    case "subscription": {
      const periods = object.items.data.map(({ current_period_start, current_period_end }) => ({
        current_period_start,
        current_period_end,
      }));
      const items = object.items.data.map((item) => {
        const { current_period_start: _start, current_period_end: _end, ...kept } = item;
        return kept;
      });
      return { ...object, ...periods[0], items: { ...object.items, data: items } };
    }
    default:
      return object;
  }
}

function oldLine(till: Till, line: InvoiceLine): object {
  const { parent, pricing, ...kept } = line;
  const { proration, subscription, subscription_item } = parent?.subscription_item_details ?? {};
  const price = till.store.get("price", `${pricing?.price_details?.price}`) ?? null;
  return { ...kept, price, proration, subscription, subscription_item, type: "subscription" };
}

/** An event as API versions before 2025 sent it. */
export const inOldShape = (till: Till, event: TestEvent): TestEvent =>
  JSON.parse(JSON.stringify({
    ...event,
    api_version: "2024-06-20",
    data: { ...event.data, object: oldObject(till, event.data.object) },
  }));

const STRIPE_ID =
  /\b(?:bps|ch|cs_test|cus|di|du|evt|ii|il|in|inpay|li|pi|pm|price|prod|pyr|re|req|si|sub|txn)_[0-9A-Za-z]{14,}\b/g;
const COPY = /(?<=[0-9A-Za-z]{14})c\d+c\b/g;

let copies = 0;

/**
 * The same events as if they had happened to other users: every id of Stripe's is another one, in the same order.
 *
 * @param ids what else to replace, such as users by those that they become.
 */
export function copyEvents(
  events: readonly TestEvent[],
  ids: ReadonlyMap<string, string>,
): TestEvent[] {
  // Of one length, so that the ids of a copy sort as the originals do.
  const mark = `c${String(++copies).padStart(6, "0")}c`;
  let text = JSON.stringify(events).replace(STRIPE_ID, (id) => id + mark);
  for (const [from, to] of ids) text = text.replaceAll(from, to);
  return JSON.parse(text);
}

/** A text with the ids of the originals, instead of those of copies. */
export const withoutCopies = (text: string): string => text.replace(COPY, "");

/** The signature that Stripe sends with a body. */
export const sign = (payload: string, secret: string, timestamp = Math.floor(Date.now() / 1000)) =>
  Stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
    timestamp,
    cryptoProvider: PROVIDER,
  });

const PROVIDER = Stripe.createSubtleCryptoProvider();

/** A body as Stripe sends it. */
export const bodyOf = (event: TestEvent): string => JSON.stringify(event, null, 2);

/** Posts a body to the webhook, as anyone on the internet can. */
export async function post(
  body: string,
  signature: string | undefined,
  { url }: Pick<StackFile, "url"> = stack,
) {
  const response = await fetch(`${url}/functions/v1/stripe-webhook`, {
    method: "POST",
    headers: {
      "content-type": "application/json; charset=utf-8",
      "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
      ...(signature === undefined ? {} : { "stripe-signature": signature }),
    },
    body,
  });
  const { outcome, code }: { outcome?: string; code?: string } = await response.json();
  return { status: response.status, outcome, code };
}

/** Delivers an event as Stripe does; what the webhook answers. */
export async function deliver(
  event: TestEvent,
  target: Pick<StackFile, "url" | "stripe_webhook_secret"> = stack,
) {
  const body = bodyOf(event);
  return await post(body, await sign(body, target.stripe_webhook_secret), target);
}

/** Does something with each, so many at a time; the results are in order. */
export async function parallel<T, R>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return results;
}
