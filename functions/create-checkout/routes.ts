import { z } from "zod";
import { checkoutFields, openCheckout } from "../_shared/checkout.ts";
import type { Deps } from "../_shared/deps.ts";
import { Id, money, Tier } from "../_shared/fields.ts";
import { json, readJson, type Routes } from "../_shared/http.ts";

const KINDS = ["package", "plan", "usd_deposit"] as const;

const Order = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("package"),
    package_id: Id,
    /** Whether the card may be charged later, by auto top-up. */
    save_payment_method: z.boolean().optional(),
    ...checkoutFields,
  }),
  z.strictObject({ kind: z.literal("plan"), tier: Tier, ...checkoutFields }),
  z.strictObject({ kind: z.literal("usd_deposit"), amount: money(2), ...checkoutFields }),
], {
  error: ({ code }) => code === "invalid_union" ? `must be one of ${KINDS.join(", ")}` : undefined,
});

/** POST create-checkout → quote_checkout(), then a session of Stripe Checkout */
const createCheckout = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  const { success_url, cancel_url, operation_id, ...order } = await readJson(request, Order);
  const options = { success_url, cancel_url, operation_id };
  return json(await openCheckout(deps, request, userId, order, options));
};

/** The routes of create-checkout. */
export const routes: Routes = { "POST /": createCheckout };
