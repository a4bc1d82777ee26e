/** A model and calls for the tests of providers. */
import { ok } from "node:assert/strict";
import { ScripError } from "../../functions/_shared/errors.ts";
import type { Call, Input, Model } from "../../functions/_shared/providers/provider.ts";
import { ProviderError } from "../../functions/_shared/providers/provider.ts";

export const RUN = "7d0a5a1e-63a4-4c0b-9a56-4a5a3c1f7d11";

type Given = { [K in keyof Model]?: Model[K] | null };

/** A model of the catalogue. What is null there is typed as if it never were. */
export const model = (given: Given = {}): Model => {
  const row = {
    model: "test",
    kind: "text" as const,
    provider: "test",
    provider_model: "test-1",
    provider_version: null,
    base_url: null,
    api_key_variable: null,
    max_output_tokens: 100,
    timeout_seconds: 60,
    inline_seconds: 30,
    active: true,
    ...given,
  };
  return JSON.parse(JSON.stringify(row));
};

/** A call of a model. */
export const call = (
  given: Given,
  input: Input,
  signal: AbortSignal = new AbortController().signal,
): Call => ({ model: model(given), input, runId: RUN, signal });

/** An environment. */
export const env = (variables: Record<string, string>) => new Map(Object.entries(variables));

/** The reason that a call fails with. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (thrown) => thrown);
  ok(error instanceof ProviderError, `${error}`);
  return error.message;
}

/** What an input is refused with. */
export function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    ok(error instanceof ScripError, `${error}`);
    return `${error.body.code}: ${error.body.message}`;
  }
  throw new Error("It was not refused");
}

/** All that a stream gives. */
export async function gather(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
