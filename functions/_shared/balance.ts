import type { Rpc } from "./database.ts";
import { scripError } from "./errors.ts";

/**
 * A user's balance, part by part, in tokens.
 *
 * @throws {ScripError} `user_not_found`
 */
export async function readBalance(rpc: Rpc, userId: string) {
  const [balance] = await rpc("get_token_balance", { user_id: userId });
  if (!balance) throw scripError("user_not_found", `There is no user ${userId}`);
  return { user_id: userId, ...balance };
}
