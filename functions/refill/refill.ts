import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Id, must, OperationId, usd, WholeText } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";
import { deliverSoon } from "../_shared/outbox.ts";

const fields = {
  token_id: Id,
  operation_id: OperationId.optional(),
  /** Whether to answer what the refill would do, and not to do it. */
  preview: z.boolean(must("true or false")).optional(),
};

const Order = z.discriminatedUnion("mode", [
  z.strictObject({ mode: z.literal("usd"), amount: usd(1_000_000_000), ...fields }),
  z.strictObject({ mode: z.literal("credits"), amount: WholeText, ...fields }),
], {
  error: ({ code }) => code === "invalid_union" ? "must be usd or credits" : undefined,
});

/** POST refill → refill_token(), and then the HUB is told; with `preview: true` as refill/preview */
export const refill = (deps: Deps) => async (request: Request) => {
  const { userId, actor } = await deps.verify(request, "user");
  const { operation_id, preview, ...order } = await readJson(request, Order);
  if (preview) return await answerPreview(deps, userId, order);
  const { refill_id, ...receipt } = await deps.rpcOne("refill_token", {
    user_id: userId,
    ...order,
    operation_id: operationId(request, operation_id),
    actor,
  });
  deliverSoon(deps, request);
  const { token_id, mode } = order;
  return json({ refill_id, token_id, mode, ...receipt });
};

const Preview = Order.refine(({ preview }) => preview !== false, {
  path: ["preview"],
  error: "must be true here",
});

/** POST refill/preview → preview_refill(): what a refill would do */
export const preview = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  return await answerPreview(deps, userId, await readJson(request, Preview));
};

type Refill = Pick<z.output<typeof Order>, "token_id" | "mode" | "amount">;

async function answerPreview(
  { rpcOne }: Deps,
  userId: string,
  { token_id, mode, amount }: Refill,
): Promise<Response> {
  const outcome = await rpcOne("preview_refill", { user_id: userId, token_id, mode, amount });
  return json({ preview: true, token_id, mode, ...outcome });
}
