/** The README's story, as a newcomer lives it: sign up, activate a code, spend, ask why. */
import { deepEqual, equal, match } from "node:assert/strict";
import { call, createCodes, ledgerTest, signIn, signUp, stack } from "./harness.ts";

ledgerTest("a newcomer signs up, activates a code, spends, and is told why", async (sql) => {
  const user = await signUp();
  const mine = () => user.client.functions.invoke("get-token-balance", { method: "GET" });
  equal((await mine()).data.remaining, 0);

  const [code = ""] = await createCodes(sql, 1);
  const activation = await call("verify-and-activate-code", { token: user.token, body: { code } });
  deepEqual(activation.body, { tokens_granted: 2500, balance: 2500, replayed: false });

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
    { amount: 40, remaining: 2460, replayed: false },
  );

  const balance = (await mine()).data;
  deepEqual(balance, {
    user_id: user.id,
    purchased: 2500,
    earned: 0,
    admin_bonus: 0,
    approved_requests: 0,
    total: 2500,
    used: 40,
    reserved: 0,
    remaining: 2460,
  });

  const { data: lines } = await user.client.rpc("explain_balance", { user_id: user.id });
  deepEqual(
    lines.map((l: Record<string, unknown>) => [l["source"], l["amount"], l["running_total"]]),
    [["access_code", 2500, 2500], ["used", -40, 2460], ["reserved", 0, 2460]],
  );
  const admin = await signIn(stack.admin);
  const explained = await call(`admin/users/${user.id}/explain`, { token: admin.token });
  equal(explained.body.remaining, 2460);
  const amounts = (all: Record<string, unknown>[]) =>
    all.map((l) => [l["source"], l["amount"], l["reference"]]);
  deepEqual(amounts(explained.body.lines), amounts(lines));
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
