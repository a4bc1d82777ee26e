import { z } from "zod";
import type { Row } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { ScripError, scripError } from "../_shared/errors.ts";
import { Id } from "../_shared/fields.ts";
import { alertOperator, json, type Params, parse, traceOf } from "../_shared/http.ts";
import {
  type Ended,
  type Finished,
  type Pending,
  ProviderError,
} from "../_shared/providers/provider.ts";
import { endOf, finishRun, readRun } from "../_shared/runs.ts";

type Run = Row<"get_run">;

const OfRun = z.object({ run_id: Id });

const CANCELED = { outcome: "canceled", error: "The run was canceled" } as const;

/** GET run-model/{run_id} → get_run(); one that goes on at the provider is asked for there, and ended by finish_run() */
export const getRun = (deps: Deps) => async (request: Request, params: Params) => {
  const { userId } = await deps.verify(request, "user");
  const { run_id } = parse(OfRun, params);
  const run = await readRun(deps, run_id, userId);
  const isEnded = await catchUp(deps, request, run_id, run);
  return answer(run_id, isEnded ? await readRun(deps, run_id, userId) : run);
};

/** POST run-model/{run_id}/cancel → get_run(), the provider, finish_run(); one that had ended by then stays as it is */
export const cancelRun = (deps: Deps) => async (request: Request, params: Params) => {
  const { userId } = await deps.verify(request, "user");
  const { run_id } = parse(OfRun, params);
  const run = await readRun(deps, run_id, userId);
  if (run.run_status !== "running") return answer(run_id, run);
  const outcome = await stopAtProvider(deps, run_id, run);
  const isOver = outcome.status === "succeeded" || outcome.status === "failed";
  const end = isOver ? endOf(outcome) : CANCELED;
  await finishRun(deps, request, run_id, end, { responseTimeMs: ageOf(run) });
  return answer(run_id, await readRun(deps, run_id, userId));
};

const answer = (runId: string, run: Run): Response => {
  const { run_status: status, result, reason, created_at, finished_at } = run;
  return json({
    run_id: runId,
    status,
    ...(status === "succeeded" ? { result } : {}),
    ...(reason === null ? {} : { error: reason }),
    tokens_used: run.tokens_used,
    remaining: run.remaining,
    created_at,
    finished_at,
  });
};

const ageOf = ({ created_at }: Run) => Date.now() - Date.parse(created_at);

/** Ends a run that has ended at the provider, whose webhook may be lost; whether it has. */
async function catchUp(deps: Deps, request: Request, runId: string, run: Run): Promise<boolean> {
  const { run_status, provider_run_id: id, model: slug } = run;
  if (run_status !== "running" || id === null || slug === null) return false;
  try {
    const model = await deps.rpcOne("get_ai_model", { slug });
    const provider = await deps.providers.get(model.provider);
    const outcome = await provider.check?.(model, id);
    if (!outcome || outcome.status === "running") return false;
    await finishRun(deps, request, runId, endOf(outcome), { responseTimeMs: ageOf(run) });
    return true;
  } catch (error) {
    if (!(error instanceof ProviderError || error instanceof ScripError)) throw error;
    // The run can be answered as it stands.
    alertOperator(request, `Run ${runId} cannot be asked for: ${traceOf(error)}`);
    return false;
  }
}

/**
 * Stops a run at its provider.
 *
 * @returns how it is there: it may have ended before.
 * @throws {ScripError} `operation_in_progress` when it is no run that can be stopped; `provider_failed`.
 */
async function stopAtProvider(
  deps: Deps,
  runId: string,
  { provider_run_id: id, model: slug }: Run,
): Promise<Finished | Pending | Ended> {
  const model = id === null || slug === null
    ? undefined
    : await deps.rpcOne("get_ai_model", { slug });
  const provider = model && await deps.providers.get(model.provider);
  if (model === undefined || !provider?.cancel) {
    throw scripError("operation_in_progress", "The run is under way, and cannot be canceled", {
      details: runId,
      hint: "Abort the request that waits for it, or ask for the run until it has ended.",
    });
  }
  return await provider.cancel(model, id).catch((error) => {
    if (!(error instanceof ProviderError)) throw error;
    throw scripError("provider_failed", error.message, { details: runId, cause: error });
  });
}
