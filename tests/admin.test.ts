/** `admin` is for admins and secret keys: access codes, bonuses, and why a balance is what it is. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { call, ledgerTest, makeUser, signIn, signUp, stack } from "./harness.ts";

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
