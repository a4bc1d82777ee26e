import type { Routes } from "../_shared/http.ts";
import { createAccessCodes, listAccessCodes, revokeAccessCode } from "./access-codes.ts";
import { explain, giveBonus } from "./users.ts";

/** The routes of admin: for admins, or by a secret key. */
export const routes: Routes = {
  "GET /access-codes": listAccessCodes,
  "POST /access-codes": createAccessCodes,
  "DELETE /access-codes/:id": revokeAccessCode,
  "POST /users/:user_id/bonus": giveBonus,
  "GET /users/:user_id/explain": explain,
};
