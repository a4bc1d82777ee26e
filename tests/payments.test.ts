/**
 * What Scrip holds follows from the set of Stripe's events alone: not from their order, nor from how often or how many at
 * once they come, nor from what crashes meanwhile. Nothing but what Stripe signed has an effect.
 *
 * Method: a world of Stripe's in this process makes events in their full shape, which are signed and posted to the
 * running webhook or, where thousands are needed, handed to its SQL function over many connections. Each set of events is
 * copied for fresh users and sent in another order; the end states are compared with one another and with a small model
 * of what Stripe's own objects say. What a crash leaves is in crash.test.ts.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notDeepStrictEqual as notDeepEqual,
  ok,
  strictEqual as equal,
} from "node:assert/strict";
import fc from "fast-check";
import type postgres from "postgres";
import Stripe from "stripe";
import { StripeFailure } from "../scripts/stack/stripe/errors.ts";
import type { Invoice, Subscription } from "../scripts/stack/stripe/wire.ts";
import { call, ledgerTest, makeUser, makeUsers, signIn, signUp, stack } from "./harness.ts";
import {
  bodyOf,
  type Buyer,
  copyEvents,
  deliver,
  inOldShape,
  PACKAGES,
  parallel,
  PLANS,
  post,
  sign,
  type TestEvent,
  type Tier,
  Till,
  withoutCopies,
} from "./stripe-events.ts";

const CLIENTS = 16;
const DAY_SECONDS = 86_400;
const isTier = (text: string): text is Tier => text in PLANS;
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

/** Everything that Scrip holds of a user and that Stripe's events decide; what copies of them share. */
async function stateOf(sql: postgres.Sql, user: string) {
  const [balance] = await sql`
    select b.purchased, b.remaining, d.usd_balance
    from get_token_balance(${user}) b, get_usd_balance(${user}) d`;
  const purchases = await sql`
    select kind, description, package_id, tier, amount_cents, currency, refunded_cents, disputed_cents, tokens_granted,
      tokens_clawed_back, usd_granted::float, usd_clawed_back::float, stripe_id, stripe_checkout_session_id,
      stripe_payment_intent_id, stripe_invoice_id, stripe_subscription_id, granted_period_start, period_start, period_end,
      paid_at
    from purchases where user_id = ${user} order by stripe_id`;
  const subscriptions = await sql`
    select tier, next_tier, status, current_period_start, current_period_end, cancel_at_period_end, past_due_since,
      payment_failed_at, stripe_subscription_id, stripe_item_id
    from subscriptions where user_id = ${user} order by stripe_subscription_id`;
  const topUps = await sql`
    select enabled, stopped_reason from auto_top_ups where user_id = ${user}`;
  const state = { balance, purchases, subscriptions, topUps };
  return JSON.parse(withoutCopies(JSON.stringify(state)));
}

/** Asserts that each user holds the same; what they hold. */
async function sameState(sql: postgres.Sql, users: readonly string[]) {
  const [first, ...others] = await Promise.all(users.map((user) => stateOf(sql, user)));
  for (const other of others) deepEqual(other, first);
  return first;
}

/** Where two values differ, in few words. */
function differences(actual: unknown, expected: unknown, path = ""): string[] {
  if (typeof actual !== "object" || typeof expected !== "object" || !actual || !expected) {
    return Object.is(actual, expected) ? [] : [`${path}: ${actual} instead of ${expected}`];
  }
  const [is, should] = [new Map(Object.entries(actual)), new Map(Object.entries(expected))];
  return [...new Set([...is.keys(), ...should.keys()])]
    .flatMap((key) => differences(is.get(key), should.get(key), `${path}.${key}`));
}

/** How many events of these are stored. */
async function storedOf(sql: postgres.Sql, events: readonly TestEvent[]): Promise<number> {
  const [row] = await sql`
    select count(*) as stored from private.stripe_events where id = any(${
    events.map(({ id }) => id)
  })`;
  return row?.["stored"];
}

/** Delivers events in their order; all must be taken. */
async function deliverAll(events: readonly TestEvent[]): Promise<void> {
  for (const event of events) {
    const { status } = await deliver(event);
    equal(status, 200, event.type);
  }
}

const ofUser = (from: string, to: string) => new Map([[from, to]]);

/** An event that differs from a made one, for those of Stripe's that the stand-in does not send. */
const like = (event: TestEvent, type: string): TestEvent => ({
  ...event,
  id: `${event.id}${type.replace(/[^a-z]/g, "")}`,
  type,
});

/** What a story needs of the database besides a user. */
type Prepare = (sql: postgres.Sql, user: string) => Promise<string>;

const TOP_UP_ID = "00000000-0000-4000-8000-000000000001";

