/** What tests of models and usage share: models and prices of a test's own, and the proof about runs. */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { delay } from "../scripts/stack/parts.ts";
import { type SpawnedStack } from "../scripts/stack/spawn.ts";
import { connect, ledgerTest, signUp, stack, type TestUser } from "./harness.ts";

/** Prices in US dollars, as decimal strings. */
export interface Price {
  input?: string;
  cachedInput?: string;
  output?: string;
  call?: string;
  second?: string;
  image?: string;
}

/** How {@link addModel} makes a model; without a price mode a call costs one token. */
export interface ModelOptions {
  kind?: "text" | "image" | "video" | "embedding";
  provider?: "demo" | "openai" | "replicate";
  provider_model?: string;
  provider_version?: string;
  base_url?: string;
  api_key_variable?: string;
  /** Tokens a call; null when it is metered. */
  fixed_tokens?: number | null;
  markup?: string;
  max_output_tokens?: number;
  timeout_seconds?: number;
  price?: Price;
}

/** A model of a test's own. */
export interface TestModel {
  slug: string;
  /** What its prices and usage call its provider: no one else's. */
  service: string;
  /** What its provider calls it. */
  model: string;
}

/** Adds a model to the catalogue, under names of its own. */
export async function addModel(
  sql: postgres.Sql,
  { price, ...options }: ModelOptions = {},
): Promise<TestModel> {
  const name = `test-${crypto.randomUUID()}`;
  const row = {
    slug: name,
    name,
    service: name,
    kind: "text",
    provider: "demo",
    provider_model: "demo",
    fixed_tokens: 1,
    ...options,
  };
  const price_mode = row.fixed_tokens === null ? "metered" : "fixed";
  await sql`insert into ai_models ${sql({ ...row, price_mode })}`;
  const model = { slug: name, service: name, model: row.provider_model };
  if (price) await setPrice(sql, model, price);
  return model;
}

/** Sets what a model costs at its provider from now on. */
export async function setPrice(
  sql: postgres.Sql,
  { service, model }: TestModel,
  price: Price,
): Promise<void> {
  await sql`
    select set_model_price(
      ${service}, ${model}, ${price.input ?? null}, ${price.cachedInput ?? null}, ${
    price.output ?? null
  },
      ${price.call ?? null}, ${price.second ?? null}, ${price.image ?? null}
    )`;
}

/** Ten-billionths of a dollar: costs have ten decimals. */
export const DOLLAR = 10n ** 10n;

/** Reads a decimal string of at most ten decimals exactly. */
export function units(text: string): bigint {
  const [, whole = "", decimals = ""] = /^(\d+)(?:\.(\d{1,10}))?$/.exec(text) ?? [];
  if (whole === "") throw new Error(`${text} is not an amount of at most ten decimals`);
  return BigInt(whole + decimals.padEnd(10, "0"));
}

/** A quotient of natural numbers, rounded to the nearest, halves up. */
export const round = (dividend: bigint, divisor: bigint): bigint =>
  (2n * dividend + divisor) / (2n * divisor);

/** A quotient of natural numbers, rounded up. */
export const ceil = (dividend: bigint, divisor: bigint): bigint =>
  (dividend + divisor - 1n) / divisor;

/** Asserts of each run that its call, its hold and its charge say how it ended; sums are verify_ledger()'s business. */
export async function assertRunsClean(sql: postgres.Sql): Promise<void> {
  // A run has one call, and a charge of what the call says, if any; one that goes on has neither, and its hold.
  const runs = await sql`
    select r.user_id, r.id, r.status, r.tokens_used, e.calls, e.charged, e.succeeded, h.status as hold, t.charge
    from runs r
    left join lateral (
      select count(*) as calls, coalesce(sum(tokens_charged), 0) as charged, bool_and(success) as succeeded
      from usage_events e
      where e.user_id = r.user_id and e.run_id = r.id
    ) e on true
    left join token_holds h on h.user_id = r.user_id and h.id = r.id
    left join lateral (
      select coalesce(sum(-t.amount), 0) as charge
      from token_transactions t
      where t.user_id = r.user_id and t.reference = r.id::text
    ) t on true
    where case r.status
      when 'running' then e.calls = 0 and t.charge = 0
      when 'succeeded' then
        e.calls = 1 and e.succeeded and e.charged = r.tokens_used and t.charge = r.tokens_used
        and h.status = case r.tokens_used when 0 then 'released' else 'settled' end::token_hold_status
      else
        e.calls = 1 and not e.succeeded and e.charged = 0 and t.charge = 0 and r.tokens_used = 0
        and h.status in ('released', 'expired')
    end is not true
    limit 5`;
  deepEqual([...runs], []);
}

