/** What a fresh stack holds, so that there is something to see. */
import postgres from "postgres";
import type { Secrets } from "./config.ts";

/** The accounts of every local stack. Their passwords are no secret: it listens on loopback. */
export const ACCOUNTS = {
  user: { email: "user@scrip.test", password: "scrip-user" },
  admin: { email: "admin@scrip.test", password: "scrip-admin" },
} as const;

/** Where and with which keys {@link createAccounts} and {@link addDemoContent} work. */
export interface DemoTarget {
  /** The stack's address. */
  url: string;
  /** The database, as `postgres`. */
  databaseUrl: string;
  secrets: Secrets;
}

async function signUp({ url, secrets }: DemoTarget, email: string, password: string) {
  const response = await fetch(`${url}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: secrets.publishable_key, "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  if (!response.ok) throw new Error(`Cannot sign up ${email}: ${await response.text()}`);
  await response.body?.cancel();
}

/** Makes the accounts that are missing, and marks the admin. */
export async function createAccounts(target: DemoTarget): Promise<void> {
  const sql = postgres(target.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const emails = Object.values(ACCOUNTS).map((account) => account.email);
    const found = await sql<{ email: string }[]>`
      select email from auth.users where email in ${sql(emails)}`;
    const missing = Object.values(ACCOUNTS)
      .filter((account) => !found.some((row) => row.email === account.email));
    await Promise.all(missing.map((account) => signUp(target, account.email, account.password)));
    await sql`
      update auth.users
      set raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"role": "admin"}'
      where email = ${ACCOUNTS.admin.email} and raw_app_meta_data ->> 'role' is distinct from 'admin'`;
  } finally {
    await sql.end();
  }
}

/** Something to try on a fresh stack. */
export interface DemoContent {
  /** An access code that every user may activate once. */
  accessCode: string;
  /** The id of the account {@link ACCOUNTS}.user. */
  userId: string;
  /** The cheapest package for sale. */
  packageId: string;
  /** A product that API tokens can be for. */
  productId: string;
}

// It needs no secrecy: it opens nothing outside this machine.
const ACCESS_CODE = "DEMO-DEMO-DEMO-2500";

/** Adds the demo content that is missing: an access code that every local user may activate once, and US dollars. */
export async function addDemoContent(target: DemoTarget): Promise<DemoContent> {
  const sql = postgres(target.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`
      insert into access_codes
        (code_hash, code_hint, tokens_to_grant, max_uses, note, operation_id, item, created_by)
      values
        (private.hash_access_code(${ACCESS_CODE}), '2500', 0, 1000000, 'Demo', 'demo', 1, 'demo')
      on conflict do nothing`;
    const [user] = await sql<{ id: string }[]>`
      select id from auth.users where email = ${ACCOUNTS.user.email}`;
    const [cheapest] = await sql<{ id: string }[]>`
      select id from token_packages where active order by price_cents limit 1`;
    const [product] = await sql<{ id: string }[]>`
      select id from products where active and value_credits_usd > 0 order by created_at, id limit 1`;
    if (user) await sql`select deposit_usd(${user.id}, '25.00', 'demo', reason => 'Demo')`;
    return {
      accessCode: ACCESS_CODE,
      userId: user?.id ?? "",
      packageId: cheapest?.id ?? "",
      productId: product?.id ?? "",
    };
  } finally {
    await sql.end();
  }
}
