import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { type ErrorBody, ScripError, scripError } from "../_shared/errors.ts";
import { alertOperator, eventStream, type StreamEvent, traceOf } from "../_shared/http.ts";
import type { Streaming } from "../_shared/providers/provider.ts";
import {
  endByError,
  endOf,
  finishRun,
  GONE,
  isOfRun,
  type Limits,
  limitsOf,
  type Receipt,
  receiptOf,
  type RunEnd,
  type RunState,
  Stopped,
  unlessStopped,
} from "../_shared/runs.ts";
import type { Running } from "./run-once.ts";

/** Runs a model and answers its text as it comes. The events are `run`, `delta`, and at last `done` or `error`. */
export function runStreamed(deps: Deps, request: Request, run: Running): Response {
  const streamed = new StreamedRun(deps, request, run);
  const events = streamed.events();
  return eventStream(async () => (await events.next()).value, () => streamed.leave());
}

/** Answers a run that has succeeded as it would have been streamed. */
export function replayStream(receipt: Receipt): Response {
  const events: StreamEvent[] = [
    ["run", { run_id: receipt.run_id }],
    ["delta", { text: textOf(receipt.result) }],
    ["done", receipt],
  ];
  return eventStream(() => Promise.resolve(events.shift()), () => {});
}

const textOf = (result: Receipt["result"]): string =>
  z.object({ text: z.string() }).safeParse(result).data?.text ?? "";

/** How long the provider's own counts are waited for when the caller is gone. */
const COUNTING_MS = 2000;
/** How long a provider may be silent before the time is over; half of the time when that is less. */
const SILENCE_MS = 5000;

/** A run whose text goes to the caller as it comes, and which ends once, whoever ends it. */
class StreamedRun {
  readonly #deps: Deps;
  readonly #request: Request;
  readonly #run: Running;
  readonly #limits: Limits;
  /** Stops the provider, which may count on for a while when the caller is gone. */
  readonly #work = new AbortController();
  readonly #began = performance.now();
  #streaming: Streaming | undefined;
  #pieces: AsyncIterator<string> | undefined;
  /** Whether the provider is waited for, and not the caller. */
  #isWaiting = false;
  /** When the last text came. */
  #lastTextAt: number | undefined;
  #ending: Promise<RunState> | undefined;

  constructor(deps: Deps, request: Request, run: Running) {
    this.#deps = deps;
    this.#request = request;
    this.#run = run;
    this.#limits = limitsOf(request, run.model.timeout_seconds);
    const { signal } = this.#limits;
    signal.addEventListener("abort", () => this.#stop(signal.reason));
    if (signal.aborted) this.#stop(signal.reason);
  }

  async *events(): AsyncGenerator<StreamEvent, undefined> {
    yield ["run", { run_id: this.#run.runId }];
    try {
      for (let text = await this.#next(); text !== undefined; text = await this.#next()) {
        yield ["delta", { text }];
      }
      yield ["done", await this.#settle(() => endOf(this.#open().produced()))];
    } catch (error) {
      yield ["error", await this.#fail(error)];
    }
  }

  /** The caller is gone. */
  leave(): void {
    this.#limits.leave();
  }

  #open(): Streaming {
    const { model, provider, input, runId } = this.#run;
    const { signal } = this.#work;
    this.#streaming ??= provider.stream?.({ model, input, runId, signal });
    if (!this.#streaming) throw new Error(`${model.provider} cannot stream`);
    return this.#streaming;
  }

  /** The next text that isn't empty; undefined when there is no more, or the run was stopped. */
  async #next(): Promise<string | undefined> {
    if (this.#ending) return undefined;
    const pieces = this.#pieces ??= this.#open()[Symbol.asyncIterator]();
    this.#isWaiting = true;
    try {
      for (;;) {
        const { done, value } = await unlessStopped(pieces.next(), this.#limits.signal);
        if (done) return undefined;
        if (value === "") continue;
        this.#lastTextAt = performance.now();
        return value;
      }
    } catch (error) {
      if (this.#ending) return undefined;
      throw error;
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Ends the run when the time is over or the caller is gone. */
  #stop(reason: Stopped): void {
    const ending = this.#end(() => this.#cut(reason).finally(() => this.#work.abort(reason)));
    this.#deps.background(ending.catch((failure) => this.#alert(failure)));
  }

  /** What was produced is charged: who wants text for nothing could leave just before its end. */
  async #cut(reason: Stopped): Promise<RunEnd> {
    if (!isGone(reason) && this.#isSilent()) return endByError(reason);
    // Also of a caller who did not read until the time was over.
    if (this.#lastTextAt === undefined) return endByError(new Stopped("canceled", GONE));
    const streaming = this.#open();
    const part = endOf(streaming.produced());
    if (!isGone(reason)) return part;
    // At its end the provider has counted. Else what is made in vain is nobody's to pay.
    const isWhole = await streaming.finish?.(COUNTING_MS).catch(() => false);
    return isWhole ? endOf(streaming.produced()) : part;
  }

  /** Whether the provider, and not the caller, is waited for too long. */
  #isSilent(): boolean {
    const silence = performance.now() - (this.#lastTextAt ?? -Infinity);
    return this.#isWaiting &&
      silence >= Math.min(SILENCE_MS, this.#run.model.timeout_seconds * 500);
  }

  async #settle(how: () => RunEnd): Promise<Receipt> {
    return receiptOf(await this.#end(how), false);
  }

  /** Ends the run; the first end counts. */
  #end(how: () => RunEnd | Promise<RunEnd>): Promise<RunState> {
    return this.#ending ??= this.#finish(how);
  }

  async #finish(how: () => RunEnd | Promise<RunEnd>): Promise<RunState> {
    this.#limits.lift();
    const responseTimeMs = performance.now() - this.#began;
    let end: RunEnd;
    try {
      end = await how();
    } catch (error) {
      this.#alert(error);
      end = endByError(error);
    }
    // Not waited for: a provider may take its time to let go.
    this.#pieces?.return?.().catch(() => {});
    return await finishRun(this.#deps, this.#request, this.#run.runId, end, { responseTimeMs });
  }

  /** Ends the run by an error, and makes it the caller's. */
  async #fail(error: unknown): Promise<ErrorBody> {
    const ended = await this.#settle(() => endByError(error)).catch((failure) => failure);
    const told = isOfRun(error) ? ended : error;
    if (!isGone(this.#limits.signal.reason)) this.#alert(told);
    if (told instanceof ScripError) return told.body;
    return scripError("internal_error", "Scrip failed", { details: this.#run.runId }).body;
  }

  #alert(failure: unknown): void {
    alertOperator(this.#request, `Run ${this.#run.runId} failed: ${traceOf(failure)}`);
  }
}

const isGone = (reason: unknown) => reason instanceof Stopped && reason.outcome === "canceled";
