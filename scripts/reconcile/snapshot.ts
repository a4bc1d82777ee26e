/** Reads what Stripe says into the tables of snapshot.sql, a page at a time. */
import type postgres from "postgres";
import Stripe from "stripe";
import {
  type BoughtRow,
  type ChargeRow,
  chargeRow,
  type DisputeRow,
  disputeRow,
  freeCheckoutRow,
  idOf,
  type InvoicePaymentRow,
  invoicePaymentRows,
  invoiceRow,
  type Plans,
  type SubscriptionRow,
  subscriptionRow,
} from "./rows.ts";

/** Whole seconds; `to` does not belong to it. */
export interface Period {
  from: Date;
  to: Date;
}

/** A connection on which statements follow one another: what is temporary lives as long as it does. */
export type Connection = postgres.Sql | postgres.TransactionSql;

interface Tables {
  stripe_charges: ChargeRow;
  stripe_disputes: DisputeRow;
  stripe_bought: BoughtRow;
  stripe_invoice_payments: InvoicePaymentRow;
  stripe_subscriptions: SubscriptionRow;
}

const SNAPSHOT = await Deno.readTextFile(new URL("snapshot.sql", import.meta.url));

/** Makes the tables, empty ones when they were there. */
export async function openSnapshot(sql: Connection, { from, to }: Period): Promise<void> {
  await sql`discard temp`;
  await sql.unsafe(SNAPSHOT).simple();
  await sql`insert into period values (${from}, ${to})`;
}

/** Adds rows to a table of the snapshot; those that are there stay. */
export async function add<T extends keyof Tables>(
  sql: Connection,
  table: T,
  rows: readonly (Tables[T] | undefined)[],
): Promise<void> {
  const known = rows.filter((row) => row !== undefined);
  if (known.length === 0) return;
  const name: string = table;
  await sql`
    insert into ${sql(name)}
    select r.* from jsonb_populate_recordset(null::${sql(name)}, ${sql.json(known)}) r
    on conflict do nothing`;
}

const PAGE = 100;
const DAY_SECONDS = 86_400;
// How long after its creation an object may still become of interest: a refund fails, a bank decides a dispute, an
// invoice is paid after reminders, a checkout is paid before it expires.
const REFUND_DAYS = 30;
const DISPUTE_DAYS = 120;
const INVOICE_DAYS = 31;
const CHECKOUT_DAYS = 1;

/** Reads Stripe. */
export class Reader {
  constructor(
    private readonly client: Stripe,
    private readonly sql: Connection,
    private readonly period: Period,
    private readonly plans: Plans,
  ) {}

  /** Reads all that belongs to the period, and what Scrip has beyond that. */
  async read(): Promise<void> {
    await this.#invoices();
    await this.#charges();
    await this.#refunds();
    await this.#disputes();
    await this.#checkouts();
    await this.#subscriptions();
    await this.#lookUpPurchases();
    await this.#lookUpReversals();
    await this.#linkInvoices();
    await this.#lookUpDisputes();
    await this.#lookUpSubscriptions();
  }

