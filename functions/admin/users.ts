import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { Amount, Id, money, OperationId, text } from "../_shared/fields.ts";
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

const UsdDeposit = Bonus.extend({ amount: money(6) });

/** POST admin/users/{user_id}/usd-deposit → deposit_usd() */
export const depositUsd = ({ verify, rpcOne }: Deps) => {
  return async (request: Request, params: Params) => {
    const { actor } = await verify(request, "admin");
    const { user_id } = parse(OfUser, params);
    const { operation_id: inBody, ...body } = await readJson(request, UsdDeposit);
    const operation_id = operationId(request, inBody);
    const receipt = await rpcOne("deposit_usd", { user_id, ...body, operation_id, actor });
    const { transaction_id, deposited, usd_balance, replayed } = receipt;
    return json({ transaction_id, amount: deposited, usd_balance, replayed });
  };
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
