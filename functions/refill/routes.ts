import type { Routes } from "../_shared/http.ts";
import { preview, refill } from "./refill.ts";
import { createToken, getToken, listTokens, renameToken, revokeToken } from "./tokens.ts";

/** The routes of refill: a user's own API tokens, and the credits that USD buys for them. */
export const routes: Routes = {
  "POST /": refill,
  "POST /preview": preview,
  "GET /tokens": listTokens,
  "POST /tokens": createToken,
  "GET /tokens/:id": getToken,
  "PATCH /tokens/:id": renameToken,
  "DELETE /tokens/:id": revokeToken,
};
