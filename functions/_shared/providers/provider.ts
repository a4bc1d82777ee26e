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
  /** Aborts at the model's timeout, and when the caller is gone. */
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
   * Runs it piece by piece: yields text as it comes, and at last what it was. A generator that is closed early ends the
   * call; `produced` of the call's {@link Streaming} says what had come by then.
   *
   * @throws {ProviderError} as `run`, also when the stream breaks off before its end.
   */
  stream?(call: Call): Streaming;
  /** How a run is that was `running`. */
  check?(model: Model, providerRunId: string): Promise<Finished | Pending | Ended>;
  /** Asks the provider to stop a run that is `running`. */
  cancel?(model: Model, providerRunId: string): Promise<void>;
}

/** A streamed run: pieces of text, and then what it was. */
export interface Streaming extends AsyncIterable<string> {
  /** What was produced until now: whole once the iteration is over, an estimate while the provider hasn't counted. */
  produced(): Finished;
}

/** Why a provider failed, in words for the user; no key is in them. */
export class ProviderError extends Error {
  override name = "ProviderError";
}