/** Switches a user's auto top-up on, with an attempt in flight. */
const topUpInFlight: Prepare = async (sql, user) => {
  await sql`select set_auto_top_up(${user}, true, 10, ${PACKAGES.small.id}, 5000)`;
  const [row] = await sql`
    insert into private.top_ups (user_id, package_id, description, amount_cents, currency, tokens)
    values (${user}, ${PACKAGES.small.id}, 'Small', 500, 'eur', 550) returning id`;
  return row?.["id"];
};

/** Something that ends with an event of each type that has an effect. */
interface Story {
  type: string;
  tell(till: Till, buyer: Buyer): Promise<void>;
  /** Makes of the story's last event what the stand-in does not send. */
  as?: string;
  /** Whether it comes after all other events of the story. */
  last?: boolean;
  /** Whether what is held stays the same, since other events say as much. */
  mute?: boolean;
  prepare?: Prepare;
}

const buyAndDispute = async (till: Till, buyer: Buyer, inquiry = false) => {
  await till.buy(buyer, PACKAGES.small);
  return till.dispute(till.payments()[0]?.id ?? "", { inquiry });
};

const refundHalf = async (till: Till, buyer: Buyer) => {
  await till.buy(buyer, PACKAGES.small);
  return await till.refund(till.payments()[0]?.id ?? "", 250);
};

const subscribed = async (till: Till, buyer: Buyer): Promise<Subscription> => {
  const subscription = await till.subscribe(buyer, "basic");
  ok(subscription);
  return subscription;
};

const STORIES: Story[] = [
  {
    type: "checkout.session.completed",
    tell: async (till, buyer) => {
      await till.buy(buyer);
    },
  },
  ...[true, false].map((succeed) => ({
    type: `checkout.session.async_payment_${succeed ? "succeeded" : "failed"}`,
    mute: !succeed,
    tell: async (till: Till, buyer: Buyer) => {
      const { session } = await till.buy(buyer, PACKAGES.small, { card: "delayed" });
      till.settleDelayed(session.payment_intent ?? "", succeed);
    },
  })),
  {
    type: "invoice.paid",
    tell: async (till, buyer) => {
      await subscribed(till, buyer);
    },
  },
  {
    type: "invoice.payment_failed",
    tell: async (till, buyer) => {
      till.renew(await subscribed(till, buyer), true);
    },
  },
  {
    type: "invoice_payment.paid",
    last: true,
    tell: async (till, buyer) => {
      const { latest_invoice } = await subscribed(till, buyer);
      await till.refund(till.paymentOf({ id: latest_invoice ?? "" }), 300);
    },
  },
  {
    type: "customer.subscription.created",
    tell: async (till, buyer) => {
      await subscribed(till, buyer);
    },
  },
  {
    type: "customer.subscription.updated",
    tell: async (till, buyer) => {
      await till.change(await subscribed(till, buyer), "premium");
    },
  },
  {
    type: "customer.subscription.deleted",
    tell: async (till, buyer) => {
      const subscription = await subscribed(till, buyer);
      await till.cancel(subscription);
      till.end(subscription);
    },
  },
  ...["refund.created", "charge.refunded", "refund.updated"].map((type) => ({
    type,
    mute: type !== "refund.created",
    tell: async (till: Till, buyer: Buyer) => {
      await refundHalf(till, buyer);
    },
  })),
  {
    type: "refund.failed",
    tell: async (till, buyer) => {
      till.failRefund(await refundHalf(till, buyer));
    },
  },
  {
    type: "refund.updated",
    as: "charge.refund.updated",
    mute: true,
    tell: async (till, buyer) => {
      till.failRefund(await refundHalf(till, buyer));
    },
  },
  ...["charge.dispute.created", "charge.dispute.funds_withdrawn"].map((type) => ({
    type,
    mute: type === "charge.dispute.created",
    tell: async (till: Till, buyer: Buyer) => {
      await buyAndDispute(till, buyer);
    },
  })),
  {
    type: "charge.dispute.funds_withdrawn",
    as: "charge.dispute.updated",
    tell: async (till, buyer) => {
      await buyAndDispute(till, buyer);
    },
  },
  ...["charge.dispute.closed", "charge.dispute.funds_reinstated"].map((type) => ({
    type,
    mute: type === "charge.dispute.funds_reinstated",
    tell: async (till: Till, buyer: Buyer) => {
      till.closeDispute(await buyAndDispute(till, buyer), true);
    },
  })),
  {
    type: "payment_intent.succeeded",
    prepare: topUpInFlight,
    tell: (till, buyer) => till.topUp(buyer, PACKAGES.small, TOP_UP_ID),
  },
  ...[undefined, "payment_intent.canceled"].map((as) => ({
    type: "payment_intent.payment_failed",
    ...(as === undefined ? {} : { as }),
    prepare: topUpInFlight,
    tell: (till: Till, buyer: Buyer) =>
      till.topUp(buyer, PACKAGES.small, TOP_UP_ID, "declines_later").catch(() => undefined),
  })),
];

