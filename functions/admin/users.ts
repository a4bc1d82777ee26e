import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { Amount, Id, OperationId, text } from "../_shared/fields.ts";
import { json, operationId, type Params, parse, readJson } from "../_shared/http.ts";

const OfUser = z.object({ user_id: Id });

const Bonus = z.strictObject({
  amount: Amount,
  reason: text(1, 500),
  operation_id: OperationId.optional(),
});

/** POST admin/users/{user_id}/bonus → add_tokens() */
export const giveBonus = ({ verify, rpcOne }: Deps) => async (request: Request, params: Params) => {
  const { actor } = await verify(request, "admin");
  const { user_id } = parse(OfUser, params);
  const { amount, reason, operation_id } = await readJson(request, Bonus);
  const { transaction_id, added, remaining, replayed } = await rpcOne("add_tokens", {
    user_id,
    amount,
    type: "bonus",
    operation_id: operationId(request, operation_id),
    description: reason,
    actor,
  });
  return json({ transaction_id, amount: added, remaining, replayed });
};

/** GET admin/users/{user_id}/explain → explain_balance() */
export const explain = ({ verify, rpc }: Deps) => async (request: Request, params: Params) => {
  await verify(request, "admin");
  const { user_id } = parse(OfUser, params);
  const lines = await rpc("explain_balance", { user_id });
  const last = lines.at(-1);
  if (!last) throw scripError("user_not_found", `There is no user ${user_id}`);
  return json({ user_id, remaining: last.running_total, lines });
};
