import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Amount, Description, Id, Metadata, OperationId, whole } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";

const Reserve = z.strictObject({
  user_id: Id,
  amount: Amount,
  operation_id: OperationId.optional(),
  ttl_seconds: whole(1, 86_400).optional(),
  description: Description.optional(),
  metadata: Metadata.optional(),
});

/** POST credits/reserve → reserve_tokens() */
export const reserve = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "secret");
  const { operation_id, ...body } = await readJson(request, Reserve);
  const { hold_id, held, expires_at, remaining, replayed } = await rpcOne("reserve_tokens", {
    ...body,
    operation_id: operationId(request, operation_id),
  });
  return json({ hold_id, amount: held, expires_at, remaining, replayed });
};

const Release = z.strictObject({ user_id: Id, operation_id: OperationId.optional() });

const Settle = Release.extend({ amount: Amount.optional() });

/** POST credits/settle → settle_tokens(), of the hold with this operation_id */
export const settle = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "secret");
  const { operation_id, ...body } = await readJson(request, Settle);
  const { charged, ...settled } = await rpcOne("settle_tokens", {
    ...body,
    operation_id: operationId(request, operation_id),
    actor,
  });
  const { transaction_id, remaining, overdrawn, replayed } = settled;
  return json({ transaction_id, amount: charged, remaining, overdrawn, replayed });
};

/** POST credits/release → release_tokens(), of the hold with this operation_id */
export const release = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "secret");
  const { user_id, operation_id } = await readJson(request, Release);
  const { hold_id, released, remaining, replayed } = await rpcOne("release_tokens", {
    user_id,
    operation_id: operationId(request, operation_id),
  });
  return json({ hold_id, amount: released, remaining, replayed });
};
