import type { Routes } from "../_shared/http.ts";
import { listPlans } from "./plans.ts";
import { openPortal } from "./portal.ts";
import { purchase } from "./purchase.ts";
import { getSubscription, update } from "./subscription.ts";
import { listTransactions } from "./transactions.ts";

/** The routes of subscription: for users, but for the plans, which anyone may see, and update. */
export const routes: Routes = {
  "GET /": getSubscription,
  "GET /plans": listPlans,
  "GET /transactions": listTransactions,
  "POST /purchase": purchase,
  "POST /portal": openPortal,
  "POST /update": update,
};
