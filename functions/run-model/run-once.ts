import type { Deps } from "../_shared/deps.ts";
import { ScripError } from "../_shared/errors.ts";
import { alertOperator, json, traceOf } from "../_shared/http.ts";
import { type Call, type Pending, ProviderError } from "../_shared/providers/provider.ts";
import {
  conduct,
  endOf,
  persist,
  readRun,
  receiptOf,
  type RunEnd,
  type RunState,
  stateOf,
} from "../_shared/runs.ts";
import type { Job } from "./prepare.ts";

/** A run that has been started. */
export interface Running extends Job {
  runId: string;
}

/** Runs a model to its end, or until it goes on at the provider. */
export async function runOnce(deps: Deps, request: Request, run: Running): Promise<Response> {
  const { runId, model } = run;
  const limits = { runId, timeoutSeconds: model.timeout_seconds };
  const ended = await conduct(
    deps,
    request,
    limits,
    (signal) => callProvider(deps, request, run, signal),
  );
  // Nobody reads it.
  if (request.signal.aborted && ended) return json({ run_id: runId, status: ended.status });
  return answerRun(ended ?? stateOf(runId, await readRun(deps, runId), true));
}

/** Answers a run that may go on. */
function answerRun(state: RunState): Response {
  const { run_id, status } = state;
  return status === "running"
    ? Response.json({ run_id, status }, { status: 202 })
    : json(receiptOf(state, false));
}

async function callProvider(
  deps: Deps,
  request: Request,
  run: Running,
  signal: AbortSignal,
): Promise<RunEnd | undefined> {
  const { provider, model, input, runId } = run;
  const call: Call = { model, input, runId, signal };
  const outcome = await provider.run(call);
  if (outcome.status !== "running") return endOf(outcome);
  try {
    await attach(deps, run, outcome);
    // The caller may be gone by now: the run has ended then.
    signal.throwIfAborted();
  } catch (error) {
    await provider.cancel?.(model, outcome.providerRunId).catch((failure) =>
      alertOperator(request, `Run ${runId} goes on at the provider in vain: ${traceOf(failure)}`)
    );
    // As its key will be answered from now on.
    if (error instanceof ScripError) {
      throw new ProviderError("The run could not be noted", { cause: error });
    }
    throw error;
  }
  return undefined;
}

/** Notes what the provider calls the run; when its webhook was faster, the run has ended. */
const attach = ({ rpcOne }: Deps, { runId }: Running, { providerRunId }: Pending) =>
  persist(() => rpcOne("attach_provider_run", { run_id: runId, provider_run_id: providerRunId }));