/** The events of a story before the one in question, and that one. */
async function tell({ type, as, last, tell: act }: Story) {
  using till = new Till();
  const buyer = await till.buyer();
  await act(till, buyer);
  const events = till.take();
  const at = events.findLastIndex((event) => event.type === type);
  const found = events[at];
  ok(found, `There is no ${type}`);
  return {
    buyer,
    before: last ? events.toSpliced(at, 1) : events.slice(0, at),
    event: as === undefined ? found : like(found, as),
  };
}

ledgerTest("each event alone, twice, and 50 times at once has one effect", async (sql) => {
  await parallel(STORIES, 4, async (story) => {
    const { buyer, before, event } = await tell(story);
    const states = await parallel([0, 1, 2, 50], 1, async (times) => {
      const user = await makeUser(sql, 1000);
      const topUpId = await story.prepare?.(sql, user) ?? TOP_UP_ID;
      const ids = new Map([[buyer.user, user], [TOP_UP_ID, topUpId]]);
      const copies = copyEvents([...before, event], ids);
      await deliverAll(copies.slice(0, -1));
      const last = copies.slice(-1);
      const answers = await parallel(
        Array.from({ length: times }, () => last).flat(),
        times,
        deliver,
      );
      const outcomes = answers.map(({ status, outcome }) => `${status} ${outcome}`).sort();
      const expected = ["200 applied", ...Array.from({ length: times }, () => "200 duplicate")];
      deepEqual([event.type, ...outcomes], [event.type, ...expected.slice(0, times)]);
      return await stateOf(sql, user);
    });
    const [without, once, ...more] = states;
    for (const state of more) deepEqual(state, once, event.type);
    (story.mute ? deepEqual : notDeepEqual)(once, without, `the effect of ${event.type}`);
  });
});

/** All orders of some things. */
function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]];
  return things.flatMap((first, at) =>
    ordersOf(things.toSpliced(at, 1)).map((rest) => [first, ...rest])
  );
}

ledgerTest(
  "a purchase, two refunds, a dispute and its end come to the same in every order",
  async (sql) => {
    using till = new Till();
    const buyer = await till.buyer();
    await till.buy(buyer, PACKAGES.small);
    const purchase = till.take();
    const payment = till.payments()[0]?.id ?? "";
    await till.refund(payment, 99);
    const refund1 = till.take();
    await till.refund(payment, 100);
    const refund2 = till.take();
    const opened = till.dispute(payment, { amount: 300 });
    const dispute = till.take();
    till.closeDispute(opened, true);
    const parts = [purchase, refund1, refund2, dispute, till.take()];
    // Every sixth of the 120; pgTAP sends all of them. Within each part, half of them go backwards.
    const orders = ordersOf(parts).filter((_, index) => index % 6 === 0)
      .map((order, index) => order.flatMap((part) => index % 2 ? part : part.toReversed()));
    const users = await makeUsers(sql, orders.length, 0);
    const sent = orders.map((order, at) => copyEvents(order, ofUser(buyer.user, users[at] ?? "")));
    await parallel(sent, CLIENTS, deliverAll);
    const state = await sameState(sql, users);
    deepEqual(state.balance, { purchased: 332, remaining: 332, usd_balance: "0.00" });
    deepEqual(
      state.purchases.map((p: Record<string, unknown>) => [
        p["tokens_granted"],
        p["tokens_clawed_back"],
        p["refunded_cents"],
        p["disputed_cents"],
      ]),
      [[550, 218, 199, 0]],
    );
  },
);

