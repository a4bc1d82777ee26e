/**
 * Refilling API tokens over HTTP: exact to the last digit, at most once, never beyond the USD balance, for the owner alone;
 * their keys are shown once, and spend what was refilled and no more.
 *
 * Method: the routes on the running stack with users of each test's own, one at a time and all at once, against the
 * tables and the ledger's proof.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { call, connect, ledgerTest, newClient, signUp, stack, type TestUser } from "./harness.ts";

/** The product of supabase/seed.sql: a cent for a credit. */
const PRODUCT = "018f0000-0000-7000-8000-000000000101";
const NOBODY = "00000000-0000-4000-8000-000000000000";

const newId = (): string => crypto.randomUUID();
const times = (count: number) => Array.from({ length: count }, (_, i) => i);

interface Token {
  id: string;
  key: string;
}

/** Someone with US dollars to spend. */
class Owner {
  constructor(readonly user: TestUser) {}

  static async create(sql: postgres.Sql, usd: string): Promise<Owner> {
    const user = await signUp();
    await sql`select deposit_usd(${user.id}, ${usd}, 'deposit')`;
    return new Owner(user);
  }

  ask = (method: string, route: string, body?: unknown) =>
    call(`refill${route}`, { method, token: this.user.token, ...(body ? { body } : {}) });

  refill = (token_id: string, mode: string, amount: unknown, operation_id = newId()) =>
    this.ask("POST", "", { token_id, mode, amount, operation_id });

  async preview(token_id: string, mode: string, amount: unknown) {
    const [route, flag] = await Promise.all([
      this.ask("POST", "/preview", { token_id, mode, amount }),
      this.ask("POST", "", { token_id, mode, amount, preview: true }),
    ]);
    deepEqual([flag.status, flag.body], [route.status, route.body]);
    return route;
  }