  #created(daysEarlier: number) {
    const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
    const { from, to } = this.period;
    return { gte: seconds(from) - daysEarlier * DAY_SECONDS, lt: seconds(to) };
  }

  async #invoices() {
    const list = this.client.invoices.list({
      created: this.#created(INVOICE_DAYS),
      status: "paid",
      expand: ["data.payments"],
      limit: PAGE,
    });
    for await (const page of pages(list)) await this.#addInvoices(page);
  }

  async #addInvoices(invoices: readonly Stripe.Invoice[]) {
    const ours = invoices.filter((invoice) => invoiceRow(invoice, this.plans));
    await add(this.sql, "stripe_bought", ours.map((invoice) => invoiceRow(invoice, this.plans)));
    await add(this.sql, "stripe_invoice_payments", ours.flatMap(invoicePaymentRows));
  }

  async #charges() {
    const list = this.client.charges.list({
      created: this.#created(0),
      expand: ["data.refunds"],
      limit: PAGE,
    });
    for await (const page of pages(list)) await this.#addCharges(page);
  }

  async #refunds() {
    const list = this.client.refunds.list({
      created: this.#created(REFUND_DAYS),
      expand: ["data.charge.refunds"],
      limit: PAGE,
    });
    for await (const page of pages(list)) await this.#addCharges(page.map(({ charge }) => charge));
  }

  async #disputes() {
    const list = this.client.disputes.list({
      created: this.#created(DISPUTE_DAYS),
      expand: ["data.charge.refunds"],
      limit: PAGE,
    });
    for await (const page of pages(list)) {
      await this.#addCharges(page.map(({ charge }) => charge));
      await add(this.sql, "stripe_disputes", page.map(disputeRow));
    }
  }

  async #addCharges(charges: readonly (string | Stripe.Charge | null)[]) {
    const rows = await Promise.all(charges.map(async (charge) => {
      if (charge === null || typeof charge === "string") return undefined;
      return chargeRow(charge, await this.#refundsOf(charge));
    }));
    await add(this.sql, "stripe_charges", rows);
  }

  async #refundsOf({ id, refunds }: Stripe.Charge): Promise<Stripe.Refund[]> {
    if (refunds && !refunds.has_more) return refunds.data;
    const all: Stripe.Refund[] = [];
    for await (const refund of this.client.refunds.list({ charge: id, limit: PAGE })) {
      all.push(refund);
    }
    return all;
  }

  /** Checkouts that cost nothing; and the kind of payments that only their checkout tells. */
  async #checkouts() {
    const list = this.client.checkout.sessions.list({
      created: this.#created(CHECKOUT_DAYS),
      status: "complete",
      limit: PAGE,
    });
    for await (const page of pages(list)) {
      await add(this.sql, "stripe_bought", page.map(freeCheckoutRow));
      const named = page.map(({ payment_intent, metadata }) => ({
        payment_intent_id: idOf(payment_intent),
        kind: metadata?.["kind"] ?? null,
        user_id: metadata?.["user_id"] ?? null,
      }));
      await this.sql`
        update stripe_charges c
        set kind = r.kind, user_id = coalesce(c.user_id, r.user_id)
        from jsonb_to_recordset(${
        this.sql.json(named)
      }) r (payment_intent_id text, kind text, user_id text)
        where c.payment_intent_id = r.payment_intent_id and c.kind is null`;
    }
  }

  /** As they are now, whatever the period; Stripe leaves out those that are canceled. */
  async #subscriptions() {
    const { lt } = this.#created(0);
    const list = this.client.subscriptions.list({ created: { lt }, limit: PAGE });
    for await (const page of pages(list)) {
      const rows = page.map((subscription) => subscriptionRow(subscription, this.plans));
      await add(this.sql, "stripe_subscriptions", rows);
    }
  }

  /** Purchases of the period whose payment was not among what was read, since it was begun earlier. */
  async #lookUpPurchases() {
    const missing = await this.sql<{
      payment: string | null;
      invoice: string | null;
      checkout: string | null;
    }[]>`
      select
        s.stripe_payment_intent_id as payment,
        s.stripe_invoice_id as invoice,
        s.stripe_checkout_session_id as checkout
      from public.purchases s
      cross join period
      where s.paid_at >= period.from_at and s.paid_at < period.to_at
        and not exists (select 1 from paid p where p.id = s.stripe_id)`;
    for (const { payment, invoice, checkout } of missing) {
      if (invoice) await this.#lookUpInvoice(invoice);
      else if (payment) await this.#lookUpPayment(payment);
      else if (checkout) await this.#lookUpCheckout(checkout);
    }
  }

  /** Payments that Scrip knows to be reversed, and that were not among what was read. */
  async #lookUpReversals() {
    const payments = await this.sql<{ id: string }[]>`
      select e.payment_intent_id as id
      from private.stripe_events e
      cross join period
      where e.type ~ '^(refund\\.|charge\\.(refund|dispute))'
        and e.occurred_at >= period.from_at and e.occurred_at < period.to_at
        and e.payment_intent_id is not null
        and not exists (select 1 from stripe_charges c where c.payment_intent_id = e.payment_intent_id)
      union
      select i.payment_intent_id
      from stripe_invoice_payments i
      join public.purchases s on s.stripe_id = i.invoice_id
      where s.refunded_cents + s.disputed_cents > 0
        and not exists (select 1 from stripe_charges c where c.payment_intent_id = i.payment_intent_id)`;
    for (const { id } of payments) await this.#lookUpPayment(id);
  }

  async #lookUpInvoice(id: string) {
    const invoice = await found(this.client.invoices.retrieve(id, { expand: ["payments"] }));
    if (invoice) await this.#addInvoices([invoice]);
  }

  async #lookUpPayment(id: string) {
    const expand = ["latest_charge.refunds"];
    const payment = await found(this.client.paymentIntents.retrieve(id, { expand }));
    if (payment) await this.#addCharges([payment.latest_charge]);
  }

  async #lookUpCheckout(id: string) {
    const session = await found(this.client.checkout.sessions.retrieve(id));
    if (session) await add(this.sql, "stripe_bought", [freeCheckoutRow(session)]);
  }

  /** The invoices that reversed payments belong to: as Scrip knows them or else, for its customers, as Stripe does. */
  async #linkInvoices() {
    await this.sql`
      insert into stripe_invoice_payments
      select e.payment_intent_id, e.invoice_id
      from private.stripe_events e
      join stripe_charges c on c.payment_intent_id = e.payment_intent_id
      where c.kind is null and e.invoice_id is not null
      on conflict do nothing`;
    const unlinked = await this.sql<{ id: string }[]>`
      select c.payment_intent_id as id
      from stripe_charges c
      join private.stripe_customers k on k.stripe_customer_id = c.customer_id
      where c.kind is null
        and (c.refunded_cents > 0 or c.disputed)
        and not exists (
          select 1 from stripe_invoice_payments i where i.payment_intent_id = c.payment_intent_id
        )`;
    for (const { id } of unlinked) {
      const payment = { type: "payment_intent", payment_intent: id } as const;
      const { data } = await this.client.invoicePayments.list({ payment, limit: 1 });
      const rows = data.flatMap(({ invoice }) => {
        const invoice_id = idOf(invoice);
        return invoice_id ? [{ payment_intent_id: id, invoice_id }] : [];
      });
      await add(this.sql, "stripe_invoice_payments", rows);
    }
  }

  /** Disputes older than those that were read. */
  async #lookUpDisputes() {
    const payments = await this.sql<{ id: string }[]>`
      select c.payment_intent_id as id
      from stripe_charges c
      where c.disputed
        and not exists (select 1 from stripe_disputes d where d.payment_intent_id = c.payment_intent_id)`;
    for (const { id } of payments) {
      const { data } = await this.client.disputes.list({ payment_intent: id, limit: PAGE });
      await add(this.sql, "stripe_disputes", data.map(disputeRow));
    }
  }

  /** Subscriptions that run for Scrip, and that were not among what was read: canceled, or gone. */
  async #lookUpSubscriptions() {
    const missing = await this.sql<{ id: string }[]>`
      select s.stripe_subscription_id as id
      from public.subscriptions s
      cross join period
      where s.stripe_subscription_id is not null
        and s.status not in ('canceled', 'incomplete_expired')
        and s.created_at < period.to_at
        and not exists (select 1 from stripe_subscriptions t where t.id = s.stripe_subscription_id)`;
    for (const { id } of missing) {
      const subscription = await found(this.client.subscriptions.retrieve(id));
      if (!subscription) continue;
      await add(this.sql, "stripe_subscriptions", [subscriptionRow(subscription, this.plans)]);
    }
  }
}

/** Cuts what a list yields into pages. */
async function* pages<T>(list: AsyncIterable<T>): AsyncGenerator<T[]> {
  let page: T[] = [];
  for await (const item of list) {
    page.push(item);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** What was asked for; undefined when Stripe doesn't have it. */
async function found<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    const isMissing = error instanceof Stripe.errors.StripeInvalidRequestError &&
      error.code === "resource_missing";
    if (isMissing) return undefined;
    throw error;
  }
}