/** What Stripe's own objects say at the end that a buyer has; reads nothing of Scrip's but prices. */
function owed(till: Till, { customer }: Buyer) {
  const refunds = till.store.all("refund")
    .filter(({ status }) => status !== "failed" && status !== "canceled");
  const disputes = till.store.all("dispute")
    .filter(({ status }) => status === "needs_response" || status === "lost");
  const of = (payment: string | null) => (one: { payment_intent: unknown }) =>
    one.payment_intent === payment;
  const amounts = (things: readonly { amount: number }[]) => sum(things.map((one) => one.amount));

  const grants = new Map<string, { paid: number; tokens: number; usd: number; payment: string }>();
  for (const { session } of till.store.all("checkout")) {
    const { kind, tokens, usd } = session.metadata ?? {};
    const paid = session.payment_status !== "unpaid" && session.mode === "payment";
    if (!paid || session.customer !== customer) continue;
    const payment = `${session.payment_intent ?? ""}`;
    grants.set(payment || session.id, {
      paid: session.amount_total ?? 0,
      tokens: kind === "package" ? Number(tokens) : 0,
      usd: kind === "usd_deposit" ? Number(usd) : 0,
      payment,
    });
  }
  for (const { id, amount, customer: payer, metadata } of till.payments()) {
    if (metadata["kind"] !== "top_up" || payer !== customer) continue;
    grants.set(id, { paid: amount, tokens: Number(metadata["tokens"]), usd: 0, payment: id });
  }
  const invoices = till.store.all("invoice").filter((invoice) => invoice.customer === customer);
  const credits = creditsOf(invoices);
  for (const { id, amount_paid } of invoices.filter(isPaid)) {
    const tokens = credits.get(id) ?? 0;
    if (amount_paid + tokens === 0) continue;
    grants.set(id, { paid: amount_paid, tokens, usd: 0, payment: till.paymentOf({ id }) });
  }

  const purchases = [...grants].map(([stripe_id, { paid, tokens, usd, payment }]) => {
    const refunded_cents = amounts(refunds.filter(of(payment)));
    const disputed_cents = amounts(disputes.filter(of(payment)));
    const reversed = Math.min(refunded_cents + disputed_cents, paid);
    return {
      stripe_id,
      amount_cents: paid,
      refunded_cents,
      disputed_cents,
      tokens_granted: tokens,
      tokens_clawed_back: paid === 0 ? 0 : Math.floor(tokens * reversed / paid),
      usd_granted: usd,
      usd_clawed_back: paid === 0 ? 0 : inCents(usd * reversed / paid),
    };
  });
  const left = sum(purchases.map((p) => p.tokens_granted - p.tokens_clawed_back));
  const subscriptions = till.store.all("subscription")
    .filter((one) => one.customer === customer)
    .map(({ id, status, items: { data: [item] }, cancel_at_period_end }) => ({
      stripe_subscription_id: id,
      status,
      tier: `${item?.price.product}`.replace("scrip_plan_", ""),
      current_period_start: toIso(item?.current_period_start),
      current_period_end: toIso(item?.current_period_end),
      cancel_at_period_end,
    }));
  return {
    purchased: left,
    remaining: left,
    usd: inCents(sum(purchases.map((p) => p.usd_granted - p.usd_clawed_back))),
    purchases: purchases.sort(by("stripe_id")),
    subscriptions: subscriptions.sort(by("stripe_subscription_id")),
  };
}

const inCents = (usd: number) => Math.round(usd * 100) / 100;

const toIso = (seconds = 0) => new Date(seconds * 1000).toISOString();

const by = <K extends string>(key: K) => (a: Record<K, string>, b: Record<K, string>) =>
  a[key] < b[key] ? -1 : 1;

const isPaid = ({ status }: Invoice) => status === "paid";

/**
 * What a buyer's paid invoices give: each period its credits, the first the bonus, upgrades the difference of the
 * plans for the rest of it, as far as they were paid with money. Those that are not paid tell how long a period is.
 */
function creditsOf(invoices: readonly Invoice[]): Map<string, number> {
  const credits = new Map<string, number>();
  const lines = invoices.flatMap((invoice) =>
    invoice.lines.data.map((line) => {
      const tier = `${line.pricing?.price_details?.product}`.replace("scrip_plan_", "");
      return {
        id: invoice.id,
        isPaid: isPaid(invoice),
        amount: line.amount,
        period: line.period,
        plan: PLANS[isTier(tier) ? tier : "basic"],
        isProration: line.parent?.subscription_item_details?.proration ?? false,
        subscription: line.parent?.subscription_item_details?.subscription,
      };
    })
  );
  const periods = lines.filter(({ isProration }) => !isProration)
    .sort((a, b) => a.period.start - b.period.start);
  for (const [index, { id, plan }] of periods.filter(({ isPaid }) => isPaid).entries()) {
    credits.set(id, plan.credits + (index === 0 ? plan.bonus : 0));
  }
  for (const unused of lines.filter((l) => l.isPaid && l.isProration && l.amount < 0)) {
    const rest = lines.find((l) => l.id === unused.id && l.isProration && l.amount > 0);
    const whole = periods.find((l) =>
      l.subscription === unused.subscription && l.period.end === unused.period.end
    );
    const invoice = invoices.find(({ id }) => id === unused.id);
    if (!rest || !whole || !invoice) continue;
    const { total, amount_paid } = invoice;
    const gained = BigInt(Math.max(0, rest.plan.credits - unused.plan.credits));
    const part = BigInt(rest.period.end - rest.period.start) * BigInt(total > 0 ? amount_paid : 1);
    const of = BigInt(whole.period.end - whole.period.start) * BigInt(total > 0 ? total : 1);
    credits.set(rest.id, Number(gained * part / of));
  }
  return credits;
}

/** The part of a user's state that the model knows. */
function modelled(state: Awaited<ReturnType<typeof stateOf>>) {
  const only = (names: readonly string[]) => (row: Record<string, unknown>) =>
    Object.fromEntries(names.map((name) => [name, row[name]]));
  return {
    purchased: state.balance.purchased,
    remaining: state.balance.remaining,
    usd: Number(state.balance.usd_balance),
    purchases: state.purchases.map(only([
      "stripe_id",
      "amount_cents",
      "refunded_cents",
      "disputed_cents",
      "tokens_granted",
      "tokens_clawed_back",
      "usd_granted",
      "usd_clawed_back",
    ])),
    subscriptions: state.subscriptions.map(only([
      "stripe_subscription_id",
      "status",
      "tier",
      "current_period_start",
      "current_period_end",
      "cancel_at_period_end",
    ])),
  };
}