/** Defines a test that ends with a clean ledger and clean runs. */
export const usageTest = (
  name: string,
  body: (sql: postgres.Sql) => Promise<void>,
  connections?: number,
): void =>
  ledgerTest(
    name,
    async (sql) => {
      await body(sql);
      await assertRunsClean(sql);
    },
    connections,
  );

/** Signs a user up who has tokens to spend. */
export async function customer(sql: postgres.Sql, tokens: number): Promise<TestUser> {
  const user = await signUp();
  await sql`update user_tokens set tokens_purchased = ${tokens} where user_id = ${user.id}`;
  return user;
}

/** A stack of a test's own, as its users, its backends and its database see it. */
export function openStack({ file }: SpawnedStack) {
  const { url, publishable_key, secret_key, database_url } = file;
  const sql = connect(8, database_url);
  return {
    url,
    sql,
    /** Calls a function: as a user with a token, else as a backend. */
    async call(route: string, body?: unknown, token?: string, key?: string) {
      const response = await fetch(`${url}/functions/v1/${route}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          apikey: token ? publishable_key : secret_key,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(key ? { "idempotency-key": key } : {}),
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    /** Signs a user up who has tokens to spend. */
    async customer(tokens: number) {
      const account = { email: `${crypto.randomUUID()}@example.test`, password: "correct-horse" };
      const response = await fetch(`${url}/auth/v1/signup`, {
        method: "POST",
        headers: { apikey: publishable_key, "content-type": "application/json" },
        body: JSON.stringify(account),
      });
      const { access_token: token, user: { id } } = await response.json();
      await sql`update user_tokens set tokens_purchased = ${tokens} where user_id = ${id}`;
      return { id: String(id), token: String(token) };
    },
  };
}

/** What was charged to a user, and what is held. */
export async function spent(sql: postgres.Sql, { id }: { id: string }) {
  const [row] = await sql`
    select
      used, reserved,
      (select count(*) from token_transactions where user_id = ${id} and type = 'charge') as charges
    from get_token_balance(${id})`;
  return { ...row };
}

/** Nothing of both. */
export const NOTHING_SPENT = { used: 0, reserved: 0, charges: 0 };

/** What run-model is asked. */
export interface Order {
  model?: string;
  input?: unknown;
  stream?: boolean;
  operation?: string;
}

/** Runs a model; the caller may stop listening at any moment. */
export function listen({ token }: { token: string }, order: Order, key?: string) {
  const gone = new AbortController();
  const response = fetch(`${stack.url}/functions/v1/run-model`, {
    method: "POST",
    headers: {
      apikey: stack.publishable_key,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      // As browsers send it: what is compressed could be held back.
      "accept-encoding": "gzip, br",
      ...(key ? { "idempotency-key": key } : {}),
    },
    body: JSON.stringify(order),
    signal: gone.signal,
  });
  return { response, leave: () => gone.abort() };
}

/** Runs a model, and listens to its stream until the end. */
export async function stream(
  user: { token: string },
  order: Order,
  key?: string,
): Promise<Event[]> {
  const response = await listen(user, { ...order, stream: true }, key).response;
  equal(response.status, 200);
  match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  return await Array.fromAsync(eventsOf(response));
}

/** The text of a stream. */
export const textOf = (events: Event[]): string =>
  events.flatMap(([name, data]) => name === "delta" ? [data["text"]] : []).join("");

/** An event of a stream. */
export type Event = [name: string, data: Record<string, unknown>];

/** Reads a stream of server-sent events; leaving the loop ends the request. */
export async function* eventsOf(response: Response): AsyncGenerator<Event, undefined> {
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      // Anything else is a comment.
      if (name !== undefined && data !== undefined) yield [name, JSON.parse(data)];
    }
  }
}

/** Waits for what a check comes to find. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | false | undefined> | T | false | undefined,
  patienceMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`It never came about that ${what}`);
    await delay(20);
  }
}

/** Numbers from 0 on. */
export const times = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
