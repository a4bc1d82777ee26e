/** What is checked and found out before anything is held. */
import { z } from "zod";
import type { Arguments } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { AnyJson, MAX_LEVELS, must, storableJson } from "../_shared/fields.ts";
import { alertOperator } from "../_shared/http.ts";
import type { Input, Model, Provider } from "../_shared/providers/provider.ts";

const RULE = must(
  `text, or an object of at most ${MAX_LEVELS} levels, without NUL and halves of surrogate pairs`,
);

/** The input as it is sent: an object, or the text that is the whole of it. */
export const Given = storableJson(
  z.union([z.string(), z.record(z.string(), AnyJson)], RULE),
  RULE,
);

/** What a caller asks for. */
export interface Asked {
  model: string;
  input: string | Input;
  stream: boolean;
  operation?: string | undefined;
}

/** A run that can be started. */
export interface Job {
  model: Model;
  provider: Provider;
  input: Input;
  /** The arguments of start_model_run(), but for whose run it is, and which. */
  start: Omit<Arguments<"start_model_run">, "user_id" | "operation_id" | "attempt">;
}

/**
 * Checks that a model can run with this input.
 *
 * @throws {ScripError} `model_not_found`; `invalid_request`; `provider_failed` when the model's key is missing.
 */
export async function prepare(deps: Deps, request: Request, asked: Asked): Promise<Job> {
  const model = await deps.rpcOne("get_ai_model", { slug: asked.model });
  const provider = await deps.providers.get(model.provider);
  const input = inputOf(model, asked.input);
  if (asked.stream && (model.kind !== "text" || !provider.stream)) {
    throw scripError("invalid_request", `stream: the model ${asked.model} cannot stream`);
  }
  const { atMost: { input_tokens, output_tokens, seconds, images }, preview } = provider
    .prepare(model, input);
  // One that is not on offer any more is refused at the start, but for runs of before.
  if (model.active) requireKey(request, model, provider);
  return {
    model,
    provider,
    input,
    start: {
      slug: asked.model,
      request: { model: asked.model, input },
      operation: asked.operation,
      input_preview: preview,
      input_tokens,
      output_tokens,
      seconds,
      images,
    },
  };
}

const inputOf = ({ kind }: Model, given: string | Input): Input =>
  typeof given !== "string" ? given : kind === "embedding" ? { input: given } : { prompt: given };

function requireKey(request: Request, model: Model, provider: Provider): void {
  const variable = provider.missingKey(model);
  if (variable === undefined) return;
  const message = `The model ${model.model} is not configured: ${variable} is missing`;
  alertOperator(request, message);
  throw scripError("provider_failed", message);
}
