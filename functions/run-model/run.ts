import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { must, OperationId, text } from "../_shared/fields.ts";
import { json, operationId, readJson } from "../_shared/http.ts";
import { readRun, receiptOf, type RunState, stateOf } from "../_shared/runs.ts";
import { type Asked, Given, prepare } from "./prepare.ts";
import { runOnce } from "./run-once.ts";
import { replayStream, runStreamed } from "./run-streamed.ts";

const MAX_BYTES = 1_048_576;

const Order = z.strictObject({
  model: text(1, 100),
  input: Given,
  /** Whether text is wanted as it comes. */
  stream: z.boolean(must("true or false")).default(false),
  /** What the call is for, as the list of calls has it; by default the kind of the model. */
  operation: text(1, 100).optional(),
  operation_id: OperationId.optional(),
});

/** POST run-model → get_ai_model(), start_model_run(), the provider, finish_run() */
export const runModel = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  const { operation_id, ...asked } = await readJson(request, Order, { maxBytes: MAX_BYTES });
  const job = await prepare(deps, request, asked);
  const { run_id, replayed } = await deps.rpcOne("start_model_run", {
    user_id: userId,
    operation_id: operationId(request, operation_id, crypto.randomUUID()),
    attempt: crypto.randomUUID(),
    ...job.start,
  });
  if (replayed) return answerAgain(asked, stateOf(run_id, await readRun(deps, run_id), true));
  return await (asked.stream ? runStreamed : runOnce)(deps, request, { ...job, runId: run_id });
};

const answerAgain = ({ stream }: Asked, state: RunState): Response => {
  const receipt = receiptOf(state, true);
  return stream ? replayStream(receipt) : json(receipt);
};
