import type { Deps } from "../_shared/deps.ts";
import { json } from "../_shared/http.ts";

/** GET subscription/plans → list_subscription_plans(): the plans on sale, for anyone */
export const listPlans = ({ rpc }: Deps) => async () =>
  json({ data: await rpc("list_subscription_plans", {}) });
