/**
 * Nobody reads or writes what isn't theirs, whatever they send.
 *
 * Method: the tables and functions to attack come from the catalog, so that a new one cannot be forgotten. Each is tried
 * over REST, RPC and the functions' URLs as anon, as another user, and with forged tokens; afterwards every row of
 * every table must be what it was.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import {
  call,
  createCodes,
  ledgerTest,
  makeUser,
  signUp,
  stack,
  type TestUser,
} from "./harness.ts";
import { bodyOf, deliver, PACKAGES, parallel, post, sign, Till } from "./stripe-events.ts";

/** What a user may read of their own. Everything else must stay empty or refused. */
const OWN_ROWS = [
  "access_code_activations",
  "api_token_transactions",
  "api_tokens",
  "auto_top_ups",
  "notices",
  "purchases",
  "refill_transactions",
  "subscribers",
  "subscriptions",
  "token_holds",
  "token_requests",
  "token_transactions",
  "usage_daily",
  "usage_events",
  "usd_balances",
  "usd_transactions",
  "user_tokens",
];
/** What everyone may read: what is for sale. */
const FOR_SALE = ["products", "subscription_plans", "token_packages"];
/** What users may call over REST; row-level security leaves them their own rows. */
const OPEN_FUNCTIONS = ["explain_balance", "get_token_balance", "get_usd_balance"];
/** The routes of the functions, and who may call them; Stripe and Replicate by their signatures alone. */
const ROUTES: [method: string, path: string, caller: "user" | "secret" | "admin" | "signer"][] = [
  ["GET", "credits/check/USER?amount=1", "secret"],
  ["GET", "credits/balance/USER", "secret"],
  ["POST", "credits/calculate", "secret"],
  ["POST", "credits/charge", "secret"],
  ["POST", "credits/charge-batch", "secret"],
  ["POST", "credits/add", "secret"],
  ["POST", "credits/refund", "secret"],
  ["POST", "credits/reserve", "secret"],
  ["POST", "credits/settle", "secret"],
  ["POST", "credits/release", "secret"],
  ["POST", "credits/tokens/consume", "secret"],
  ["GET", "admin/access-codes", "admin"],
  ["POST", "admin/access-codes", "admin"],
  ["DELETE", "admin/access-codes/USER", "admin"],
  ["GET", "admin/outbox", "admin"],
  ["POST", "admin/outbox/replay", "admin"],
  ["POST", "admin/outbox/USER/replay", "admin"],
  ["GET", "admin/currency-rates", "admin"],
  ["PUT", "admin/currency-rates", "admin"],
  ["GET", "admin/prices", "admin"],
  ["PUT", "admin/prices", "admin"],
  ["GET", "admin/stripe-events", "admin"],
  ["POST", "admin/stripe-events/evt_attack/replay", "admin"],
  ["POST", "admin/users/USER/bonus", "admin"],
  ["POST", "admin/users/USER/usd-deposit", "admin"],
  ["GET", "admin/users/USER/explain", "admin"],
  ["GET", "auto-top-up", "user"],
  ["PUT", "auto-top-up", "user"],
  ["POST", "auto-top-up/run", "secret"],
  ["POST", "create-checkout", "user"],
  ["POST", "fx-sync", "secret"],
  ["GET", "get-token-balance", "user"],
  ["POST", "get-token-balance", "user"],
  ["POST", "hub-sync", "secret"],
  ["GET", "notices", "user"],
  ["GET", "notices/thresholds", "user"],
  ["PUT", "notices/thresholds", "user"],
  ["POST", "notices/USER/read", "user"],
  ["POST", "provider-webhook/replicate?run_id=USER", "signer"],
  ["POST", "refill", "user"],
  ["POST", "refill/preview", "user"],
  ["GET", "refill/tokens", "user"],
  ["POST", "refill/tokens", "user"],
  ["GET", "refill/tokens/USER", "user"],
  ["PATCH", "refill/tokens/USER", "user"],
  ["DELETE", "refill/tokens/USER", "user"],
  ["POST", "run-model", "user"],
  ["GET", "run-model/USER", "user"],
  ["POST", "run-model/USER/cancel", "user"],
  ["POST", "stripe-webhook", "signer"],
  ["GET", "subscription", "user"],
  ["GET", "subscription/transactions", "user"],
  ["POST", "subscription/purchase", "user"],
  ["POST", "subscription/portal", "user"],
  ["POST", "subscription/update", "secret"],
  ["GET", "usage", "user"],
  ["POST", "usage", "secret"],
  ["GET", "usage/history", "user"],
  ["GET", "usage/export", "user"],
  ["POST", "verify-and-activate-code", "user"],
];