  async createToken(product_id?: string): Promise<Token> {
    const kind = product_id ? "product" : "master";
    const { status, body } = await this.ask("POST", "/tokens", {
      kind,
      name: "laptop",
      operation_id: newId(),
      ...(product_id ? { product_id } : {}),
    });
    equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** All that a refill may change. */
  async state(sql: postgres.Sql) {
    const [row] = await sql`
      select
        (select usd_balance from get_usd_balance(${this.user.id})) as usd,
        (select count(*) from usd_transactions t where t.user_id = ${this.user.id}) as usd_rows,
        (select count(*) from refill_transactions t where t.user_id = ${this.user.id}) as refills,
        (select coalesce(sum(t.credits), 0)::bigint from api_tokens t where t.user_id = ${this.user.id}) as credits`;
    return row;
  }
}

const consume = (api_key: string, credits: number, operation_id = newId()) =>
  call("credits/tokens/consume", { secret: true, body: { api_key, credits, operation_id } });

async function makeProduct(sql: postgres.Sql, rate: string | null): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    insert into products (name, value_credits_usd) values ('A test''s', ${rate}) returning id`;
  return row?.id ?? "";
}

/** An answer as status, code and message. */
const told = ({ status, body }: Awaited<ReturnType<typeof call>>) => [
  status,
  body.code,
  body.message,
];

ledgerTest("the worked examples, each previewed first and told in full", async (sql) => {
  const examples = [
    [PRODUCT, "usd", "10", {
      credits_added: 999,
      usd_spent: "10.00",
      rate: "0.01",
      usd_balance: "10.00",
    }],
    [PRODUCT, "credits", 100, {
      credits_added: 100,
      usd_spent: "1.0001",
      rate: "0.01",
      usd_balance: "18.9999",
    }],
    [undefined, "usd", 5, {
      credits_added: 4999,
      usd_spent: "5.00",
      rate: "0.001",
      usd_balance: "15.00",
    }],
  ] as const;
  for (const [product, mode, amount, expected] of examples) {
    const owner = await Owner.create(sql, "20");
    const { id } = await owner.createToken(product);
    const before = await owner.state(sql);
    const preview = await owner.preview(id, mode, amount);
    deepEqual(await owner.state(sql), before);

    const { status, body } = await owner.refill(id, mode, amount, "refill");
    equal(status, 200);
    const { refill_id, replayed, ...done } = body;
    equal(replayed, false);
    deepEqual(done, {
      token_id: id,
      mode,
      fee: "0.0001",
      credits: expected.credits_added,
      ...expected,
    });
    deepEqual(preview.body, { preview: true, ...done });

    const [row] = await sql`
      select r.user_id, r.token_id, r.mode, r.credits_added, r.usd_spent::text, r.fee::text, r.rate::text, r.credits_after,
        r.usd_balance_after::text, r.product_id, r.operation_id, j.amount as journalled, j.credits_after as journal, u.amount::text as usd
      from refill_transactions r
      join api_token_transactions j on j.user_id = r.user_id and j.token_id = r.token_id and j.version = r.version
      join usd_transactions u on u.user_id = r.user_id and u.operation_id = r.operation_id
      where r.id = ${refill_id}`;
    const digits = (usd: string) => Number(usd).toFixed(10);
    deepEqual(row, {
      user_id: owner.user.id,
      token_id: id,
      mode,
      credits_added: done.credits_added,
      usd_spent: digits(done.usd_spent),
      fee: digits(done.fee),
      rate: digits(done.rate),
      credits_after: done.credits,
      usd_balance_after: digits(done.usd_balance),
      product_id: product ?? null,
      operation_id: "refill",
      journalled: done.credits_added,
      journal: done.credits_added,
      usd: digits(`-${done.usd_spent}`),
    });
  }
});

ledgerTest("a retry finds the first result, and other arguments are a conflict", async (sql) => {
  const owner = await Owner.create(sql, "20");
  const { id } = await owner.createToken(PRODUCT);
  const { id: other } = await owner.createToken(PRODUCT);
  const first = await owner.refill(id, "usd", "5", "a");
  await owner.refill(id, "usd", "1", "b");
  const after = await owner.state(sql);
  for (const amount of ["5", 5, "5.000000"]) {
    const replay = await owner.refill(id, "usd", amount, "a");
    deepEqual([replay.status, replay.body], [200, { ...first.body, replayed: true }]);
  }
  const conflicts = [[id, "usd", "5.000001"], [id, "credits", 5], [other, "usd", "5"]] as const;
  for (const [token, mode, amount] of conflicts) {
    const { status, body } = await owner.refill(token, mode, amount, "a");
    deepEqual([status, body.code], [409, "operation_id_reused"]);
  }
  const deposit = await owner.refill(id, "usd", "5", "deposit");
  deepEqual([deposit.status, deposit.body.code], [409, "operation_id_reused"]);
  // A retry is answered even when a new refill would not be.
  await owner.ask("DELETE", `/tokens/${id}`);
  const replay = await owner.refill(id, "usd", "5", "a");
  deepEqual([replay.status, replay.body], [200, { ...first.body, replayed: true }]);
  deepEqual(await owner.state(sql), after);
});

ledgerTest(
  "every refusal says what there is and what is needed, and changes nothing",
  async (sql) => {
    const owner = await Owner.create(sql, "1");
    const stranger = await Owner.create(sql, "1");
    const product = await owner.createToken(PRODUCT);
    const master = await owner.createToken();
    const revoked = await owner.createToken(PRODUCT);
    await owner.ask("DELETE", `/tokens/${revoked.id}`);
    const { id: theirs } = await stranger.createToken(PRODUCT);
    const withdrawn = await makeProduct(sql, "0.01");
    const { id: ofWithdrawn } = await owner.createToken(withdrawn);
    await sql`update products set active = false where id = ${withdrawn}`;
    const unpriced = await makeProduct(sql, null);
    const { id: ofUnpriced } = await owner.createToken(unpriced);
    const before = await owner.state(sql);

    const usdRule =
      'amount: must be US dollars from 0.000001 to 1000000000 such as "10.00", with at most 6 decimals';
    const creditsRule = "amount: must be a whole number from 1 to 9000000000000000";
    const invalid = (message: string) => [400, "invalid_request", message];
    const missing = (id: string) => [404, "api_token_not_found", `There is no API token ${id}`];
    const unavailable = (id: string) => [
      409,
      "product_unavailable",
      `The product ${id} is not on offer, or has no rate`,
    ];
    const poor = (need: string) => [
      403,
      "insufficient_usd",
      `Insufficient USD balance: you have $1.00, need $${need}`,
    ];
    const small = (needed: string, got: string) => [
      400,
      "refill_too_small",
      `Cannot refill: the token needs at least $${needed}, got $${got}`,
    ];
    const refusals: [string, string, unknown, unknown[]][] = [
      [NOBODY, "usd", "1", missing(NOBODY)],
      [theirs, "usd", "1", missing(theirs)],
      [theirs, "credits", 1, missing(theirs)],
      [revoked.id, "usd", "1", [
        409,
        "api_token_revoked",
        `The API token ${revoked.id} is revoked`,
      ]],
      [
        master.id,
        "credits",
        100,
        invalid("A master token is refilled by US dollars: mode must be usd, got credits"),
      ],
      ...[0, "0", -1, "-5", "NaN", null, "1.0000001", "1e2", 1e-7, "1,5", ""].map((
        amount,
      ): [string, string, unknown, unknown[]] => [product.id, "usd", amount, invalid(usdRule)]),
      ...[0, -1, 1.5, "1.5", "NaN", null, 9_000_000_000_000_001].map((
        amount,
      ): [string, string, unknown, unknown[]] => [
        product.id,
        "credits",
        amount,
        invalid(creditsRule),
      ]),
      [product.id, "eur", "1", invalid("mode: must be usd or credits")],
      [product.id, "usd", "0.01", small("0.0101", "0.0100")],
      [product.id, "usd", "0.010099", small("0.010100", "0.010099")],
      [product.id, "usd", "0.0001", small("0.0101", "0.0001")],
      [product.id, "usd", "0.000001", small("0.010100", "0.000001")],
      [master.id, "usd", "0.001", small("0.0011", "0.0010")],
      [product.id, "usd", "1.000001", poor("1.000001")],
      [product.id, "credits", 100, poor("1.0001")],
      [master.id, "usd", "1000000000", poor("1000000000.00")],
      [ofWithdrawn, "usd", "1", unavailable(withdrawn)],
      [ofWithdrawn, "credits", 1, unavailable(withdrawn)],
      [ofUnpriced, "usd", "1", unavailable(unpriced)],
    ];
    for (const [token_id, mode, amount, expected] of refusals) {
      const what = `${mode} ${amount}`;
      deepEqual(told(await owner.refill(token_id, mode, amount)), expected, what);
      deepEqual(told(await owner.preview(token_id, mode, amount)), expected, `preview of ${what}`);
    }
    deepEqual(await owner.state(sql), before);

    // Just enough is enough.
    const least = await owner.refill(product.id, "usd", "0.0101");
    deepEqual([least.status, least.body.credits_added], [200, 1]);
    const all = await owner.refill(product.id, "usd", "0.9899");
    deepEqual([all.status, all.body.credits, all.body.usd_balance], [200, 99, "0.00"]);
  },
);

ledgerTest("digits that a JSON number does not carry are refused on the wire", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const { id } = await owner.createToken();
  const before = await owner.state(sql);
  const post = async (amount: string) => {
    const response = await fetch(`${stack.url}/functions/v1/refill`, {
      method: "POST",
      headers: {
        apikey: stack.publishable_key,
        authorization: `Bearer ${owner.user.token}`,
        "idempotency-key": amount,
      },
      body: `{"token_id":"${id}","mode":"usd","amount":${amount}}`,
    });
    return { status: response.status, body: await response.json() };
  };
  for (const amount of ["5.00000000000000001", "4.99999999999999999", "1e400", "1e-7"]) {
    const { status, body } = await post(amount);
    deepEqual([status, body.code], [400, "invalid_request"], amount);
    match(body.message, /^amount: must be US dollars/);
  }
  deepEqual(await owner.state(sql), before);
  equal((await post("5.000000")).body.usd_spent, "5.00");
  equal((await post("10e-1")).body.usd_spent, "1.00");
});

ledgerTest("a token holds no more credits than JSON carries exactly", async (sql) => {
  const owner = await Owner.create(sql, "900001");
  const { id } = await owner.createToken(await makeProduct(sql, "0.0000000001"));
  const full = await owner.refill(id, "credits", 9_000_000_000_000_000);
  deepEqual([full.status, full.body.credits, full.body.usd_spent], [
    200,
    9_000_000_000_000_000,
    "900000.0001",
  ]);
  const before = await owner.state(sql);
  const expected = [
    400,
    "balance_limit_exceeded",
    "The token would hold 9000000000000001 credits, and may hold 9000000000000000",
  ];
  deepEqual(told(await owner.refill(id, "credits", 1)), expected);
  deepEqual(told(await owner.preview(id, "credits", 1)), expected);
  deepEqual(await owner.state(sql), before);
});

/** Where this text is found in the database. */
async function tablesWith(sql: postgres.Sql, text: string): Promise<string[]> {
  const tables = await sql<{ schema: string; name: string }[]>`
    select n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'private') and c.relkind in ('r', 'p')`;
  const found = await Promise.all(tables.map(async ({ schema, name }) => {
    const rows = await sql`
      select 1 from ${sql(schema)}.${sql(name)} t where strpos(t::text, ${text}) > 0 limit 1`;
    return rows.length > 0 ? [name] : [];
  }));
  return found.flat();
}

const sha256 = async (text: string) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();

ledgerTest(
  "a key is shown once, kept nowhere, and recognised by its form and checksum",
  async (sql) => {
    const owner = await Owner.create(sql, "1");
    const body = { kind: "product", product_id: PRODUCT, name: "Ada's 💻", operation_id: "create" };
    const first = await owner.ask("POST", "/tokens", body);
    equal(first.status, 200);
    const { key, replayed, ...token } = first.body;
    equal(replayed, false);
    match(key, /^scrip_[0-9A-Za-z]{40}[0-9a-f]{8}$/);
    equal(key.slice(-8), (await sha256(key.slice(0, -8))).slice(0, 8));
    ok(Date.parse(token.created_at) > Date.now() - 60_000);
    const { id, created_at: _, version: __, ...rest } = token;
    deepEqual(rest, {
      kind: "product",
      product_id: PRODUCT,
      name: "Ada's 💻",
      status: "active",
      credits: 0,
      hub_id: null,
      key_hint: key.slice(-4),
      revoked_at: null,
    });
    const replay = await owner.ask("POST", "/tokens", body);
    deepEqual([replay.status, replay.body.id, replay.body.key, replay.body.replayed], [
      200,
      id,
      null,
      true,
    ]);
    const conflict = await owner.ask("POST", "/tokens", { ...body, name: "other" });
    deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
    deepEqual(await tablesWith(sql, key), []);
    deepEqual(await tablesWith(sql, key.slice(6, 46)), []);
    const keys = await Promise.all(times(5).map(async () => (await owner.createToken()).key));
    equal(new Set([key, ...keys]).size, 6);
    for (
      const answer of [await owner.ask("GET", "/tokens"), await owner.ask("GET", `/tokens/${id}`)]
    ) {
      ok(!JSON.stringify(answer.body).includes("scrip_"));
    }
  },
);

ledgerTest(
  "tokens are listed, renamed and revoked by their owner, and are nobody else's",
  async (sql) => {
    const owner = await Owner.create(sql, "10");
    const stranger = await Owner.create(sql, "10");
    const ids: string[] = [];
    for (const product of [PRODUCT, undefined, PRODUCT]) {
      ids.unshift(
        (await owner.createToken(product)).id,
      );
    }
    const [newest = ""] = ids;
    const listed: string[] = [];
    for (let query = "?limit=2"; query;) {
      const { body } = await owner.ask("GET", `/tokens${query}`);
      listed.push(...body.data.map(({ id }: Token) => id));
      query = body.next && `?limit=2&before=${body.next}`;
    }
    deepEqual(listed, ids);
    deepEqual((await stranger.ask("GET", "/tokens")).body, { data: [], next: null });

    await owner.refill(newest, "usd", "5");
    const path = `/tokens/${newest}`;
    const before = await owner.ask("GET", path);
    const missing = [404, "api_token_not_found", `There is no API token ${newest}`];
    for (const [method, body] of [["GET"], ["PATCH", { name: "mine" }], ["DELETE"]] as const) {
      deepEqual(told(await stranger.ask(method, path, body)), missing, method);
      equal((await owner.ask(method, `/tokens/${NOBODY}`, body)).status, 404);
    }
    deepEqual((await owner.ask("GET", path)).body, before.body);

    const renamed = await owner.ask("PATCH", path, { name: "phone" });
    const { version, hub_id: _, ...rest } = renamed.body;
    const { version: old, hub_id: __, ...unnamed } = before.body;
    deepEqual(rest, { ...unnamed, name: "phone" });
    ok(version > old);

    const gone = await owner.ask("DELETE", path);
    deepEqual([gone.status, gone.body.status, gone.body.credits], [200, "revoked", 499]);
    ok(Date.parse(gone.body.revoked_at) > Date.parse(before.body.created_at));
    const again = await owner.ask("DELETE", path);
    deepEqual([again.status, again.body.revoked_at, again.body.version], [
      200,
      gone.body.revoked_at,
      gone.body.version,
    ]);
  },
);

ledgerTest("a token is for a product on offer, and there are at most 100", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const create = (product_id?: string) =>
    owner.ask("POST", "/tokens", {
      kind: product_id ? "product" : "master",
      name: "n",
      operation_id: newId(),
      ...(product_id ? { product_id } : {}),
    });
  const withdrawn = await makeProduct(sql, "0.01");
  await sql`update products set active = false where id = ${withdrawn}`;
  for (const product of [NOBODY, withdrawn]) {
    const { status, body } = await create(product);
    deepEqual([status, body.code], [404, "product_not_found"]);
  }
  // All at once: none of them may slip through beside another.
  const answers = await Promise.all(times(110).map(() => create()));
  const refused = answers.filter(({ status }) => status !== 200);
  equal(refused.length, 10);
  for (const { status, body } of refused) {
    deepEqual([status, body.code], [409, "too_many_api_tokens"]);
  }
  const [one] = answers.filter(({ status }) => status === 200);
  await owner.ask("DELETE", `/tokens/${one?.body.id}`);
  equal((await create()).status, 409, "a revoked one counts for a day");
  await sql`
    update api_tokens set created_at = created_at - interval '25 hours' where id = ${one?.body.id}`;
  equal((await create()).status, 200);
});

ledgerTest("a key spends what was refilled: success, replay, conflict, refusal", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const { id, key } = await owner.createToken();
  await owner.refill(id, "usd", "5");
  const first = await consume(key, 999, "a");
  equal(first.status, 200);
  deepEqual([first.body.token_id, first.body.credits, first.body.replayed], [id, 4000, false]);
  const second = await consume(key, 1000, "b");
  equal(second.body.credits, 3000);
  ok(second.body.version > first.body.version);
  deepEqual((await consume(key, 999, "a")).body, { ...first.body, replayed: true });
  const conflict = await consume(key, 998, "a");
  deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  deepEqual(told(await consume(key, 3001)), [
    403,
    "insufficient_credits",
    "Insufficient credits: the token has 3000, needs 3001",
  ]);
  const [journal] = await sql`
    select count(*), sum(amount)::bigint as sum, min(actor) as actor
    from api_token_transactions where token_id = ${id} and type = 'consume'`;
  deepEqual(journal, { count: 2, sum: -1999, actor: "service_role" });

  await owner.ask("DELETE", `/tokens/${id}`);
  deepEqual(told(await consume(key, 1)), [
    409,
    "api_token_revoked",
    `The API token ${id} is revoked`,
  ]);
  deepEqual((await consume(key, 1000, "b")).body, { ...second.body, replayed: true });
  equal((await owner.ask("GET", `/tokens/${id}`)).body.credits, 3000);
});

ledgerTest("an unknown key and what is no key at all are the same", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const { key } = await owner.createToken();
  const body = key.slice(0, -8);
  const flipped = body.slice(0, -1) + (body.endsWith("A") ? "B" : "A");
  const keys = [
    flipped + (await sha256(flipped)).slice(0, 8),
    flipped + key.slice(-8),
    body,
    key.toUpperCase(),
    `${key} `,
    "scrip_",
    "x",
    "é",
    stack.secret_key,
  ];
  for (const api_key of keys) {
    deepEqual(told(await consume(api_key, 1)), [
      404,
      "api_token_not_found",
      "There is no API token with this key",
    ]);
  }
  const asUser = await call("credits/tokens/consume", {
    token: owner.user.token,
    body: { api_key: key, credits: 1, operation_id: "a" },
  });
  deepEqual([asUser.status, asUser.body.code], [403, "forbidden"]);
});

ledgerTest("50 at once with credits for 10: exactly 10 are served", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const { id, key } = await owner.createToken(PRODUCT);
  await owner.refill(id, "credits", 70);
  const answers = await Promise.all(times(50).map((i) => consume(key, 7, `use-${i}`)));
  const served = answers.filter(({ status }) => status === 200);
  deepEqual(
    served.map(({ body }) => body.credits).sort((a, b) => b - a),
    times(10).map((i) => 63 - 7 * i),
  );
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    deepEqual(told(answer).slice(0, 2), [403, "insufficient_credits"]);
  }
  const same = await Promise.all(times(50).map(() => consume(key, 1, "the-same")));
  deepEqual(new Set(same.map(({ status }) => status)), new Set([403]));
  await owner.refill(id, "credits", 5);
  const once = await Promise.all(times(50).map(() => consume(key, 5, "once")));
  equal(once.filter(({ body }) => body.replayed === false).length, 1);
  equal(once.filter(({ body }) => body.replayed === true).length, 49);
  equal((await owner.ask("GET", `/tokens/${id}`)).body.credits, 0);
});

ledgerTest(
  "100 refills at once with USD for 10: exactly 10 succeed, to the last digit",
  async (sql) => {
    const owner = await Owner.create(sql, "10.001");
    const tokens = [await owner.createToken(PRODUCT), await owner.createToken(PRODUCT)];
    const answers = await Promise.all(
      times(100).map((i) => owner.refill(tokens[i % 2]?.id ?? "", "credits", 100, `refill-${i}`)),
    );
    const done = answers.filter(({ status }) => status === 200);
    deepEqual(
      done.map(({ body }) => Number(body.usd_balance)).sort((a, b) => b - a),
      times(10).map((i) => Number((9.0009 - 1.0001 * i).toFixed(4))),
    );
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      const [status, code, message] = told(answer);
      deepEqual([status, code], [403, "insufficient_usd"]);
      match(message, /^Insufficient USD balance: you have \$0\.00, need \$1\.0001$/);
    }
    deepEqual(await owner.state(sql), { usd: "0.00", usd_rows: 11, refills: 10, credits: 1000 });
    const [exact] = await sql`
    select sum(amount)::text as sum, min(balance_after)::text as least from usd_transactions where user_id = ${owner.user.id}`;
    deepEqual(exact, { sum: "0.0000000000", least: "0.0000000000" });

    const again = await Promise.all(
      times(100).map((i) => owner.refill(tokens[i % 2]?.id ?? "", "credits", 100, `refill-${i}`)),
    );
    equal(again.filter(({ body }) => body.replayed === true).length, 10);
    deepEqual(await owner.state(sql), { usd: "0.00", usd_rows: 11, refills: 10, credits: 1000 });
  },
);

ledgerTest("100 retries at once: one refill, 99 replays", async (sql) => {
  const owner = await Owner.create(sql, "10");
  const { id } = await owner.createToken();
  const answers = await Promise.all(times(100).map(() => owner.refill(id, "usd", "5", "the-same")));
  equal(answers.filter(({ body }) => body.replayed === false).length, 1);
  equal(answers.filter(({ body }) => body.replayed === true).length, 99);
  equal(new Set(answers.map(({ body }) => body.refill_id)).size, 1);
  deepEqual(await owner.state(sql), { usd: "5.00", usd_rows: 2, refills: 1, credits: 4999 });
});

/** Waits until a call of this SQL function by the edge waits for a lock; others may wait as well. */
async function untilWaiting(sql: postgres.Sql, name: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const waiting = await sql`
      select 1 from pg_stat_activity where wait_event_type = 'Lock' and strpos(query, ${`public."${name}"`}) > 0`;
    if (waiting.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`No call of ${name} waits for a lock`);
}

ledgerTest(
  "a refill waits for a revocation and for an edit by hand, a revocation for a refill",
  async (sql) => {
    const other = connect(1);
    try {
      const owner = await Owner.create(sql, "10");
      const { id } = await owner.createToken();
      const refilled = await other.begin(async (tx) => {
        await tx`select refill_token(${owner.user.id}, ${id}, 'usd', '5', 'first')`;
        const revoking = owner.ask("DELETE", `/tokens/${id}`);
        await untilWaiting(sql, "revoke_api_token");
        return { revoking };
      });
      const revoked = await refilled.revoking;
      deepEqual([revoked.status, revoked.body.status, revoked.body.credits], [
        200,
        "revoked",
        4999,
      ]);

      const { id: second } = await owner.createToken();
      const begun = await other.begin(async (tx) => {
        await tx`select revoke_api_token(${owner.user.id}, ${second})`;
        const refilling = owner.refill(second, "usd", "5");
        await untilWaiting(sql, "refill_token");
        return { refilling };
      });
      deepEqual(told(await begun.refilling), [
        409,
        "api_token_revoked",
        `The API token ${second} is revoked`,
      ]);
      deepEqual(await owner.state(sql), { usd: "5.00", usd_rows: 2, refills: 1, credits: 4999 });

      const { id: third } = await owner.createToken();
      const edited = await other.begin(async (tx) => {
        await tx`update usd_balances set balance = 1.5 where user_id = ${owner.user.id}`;
        const refilling = owner.refill(third, "usd", "5");
        await untilWaiting(sql, "refill_token");
        return { refilling };
      });
      deepEqual(told(await edited.refilling), [
        403,
        "insufficient_usd",
        "Insufficient USD balance: you have $1.50, need $5.00",
      ]);
    } finally {
      await other.end();
    }
  },
);

ledgerTest(
  "refills and spending that race a revocation happened before it or not at all",
  async (sql) => {
    for (const wait of [0, 5, 20, 60]) {
      const owner = await Owner.create(sql, "100");
      const { id, key } = await owner.createToken(PRODUCT);
      await owner.refill(id, "credits", 1000, "first");
      const revoke = async () => {
        await new Promise((done) => setTimeout(done, wait));
        return await owner.ask("DELETE", `/tokens/${id}`);
      };
      const [revoked, refills, uses] = await Promise.all([
        revoke(),
        Promise.all(times(30).map((i) => owner.refill(id, "credits", 100, `refill-${i}`))),
        Promise.all(times(30).map((i) => consume(key, 3, `use-${i}`))),
      ]);
      const served = (answers: typeof refills) => {
        const done = answers.filter(({ status }) => status === 200);
        for (const answer of answers.filter(({ status }) => status !== 200)) {
          deepEqual(told(answer).slice(0, 2), [409, "api_token_revoked"]);
        }
        return done.length;
      };
      const credits = 1000 + 100 * served(refills) - 3 * served(uses);
      deepEqual([revoked.status, revoked.body.status, revoked.body.credits], [
        200,
        "revoked",
        credits,
      ]);
      const [last] = await sql`
      select max(version) as version from api_token_transactions where token_id = ${id}`;
      equal(revoked.body.version, last?.["version"] + 1);
      equal((await owner.state(sql))?.["refills"], 1 + served(refills));
    }
  },
);

ledgerTest(
  "supabase-js reads the own tokens, their journals and refills, and no key",
  async (sql) => {
    const owner = await Owner.create(sql, "10");
    const stranger = await signUp();
    const { id, key } = await owner.createToken(PRODUCT);
    const { body: refill } = await owner.refill(id, "usd", "5", "refill");
    await consume(key, 9, "use");
    const { client } = owner.user;
    const tokens = await client.from("api_tokens").select("id, name, credits, key_hint");
    deepEqual(tokens.data, [{ id, name: "laptop", credits: 490, key_hint: key.slice(-4) }]);
    const journal = await client.from("api_token_transactions").select(
      "type, amount, credits_after",
    )
      .eq("token_id", id).order("version");
    deepEqual(journal.data, [
      { type: "refill", amount: 499, credits_after: 499 },
      { type: "consume", amount: -9, credits_after: 490 },
    ]);
    const refills = await client.from("refill_transactions").select("id, mode, credits_added");
    deepEqual(refills.data, [{ id: refill.refill_id, mode: "usd", credits_added: 499 }]);
    for (const table of ["api_tokens", "api_token_transactions", "refill_transactions"]) {
      deepEqual((await stranger.client.from(table).select()).data, [], table);
      ok((await newClient().from(table).select()).error, table);
    }
    for (const schema of ["public", "private"]) {
      ok((await client.schema(schema).from("api_keys").select()).error, schema);
    }

    const withdrawn = await makeProduct(sql, "0.01");
    await sql`update products set active = false where id = ${withdrawn}`;
    for (const reader of [client, newClient()]) {
      const { data } = await reader.from("products").select("id, value_credits_usd::text");
      const ids = data?.map((product) => product.id) ?? [];
      ok(ids.includes(PRODUCT) && !ids.includes(withdrawn));
    }
  },
);
