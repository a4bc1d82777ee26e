import { z } from "zod";
import { checkoutFields, openCheckout } from "../_shared/checkout.ts";
import type { Deps } from "../_shared/deps.ts";
import { Currency, money } from "../_shared/fields.ts";
import { json, readJson } from "../_shared/http.ts";

const Purchase = z.strictObject({ amount: money(2), currency: Currency, ...checkoutFields });

/** POST subscription/purchase → quote_checkout(), then a checkout for as many tokens as the money buys */
export const purchase = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  const { amount, currency, ...options } = await readJson(request, Purchase);
  const order = { kind: "tokens" as const, amount, currency };
  return json(await openCheckout(deps, request, userId, order, options));
};
