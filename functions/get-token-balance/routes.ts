import { z } from "zod";
import { readBalance } from "../_shared/balance.ts";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { Id } from "../_shared/fields.ts";
import { json, readJson, readQuery, type Routes } from "../_shared/http.ts";

const Asked = z.strictObject({ user_id: Id.optional() });

/** GET, POST get-token-balance → get_token_balance(): a user's own, or with a secret key anyone's. */
const getTokenBalance = ({ verify, rpc }: Deps) => async (request: Request) => {
  const caller = await verify(request, "user", "secret");
  const inQuery = readQuery(request, Asked);
  const inBody = request.method === "POST" ? await readJson(request, Asked, { empty: {} }) : {};
  const asked = inBody.user_id ?? inQuery.user_id;

  if (caller.kind === "secret") {
    if (!asked) throw scripError("invalid_request", "user_id: is required with a secret key");
    return json(await readBalance(rpc, asked));
  }
  if (asked && asked !== caller.userId) {
    throw scripError("forbidden", "Users may see their own balance only");
  }
  return json(await readBalance(rpc, caller.userId));
};

/** The routes of get-token-balance. */
export const routes: Routes = { "GET /": getTokenBalance, "POST /": getTokenBalance };