const KINDS = [
  "buy",
  "buy",
  "buy discounted",
  "buy by debit",
  "end debit",
  "deposit",
  "top up",
  "subscribe",
  "subscribe",
  "renew",
  "renew",
  "fail to renew",
  "pay invoice",
  "change plan",
  "change plan",
  "cancel",
  "end",
  "refund",
  "refund",
  "refund",
  "fail refund",
  "dispute",
  "inquire",
  "close dispute",
] as const;

/** Something that happens at Stripe, if it can. */
interface Step {
  kind: typeof KINDS[number];
  buyer: number;
  /** Which of the things that it can happen to. */
  pick: number;
  percent: number;
  /** Seconds since the step before. */
  after: number;
}

const BUYERS = 2;

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  buyer: fc.nat({ max: BUYERS - 1 }),
  pick: fc.nat({ max: 99 }),
  percent: fc.integer({ min: 1, max: 100 }),
  // Much happens within a second.
  after: fc.constantFrom(0, 0, 0, 1, 3600, 5 * DAY_SECONDS),
});

async function perform(till: Till, buyer: Buyer, { kind, pick, percent, after }: Step) {
  till.now += after;
  const one = <T>(things: readonly T[]): T | undefined => things[pick % things.length];
  const { customer } = buyer;
  const mine = (thing: { customer: string | null }) => thing.customer === customer;
  const payment = one(till.payments().filter(mine));
  const cents = Math.max(1, Math.floor((payment?.amount ?? 0) * percent / 100));
  const paid = new Set(till.payments().filter(mine).map(({ id }) => id));
  const dispute = one(till.store.all("dispute").filter((d) => paid.has(d.payment_intent ?? "")));
  const refund = one(till.store.all("refund").filter((r) => paid.has(r.payment_intent ?? "")));
  const debit = one(
    till.store.all("payment_intent").filter((p) => mine(p) && p.status === "processing"),
  );
  const subscription = till.store.all("subscription").filter(mine).at(-1);
  const running = subscription && subscription.status !== "canceled" ? subscription : undefined;
  const open = till.store.all("invoice").find((i) => mine(i) && i.status === "open");
  const item = one(Object.values(PACKAGES)) ?? PACKAGES.small;
  const tier = one(Object.keys(PLANS).filter(isTier)) ?? "basic";
  // Nobody changes a subscription twice in a second.
  if (/plan|cancel|end$|subscribe|renew|invoice/.test(kind)) till.now += 1;
  switch (kind) {
    case "buy":
      return await till.buy(buyer, item);
    case "buy discounted":
      return await till.buy(buyer, item, { promotion: pick % 3 ? "SAVE20" : "FREE100" });
    case "buy by debit":
      return await till.buy(buyer, item, { card: "delayed" });
    case "end debit":
      return debit && till.settleDelayed(debit.id, pick % 3 > 0);
    case "deposit":
      return await till.deposit(buyer, 500 + pick);
    case "top up":
      return await till.topUp(buyer, item, crypto.randomUUID());
    case "subscribe":
      return running ?? await till.subscribe(buyer, tier, pick % 5 ? undefined : "FREE100");
    case "renew":
      return running && till.renew(running);
    case "fail to renew":
      return running && till.renew(running, true);
    case "pay invoice":
      return open && till.payInvoice(open);
    case "change plan":
      return running && await till.change(running, tier);
    case "cancel":
      return running && await till.cancel(running, !running.cancel_at_period_end);
    case "end":
      return running && till.end(running);
    case "refund":
      return payment && await till.refund(payment.id, cents);
    case "fail refund":
      return refund && till.failRefund(refund);
    case "dispute":
      return payment && till.dispute(payment.id, { amount: cents });
    case "inquire":
      return payment && till.dispute(payment.id, { inquiry: true });
    case "close dispute":
      return dispute && till.closeDispute(dispute, pick % 2 > 0);
  }
}

/** Does a step; what Stripe refuses does not happen. */
async function tryStep(till: Till, buyer: Buyer, step: Step): Promise<void> {
  try {
    await perform(till, buyer, step);
  } catch (error) {
    if (!(error instanceof StripeFailure || error instanceof Stripe.errors.StripeError)) {
      throw error;
    }
  }
}

/** Another order, the same for the same seed. */
function shuffle<T>(things: readonly T[], seed: number): T[] {
  let state = seed >>> 0;
  const random = () => (state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0) / 2 ** 32;
  return things.map((thing) => ({ thing, place: random() }))
    .sort((a, b) => a.place - b.place).map(({ thing }) => thing);
}

