/**
 * `admin` is for admins and secret keys: access codes, bonuses, USD deposits, Stripe's events, and why a balance is what
 * it is.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import type postgres from "postgres";
import { call, ledgerTest, makeUser, signIn, signUp, stack } from "./harness.ts";
import { delivered, standIn, stripe } from "./stripe-flows.ts";

ledgerTest("an admin creates codes, sees them once, lists and revokes them", async () => {
  const { token, id: adminId } = await signIn(stack.admin);
  const headers = { "idempotency-key": crypto.randomUUID() };
  const body = { count: 3, tokens_to_grant: 100, note: "launch" };
  const created = await call("admin/access-codes", { token, body, headers });
  equal(created.status, 200);
  equal(created.body.codes.length, 3);
  for (const { code } of created.body.codes) {
    match(code, /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
  }
  const replay = await call("admin/access-codes", { token, body, headers });
  equal(replay.body.replayed, true);
  for (const { code } of replay.body.codes) equal(code, null);
  const conflict = await call("admin/access-codes", {
    token,
    body: { ...body, count: 4 },
    headers,
  });
  equal(conflict.status, 409);

  const seen: { id: string; created_by: string }[] = [];
  for (let next: string | null = ""; next !== null;) {
    const page: Awaited<ReturnType<typeof call>> = await call(
      `admin/access-codes?limit=2${next ? `&before=${next}` : ""}`,
      { token },
    );
    ok(page.body.data.length <= 2);
    seen.push(...page.body.data);
    next = page.body.next;
  }
  equal(new Set(seen.map((c) => c.id)).size, seen.length);
  for (const { id } of created.body.codes) {
    equal(seen.find((c) => c.id === id)?.created_by, adminId);
  }
  ok(!JSON.stringify(seen).includes(created.body.codes[0].code));

  const [{ id, code }] = created.body.codes;
  const revoked = await call(`admin/access-codes/${id}`, { token, method: "DELETE" });
  equal(revoked.status, 200);
  deepEqual(
    (await call(`admin/access-codes/${id}`, { token, method: "DELETE" })).body,
    revoked.body,
  );
  const user = await signUp();
  equal(
    (await call("verify-and-activate-code", { token: user.token, body: { code } })).status,
    404,
  );
  const nothing = await call(`admin/access-codes/${crypto.randomUUID()}`, {
    token,
    method: "DELETE",
  });
  equal(nothing.status, 404);
});

ledgerTest("an admin gives a bonus, at most once, and the journal names the admin", async (sql) => {
  const { token, id: adminId } = await signIn(stack.admin);
  const user = await makeUser(sql, 0);
  const bonus = (amount: number) =>
    call(`admin/users/${user}/bonus`, {
      token,
      body: { amount, reason: "sorry", operation_id: "bonus" },
    });
  const first = await bonus(50);
  deepEqual([first.status, first.body.amount, first.body.remaining], [200, 50, 50]);
  equal((await bonus(50)).body.replayed, true);
  equal((await bonus(51)).status, 409);
  const [row] = await sql`
    select type, account, amount, actor, description from token_transactions where user_id = ${user}`;
  deepEqual(row, {
    type: "bonus",
    account: "admin_bonus",
    amount: 50,
    actor: adminId,
    description: "sorry",
  });
  const unknown = await call(`admin/users/${crypto.randomUUID()}/bonus`, {
    secret: true,
    body: { amount: 1, reason: "x", operation_id: "y" },
  });
  deepEqual([unknown.status, unknown.body.code], [404, "user_not_found"]);
});

ledgerTest("explain names every grant in order and ends with what remains", async (sql) => {
  const user = await makeUser(sql, 1000);
  await sql`update subscribers set admin_bonus_tokens = 5 where user_id = ${user}`;
  await sql`insert into token_requests (user_id, amount, status) values (${user}, 7, 'approved')`;
  await sql`select add_tokens(${user}, 100, 'purchase', 'p', description => 'Starter package')`;
  await sql`select charge_tokens(${user}, 12, 'c')`;
  await sql`select reserve_tokens(${user}, 30, 'h')`;
  const { status, body } = await call(`admin/users/${user}/explain`, { secret: true });
  equal(status, 200);
  deepEqual(
    body.lines.map((l: Record<string, unknown>) => [l["source"], l["amount"], l["running_total"]]),
    [
      ["adjustment", 1000, 1000],
      ["bonus", 5, 1005],
      ["request", 7, 1012],
      ["purchase", 100, 1112],
      ["used", -12, 1100],
      ["reserved", -30, 1070],
    ],
  );
  equal(body.remaining, 1070);
  equal((await call(`admin/users/${crypto.randomUUID()}/explain`, { secret: true })).status, 404);
});

ledgerTest("bad input to admin routes is 400 and names the field", async () => {
  const secret = true;
  const id = crypto.randomUUID();
  const cases: [path: string, body: unknown, field: string][] = [
    ["admin/access-codes", { tokens_to_grant: -1, operation_id: id }, "tokens_to_grant"],
    ["admin/access-codes", { tokens_to_grant: 1, count: 0, operation_id: id }, "count"],
    ["admin/access-codes", { tokens_to_grant: 1, count: 1001, operation_id: id }, "count"],
    ["admin/access-codes", { tokens_to_grant: 1, max_uses: 0, operation_id: id }, "max_uses"],
    [
      "admin/access-codes",
      { tokens_to_grant: 1, expires_at: "soon", operation_id: id },
      "expires_at",
    ],
    ["admin/access-codes", {
      tokens_to_grant: 1,
      expires_at: "2020-01-01T00:00:00Z",
      operation_id: id,
    }, "expires_at"],
    ["admin/access-codes", { tokens_to_grant: 1, email: "nobody", operation_id: id }, "email"],
    ["admin/access-codes", { tokens_to_grant: 1 }, "operation_id"],
    [`admin/users/${id}/bonus`, { amount: 0, reason: "x", operation_id: id }, "amount"],
    [`admin/users/${id}/bonus`, { amount: 1, operation_id: id }, "reason"],
    ["admin/users/me/bonus", { amount: 1, reason: "x", operation_id: id }, "user_id"],
  ];
  for (const [path, body, field] of cases) {
    const answer = await call(path, { secret, body });
    deepEqual([answer.status, answer.body.code], [400, "invalid_request"], JSON.stringify(body));
    ok(answer.body.message.startsWith(field), `${answer.body.message} does not name ${field}`);
  }
  for (const query of ["limit=0", "limit=201", "before=nonsense", "page=2"]) {
    equal((await call(`admin/access-codes?${query}`, { secret })).status, 400, query);
  }
});

/** Pays a session for a user whom Scrip doesn't know yet, and answers the event that waits for the operator. */
async function payForNobody(sql: postgres.Sql, user_id: string) {
  const customer = await stripe((client) => client.customers.create({ email: "n@example.test" }));
  const metadata = {
    kind: "tokens",
    user_id,
    tokens: "700",
    amount_cents: "700",
    currency: "eur",
  };
  const session = await stripe((client) =>
    client.checkout.sessions.create({
      mode: "payment",
      customer: customer.id,
      success_url: stack.url,
      line_items: [{
        quantity: 1,
        price_data: { currency: "eur", unit_amount: 700, product_data: { name: "700 tokens" } },
      }],
      metadata,
      payment_intent_data: { metadata },
    })
  );
  await standIn(`sessions/${session.id}/pay`, {});
  await delivered(customer.id);
  const [event] = await sql<{ id: string; outcome: string }[]>`
    select id, outcome from private.stripe_events
    where object_id = ${session.id} and type = 'checkout.session.completed'`;
  ok(event);
  equal(event.outcome, "waiting");
  return { event: event.id, customer: customer.id, session: session.id };
}

