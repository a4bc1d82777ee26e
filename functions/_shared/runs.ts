/** The engine of runs: what was started is ended once and written down, however it ends. */
import { Buffer } from "node:buffer";
import type { Row } from "./database.ts";
import type { Deps } from "./deps.ts";
import { type ErrorCode, ScripError, scripError } from "./errors.ts";
import { toStorable } from "./fields.ts";
import { alertOperator, traceOf } from "./http.ts";
import {
  type Ended,
  type Finished,
  type Json,
  ProviderError,
  type Quantities,
} from "./providers/provider.ts";

/** How a run ends. */
export type RunEnd = Success | { outcome: "failed" | "canceled"; error: string };

/** A run that ends with a result. */
export interface Success {
  outcome: "succeeded";
  result: Json;
  used?: Quantities | undefined;
  /** A line about the result, for the list of calls. */
  summary?: string | undefined;
  /** The price before the plan's multiplier, in tokens; by default what the run was started with. */
  tokens?: number | undefined;
}

/** A run as it is kept. */
export interface RunState {
  run_id: string;
  status: Row<"get_run">["run_status"];
  result: Row<"get_run">["result"];
  /** Why there is no result. */
  reason: string | null;
  tokens_used: number;
  remaining: number;
  /** Whether it had ended before, in whichever way. */
  replayed: boolean;
}

/** What a run that has succeeded answers. */
export interface Receipt {
  run_id: string;
  status: "succeeded";
  result: RunState["result"];
  tokens_used: number;
  remaining: number;
  /** Whether it had ended before this request. */
  replayed: boolean;
}

/** The largest result that is kept, in JSON. */
export const MAX_RESULT_BYTES = 16_777_216;
// Postgres's.
const MAX_INTEGER = 2_147_483_647;
// While the caller waits, and then in the background.
const PAUSES_MS = [50, 500];
const LATER_PAUSES_MS = [1_000, 4_000, 15_000, 30_000];

/** Why a run is canceled when nobody waits for it. */
export const GONE = "The caller did not wait for the answer";

/** Why the work of a run was stopped, and how the run ends by that. */
export class Stopped extends Error {
  override name = "Stopped";

  constructor(readonly outcome: "failed" | "canceled", message: string) {
    super(message);
  }
}

/** What stops the work of a run. */
export interface Limits {
  /** Aborts with a {@link Stopped}. */
  signal: AbortSignal;
  /** Stops the work, since nobody waits for it. */
  leave(): void;
  /** Lets go of the timer and the request, once the work is over. */
  lift(): void;
}

/** Stops work when it has taken too long, and when the caller is gone. */
export function limitsOf(request: Request, timeoutSeconds: number): Limits {
  const stop = new AbortController();
  const late = new Stopped(
    "failed",
    `The provider did not answer within ${timeoutSeconds} seconds`,
  );
  const timer = setTimeout(() => stop.abort(late), timeoutSeconds * 1000);
  const leave = () => stop.abort(new Stopped("canceled", GONE));
  request.signal.addEventListener("abort", leave);
  if (request.signal.aborted) leave();
  return {
    signal: stop.signal,
    leave,
    lift: () => {
      clearTimeout(timer);
      // Deno aborts the signals of requests that were answered as well.
      request.signal.removeEventListener("abort", leave);
    },
  };
}

/** What the work comes to, or what the signal aborts with: nobody waits for work that ignores it. */
export function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  return promise;
}

/** How a provider's run ends, when it has ended. */
export const endOf = (outcome: Finished | Ended): RunEnd =>
  outcome.status === "succeeded"
    ? {
      outcome: "succeeded",
      result: outcome.result,
      used: outcome.used,
      summary: outcome.summary,
    }
    : { outcome: outcome.status, error: outcome.reason };

/** How a run ends by an error; what is not meant for the user stays in the log. */
export function endByError(error: unknown): RunEnd {
  if (error instanceof Stopped) return { outcome: error.outcome, error: error.message };
  const isTold = error instanceof ProviderError || error instanceof ScripError;
  return { outcome: "failed", error: isTold ? error.message : "Scrip failed" };
}

/** Whether an error is told by how the run ended, and not by itself. */
export const isOfRun = (error: unknown): boolean =>
  error instanceof Stopped || error instanceof ProviderError;

/** A run that has started, and how long it may take. */
export interface Started {
  runId: string;
  timeoutSeconds: number;
}

/**
 * Does the work of a run, and ends the run whatever becomes of it: also when the caller is gone, when the time is over,
 * and when the work fails.
 *
 * @param work answers how the run ends, or undefined when it goes on at the provider.
 * @returns the run as it ended; undefined when it goes on.
 * @throws {Error} what the work threw that is no provider's failure, or what {@link finishRun} throws.
 */
export async function conduct(
  deps: Deps,
  request: Request,
  { runId, timeoutSeconds }: Started,
  work: (signal: AbortSignal) => Promise<RunEnd | undefined>,
): Promise<RunState | undefined> {
  const began = performance.now();
  const limits = limitsOf(request, timeoutSeconds);
  const finish = (end: RunEnd) =>
    finishRun(deps, request, runId, end, { responseTimeMs: performance.now() - began });
  const working = startWork(work, limits.signal);
  const conducted = unlessStopped(working, limits.signal)
    .finally(limits.lift)
    .then((end) => end && finish(end), async (error) => {
      const ended = finish(endByError(error));
      if (isOfRun(error)) return await ended;
      await ended.catch((failure) => alertOperator(request, unfinished(runId, failure)));
      throw error;
    });
  // Both outlive a caller that is gone: what is not wanted any more may have to be canceled at the provider.
  deps.background(Promise.allSettled([working, conducted]));
  return await conducted;
}

