import type { Deps } from "../_shared/deps.ts";
import { ScripError } from "../_shared/errors.ts";
import { json, noteSubject, type Params, readText, type Routes } from "../_shared/http.ts";
import type { ProviderEvent } from "../_shared/providers/replicate.ts";
import { endOf, finishRun, MAX_RESULT_BYTES, readRun } from "../_shared/runs.ts";

/** POST provider-webhook/{provider} → get_run(), finish_run(): of a run that has ended, once the signature is checked */
const providerWebhook = (deps: Deps) => async (request: Request, params: Params) => {
  const body = await readText(request, MAX_RESULT_BYTES);
  const event = await deps.providers.readWebhook(params["provider"] ?? "", request, body);
  return json({ received: true, outcome: await apply(deps, request, event) });
};

/** Ends the run that an event is about, unless it has ended or is not the provider's. */
async function apply(
  deps: Deps,
  request: Request,
  { runId, providerRunId, outcome }: ProviderEvent,
): Promise<"applied" | "duplicate" | "ignored"> {
  if (outcome === undefined) return "ignored";
  const run = await findRun(deps, runId);
  // It may be faster than the answer with its id.
  if (!run || (run.provider_run_id ?? providerRunId) !== providerRunId) return "ignored";
  noteSubject(request, { user_id: run.owner_id });
  const responseTimeMs = Date.now() - Date.parse(run.created_at);
  const { replayed } = await finishRun(deps, request, runId, endOf(outcome), { responseTimeMs });
  return replayed ? "duplicate" : "applied";
}

const findRun = (deps: Deps, runId: string) =>
  readRun(deps, runId).catch((error) => {
    if (error instanceof ScripError && error.body.code === "run_not_found") return undefined;
    throw error;
  });

/** The routes of provider-webhook: for providers, by their signatures. */
export const routes: Routes = { "POST /:provider": providerWebhook };
