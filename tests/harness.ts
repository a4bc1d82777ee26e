/** What integration tests share: the running stack, users of their own, and the proof that ends each test. */
import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { readStackFile, type StackFile } from "../scripts/stack/config.ts";

/** The stack of this test run. */
export const stack: StackFile = await readStackFile(
  Deno.env.get("SCRIP_STACK") ?? ".scrip/stack.json",
);

/** Connects to the database as `postgres`, as the dashboard does; bigint columns are numbers. */
export const connect = (max: number, url = stack.database_url): postgres.Sql =>
  postgres(url, { max, onnotice: () => {}, types: { bigint: BIGINT } });

// Every bigint of Scrip is at most 9e15, which a number holds exactly.
const BIGINT = { to: 20, from: [20], parse: Number, serialize: String };

/** Asserts that the journal and the balances agree. */
export async function assertLedgerClean(sql: postgres.Sql): Promise<void> {
  deepEqual([...await sql`select * from verify_ledger()`], []);
}

/** Defines a test that gets a pool of connections and ends with a clean ledger. */
export function ledgerTest(
  name: string,
  body: (sql: postgres.Sql) => Promise<void>,
  connections = 4,
): void {
  Deno.test(name, async () => {
    const sql = connect(connections);
    try {
      await body(sql);
      await assertLedgerClean(sql);
    } finally {
      await sql.end();
    }
  });
}

/** A signed-in user of a test's own. */
export interface TestUser {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly client: SupabaseClient;
}

/** A supabase-js client as a web app makes it. */
export const newClient = (): SupabaseClient =>
  createClient(stack.url, stack.publishable_key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });

async function session(method: "signUp" | "signInWithPassword", account: Account) {
  const client = newClient();
  const { data, error } = await client.auth[method](account);
  if (error || !data.session || !data.user) throw error ?? new Error("no session");
  const { user } = data;
  return { id: user.id, email: account.email, token: data.session.access_token, client };
}

interface Account {
  email: string;
  password: string;
}

/** Signs a new user up through the auth API. */
export const signUp = (): Promise<TestUser> =>
  session("signUp", { email: `${crypto.randomUUID()}@example.test`, password: "correct-horse" });

/** Signs in with an account of the stack. */
export const signIn = (account: Account): Promise<TestUser> =>
  session("signInWithPassword", account);

/** Makes users in the database alone, as many and as quickly as a load needs, each with tokens to spend. */
export async function makeUsers(sql: postgres.Sql, count: number, tokens: number) {
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  await sql`
    insert into auth.users (id, email)
    select id, id || '@load.test' from unnest(${ids}::uuid[]) as id`;
  await sql`update user_tokens set tokens_purchased = ${tokens} where user_id = any(${ids})`;
  return ids;
}

/** Makes one such user. */
export async function makeUser(sql: postgres.Sql, tokens: number): Promise<string> {
  const [id = ""] = await makeUsers(sql, 1, tokens);
  return id;
}

/** How {@link call} asks. */
export interface CallOptions {
  method?: string;
  /** A user's JWT. */
  token?: string;
  /** Whether to send the secret key instead of the publishable one. */
  secret?: boolean;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** Calls a function by its URL, as a desktop app or another backend does. */
export async function call(path: string, options: CallOptions = {}) {
  const { token, secret, body, headers } = options;
  const response = await fetch(`${stack.url}/functions/v1/${path}`, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      apikey: secret ? stack.secret_key : stack.publishable_key,
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Creates access codes and returns them in clear. */
export async function createCodes(
  sql: postgres.Sql,
  count: number,
  options: { tokens?: number; onTop?: boolean; maxUses?: number } = {},
): Promise<string[]> {
  const rows = await sql<{ code: string }[]>`
    select code from create_access_codes(
      ${count}, ${options.tokens ?? 0}, ${crypto.randomUUID()},
      on_top => ${options.onTop ?? false}, max_uses => ${options.maxUses ?? 1}
    )`;
  return rows.map(({ code }) => code);
}

/** The code of the error that a statement raised, or rethrows what is no error of Scrip's. */
export function errorCode(error: unknown): string {
  if (error instanceof postgres.PostgresError && error.code === "PGRST") {
    return JSON.parse(error.message).code;
  }
  throw error;
}

/** Sorts promises into results and error codes. */
export async function outcomes<T>(promises: readonly Promise<T>[]) {
  const settled = await Promise.allSettled(promises);
  const results = settled.flatMap((s) => s.status === "fulfilled" ? [s.value] : []);
  const codes = settled.flatMap((s) => s.status === "rejected" ? [errorCode(s.reason)] : []);
  return { results, codes };
}

/** Waits until some statement waits for a lock. */
export async function untilBlocked(sql: postgres.Sql): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const waiting = await sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'`;
    if (waiting.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("Nothing waits for a lock");
}