// What is thrown at once is a failure of the work as well.
async function startWork<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) {
  signal.throwIfAborted();
  return await work(signal);
}

const unfinished = (runId: string, failure: unknown) =>
  `Run ${runId} could not be ended: ${traceOf(failure)}`;

/** What {@link finishRun} may be told. */
export interface FinishOptions {
  responseTimeMs?: number;
  /** How long to wait before each further attempt in the background. */
  laterPausesMs?: number[];
}

/**
 * Ends a run: settles or releases its tokens, records the call and keeps the result. A run that had ended before stays as
 * it is. A result that the database refuses is a failure: nobody pays for what nobody gets. While the database is away it
 * is tried again, after a while in the background; failing that, the hold expires.
 *
 * @returns the run as it ended the first time.
 * @throws {ScripError} `service_unavailable` when it is tried on in the background, `run_not_found`.
 */
export async function finishRun(
  deps: Deps,
  request: Request,
  runId: string,
  end: RunEnd,
  { responseTimeMs = 0, laterPausesMs = LATER_PAUSES_MS }: FinishOptions = {},
): Promise<RunState> {
  const call = async (as: RunEnd) => {
    const row = await deps.rpcOne("finish_run", {
      run_id: runId,
      // Clocks differ, and calls are found ended long after.
      response_time_ms: Math.min(Math.max(0, Math.round(responseTimeMs)), MAX_INTEGER),
      ...argumentsOf(as),
    });
    if (row.replayed) return stateOf(runId, await readRun(deps, runId), true);
    const result = as.outcome === "succeeded" ? as.result : null;
    return stateOf(runId, { ...row, result }, false);
  };
  const kept = keepable(end);
  const keep = (pausesMs: number[]) =>
    persist(() => call(kept), pausesMs).catch(async (error) => {
      const isRefused = !isUnavailable(error) && !isCode(error, "run_not_found");
      if (kept.outcome !== "succeeded" || !isRefused) throw error;
      alertOperator(request, `Run ${runId} ends without its result: ${traceOf(error)}`);
      return await persist(() => call(UNKEPT), pausesMs);
    });
  return await keep(PAUSES_MS).catch((error) => {
    if (isUnavailable(error)) {
      const later = keep(laterPausesMs).catch((failure) =>
        alertOperator(request, unfinished(runId, failure))
      );
      deps.background(later);
    }
    throw error;
  });
}

const UNKEPT = { outcome: "failed", error: "The result could not be kept" } as const;

function argumentsOf(end: RunEnd) {
  if (end.outcome !== "succeeded") return end;
  const { outcome, result, used: { cost_usd, ...used } = {}, summary, tokens } = end;
  return {
    outcome,
    // No argument is SQL's null.
    result: result ?? undefined,
    ...used,
    explicit_cost_usd: cost_usd,
    output_summary: summary,
    tokens,
  };
}

/** Tries until the database is there. */
export async function persist<T>(work: () => Promise<T>, pausesMs = PAUSES_MS): Promise<T> {
  for (const pause of pausesMs) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    await new Promise((done) => setTimeout(done, pause));
  }
  return await work();
}

const isCode = (error: unknown, code: ErrorCode) =>
  error instanceof ScripError && error.body.code === code;

const isUnavailable = (error: unknown) => isCode(error, "service_unavailable");

/** An end that the database can keep; a result that is too large is a failure. */
function keepable(end: RunEnd): RunEnd {
  const failed = (error: string) => ({ outcome: "failed", error } as const);
  try {
    const kept = toStorable(end);
    if (kept.outcome !== "succeeded") return kept;
    const bytes = Buffer.byteLength(JSON.stringify(kept.result ?? null));
    return bytes <= MAX_RESULT_BYTES
      ? kept
      : failed(`The result is too large: ${bytes} bytes, at most ${MAX_RESULT_BYTES} are kept`);
  } catch {
    return failed("The result is not JSON, or nested too deeply");
  }
}

/**
 * Reads a run.
 *
 * @param userId whose run it must be; any user's without.
 * @throws {ScripError} `run_not_found`
 */
export const readRun = ({ rpcOne }: Deps, runId: string, userId?: string) =>
  rpcOne("get_run", { run_id: runId, user_id: userId });

/** A run as the database tells it. */
export const stateOf = (
  runId: string,
  { run_status, result, reason, tokens_used, remaining }: Pick<
    Row<"get_run">,
    "run_status" | "result" | "reason" | "tokens_used" | "remaining"
  >,
  replayed: boolean,
): RunState => ({
  run_id: runId,
  status: run_status,
  result,
  reason,
  tokens_used,
  remaining,
  replayed,
});

/**
 * What a run that has ended answers.
 *
 * @throws {ScripError} `provider_failed` when it has no result, with the reason; `details` is the run's id.
 */
export function receiptOf(state: RunState, replayed: boolean): Receipt {
  const { run_id, status, result, reason, tokens_used, remaining } = state;
  if (status === "succeeded") {
    return { run_id, status, result, tokens_used, remaining, replayed };
  }
  throw scripError("provider_failed", reason ?? `The run is ${status}`, { details: run_id });
}
