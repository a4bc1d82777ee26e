/** What every provider of models is: the one interface between Scrip and those who run models. */
import { z } from "zod";
import type { Row } from "../database.ts";

/** A model of the catalogue, as get_ai_model() answers it. */
export type Model = Row<"get_ai_model">;

/** A JSON value. */
export type Json = z.output<ReturnType<typeof z.json>>;

/** The input of a run: what it holds is the provider's and the model's business. */
export type Input = Record<string, Json>;

/** What a run used or, beforehand, the most that it can use. What is left out is 0. */
export interface Quantities {
  input_tokens?: number;
  /** Of the input tokens, those that the provider had in its cache. */
  cached_input_tokens?: number;
  output_tokens?: number;
  /** Seconds of the provider's hardware. */
  seconds?: number;
  images?: number;
  /** What the provider itself says that it cost, as a decimal string; counts before any price. */
  cost_usd?: string;
}

/** Tokens as a provider counts them. The database takes no more: what is beyond counts as nothing said. */
export const TokenCount = z.int().min(0).max(1e12);

/** The most images of a run that the database takes. */
export const MAX_IMAGES = 1e6;

/** An input that was checked. */
export interface Prepared {
  /** The most that the run can use: tokens are held for that. */
  atMost: Quantities;
  /** The beginning of what the user sent, for the list of calls; "" when there is no text. */
  preview: string;
}

/** A run to start. */
export interface Call {
  model: Model;
  /** What `prepare` took. */
  input: Input;
  runId: string;
  /** Aborts at the model's timeout, and when the caller is gone; of a stream, once it needn't be read on. */
  signal: AbortSignal;
}

/** A run that has succeeded. */
export interface Finished {
  status: "succeeded";
  result: Json;
  used: Quantities;
  /** A line about the result, for the list of calls. */
  summary: string;
}

/** A run that goes on at the provider. */
export interface Pending {
  status: "running";
  /** What the provider calls it. */
  providerRunId: string;
}

/** A run that the provider ended without a result. */
export interface Ended {
  status: "failed" | "canceled";
  reason: string;
}

/** What a provider can do. */
export interface Provider {
  /** The variable that should hold the model's key and doesn't; undefined when nothing is missing. */
  missingKey(model: Model): string | undefined;
  /**
   * Checks an input before anything is held or sent.
   *
   * @throws {ScripError} `invalid_request`, naming each field of `input` that is wrong.
   */
  prepare(model: Model, input: Input): Prepared;
  /**
   * Runs it, or starts it when it takes longer than the provider waits.
   *
   * @throws {ProviderError} when the provider refuses, fails or answers nonsense; what the signal aborts with.
   */
  run(call: Call): Promise<Finished | Pending | Ended>;
  /**
   * Runs it piece by piece. Nothing is sent before the first piece is asked for; an iteration that is closed early ends
   * the call.
   *
   * @throws {ProviderError} from the iteration, as `run`, also when the stream breaks off before its end.
   */
  stream?(call: Call): Streaming;
  /** How a run is that was `running`. */
  check?(model: Model, providerRunId: string): Promise<Finished | Pending | Ended>;
  /** Asks the provider to stop a run that is `running`; answers how it is after that: it may have been over. */
  cancel?(model: Model, providerRunId: string): Promise<Finished | Pending | Ended>;
}

/** A streamed run: pieces of text, in one iteration, and then what it was. */
export interface Streaming extends AsyncIterable<string> {
  /**
   * Reads on in the reader's place, for the provider's own counts, for so long at most; then the call is over. The
   * call's signal may not have aborted.
   *
   * @returns whether it came to the text's end.
   */
  finish?(ms: number): Promise<boolean>;
  /**
   * What was produced until now: whole once the iteration is over, and before that an estimate, whose result has
   * `truncated: true`.
   */
  produced(): Finished;
}

/** Why a provider failed, in words for the user; no key is in them. */
export class ProviderError extends Error {
  override name = "ProviderError";
}
