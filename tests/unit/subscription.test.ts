/**
 * Users see their own plan and journal, anyone sees the plans; a plan paid through Stripe is changed there, once, and
 * one that is not never reaches Stripe.
 *
 * Method: the real routes and the real library, with a server in Stripe's place that shows what was asked of it.
 */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { routes } from "../../functions/subscription/routes.ts";
import { ORIGIN, startStripe, type StripeAnswer, stripeError } from "./fake-stripe.ts";
import {
  type Answer,
  asAdmin,
  asSecret,
  asUser,
  errorOf,
  OTHER_USER,
  sender,
  USER,
} from "./fakes.ts";

const send = sender("subscription", routes);

const CHANGE = {
  action: "upgraded",
  effective_at: "2026-01-01T00:00:00+00:00",
  tokens_granted: 500,
  remaining: 900,
  replayed: false,
  stripe_subscription_id: null,
  stripe_item_id: null,
  stripe_product_id: null,
  product_name: null,
  amount_cents: null,
  currency: null,
};

const PAID = {
  stripe_subscription_id: "sub_1",
  stripe_item_id: "si_1",
  stripe_product_id: "scrip_plan_premium",
  product_name: "Premium",
  amount_cents: 4900,
  currency: "eur",
};

/** Changes a user's plan. */
async function update(
  row: Record<string, unknown>,
  more: Record<string, unknown> = {},
  says: StripeAnswer = () => ({ body: { id: "sub_1" } }),
) {
  await using stripe = startStripe(says);
  const sent = await send("POST", "/update", {
    headers: asSecret,
    body: { user_id: USER, tier: "premium", operation_id: "a", ...more },
    answer: () => [{ ...CHANGE, ...row }],
    stripe: stripe.access,
  });
  return { ...sent, requests: stripe.requests };
}

Deno.test("every route but the plans refuses strangers and the wrong callers", async () => {
  for (const operation of Object.keys(routes)) {
    const [method = "", path = ""] = operation.split(" ");
    if (path === "/plans") continue;
    const isUpdate = path === "/update";
    for (
      const [headers, status] of [
        [{}, 401],
        [isUpdate ? asUser : asSecret, 403],
        ...isUpdate ? [[asAdmin, 403] as const] : [],
      ] as const
    ) {
      const { response, calls } = await send(method, path.replace(/\/$/, ""), { headers });
      equal(response.status, status, operation);
      deepEqual(calls, []);
    }
  }
});

Deno.test("anyone may see the plans", async () => {
  const plans = [{ tier: "basic" }];
  const { response } = await send("GET", "/plans", { answer: () => plans });
  equal(response.status, 200);
  equal(response.headers.get("cache-control"), "no-store");
  deepEqual(await response.json(), { data: plans });
});

Deno.test("a user sees the own plan, without Stripe's ids", async () => {
  const row = { tier: null, status: "none", stripe_customer_id: "cus_1" };
  const { response, calls } = await send("GET", "", { headers: asUser, answer: () => [row] });
  deepEqual(await response.json(), { tier: null, status: "none" });
  deepEqual(calls, [{ name: "get_subscription", args: { user_id: USER } }]);
});

Deno.test("a user pages through the own journal", async () => {
  const rows = [{ seq: 9 }, { seq: 8 }, { seq: 7 }];
  const list = (query: string) =>
    send("GET", `/transactions${query}`, { headers: asUser, answer: () => rows });
  const { response, calls } = await list("?limit=2&before=10");
  deepEqual(await response.json(), { data: rows.slice(0, 2), next: "8" });
  deepEqual(calls[0]?.args, { user_id: USER, page_size: 3, before_seq: 10 });
  equal((await (await list("?limit=3")).response.json()).next, null);
  equal((await (await list("")).response.json()).next, null);
  for (
    const query of ["?limit=0", "?limit=201", "?before=0", "?before=x", "?before=", "?user_id=x"]
  ) {
    const { response, calls } = await list(query);
    equal(response.status, 400);
    deepEqual(calls, []);
  }
});

Deno.test("a change that SQL did is answered, and Stripe hears nothing", async () => {
  for (const action of ["started", "upgraded", "scheduled", "unchanged"]) {
    const { response, calls, requests } = await update({ action });
    deepEqual(await response.json(), {
      tier: "premium",
      action,
      pending: false,
      effective_at: CHANGE.effective_at,
      tokens_granted: 500,
      remaining: 900,
      replayed: false,
    });
    deepEqual(calls[0]?.args, {
      user_id: USER,
      tier: "premium",
      operation_id: "a",
      actor: "service_role",
    });
    deepEqual(requests, []);
  }
});

