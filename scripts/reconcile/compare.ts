/** Compares what Stripe says with what Scrip holds. */
import type Stripe from "stripe";
import { type Connection, openSnapshot, type Period, Reader } from "./snapshot.ts";

/** The kinds of differences, in the order in which they are told. */
export const KINDS = {
  unknown: "Paid at Stripe, unknown to Scrip",
  unpaid: "Known to Scrip, not paid at Stripe",
  amount: "Another amount or currency",
  refund: "Refunds",
  dispute: "Disputes",
  subscription: "Subscriptions",
  event: "Events that wait, failed or need attention",
  ledger: "verify_ledger",
} as const;

/** Something that Stripe and Scrip don't agree about, or that is wrong within Scrip. */
export interface Difference {
  kind: keyof typeof KINDS;
  /** Stripe's payment intent, invoice, checkout session, subscription or event; null for the ledger. */
  id: string | null;
  /** The user, as far as Scrip or else Stripe's metadata tells. */
  user_id: string | null;
  /** What differs, in words. */
  detail: string;
}

/** What a comparison found. */
export interface Comparison {
  differences: Difference[];
  /** How much was compared. */
  counts: {
    /** Scrip's payments at Stripe. */
    payments: number;
    subscriptions: number;
    /** Payments of the period at Stripe that are not Scrip's. */
    others: number;
  };
}

/** The differences between what is in the snapshot and what Scrip holds. */
export async function compareSnapshot(sql: Connection): Promise<Comparison> {
  const differences = await sql<Difference[]>`
    select d.kind, d.id, d.user_id, d.detail
    from differences d
    order by array_position(${Object.keys(KINDS)}, d.kind), d.id, d.detail`;
  const [counts] = await sql<Comparison["counts"][]>`
    select
      (
        select count(*)::integer
        from paid p
        where p.kind is not null or exists (select 1 from public.purchases s where s.stripe_id = p.id)
      ) as payments,
      (select count(*)::integer from stripe_subscriptions) as subscriptions,
      (select count(*)::integer from other_payments) as others`;
  if (!counts) throw new Error("A query of counts answered no row");
  return { differences: [...differences], counts };
}

const textOf = ({ kind, id, user_id, detail }: Difference) =>
  JSON.stringify([kind, id, user_id, detail]);

/**
 * Reads Stripe and compares. What differs may be on its way, its event not yet come: then both are read once more, and
 * what differs in the same way both times counts.
 *
 * @param sql one connection, as `postgres`.
 * @param pauseMs how long an event may take to come.
 */
export async function compare(
  client: Stripe,
  sql: Connection,
  period: Period,
  pauseMs: number,
): Promise<Comparison> {
  const first = await compareOnce(client, sql, period);
  if (first.differences.length === 0) return first;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const before = new Set(first.differences.map(textOf));
  const { differences, counts } = await compareOnce(client, sql, period);
  return { differences: differences.filter((one) => before.has(textOf(one))), counts };
}

async function compareOnce(client: Stripe, sql: Connection, period: Period): Promise<Comparison> {
  await openSnapshot(sql, period);
  const plans = await sql<{ product: string; tier: string }[]>`
    select p.stripe_product_id as product, p.tier from public.subscription_plans p`;
  const byProduct = new Map(plans.map(({ product, tier }) => [product, tier]));
  await new Reader(client, sql, period, byProduct).read();
  return await compareSnapshot(sql);
}