ledgerTest(
  "random events of several users in random order come to what Stripe's objects say",
  async (sql) => {
    const story = fc.record({
      start: fc.constantFrom(Date.UTC(2026, 2, 15), Date.UTC(2026, 0, 31)),
      steps: fc.array(step, { minLength: 10, maxLength: 40 }),
      seeds: fc.tuple(fc.nat(), fc.nat()),
    });
    await fc.assert(
      fc.asyncProperty(story, async ({ start, steps, seeds }) => {
        using till = new Till(start / 1000);
        const buyers: Buyer[] = [];
        for (let n = 0; n < BUYERS; n++) buyers.push(await till.buyer());
        for (const one of steps) {
          const buyer = buyers[one.buyer];
          if (buyer) await tryStep(till, buyer, one);
        }
        const events = till.take();
        const expected = buyers.map((buyer) => owed(till, buyer));
        const first = await holdings(sql, buyers, events, 1, (copies) => copies);
        deepEqual(differences(first.map(modelled), expected), []);
        for (const seed of seeds) {
          // Some come twice.
          const again = await holdings(sql, buyers, events, CLIENTS, (copies) =>
            shuffle([
              ...copies,
              ...copies.filter((_, index) => (index + seed) % 4 === 0),
            ], seed));
          deepEqual(differences(again, first), []);
        }
      }),
      { seed: 3, numRuns: 12, endOnFailure: true },
    );
  },
  CLIENTS,
);

/** What fresh users hold after a copy of events, in the order that is made of them. */
async function holdings(
  sql: postgres.Sql,
  buyers: readonly Buyer[],
  events: readonly TestEvent[],
  connections: number,
  order: (copies: TestEvent[]) => TestEvent[],
) {
  const users = await makeUsers(sql, buyers.length, 0);
  const ids = new Map(buyers.map(({ user }, at) => [user, users[at] ?? ""]));
  const copies = copyEvents(events, ids);
  await parallel(
    order(copies),
    connections,
    (event) => sql`select outcome from handle_stripe_event(${JSON.stringify(event)}::text::jsonb)`,
  );
  // Bank debits that are under way wait; all else has found what it belongs to.
  const stuck = await sql`
    select type, outcome, error from private.stripe_events
    where id = any(${copies.map(({ id }) => id)})
      and outcome in ('failed', 'waiting')
      and payload #>> '{data,object,payment_status}' is distinct from 'unpaid'`;
  deepEqual([...stuck], []);
  return await Promise.all(users.map((user) => stateOf(sql, user)));
}

/** Sends parts in every order, each for a user of its own; what all of them hold. */
async function inEveryOrder(sql: postgres.Sql, { user }: Buyer, parts: readonly TestEvent[][]) {
  const orders = ordersOf(parts);
  const users = await makeUsers(sql, orders.length, 0);
  const sent = orders.map((order, at) => copyEvents(order.flat(), ofUser(user, users[at] ?? "")));
  await parallel(sent, CLIENTS, deliverAll);
  return await sameState(sql, users);
}

ledgerTest(
  "a refund of a subscription's invoice finds its purchase in every order",
  async (sql) => {
    using till = new Till();
    const buyer = await till.buyer();
    const { latest_invoice } = await subscribed(till, buyer);
    const plan = till.take("customer.subscription.created", "customer.subscription.updated");
    const payment = till.paymentOf({ id: latest_invoice ?? "" });
    const [paid, link] = ["invoice.paid", "invoice_payment.paid"].map((type) =>
      till.store.all("event").filter((event) => event.type === type)
    );
    ok(paid && link);
    await till.refund(payment, 300);
    const refunds = till.take("refund.created", "charge.refunded", "refund.updated");
    equal(refunds.length, 3);
    const left = PLANS.basic.credits + PLANS.basic.bonus - 366;
    const old = (events: TestEvent[]) => events.map((event) => inOldShape(till, event));
    for (
      const [shape, parts] of [
        ["new", [plan, paid, link, refunds]],
        ["old", [old(plan), old(paid), old(refunds)]],
      ] as const
    ) {
      const state = await inEveryOrder(sql, buyer, parts);
      equal(state.balance.purchased, left, shape);
      deepEqual(state.purchases.map((p: Record<string, unknown>) => p["refunded_cents"]), [300]);
      deepEqual(state.subscriptions.map((s: Record<string, unknown>) => s["status"]), ["active"]);
    }
  },
);

