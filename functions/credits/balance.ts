import { z } from "zod";
import { readBalance } from "../_shared/balance.ts";
import type { Deps } from "../_shared/deps.ts";
import { Amount, digits, Id } from "../_shared/fields.ts";
import { json, type Params, parse, readJson, readQuery } from "../_shared/http.ts";

const OfUser = z.object({ user_id: Id });

const Check = z.strictObject({ amount: digits(Amount) });

/** GET credits/check/{user_id}?amount= → check_tokens() */
export const check = ({ verify, rpcOne }: Deps) => async (request: Request, params: Params) => {
  await verify(request, "secret");
  const { user_id } = parse(OfUser, params);
  const { amount } = readQuery(request, Check);
  return json(await rpcOne("check_tokens", { user_id, amount }));
};

/** GET credits/balance/{user_id} → get_token_balance() */
export const balance = ({ verify, rpc }: Deps) => async (request: Request, params: Params) => {
  await verify(request, "secret");
  const { user_id } = parse(OfUser, params);
  return json(await readBalance(rpc, user_id));
};

const Calculation = z.strictObject({ user_id: Id, base_amount: Amount });

/** POST credits/calculate → calculate_charge() */
export const calculate = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "secret");
  const body = await readJson(request, Calculation);
  const { multiplier, amount } = await rpcOne("calculate_charge", body);
  return json({ base_amount: body.base_amount, multiplier, amount });
};
