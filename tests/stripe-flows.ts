/** What tests of payments share: checkouts paid as customers pay them, and the controls of the stand-in for Stripe. */
import { ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import type Stripe from "stripe";
import { stripeAccess } from "../functions/_shared/stripe.ts";
import { delay } from "../scripts/stack/parts.ts";
import { call, signUp, stack, type TestUser } from "./harness.ts";

/** Packages of the seed. */
export const PACKAGES = {
  /** 100 tokens for €1.00. */
  starter: "018f0000-0000-7000-8000-000000000001",
  /** 1,000 tokens and 200 on top for €10.00. */
  medium: "018f0000-0000-7000-8000-000000000003",
  /** 2,500 tokens and 1,500 on top for €25.00. */
  earlyBird: "018f0000-0000-7000-8000-000000000004",
} as const;

/** The order of a package, as create-checkout takes it. */
export const packageOrder = (package_id: string = PACKAGES.starter) => ({
  kind: "package",
  package_id,
});

const access = stripeAccess(
  new Map([
    ["STRIPE_SECRET_KEY", stack.stripe_secret_key],
    ["STRIPE_API_URL", stack.stripe_api_url ?? ""],
  ]),
);

/** Does something at the stand-in with the real client. */
export const stripe = <T>(work: (client: Stripe) => Promise<T>): Promise<T> => access.call(work);

/** Asks the stand-in for what the world does to payments, by a path of its controls. */
export async function standIn(path: string, body?: unknown) {
  const response = await fetch(`${stack.stripe_api_url}/stand-in/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${stack.stripe_secret_key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  ok(response.ok, `${path}: ${text}`);
  return JSON.parse(text);
}

/** Waits until all events about a customer are with the webhook; those that are held back stay so. */
export async function delivered(customer: string): Promise<void> {
  const state = await standIn(`settled?${new URLSearchParams({ customer })}`);
  ok(state.settled && state.given_up === 0, `The webhook refuses: ${JSON.stringify(state)}`);
}

/** Presses a button on a page of the stand-in, as a browser does. */
export async function press(url: string, form: Record<string, string>) {
  const response = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(form),
    redirect: "manual",
  });
  return {
    status: response.status,
    location: response.headers.get("location") ?? "",
    html: await response.text(),
  };
}

/** Opens a checkout by create-checkout. */
export async function openCheckout(
  user: TestUser,
  order: Record<string, unknown>,
): Promise<{ session_id: string; url: string }> {
  const { status, body } = await call("create-checkout", { token: user.token, body: order });
  equal(status, 200, JSON.stringify(body));
  return body;
}

/** Pays on the page of a checkout, with a card by its name there. */
export const pay = (url: string, card = "works") => press(url, { action: "pay", card });

/** The Stripe customer that a checkout made for a user. */
export async function customerOf(sql: postgres.Sql, { id }: TestUser): Promise<string> {
  const [row] = await sql<{ stripe_customer_id: string }[]>`
    select stripe_customer_id from private.stripe_customers where user_id = ${id}`;
  ok(row, `The user ${id} is no customer`);
  return row.stripe_customer_id;
}

/** Opens a checkout, pays on its page, and waits for the events. */
export async function buy(
  sql: postgres.Sql,
  user: TestUser,
  order: Record<string, unknown> = packageOrder(),
  card = "works",
) {
  const { session_id, url } = await openCheckout(user, order);
  const { status, html } = await pay(url, card);
  equal(status, 303, html);
  const customer = await customerOf(sql, user);
  await delivered(customer);
  return { customer, session: await sessionOf(session_id) };
}

/** A checkout session as Stripe has it now. */
export const sessionOf = (id: string): Promise<Stripe.Checkout.Session> =>
  stripe((client) => client.checkout.sessions.retrieve(id));

/** The id of what a field refers to. */
export function idOf(reference: string | { id: string } | null | undefined): string {
  ok(reference, "The reference is empty");
  return typeof reference === "string" ? reference : reference.id;
}

/** Signs a new user up and lets them subscribe. */
export async function subscriber(sql: postgres.Sql, tier: string, card = "works") {
  const user = await signUp();
  const { customer, session } = await buy(sql, user, { kind: "plan", tier }, card);
  return { user, customer, subscription: idOf(session.subscription) };
}

/** What a user can spend. */
export async function remaining(sql: postgres.Sql, { id }: TestUser): Promise<number> {
  const [row] = await sql<{ remaining: number }[]>`
    select remaining from get_token_balance(${id})`;
  ok(row, `There is no user ${id}`);
  return row.remaining;
}

/** A user's journal in order: what each row was and how much. */
export async function journal(sql: postgres.Sql, { id }: TestUser) {
  const rows = await sql<{ type: string; amount: number }[]>`
    select type, amount from token_transactions where user_id = ${id} order by seq`;
  return rows.map(({ type, amount }) => [type, amount]);
}

/** Waits until something is so. */
export async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!await check()) {
    ok(Date.now() < deadline, `It never came about that ${what}`);
    await delay(25);
  }
}

/**
 * Lets days pass for a subscription: its period and what was paid for it move into the past, at Stripe and here.
 */
export async function passDays(
  sql: postgres.Sql,
  subscription: string,
  customer: string,
  days: number,
): Promise<void> {
  await sql.begin(async (transaction) => {
    // What guards the table lets pass what Scrip itself does.
    await transaction`select set_config('scrip.posting', 'on', true)`;
    await transaction`
      update purchases
      set
        granted_period_start = granted_period_start - make_interval(days => ${days}),
        period_start = period_start - make_interval(days => ${days}),
        period_end = period_end - make_interval(days => ${days})
      where stripe_subscription_id = ${subscription}`;
  });
  await standIn(`subscriptions/${subscription}/backdate`, { seconds: days * 86_400 });
  await delivered(customer);
}
