/** The README's story, as a newcomer lives it: a code, a model, a charge, why that is the balance, an API token. */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { delay } from "../scripts/stack/parts.ts";
import { call, createCodes, ledgerTest, signIn, signUp, stack } from "./harness.ts";

ledgerTest(
  "a newcomer signs up, activates a code, runs a model, spends, and is told why",
  async (sql) => {
    const user = await signUp();
    const mine = () => user.client.functions.invoke("get-token-balance", { method: "GET" });
    equal((await mine()).data.remaining, 0);

    const [code = ""] = await createCodes(sql, 1);
    const activation = await call("verify-and-activate-code", {
      token: user.token,
      body: { code },
    });
    deepEqual(activation.body, { tokens_granted: 2500, balance: 2500, replayed: false });

    const run = await user.client.functions.invoke("run-model", {
      body: { model: "demo-text", input: "Why is the sky blue?" },
    });
    match(run.data.result.text, /^Any again because able then new green /);
    deepEqual([run.data.tokens_used, run.data.remaining, run.data.replayed], [1, 2499, false]);
    const { data: { summary } } = await user.client.functions.invoke("usage", { method: "GET" });
    deepEqual(
      [summary.total_calls, summary.tokens_charged, summary.total_cost_usd],
      [1, 1, "0.0000565"],
    );
    ok(Number(summary.total_cost_eur) > 0);

    const charge = await call("credits/charge", {
      secret: true,
      body: { user_id: user.id, amount: 40, operation_id: "poem-1", description: "A poem" },
    });
    equal(charge.status, 200);
    match(charge.body.transaction_id, /^[0-9a-f-]{36}$/);
    deepEqual(
      {
        amount: charge.body.amount,
        remaining: charge.body.remaining,
        replayed: charge.body.replayed,
      },
      { amount: 40, remaining: 2459, replayed: false },
    );

    const balance = (await mine()).data;
    deepEqual(balance, {
      user_id: user.id,
      purchased: 2500,
      earned: 0,
      admin_bonus: 0,
      approved_requests: 0,
      total: 2500,
      used: 41,
      reserved: 0,
      remaining: 2459,
    });

    const { data: lines } = await user.client.rpc("explain_balance", { user_id: user.id });
    deepEqual(
      lines.map((l: Record<string, unknown>) => [l["source"], l["amount"], l["running_total"]]),
      [["access_code", 2500, 2500], ["used", -41, 2459], ["reserved", 0, 2459]],
    );
    const admin = await signIn(stack.admin);
    const explained = await call(`admin/users/${user.id}/explain`, { token: admin.token });
    equal(explained.body.remaining, 2459);
    const amounts = (all: Record<string, unknown>[]) =>
      all.map((l) => [l["source"], l["amount"], l["reference"]]);
    deepEqual(amounts(explained.body.lines), amounts(lines));
  },
);

ledgerTest("a newcomer refills an API token, the HUB is told, and its key spends", async () => {
  const user = await signUp();
  const deposit = await call(`admin/users/${user.id}/usd-deposit`, {
    secret: true,
    body: { amount: "25.00", reason: "Demo", operation_id: "demo" },
  });
  equal(deposit.status, 200, JSON.stringify(deposit.body));
  const [product] = (await user.client.from("products").select("id, value_credits_usd::text")
    .eq("id", "018f0000-0000-7000-8000-000000000101")).data ?? [];
  equal(Number(product?.value_credits_usd), 0.01);

  const made = await call("refill/tokens", {
    token: user.token,
    body: { kind: "product", product_id: product?.id, name: "My app", operation_id: "token-1" },
  });
  match(made.body.key, /^scrip_[0-9A-Za-z]{40}[0-9a-f]{8}$/, JSON.stringify(made.body));
  const refill = await call("refill", {
    token: user.token,
    body: { token_id: made.body.id, mode: "usd", amount: "10.00", operation_id: "refill-1" },
  });
  deepEqual([refill.status, refill.body.credits_added, refill.body.credits], [200, 999, 999]);
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { data } = await (await fetch(`${stack.url}/stand-in/hub`)).json();
    const told = data.find(({ token }: { token: { id: string } }) => token.id === made.body.id);
    if (told?.event === "api_token.refilled") {
      equal(told.token.credits, 999);
      break;
    }
    ok(Date.now() < deadline, "the HUB was not told");
    await delay(20);
  }

  const spent = await call("credits/tokens/consume", {
    secret: true,
    body: { api_key: made.body.key, credits: 9, operation_id: "call-1" },
  });
  deepEqual([spent.status, spent.body.credits, spent.body.replayed], [200, 990, false]);
});

ledgerTest("the journal is there for its owner through supabase-js, newest first", async (sql) => {
  const user = await signUp();
  await sql`select add_tokens(${user.id}, 10, 'add', 'gift')`;
  await sql`select charge_tokens(${user.id}, 3, 'spend')`;
  const { data } = await user.client.from("token_transactions")
    .select("seq, type, amount, balance_after, operation_id").order("seq", { ascending: false });
  deepEqual(data, [
    { seq: 2, type: "charge", amount: -3, balance_after: 7, operation_id: "spend" },
    { seq: 1, type: "add", amount: 10, balance_after: 10, operation_id: "gift" },
  ]);
});