/** The routes that answer anyone. */
const OPEN_ROUTES = ["GET run-model/models", "GET subscription/plans"];

interface Table {
  schema: string;
  name: string;
  columns: string[];
}

const tablesOf = async (sql: postgres.Sql): Promise<Table[]> => [
  ...await sql<Table[]>`
    select n.nspname as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm')
    group by 1, 2`,
];

/**
 * A fingerprint of every row of every table; of the outbox without the columns of deliveries, which go on meanwhile. What
 * is swept every minute is swept first.
 */
async function contents(sql: postgres.Sql): Promise<Record<string, string>> {
  await sql`select expire_token_holds(), abandon_runs()`;
  const tables = await tablesOf(sql);
  return Object.fromEntries(
    await Promise.all(tables.map(async ({ schema, name }) => {
      const rows = name === "outbox"
        ? sql`(select id, destination, subject, event, payload from private.outbox)`
        : sql`${sql(schema)}.${sql(name)}`;
      const [row] = await sql`
        select concat_ws(' ', count(*), sum(hashtextextended(t::text, 0))) as hash from ${rows} t`;
      return [`${schema}.${name}`, row?.["hash"]];
    })),
  );
}

/** Asks the REST API as someone; the token and the key are theirs. */
const rest = (
  path: string,
  init: RequestInit & { token?: string; key?: string; schema?: string },
) =>
  fetch(`${stack.url}/rest/v1/${path}`, {
    ...init,
    headers: {
      apikey: init.key ?? stack.publishable_key,
      ...(init.token ? { authorization: `Bearer ${init.token}` } : {}),
      ...(init.schema ? { "accept-profile": init.schema, "content-profile": init.schema } : {}),
      "content-type": "application/json",
      prefer: "return=representation",
    },
  });

/** Reads a REST answer as rows; a refusal has none. */
async function rowsOf(response: Response): Promise<Record<string, unknown>[]> {
  const body = await response.json().catch(() => []);
  return response.ok && Array.isArray(body) ? body : [];
}

/** A user with one row in every table that has rows of users. */
async function makeVictim(sql: postgres.Sql): Promise<TestUser> {
  const victim = await signUp();
  const [code = ""] = await createCodes(sql, 1);
  await sql`select activate_access_code(${victim.id}, ${code}, 'activation')`;
  await sql`select charge_tokens(${victim.id}, 5, 'charge')`;
  await sql`select reserve_tokens(${victim.id}, 5, 'hold')`;
  await sql`insert into token_requests (user_id, amount) values (${victim.id}, 5)`;
  await sql`select deposit_usd(${victim.id}, '5', 'deposit')`;
  await sql`select set_auto_top_up(${victim.id}, false, 10, ${PACKAGES.starter.id}, 1000)`;
  await sql`select change_subscription(${victim.id}, 'premium', 'subscription')`;
  await giveApiToken(sql, victim.id);
  await call("run-model", { token: victim.token, body: { model: "demo-text", input: "secret" } });
  using till = new Till();
  await till.buy(await till.buyer(victim.id));
  await parallel(till.take(), 1, (event) => deliver(event));
  return victim;
}

