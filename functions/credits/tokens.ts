import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Amount, OperationId, text } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";

const Consumption = z.strictObject({
  // Any text: a key of the wrong form takes as long as one that nobody has.
  api_key: text(1, 255),
  credits: Amount,
  operation_id: OperationId.optional(),
});

/** POST credits/tokens/consume → consume_api_credits() */
export const consume = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { api_key, credits: amount, operation_id } = await readJson(request, Consumption);
  const { token_id, credits, version, replayed } = await rpcOne("consume_api_credits", {
    api_key,
    amount,
    operation_id: operationId(request, operation_id),
    actor,
  });
  return json({ token_id, credits, version, replayed });
};
