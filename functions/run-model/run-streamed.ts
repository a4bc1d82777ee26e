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
  return eventStream(() => Promise.resolve(events.shift()), () => Promise.resolve());
}

const textOf = (result: Receipt["result"]): string =>
  z.object({ text: z.string() }).safeParse(result).data?.text ?? "";

/** A run whose text goes to the caller as it comes, and which ends once, whoever ends it. */
class StreamedRun {
  readonly #deps: Deps;
  readonly #request: Request;
  readonly #run: Running;
  readonly #limits: Limits;
  readonly #began = performance.now();
  #streaming: Streaming | undefined;
  #pieces: AsyncIterator<string> | undefined;
  /** Whether the provider is waited for, and not the caller. */
  #isWaiting = false;
  #hasText = false;
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
      const told = await this.#fail(error);
      if (told) yield ["error", told];
    }
  }

  /** The caller is gone. */
  async leave(): Promise<void> {
    this.#limits.leave();
    await this.#ending?.catch(() => {});
  }

  #open(): Streaming {
    const { model, provider, input, runId } = this.#run;
    const { signal } = this.#limits;
    this.#streaming ??= provider.stream?.({ model, input, runId, signal });
    if (!this.#streaming) throw new Error(`${model.provider} cannot stream`);
    return this.#streaming;
  }

  /** The next text that isn't empty; undefined when there is no more. */
  async #next(): Promise<string | undefined> {
    if (this.#ending) return undefined;
    const pieces = this.#pieces ??= this.#open()[Symbol.asyncIterator]();
    for (;;) {
      this.#isWaiting = true;
      const { done, value } = await unlessStopped(pieces.next(), this.#limits.signal);
      this.#isWaiting = false;
      if (done) return undefined;
      if (value === "") continue;
      this.#hasText = true;
      return value;
    }
  }

  /** Ends the run when the time is over or the caller is gone. */
  #stop(reason: unknown): void {
    // A provider that is waited for is late. A caller who is waited for has taken what there is, as one who is gone.
    if (this.#isWaiting && !isGone(reason)) return;
    const ending = async () => await this.#end(() => this.#partial());
    this.#deps.background(ending().catch(async (error) => void await this.#fail(error)));
  }

  /** What was produced is charged: who wants text for nothing could leave just before its end. */
  #partial(): RunEnd {
    if (!this.#hasText) return endByError(new Stopped("canceled", GONE));
    const { result, ...rest } = this.#open().produced();
    return endOf({ ...rest, result: { ...Partial.parse(result), truncated: true } });
  }

  async #settle(end: () => RunEnd): Promise<Receipt> {
    return receiptOf(await this.#end(end), false);
  }

  /** Ends the run; the first end counts. */
  #end(end: () => RunEnd): Promise<RunState> {
    return this.#ending ??= this.#finish(end());
  }

  async #finish(end: RunEnd): Promise<RunState> {
    this.#limits.lift();
    // Not waited for: a provider may take its time to let go.
    this.#pieces?.return?.().catch(() => {});
    const responseTimeMs = performance.now() - this.#began;
    return await finishRun(this.#deps, this.#request, this.#run.runId, end, { responseTimeMs });
  }

  /** Ends the run by an error, and makes it the caller's; nothing for a caller who is gone. */
  async #fail(error: unknown): Promise<ErrorBody | undefined> {
    const ended = await this.#settle(() => endByError(error)).catch((failure) => failure);
    if (isGone(error)) return undefined;
    const told = isOfRun(error) ? ended : error;
    const { runId } = this.#run;
    alertOperator(this.#request, `Run ${runId} failed: ${traceOf(told)}`);
    if (told instanceof ScripError) return told.body;
    return scripError("internal_error", "Scrip failed", { details: runId }).body;
  }
}

const Partial = z.record(z.string(), z.json()).catch({});

const isGone = (error: unknown) => error instanceof Stopped && error.outcome === "canceled";
