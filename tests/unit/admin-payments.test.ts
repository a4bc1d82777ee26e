/**
 * Admins, and they alone, read what Stripe sent, have it handled again, and credit deposits.
 *
 * Method: the real routes with a database that only notes its calls.
 */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { routes } from "../../functions/admin/routes.ts";
import { asAdmin, asSecret, asUser, errorOf, sender, USER } from "./fakes.ts";

const send = sender("admin", routes);
const ROWS = ["evt_b", "evt_a"].map((id) => ({ id, created_at: "2026-01-01T00:00:00.5+00:00" }));

const list = (query: string) =>
  send("GET", `/stripe-events?${query}`, { headers: asAdmin, answer: () => ROWS });

Deno.test("users and strangers are refused", async () => {
  const operations = [
    ["GET", "/stripe-events"],
    ["POST", "/stripe-events/evt_a/replay"],
    ["POST", `/users/${USER}/usd-deposit`],
  ] as const;
  for (const [method, path] of operations) {
    for (const [headers, status] of [[{}, 401], [asUser, 403]] as const) {
      const { response, calls } = await send(method, path, { headers });
      equal(response.status, status);
      deepEqual(calls, []);
    }
  }
});

Deno.test("events are listed page by page, by ids that are text", async () => {
  const first = await (await list("limit=1&needs_attention=true")).response.json();
  deepEqual(first.data, ROWS.slice(0, 1));
  const { response, calls } = await list(`limit=2&needs_attention=false&before=${first.next}`);
  deepEqual(calls[0]?.args, {
    page_size: 3,
    needs_attention: false,
    before_created_at: ROWS[0]?.created_at,
    before_id: "evt_b",
  });
  equal((await response.json()).next, null);
  deepEqual((await list("")).calls[0]?.args, { page_size: 51 });
  const cursors = [
    "x",
    btoa("x|evt_a"),
    btoa("2026-01-01T00:00:00Z|"),
    btoa("2026-01-01T00:00:00Z"),
  ];
  for (const query of ["limit=201", "needs_attention=1", ...cursors.map((c) => `before=${c}`)]) {
    const { response, calls } = await list(query);
    equal(response.status, 400, query);
    deepEqual(calls, []);
  }
});

Deno.test("an event is handled again, and a failure told", async () => {
  for (const outcome of ["applied", "failed"]) {
    const { response, calls, log } = await send("POST", "/stripe-events/evt_a/replay", {
      headers: asSecret,
      answer: () => [{ outcome, attention: null, user_id: USER, error: "secret" }],
    });
    deepEqual(await response.json(), { event_id: "evt_a", outcome, attention: null });
    deepEqual(calls, [{ name: "replay_stripe_event", args: { event_id: "evt_a" } }]);
    equal(log.length, outcome === "failed" ? 2 : 1);
  }
});

Deno.test("a deposit by hand has a reason, an operation and an actor", async () => {
  const { deposited, ...receipt } = {
    transaction_id: USER,
    deposited: "25.0001",
    usd_balance: "30",
    replayed: false,
  };
  const deposit = (body: unknown) =>
    send("POST", `/users/${USER}/usd-deposit`, {
      headers: asAdmin,
      body,
      answer: () => [{ deposited, ...receipt }],
    });
  const body = { amount: "25.0001", reason: "wire", operation_id: "a" };
  const { response, calls } = await deposit(body);
  deepEqual(await response.json(), { ...receipt, amount: deposited });
  deepEqual(calls, [{ name: "deposit_usd", args: { user_id: USER, ...body, actor: USER } }]);
  for (
    const [wrong, message] of [
      [{ amount: "-1" }, /^amount: must be an amount/],
      [{ amount: "1.0000001" }, /^amount: must be an amount/],
      [{ reason: "" }, /^reason: must be text/],
      [{ operation_id: undefined }, /^operation_id: is required$/],
      [{ user_id: USER }, /^user_id: is not a field/],
    ] as const
  ) {
    const { response, calls } = await deposit({ ...body, ...wrong });
    match((await errorOf(response)).message, message);
    deepEqual(calls, []);
  }
});