ledgerTest("upgrades of one period come to the same in every order", async (sql) => {
  using till = new Till();
  const buyer = await till.buyer();
  const { id } = await subscribed(till, buyer);
  for (const tier of ["standard", "premium"] as const) {
    till.now += 7 * DAY_SECONDS;
    const subscription = till.store.get("subscription", id);
    ok(subscription);
    await till.change(subscription, tier);
  }
  const events = till.take();
  const plan = events.filter(({ type }) => type.startsWith("customer.subscription."));
  const invoices = events.filter(({ type }) => type === "invoice.paid").map((event) => [event]);
  equal(invoices.length, 3);
  const { balance } = await inEveryOrder(sql, buyer, [plan, ...invoices]);
  // From 31 January to 28 February: three weeks of the first upgrade, two of the second.
  equal(balance.purchased, 1100 + 3000 * 3 / 4 + 11_000 * 2 / 4);
});

ledgerTest("what happens within a second comes to the same in every order", async (sql) => {
  using till = new Till();
  const buyer = await till.buyer();
  await till.change(await subscribed(till, buyer), "premium");
  const plan = till.take("customer.subscription.created", "customer.subscription.updated");
  equal(plan.length, 3);
  equal(new Set(plan.map(({ created }) => created)).size, 1);
  // Ids tell nothing of the order.
  const ids = plan.map(({ id }) => id);
  for (const given of [ids, ids.toReversed()]) {
    const parts = plan.map((event, at) => [{ ...event, id: given[at] ?? "" }]);
    const { subscriptions } = await inEveryOrder(sql, buyer, parts);
    deepEqual([subscriptions[0].tier, subscriptions[0].status], ["premium", "active"]);
  }

  await till.buy(buyer, PACKAGES.small);
  const [payment] = till.payments().slice(-1);
  till.failRefund(await till.refund(payment?.id ?? "", 100));
  await till.refund(payment?.id ?? "", 50);
  const events = till.take(
    "checkout.session.completed",
    "refund.created",
    "refund.failed",
    "charge.refunded",
  );
  equal(events.length, 6);
  const [purchase, refund, refunded, failed, ...more] = events;
  ok(purchase && refund && refunded && failed);
  const parts = [[purchase], [refund, refunded], [failed], more];
  equal((await inEveryOrder(sql, buyer, parts)).balance.purchased, 550 - 55);
});

ledgerTest("events older than what is known change nothing", async (sql) => {
  using till = new Till();
  const buyer = await till.buyer();
  const subscription = await subscribed(till, buyer);
  till.now += 60;
  await till.change(subscription, "premium");
  till.renew(till.store.get("subscription", subscription.id) ?? subscription);
  await till.cancel(subscription);
  till.end(till.store.get("subscription", subscription.id) ?? subscription);
  const user = await makeUser(sql, 0);
  const types = ["created", "updated", "deleted"].map((name) => `customer.subscription.${name}`);
  const events = copyEvents(till.take(...types), ofUser(buyer.user, user)).toReversed();
  await deliverAll(events.slice(0, 1));
  const newest = await stateOf(sql, user);
  equal(newest.subscriptions[0].status, "canceled");
  await deliverAll(events);
  deepEqual(await stateOf(sql, user), newest);
});

ledgerTest(
  "what Stripe did not sign lately, for this mode, is refused and not stored",
  async (sql) => {
    using till = new Till();
    const user = await makeUser(sql, 0);
    const buyer = await till.buyer(user);
    await till.buy(buyer);
    const [event] = till.take("checkout.session.completed");
    ok(event);
    const { stripe_webhook_secret: secret } = stack;
    const now = Math.floor(Date.now() / 1000);
    const body = bodyOf(event);
    const live = bodyOf({ ...event, livemode: true });
    const refusals: [why: string, code: string, body: string, signature: string | undefined][] = [
      ["no signature", "invalid_signature", body, undefined],
      ["an empty one", "invalid_signature", body, ""],
      ["nonsense", "invalid_signature", body, `t=${now},v1=${"0".repeat(64)}`],
      ["another secret", "invalid_signature", body, await sign(body, "whsec_of_another_endpoint")],
      ["301 seconds old", "invalid_signature", body, await sign(body, secret, now - 301)],
      ["a day old", "invalid_signature", body, await sign(body, secret, now - DAY_SECONDS)],
      ["another body", "invalid_signature", `${body} `, await sign(body, secret)],
      [
        "another price",
        "invalid_signature",
        body.replaceAll('"100"', '"100000"'),
        await sign(body, secret),
      ],
      ["live mode", "livemode_mismatch", live, await sign(live, secret)],
    ];
    for (const [why, code, sent, signature] of refusals) {
      deepEqual(await post(sent, signature), { status: 400, outcome: undefined, code }, why);
    }
    equal(await storedOf(sql, [event]), 0);
    equal((await stateOf(sql, user)).balance.purchased, 0);
    equal((await deliver(event)).outcome, "applied");
  },
);

/** What an admin sees of an event that needs attention, if it does. */
async function needsAttention(token: string, { id }: TestEvent) {
  const { status, body } = await call("admin/stripe-events?needs_attention=true&limit=200", {
    token,
  });
  equal(status, 200);
  return body.data.find((row: Record<string, unknown>) => row["id"] === id);
}

