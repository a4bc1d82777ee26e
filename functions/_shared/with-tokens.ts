/** Work of your own that is paid for in tokens: for edge functions beside Scrip's. */
import type { Deps } from "./deps.ts";
import { toStorable } from "./fields.ts";
import { operationId as operationIdOf } from "./http.ts";
import type { Json, Quantities } from "./providers/provider.ts";
import { conduct, readRun, type Receipt, receiptOf, stateOf } from "./runs.ts";

export { type Json, ProviderError, type Quantities } from "./providers/provider.ts";
export type { Receipt } from "./runs.ts";

/** What the database takes as JSON: a bare true or false it would take for its own. */
export type Value = Exclude<Json, boolean>;

/** Who pays how much, for what. */
export interface WorkOptions {
  /** Whose tokens. */
  userId: string;
  /** Tokens before the plan's multiplier: what is held, and charged unless the work says otherwise. */
  amount: number;
  /** Who is called, what for, and by which model: as usage and prices call it. */
  service: string;
  operation: string;
  model: string;
  /**
   * What the work is done once for. By default the header `Idempotency-Key`; without one, each request is work of its
   * own.
   */
  operationId?: string | undefined;
  /** What was asked for: the same `operationId` may not ask for something else. */
  input?: Value | undefined;
  /** How long the work may take; by default 120 seconds. */
  timeoutSeconds?: number | undefined;
  /** The beginning of the input, for the list of calls. */
  preview?: string | undefined;
}

/** What the work came to. */
export interface Work {
  /** What is answered, and kept for requests with the same id. */
  result: Value;
  /** Tokens before the plan's multiplier, at least 1; by default `amount`. */
  tokens?: number | undefined;
  /** What it used, for its cost. */
  used?: Quantities | undefined;
  /** A line about the result, for the list of calls. */
  summary?: string | undefined;
}

const TIMEOUT_SECONDS = 120;
// The hold outlives the work by what it takes to write down its end.
const MARGIN_SECONDS = 300;

/**
 * Does work that a user pays for in tokens: holds them, does the work, and charges them if it succeeded. When it fails,
 * takes too long, or the caller is gone, nothing is charged; it is recorded in any case. The same id again answers the
 * first result and does nothing.
 *
 * @param work should end when the signal aborts; what it throws is its failure, and a {@link ProviderError} says why to
 * the user.
 * @throws {ScripError} `insufficient_tokens`, `operation_in_progress`, `operation_id_reused`; `provider_failed`, with the
 * reason; or what the work threw.
 */
export async function withTokens(
  deps: Deps,
  request: Request,
  options: WorkOptions,
  work: (signal: AbortSignal) => Promise<Work>,
): Promise<Receipt> {
  const { timeoutSeconds = TIMEOUT_SECONDS } = options;
  const { run_id: runId, replayed } = await deps.rpcOne(
    "start_run",
    toStorable({
      user_id: options.userId,
      operation_id: operationIdOf(request, options.operationId, crypto.randomUUID()),
      attempt: crypto.randomUUID(),
      request: options.input ?? {},
      amount: options.amount,
      service: options.service,
      operation: options.operation,
      model: options.model,
      ttl_seconds: timeoutSeconds + MARGIN_SECONDS,
      input_preview: options.preview,
    }),
  );
  const ended = replayed ? undefined : await conduct(
    deps,
    request,
    { runId, timeoutSeconds },
    async (signal) => ({ outcome: "succeeded", ...await work(signal) }),
  );
  return receiptOf(ended ?? stateOf(runId, await readRun(deps, runId), true), replayed);
}