interface Listed {
  id: string;
  attention: string | null;
}

/** Reads Stripe's events page by page, as far as there are any. */
async function listEvents(token: string, query: string, limit: number, most: number) {
  const seen: Listed[] = [];
  for (let next: string | null = "", pages = 0; next !== null && pages < most; pages++) {
    const page: Awaited<ReturnType<typeof call>> = await call(
      `admin/stripe-events?limit=${limit}${query}${next ? `&before=${next}` : ""}`,
      { token },
    );
    equal(page.status, 200, JSON.stringify(page.body));
    ok(page.body.data.length <= limit);
    seen.push(...page.body.data);
    next = page.body.next;
  }
  return seen;
}

ledgerTest("an admin sees which of Stripe's events need attention", async (sql) => {
  const { token } = await signIn(stack.admin);
  const nobody = crypto.randomUUID();
  const { event, customer, session } = await payForNobody(sql, nobody);
  const { data } = (await call("admin/stripe-events?needs_attention=true", { token })).body;
  const mine = data.find(({ id }: Listed) => id === event);
  const { occurred_at, created_at, ...rest } = mine;
  deepEqual(rest, {
    id: event,
    type: "checkout.session.completed",
    outcome: "waiting",
    attention: `Unknown user ${nobody}`,
    error: null,
    user_id: null,
    object_id: session,
    livemode: false,
  });
  ok(Math.abs(Date.parse(occurred_at) - Date.now()) < 60_000);
  ok(Math.abs(Date.parse(created_at) - Date.now()) < 60_000);

  const [first] = (await call("admin/stripe-events?limit=1", { secret: true })).body.data;
  ok(first);
  const others = await sql<{ id: string }[]>`
    select id from private.stripe_events where customer_id = ${customer}`;
  const ids = new Set(others.map(({ id }) => id));
  ok(ids.size > 3);
  const own = (events: Listed[]) =>
    events.map(({ id }) => id).filter((id) => ids.has(id)).toSorted();
  const all = await listEvents(token, "", 2, 50);
  equal(new Set(all.map(({ id }) => id)).size, all.length);
  deepEqual(own(all), [...ids].toSorted());
  const calm = await listEvents(token, "&needs_attention=false", 200, 2);
  deepEqual(own(calm), [...ids].filter((id) => id !== event).toSorted());
  ok(calm.every(({ attention }) => attention === null));
  const alarming = await listEvents(token, "&needs_attention=true", 1, 20);
  deepEqual(own(alarming), [event]);
  ok(alarming.every(({ attention }) => attention !== null));
});

