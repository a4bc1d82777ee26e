import { z } from "zod";
import { ReturnUrl, returnUrl } from "../_shared/checkout.ts";
import { customerOf } from "../_shared/customers.ts";
import type { Deps } from "../_shared/deps.ts";
import { json, readJson } from "../_shared/http.ts";

const Portal = z.strictObject({ return_url: ReturnUrl.optional() });

/** POST subscription/portal → Stripe's own pages, where a user changes cards, sees invoices and cancels */
export const openPortal = ({ verify, rpcOne, stripe }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const body = await readJson(request, Portal, { empty: {} });
  const return_url = returnUrl(stripe.origins, ["return_url", body.return_url], "/");
  const { stripe_customer_id, email } = await rpcOne("get_subscription", { user_id: userId });
  return await stripe.call(async (client) => {
    const buyer = { user_id: userId, stripe_customer_id, email };
    const customer = await customerOf(client, rpcOne, buyer);
    const { url } = await client.billingPortal.sessions.create({ customer, return_url });
    return json({ url });
  });
};