ledgerTest(
  "an event of an unknown user or package waits until it is mended and replayed",
  async (sql) => {
    using till = new Till();
    const { token } = await signIn(stack.admin);
    const packageId = crypto.randomUUID();
    const stranger = crypto.randomUUID();
    await till.buy(await till.buyer(stranger), PACKAGES.small);
    const [ofStranger] = till.take("checkout.session.completed");
    const known = await makeUser(sql, 0);
    await till.buy(await till.buyer(known), PACKAGES.small);
    const [sold] = till.take("checkout.session.completed");
    ok(ofStranger && sold?.data.object.object === "checkout.session");
    // As if the operator had sold it by a link of his own.
    const metadata = { kind: "package", user_id: known, package_id: packageId };
    const ofUnknown = { ...sold, data: { object: { ...sold.data.object, metadata } } };
    const cases = [
      {
        event: ofStranger,
        user: stranger,
        why: /^Unknown user/,
        mend:
          sql`insert into auth.users (id, email) values (${stranger}, ${`${stranger}@late.test`})`,
        tokens: 550,
      },
      {
        event: ofUnknown,
        user: known,
        why: /^Unknown price/,
        mend: sql`
        insert into token_packages (id, name, tokens, price_cents, active)
        values (${packageId}, 'Special', 700, 500, false)`,
        tokens: 700,
      },
    ];
    for (const { event, user, why, mend, tokens } of cases) {
      const replay = async () => {
        const { status, body } = await call(`admin/stripe-events/${event.id}/replay`, {
          token,
          method: "POST",
        });
        return [status, body.outcome];
      };
      deepEqual(await deliver(event), { status: 200, outcome: "waiting", code: undefined });
      const row = await needsAttention(token, event);
      deepEqual([row.type, row.outcome], [event.type, "waiting"]);
      match(row.attention, why);
      deepEqual(await replay(), [200, "waiting"]);
      await mend;
      deepEqual(await replay(), [200, "applied"]);
      const state = await stateOf(sql, user);
      equal(state.balance.purchased, tokens);
      deepEqual(await replay(), [200, "applied"]);
      equal((await deliver(event)).outcome, "duplicate");
      deepEqual(await stateOf(sql, user), state);
      equal(await needsAttention(token, event), undefined);
    }
    const nothing = await call("admin/stripe-events/evt_none/replay", { token, method: "POST" });
    deepEqual([nothing.status, nothing.body.code], [404, "stripe_event_not_found"]);
  },
);

ledgerTest("a burst of 1,000 events is absorbed, each with one effect", async (sql) => {
  using till = new Till();
  const buyer = await till.buyer();
  await till.buy(buyer, PACKAGES.small);
  await till.refund(till.payments()[0]?.id ?? "", 100);
  const [purchase, refund] = till.take("checkout.session.completed", "refund.created");
  ok(purchase && refund);
  const users = await makeUsers(sql, 100, 0);
  const bursts = users.flatMap((user) =>
    Array.from({ length: 5 }, () => copyEvents([purchase, refund], ofUser(buyer.user, user)))
  );
  const events = shuffle(bursts.flat(), 1);
  equal(events.length, 1000);
  const answers = await parallel(events, CLIENTS, (event) => deliver(event));
  deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const outcomes = new Set(answers.map(({ outcome }) => outcome));
  deepEqual(outcomes, new Set(["applied", "waiting"]), "half of the refunds come first");
  equal(await storedOf(sql, events), 1000);
  const [sums] = await sql`
    select array_agg(distinct u.tokens_purchased) as balances, (
      select count(*) from purchases p where p.user_id = any(${users}) and p.tokens_clawed_back = 110
    ) as refunded
    from user_tokens u where u.user_id = any(${users})`;
  deepEqual(sums, { balances: [5 * (550 - 110)], refunded: 500 });
});

ledgerTest("a refund of what was spent is a debt, which the next purchase pays", async () => {
  using till = new Till();
  const { id, token } = await signUp();
  const buyer = await till.buyer(id);
  const charge = (amount: number) =>
    call("credits/charge", {
      secret: true,
      body: { user_id: id, amount, operation_id: crypto.randomUUID() },
    });
  const remaining = async () => (await call("get-token-balance", { token })).body.remaining;
  await till.buy(buyer, PACKAGES.starter);
  await deliverAll(till.take());
  equal((await charge(80)).status, 200);
  await till.refund(till.payments()[0]?.id ?? "", 100);
  await deliverAll(till.take());
  equal(await remaining(), -80);
  const { status, body } = await charge(1);
  deepEqual([status, body.code], [403, "insufficient_tokens"]);
  match(body.message, /you have -80, need 1/);
  await till.buy(buyer, PACKAGES.starter);
  await deliverAll(till.take());
  equal(await remaining(), 20);
  equal((await charge(20)).status, 200);
});