ledgerTest(
  "an event is replayed once what it waited for is mended, and counts once",
  async (sql) => {
    const { token } = await signIn(stack.admin);
    const id = crypto.randomUUID();
    const { event } = await payForNobody(sql, id);
    const replay = () => call(`admin/stripe-events/${event}/replay`, { method: "POST", token });
    const early = await replay();
    deepEqual([early.status, early.body], [200, {
      event_id: event,
      outcome: "waiting",
      attention: `Unknown user ${id}`,
    }]);
    await sql`insert into auth.users (id, email) values (${id}, ${`${id}@load.test`})`;
    const answers = await Promise.all(Array.from({ length: 10 }, replay));
    for (const { status, body } of answers) {
      deepEqual([status, body], [200, { event_id: event, outcome: "applied", attention: null }]);
    }
    const { body } = await call(`admin/users/${id}/explain`, { secret: true });
    deepEqual(body.lines.map((l: Record<string, unknown>) => [l["source"], l["amount"]]), [
      ["purchase", 700],
      ["used", 0],
      ["reserved", 0],
    ]);
  },
);

ledgerTest("Stripe's events are for admins; bad queries are 400, unknown events 404", async () => {
  const user = await signUp();
  const { token } = await signIn(stack.admin);
  const unknown = await call("admin/stripe-events/evt_nothing/replay", { method: "POST", token });
  deepEqual([unknown.status, unknown.body.code], [404, "stripe_event_not_found"]);
  for (
    const query of ["limit=0", "limit=201", "limit=x", "before=x", "needs_attention=1", "type=a"]
  ) {
    const answer = await call(`admin/stripe-events?${query}`, { token });
    deepEqual([answer.status, answer.body.code], [400, "invalid_request"], query);
  }
  for (
    const [path, method] of [
      ["admin/stripe-events", "GET"],
      ["admin/stripe-events/evt_nothing/replay", "POST"],
    ] as const
  ) {
    equal((await call(path, { method, token: user.token })).status, 403);
    equal((await call(path, { method })).status, 401);
  }
});

ledgerTest("an admin deposits US dollars, at most once", async (sql) => {
  const { token, id: adminId } = await signIn(stack.admin);
  const user = await signUp();
  const deposit = (change: Record<string, unknown> = {}) =>
    call(`admin/users/${user.id}/usd-deposit`, {
      token,
      body: { amount: "25.000001", reason: "by invoice", operation_id: "invoice 7", ...change },
    });
  const first = await deposit();
  equal(first.status, 200, JSON.stringify(first.body));
  const { transaction_id, ...receipt } = first.body;
  match(transaction_id, /^[0-9a-f-]{36}$/);
  deepEqual(receipt, { amount: "25.000001", usd_balance: "25.000001", replayed: false });
  deepEqual((await deposit()).body, { ...first.body, replayed: true });
  for (const change of [{ amount: "25.01" }, { reason: "a gift" }]) {
    const conflict = await deposit(change);
    deepEqual([conflict.status, conflict.body.code], [409, "operation_id_reused"]);
  }
  const many = await Promise.all(
    Array.from({ length: 10 }, () => deposit({ amount: 0.1, operation_id: "many" })),
  );
  equal(many.filter(({ body }) => body.replayed === false).length, 1);
  const { data } = await user.client.from("usd_transactions")
    .select("type, operation_id, description, actor").order("seq");
  deepEqual(data, [
    { type: "deposit", operation_id: "invoice 7", description: "by invoice", actor: adminId },
    { type: "deposit", operation_id: "many", description: "by invoice", actor: adminId },
  ]);
  const balance = async () => (await sql`select usd_balance from get_usd_balance(${user.id})`)[0];
  deepEqual(await balance(), { usd_balance: "25.100001" });

  for (
    const [field, values] of Object.entries({
      amount: [0, "0", "0.0000001", "1000000.01", "-1", "1e3", "", null, true, {}],
      reason: ["", "x".repeat(501), null, 7],
      operation_id: ["", "x".repeat(256), null],
      currency: ["usd"],
    })
  ) {
    for (const value of values) {
      const answer = await deposit({ operation_id: "bad", [field]: value });
      deepEqual([answer.status, answer.body.code], [400, "invalid_request"], `${field} ${value}`);
      ok(answer.body.message.startsWith(field), answer.body.message);
    }
  }
  deepEqual(await balance(), { usd_balance: "25.100001" });

  const path = `admin/users/${user.id}/usd-deposit`;
  const body = { amount: "1.00", reason: "mine", operation_id: "mine" };
  equal((await call(path, { token: user.token, body })).status, 403);
  equal((await call(path, { body })).status, 401);
  const unknown = await call(`admin/users/${crypto.randomUUID()}/usd-deposit`, { token, body });
  deepEqual([unknown.status, unknown.body.code], [404, "user_not_found"]);
  deepEqual(await balance(), { usd_balance: "25.100001" });
});