Deno.test("an upgrade at Stripe is paid at once, or not made", async () => {
  const { response, requests } = await update({ ...PAID, action: "stripe_upgrade" });
  const { action, pending } = await response.json();
  deepEqual([action, pending], ["upgraded", true]);
  const [product, change] = requests;
  deepEqual(product?.fields, { id: "scrip_plan_premium", name: "Premium" });
  equal(change?.operation, "POST /v1/subscriptions/sub_1");
  deepEqual(change?.fields, {
    "items[0][id]": "si_1",
    "items[0][price_data][currency]": "eur",
    "items[0][price_data][unit_amount]": "4900",
    "items[0][price_data][recurring][interval]": "month",
    "items[0][price_data][product]": "scrip_plan_premium",
    proration_behavior: "always_invoice",
    payment_behavior: "error_if_incomplete",
    "metadata[tier]": "premium",
    "metadata[amount_cents]": "4900",
    "metadata[currency]": "eur",
  });
  match(change?.idempotencyKey ?? "", new RegExp(`^scrip-subscription-${USER}-`));
  const again = await update({ ...PAID, action: "stripe_upgrade" });
  equal(again.requests[1]?.idempotencyKey, change?.idempotencyKey);
  const other = await update({ ...PAID, action: "stripe_upgrade" }, { operation_id: "b" });
  equal(other.requests[1]?.idempotencyKey === change?.idempotencyKey, false);
});

Deno.test("a downgrade at Stripe gives nothing back, and waits for the period's end", async () => {
  const { response, requests } = await update({ ...PAID, action: "stripe_downgrade" });
  const { action, pending } = await response.json();
  deepEqual([action, pending], ["scheduled", true]);
  equal(requests[1]?.fields["proration_behavior"], "none");
  equal(requests[1]?.fields["payment_behavior"], undefined);
});

Deno.test("a change that Stripe refuses is told", async () => {
  const { response } = await update(
    { ...PAID, action: "stripe_upgrade" },
    {},
    ({ operation }) =>
      operation === "POST /v1/products"
        ? { body: {} }
        : stripeError(400, { type: "invalid_request_error", message: "No default card" }),
  );
  deepEqual(await errorOf(response), {
    status: 502,
    code: "provider_failed",
    message: "Stripe refuses: No default card",
    details: null,
  });
});

Deno.test("a change names the user, the plan and the operation, and nothing else", async () => {
  for (
    const body of [
      { user_id: USER, tier: "basic" },
      { user_id: USER, operation_id: "a" },
      { tier: "basic", operation_id: "a" },
      { user_id: USER, tier: "basic", operation_id: "a", amount_cents: 1 },
    ]
  ) {
    const { response, calls } = await send("POST", "/update", { headers: asSecret, body });
    equal(response.status, 400);
    deepEqual(calls, []);
  }
});

Deno.test("the portal is the caller's own, and leads back to the web app", async () => {
  const open = async (customer: string | null, body?: unknown) => {
    await using stripe = startStripe(({ operation }) => ({
      body: operation === "POST /v1/customers" ? { id: "cus_new" } : { url: "https://portal.test" },
    }));
    const answer: Answer = ({ name }) =>
      name === "get_subscription"
        ? [{ stripe_customer_id: customer }]
        : [{ customer_id: "cus_saved" }];
    const { access } = stripe;
    const sent = await send("POST", "/portal", { headers: asUser, body, answer, stripe: access });
    return { ...sent, requests: stripe.requests };
  };
  const { response, requests } = await open("cus_1");
  deepEqual(await response.json(), { url: "https://portal.test" });
  deepEqual(requests.map(({ operation, fields }) => ({ operation, fields })), [{
    operation: "POST /v1/billing_portal/sessions",
    fields: { customer: "cus_1", return_url: `${ORIGIN}/` },
  }]);
  const created = await open(null, { return_url: `${ORIGIN}/account` });
  deepEqual(created.requests.map(({ fields }) => fields), [
    { "metadata[user_id]": USER },
    { customer: "cus_saved", return_url: `${ORIGIN}/account` },
  ]);
  for (
    const body of [
      { return_url: "https://evil.test" },
      { return_url: "javascript:alert(1)" },
      { customer: "cus_2" },
      { user_id: OTHER_USER },
    ]
  ) {
    const { response, calls, requests } = await open("cus_1", body);
    equal(response.status, 400);
    deepEqual([calls, requests], [[], []]);
  }
});