/** An API token that was refilled and used, and a notice about it, all told to whom they are to be told. */
async function giveApiToken(sql: postgres.Sql, user: string): Promise<void> {
  const [token] = await sql<{ token_id: string; api_key: string }[]>`
    select token_id, api_key from create_api_token(${user}, 'master', 'victim', 'token')`;
  ok(token);
  await sql`select refill_token(${user}, ${token.token_id}, 'usd', '1', 'refill')`;
  await sql`select set_low_balance_threshold(${user}, 'api_token', '999', ${token.token_id})`;
  await sql`select consume_api_credits(${token.api_key}, 5, 'use')`;
  for (let tries = 0; tries < 50; tries++) {
    await call("hub-sync", { method: "POST", secret: true });
    const pending = await sql`
      select 1 from private.outbox where status = 'pending' and subject in (${user}, ${token.token_id})`;
    if (pending.length === 0) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("The outbox does not become empty");
}

ledgerTest("the victim reads the own rows of every table that users may read", async (sql) => {
  const victim = await makeVictim(sql);
  for (const name of OWN_ROWS) {
    const rows = await rowsOf(await rest(name, { token: victim.token }));
    ok(rows.length > 0, `${name} is empty for its owner`);
    for (const row of rows) equal(row["user_id"], victim.id);
  }
});

ledgerTest(
  "no table gives anything away or takes anything, to anon and to another user",
  async (sql) => {
    const victim = await makeVictim(sql);
    const attacker = await signUp();
    const before = await contents(sql);
    for (const { schema, name, columns } of await tablesOf(sql)) {
      const owner = columns.includes("user_id")
        ? `user_id=eq.${victim.id}`
        : `${columns[0]}=not.is.null`;
      const row: Record<string, unknown> = { [columns[0] ?? ""]: crypto.randomUUID() };
      if (columns.includes("user_id")) row["user_id"] = victim.id;
      if (columns.includes("amount")) row["amount"] = 1_000_000;
      const numbers = columns.filter((c) => /tokens|credits|amount|remaining|balance|uses/.test(c));
      const change = Object.fromEntries(
        [...numbers, columns.at(-1) ?? ""].map((c) => [c, 1_000_000]),
      );
      for (const token of [undefined, attacker.token]) {
        const as = { schema, ...(token ? { token } : {}) };
        const who = `${schema}.${name} as ${token ? "another user" : "anon"}`;
        const all = await rowsOf(await rest(name, as));
        if (FOR_SALE.includes(name)) {
          ok(all.length > 0 && all.every((r) => r["active"] === true), `read ${who}`);
        } else {
          deepEqual(await rowsOf(await rest(`${name}?${owner}`, as)), [], `read ${who}`);
          ok(
            all.every((r) => token && OWN_ROWS.includes(name) && r["user_id"] === attacker.id),
            `read ${who}: ${JSON.stringify(all)}`,
          );
        }
        const json = (body: unknown) => JSON.stringify(body);
        for (
          const [method, path, body] of [
            ["POST", name, json(row)],
            ["POST", `${name}?on_conflict=${columns[0]}`, json(row)],
            ["PATCH", `${name}?${owner}`, json(change)],
            ["PATCH", `${name}?${owner}`, json({ user_id: attacker.id })],
            ["DELETE", `${name}?${owner}`, null],
          ] as const
        ) {
          const answer = await rest(path, { ...as, method, body });
          deepEqual(await rowsOf(answer), [], `${method} ${who}`);
        }
      }
    }
    deepEqual(await contents(sql), before);
  },
);

ledgerTest("users write what is listed and no other column or state of it", async (sql) => {
  const user = await signUp();
  const columnsOf = async (name: string) =>
    (await tablesOf(sql)).find((t) => t.schema === "public" && t.name === name)?.columns ?? [];
  const refused = async (method: string, path: string, body: unknown) => {
    const answer = await rest(path, { method, token: user.token, body: JSON.stringify(body) });
    ok(!answer.ok, `${method} ${path} ${JSON.stringify(body)} was answered ${answer.status}`);
    await answer.body?.cancel();
  };
  for (const column of await columnsOf("subscribers")) {
    if (["display_name", "locale", "usage_previews"].includes(column)) continue;
    await refused("PATCH", `subscribers?user_id=eq.${user.id}`, { [column]: null });
  }
  for (const column of await columnsOf("token_requests")) {
    await refused("PATCH", `token_requests?user_id=eq.${user.id}`, { [column]: null });
    if (["user_id", "amount", "reason"].includes(column)) continue;
    await refused("POST", "token_requests", { amount: 1, [column]: null });
  }
  await refused("POST", "token_requests", { amount: 1, status: "approved" });
  equal(
    (await user.client.from("token_requests").insert({ amount: 5, reason: "please" })).error,
    null,
  );
  const named = await user.client.from("subscribers").update({ display_name: "Ada", locale: "en" })
    .eq("user_id", user.id).select("display_name, locale").single();
  deepEqual(named.data, { display_name: "Ada", locale: "en" });
});

ledgerTest(
  "no function can be called over REST but the listed ones, and those see own rows only",
  async (sql) => {
    const victim = await makeVictim(sql);
    const attacker = await signUp();
    const before = await contents(sql);
    const functions = await sql<
      { schema: string; name: string; names: string[]; types: string[] }[]
    >`
    select n.nspname as schema, p.proname as name,
      coalesce((p.proargnames)[1:p.pronargs], '{}') as names,
      array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a (t, i) order by i) as types
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'private') and p.prorettype <> 'trigger'::regtype`;
    ok(functions.length > 20);
    const values: Record<string, unknown> = {
      uuid: victim.id,
      bigint: 1,
      integer: 1,
      numeric: 1,
      boolean: true,
      jsonb: [],
      date: "2026-01-01",
      "timestamp with time zone": "2026-01-01T00:00:00Z",
    };
    for (const { schema, name, names, types } of functions) {
      const args = Object.fromEntries(names.map((n, i) => [n, values[types[i] ?? ""] ?? "charge"]));
      for (const token of [undefined, attacker.token]) {
        const answer = await rest(`rpc/${name}`, {
          method: "POST",
          schema,
          body: JSON.stringify(args),
          ...(token ? { token } : {}),
        });
        if (token && OPEN_FUNCTIONS.includes(name)) {
          // Who has no balance is answered the same.
          const nothing = name === "get_usd_balance" ? [{ usd_balance: "0.00" }] : [];
          deepEqual(await rowsOf(answer), nothing, name);
        } else {
          // Not merely an error: permission is what is missing, or the schema.
          const { code } = await answer.json();
          match(`${code}`, /^(42501|PGRST106)$/, `${schema}.${name}`);
        }
      }
    }
    deepEqual(await contents(sql), before);
  },
);

Deno.test("every route of every function is among those attacked", async () => {
  const functions = new URL("../functions/", import.meta.url);
  const found: string[] = [];
  for await (const { name } of Deno.readDir(functions)) {
    if (name === "_shared") continue;
    const { routes } = await import(new URL(`${name}/routes.ts`, functions).href);
    found.push(...Object.keys(routes).map((route) => route.replace(" /", ` ${name}/`)));
  }
  const plain = (route: string) =>
    route.replace(/\?.*|\/$/, "").replace(/:\w+|USER|evt_\w+|replicate/g, "*");
  const listed = [...ROUTES.map(([method, path]) => `${method} ${path}`), ...OPEN_ROUTES];
  deepEqual(found.map(plain).sort(), listed.map(plain).sort());
});

ledgerTest("no route of a function obeys a caller who is not meant", async (sql) => {
  const victim = await makeVictim(sql);
  const attacker = await signUp();
  const before = await contents(sql);
  const [header, payload] = attacker.token.split(".");
  const b64 = (value: unknown) => btoa(JSON.stringify(value)).replace(/=+$/, "");
  const claims = {
    sub: victim.id,
    role: "service_role",
    aud: "authenticated",
    exp: 4e9,
    app_metadata: { role: "admin" },
  };
  const strangers: Record<string, Record<string, string>> = {
    nobody: {},
    "a publishable key as a secret": { authorization: `Bearer ${stack.publishable_key}` },
    "a secret key that is not ours": { apikey: `sb_secret_${"x".repeat(32)}` },
    "alg none": { authorization: `Bearer ${b64({ alg: "none", typ: "JWT" })}.${b64(claims)}.` },
    "another payload under the same signature": {
      authorization: `Bearer ${header}.${b64(claims)}.${attacker.token.split(".")[2]}`,
    },
    "no signature": { authorization: `Bearer ${header}.${payload}.` },
  };
  const ask = (method: string, path: string, headers: Record<string, string>) =>
    call(path.replace("USER", victim.id), {
      method,
      headers,
      ...(method === "POST" || method === "PUT"
        ? { body: { user_id: victim.id, amount: 1, operation_id: crypto.randomUUID() } }
        : {}),
    });
  for (const [method, path, caller] of ROUTES) {
    for (const [who, headers] of Object.entries(strangers)) {
      const { status } = await ask(method, path, headers);
      // Where its secret is not configured, no signature is right.
      const refused = caller === "signer" ? [400, 502] : [401];
      ok(refused.includes(status), `${method} ${path} for ${who} was answered ${status}`);
    }
    if (caller === "user" || caller === "signer") continue;
    const user = await ask(method, path, { authorization: `Bearer ${attacker.token}` });
    equal(user.status, 403, `${method} ${path} for a user`);
  }
  const other = await call(`get-token-balance?user_id=${victim.id}`, { token: attacker.token });
  equal(other.status, 403);
  deepEqual(await contents(sql), before);
});

ledgerTest(
  "the secret key reads over REST but changes balances through operations only",
  async (sql) => {
    const user = await makeUser(sql, 100);
    const before = await contents(sql);
    for (
      const table of [
        "user_tokens",
        "token_transactions",
        "token_holds",
        "subscribers",
        "token_requests",
        "access_codes",
        "api_token_transactions",
        "api_tokens",
        "auto_top_ups",
        "notices",
        "purchases",
        "refill_transactions",
        "runs",
        "subscriptions",
        "usage_daily",
        "usage_events",
        "usd_balances",
        "usd_transactions",
        ...FOR_SALE,
      ]
    ) {
      for (const method of ["POST", "PATCH", "DELETE"]) {
        const answer = await rest(`${table}?${method === "POST" ? "" : `user_id=eq.${user}`}`, {
          method,
          key: stack.secret_key,
          body: method === "DELETE" ? null : JSON.stringify({ user_id: user }),
        });
        ok(!answer.ok, `${method} ${table} was answered ${answer.status}`);
        await answer.body?.cancel();
      }
    }
    deepEqual(await contents(sql), before);
  },
);

ledgerTest("a buyer who edits requests by hand gets nothing that was not paid for", async (sql) => {
  using till = new Till();
  const user = await signUp();
  const before = await contents(sql);
  const order = { kind: "package", package_id: PACKAGES.starter.id };
  const more: Record<string, unknown>[] = [
    { tokens: 1_000_000 },
    { amount_cents: 1 },
    { price: 1 },
    { quantity: -1 },
    { user_id: crypto.randomUUID() },
    { metadata: { tokens: "1000000" } },
    { success_url: "https://elsewhere.test/" },
    { package_id: `${PACKAGES.starter.id}' or true` },
    { kind: "tokens", amount: "1" },
    { kind: "top_up" },
  ];
  for (const edit of more) {
    const { status, body } = await call("create-checkout", {
      token: user.token,
      body: { ...order, ...edit },
    });
    deepEqual([status, body.code], [400, "invalid_request"], JSON.stringify(edit));
  }
  for (const amount of ["0.49", "-5", "1e3", "NaN", "100000.01", "5.001"]) {
    const body = { kind: "usd_deposit", amount };
    const { status } = await call("create-checkout", { token: user.token, body });
    equal(status, 400, `${amount}`);
  }
  const buyer = await till.buyer(user.id);
  await till.buy(buyer, { ...PACKAGES.starter, tokens: 1_000_000 });
  const [forged] = till.take("checkout.session.completed");
  ok(forged);
  const body = bodyOf(forged);
  for (const secret of ["", stack.publishable_key, user.token, "whsec_guess"]) {
    const signature = secret === "" ? undefined : await sign(body, secret);
    equal((await post(body, signature)).status, 400);
  }
  deepEqual(await contents(sql), before);
});
