import type { Routes } from "../_shared/http.ts";
import { listNotices, readNotice } from "./notices.ts";
import { getThresholds, putThreshold } from "./thresholds.ts";

/** The routes of notices: a user's own, and the balances below which they come. */
export const routes: Routes = {
  "GET /": listNotices,
  "POST /:id/read": readNotice,
  "GET /thresholds": getThresholds,
  "PUT /thresholds": putThreshold,
};
