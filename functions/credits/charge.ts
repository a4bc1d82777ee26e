import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Amount, Description, Id, Metadata, must, OperationId, text } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";

const Charge = z.strictObject({
  user_id: Id,
  amount: Amount,
  operation_id: OperationId.optional(),
  description: Description.optional(),
  metadata: Metadata.optional(),
});

/** POST credits/charge → charge_tokens() */
export const charge = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { operation_id, ...body } = await readJson(request, Charge);
  const { transaction_id, charged, remaining, replayed } = await rpcOne("charge_tokens", {
    ...body,
    operation_id: operationId(request, operation_id),
    actor,
  });
  return json({ transaction_id, amount: charged, remaining, replayed });
};

const Batch = z.strictObject({
  charges: z.array(Charge.extend({ operation_id: OperationId }), must("a list"))
    .min(1, "must have at least 1 charge")
    .max(1000, "must have at most 1000 charges"),
});

const BATCH_MAX_BYTES = 1_048_576;

/** POST credits/charge-batch → charge_tokens_batch(): each charge succeeds or fails by itself. */
export const chargeBatch = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { charges } = await readJson(request, Batch, { maxBytes: BATCH_MAX_BYTES });
  const rows = await rpc("charge_tokens_batch", { charges, actor });
  const results = rows.map((
    { operation_id, error, transaction_id, charged, remaining, replayed },
  ) =>
    error === null
      ? { operation_id, transaction_id, amount: charged, remaining, replayed }
      : { operation_id, error }
  );
  return json({ results });
};

const GRANTS = ["add", "purchase", "subscription", "bonus", "referral"] as const;

const Add = Charge.extend({
  type: z.enum(GRANTS, must(`one of ${GRANTS.join(", ")}`)).default("add"),
  reference: text(1, 255).optional(),
});

/** POST credits/add → add_tokens() */
export const add = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { operation_id, ...body } = await readJson(request, Add);
  const { transaction_id, added, remaining, replayed } = await rpcOne("add_tokens", {
    ...body,
    operation_id: operationId(request, operation_id),
    actor,
  });
  return json({ transaction_id, amount: added, remaining, replayed });
};

const Refund = Charge.extend({ charge_operation_id: OperationId, amount: Amount.optional() });

/** POST credits/refund → refund_tokens() */
export const refund = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { operation_id, ...body } = await readJson(request, Refund);
  const { transaction_id, refunded, remaining, replayed } = await rpcOne("refund_tokens", {
    ...body,
    operation_id: operationId(request, operation_id),
    actor,
  });
  return json({ transaction_id, amount: refunded, remaining, replayed });
};
