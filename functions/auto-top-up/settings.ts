import { z } from "zod";
import { chargeableMethod } from "../_shared/customers.ts";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { Id, must, whole } from "../_shared/fields.ts";
import { json, readJson } from "../_shared/http.ts";

/** GET auto-top-up → get_auto_top_up() */
export const getSettings = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  return json(await rpcOne("get_auto_top_up", { user_id: userId }));
};

const Settings = z.strictObject({
  enabled: z.boolean(must("true or false")),
  /** Tokens: below them, the package is bought. */
  threshold: whole(1, 1_000_000_000_000),
  package_id: Id,
  /** In the smallest unit of the package's currency, a calendar month. */
  monthly_cap_cents: whole(50, 99_999_999),
});

/** PUT auto-top-up → set_auto_top_up(), get_auto_top_up(): can be switched on by those only who have something to charge */
export const putSettings = ({ verify, rpcOne, stripe }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const settings = await readJson(request, Settings);
  if (settings.enabled) {
    const { stripe_customer_id } = await rpcOne("get_subscription", { user_id: userId });
    const method = stripe_customer_id &&
      await stripe.call((client) => chargeableMethod(client, stripe_customer_id));
    if (!method) {
      throw scripError("payment_method_required", "There is no card to charge", {
        hint: "Buy a package with save_payment_method, or add a card in the portal.",
      });
    }
  }
  await rpcOne("set_auto_top_up", { user_id: userId, ...settings });
  return json(await rpcOne("get_auto_top_up", { user_id: userId }));
};
