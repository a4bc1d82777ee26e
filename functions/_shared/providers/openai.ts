/** OpenAI, and whatever speaks its protocol: OpenRouter, vLLM, Ollama and others, by the model's base URL. */
import OpenAI, { APIConnectionError, APIError } from "openai";
import { z } from "zod";
import type { Environment } from "../deps.ts";
import { scripError } from "../errors.ts";
import {
  connectionFailure,
  excerpt,
  providerError,
  refusal,
  storable,
  unlessAborted,
} from "./failures.ts";
import {
  chatTokensAtMost,
  embeddingFields,
  estimateChatTokens,
  estimateTokens,
  imageFields,
  lastText,
  parseInput,
  type TextInput,
  textInput,
  tokensAtMost,
} from "./inputs.ts";
import {
  type Call,
  type Finished,
  type Input,
  type Json,
  type Model,
  type Prepared,
  type Provider,
  ProviderError,
  type Quantities,
  type Streaming,
} from "./provider.ts";

const OPENAI_URL = "https://api.openai.com/v1";
const OPENAI_KEY = "OPENAI_API_KEY";
const RETRIES = 2;
// The longest that timers know: what ends a call is its signal.
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Where a model is, and with which key. */
interface Access {
  baseUrl: string;
  /** Whether that is OpenAI itself, or what OPENAI_BASE_URL names in its place. */
  isOpenAI: boolean;
  /** The variable of the key; undefined when none is sent. */
  variable: string | undefined;
  key: string | undefined;
}

const EmbeddingInput = z.strictObject(embeddingFields);
const ImageInput = z.strictObject(imageFields);

/**
 * Makes the provider from OPENAI_API_KEY and OPENAI_BASE_URL.
 *
 * - kind `text`: `{prompt}` or `{messages}`, `temperature`, `top_p`, `stop`, `max_output_tokens` and `response_format`
 *   become `{text, finish_reason}`; closed early, a stream becomes `{text, truncated: true}`.
 * - kind `embedding`: `{input, dimensions}` become `{embeddings}`, in the order of the input.
 * - kind `image`: `{prompt, n, size, quality}` become `{images}`, each `{url}` or `{b64_json, media_type}`. A model's
 *   `max_output_tokens` is the most of one image.
 *
 * A model with a base URL is sent the key in its own variable or, without one, `none`. OPENAI_API_KEY goes to OpenAI.
 *
 * Tokens are what the provider counted. Where it hasn't, and for a stream that was closed early, they are a quarter of
 * the characters, rounded up; output at least one for each piece that came, and at most `max_output_tokens`.
 */
export function openaiProvider(env: Environment): Provider {
  const accessOf = (model: Model) => readAccess(env, model);
  return {
    missingKey: (model) => {
      const { variable, key } = accessOf(model);
      return key ? undefined : variable;
    },
    prepare: (model, input) => {
      accessOf(model);
      return prepare(model, input);
    },
    run: (call) => {
      const access = accessOf(call.model);
      if (call.model.kind === "embedding") return embed(access, call);
      if (call.model.kind === "image") return draw(access, call);
      return write(access, call);
    },
    stream: (call) => new TextStream(accessOf(call.model), call),
  };
}

const isOpenAIsHost = (url: string) =>
  /^https:\/\/(?:[a-z\d-]+\.)*openai\.com(?:\/|$)/.test(URL.parse(url)?.href ?? "");

function readAccess(env: Environment, { base_url, api_key_variable }: Model): Access {
  const isOpenAI = !base_url || isOpenAIsHost(base_url);
  const variable = api_key_variable || (isOpenAI ? OPENAI_KEY : undefined);
  if (variable === OPENAI_KEY && !isOpenAI) {
    throw scripError("provider_failed", `${OPENAI_KEY} is sent to OpenAI only, not to base_url`);
  }
  const baseUrl = base_url || env.get("OPENAI_BASE_URL") || OPENAI_URL;
  const key = variable === undefined ? undefined : env.get(variable) || undefined;
  return { baseUrl, isOpenAI, variable, key };
}

function prepare(model: Model, input: Input): Prepared {
  switch (model.kind) {
    case "text": {
      const text = parseInput(textInput(model), input);
      return {
        atMost: { input_tokens: chatTokensAtMost(text), output_tokens: text.max_output_tokens },
        preview: excerpt(lastText(text.messages)),
      };
    }
    case "embedding": {
      const { input: texts } = parseInput(EmbeddingInput, input);
      return { atMost: { input_tokens: tokensAtMost(texts) }, preview: excerpt(texts[0] ?? "") };
    }
    case "image": {
      const { prompt, n } = parseInput(ImageInput, input);
      return {
        atMost: {
          input_tokens: tokensAtMost([prompt]),
          output_tokens: n * model.max_output_tokens,
          images: n,
        },
        preview: excerpt(prompt),
      };
    }
    default:
      throw scripError("provider_failed", `The provider openai has no models of ${model.kind}`);
  }
}

/** Does something at the provider, its failures made into the user's. */
async function ask<T>(
  { baseUrl, variable, key }: Access,
  signal: AbortSignal,
  work: (client: OpenAI) => Promise<T>,
): Promise<T> {
  if (variable && !key) throw new ProviderError(`OpenAI is not configured: ${variable} is missing`);
  try {
    const client = new OpenAI({
      apiKey: key ?? "none",
      baseURL: baseUrl,
      // Or they come from the environment, whatever the host.
      organization: null,
      project: null,
      adminAPIKey: null,
      webhookSecret: null,
      maxRetries: RETRIES,
      timeout: NO_TIMEOUT_MS,
      // It logs what models answer.
      logLevel: "off",
      // Who is configured is told, and nobody else.
      fetchOptions: { redirect: "manual" },
    });
    return await unlessAborted(signal, work(client));
  } catch (error) {
    throw signal.aborted ? signal.reason : translate(error, key);
  }
}

function translate(error: unknown, key: string | undefined): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof APIConnectionError) {
    return providerError(connectionFailure(error.cause), key, error);
  }
  if (error instanceof APIError) {
    // The client puts the status first.
    const said = error.message.replace(/^\d{3} /, "").replace(/^status code \(no body\)$/, "");
    const reason = error.status ? refusal(error.status, said) : `The provider broke off: ${said}`;
    return providerError(reason, key, error);
  }
  if (error instanceof SyntaxError || error instanceof z.ZodError) {
    return providerError("The provider's answer is malformed", key, error);
  }
  return providerError(connectionFailure(error), key, error);
}

const Count = z.int().min(0);

// What is not a count counts as nothing said.
const Usage = z.object({
  prompt_tokens: Count,
  completion_tokens: Count.default(0),
  prompt_tokens_details: z.object({ cached_tokens: Count.catch(0) }).nullish().catch(null),
  cost: z.number().min(0).nullish().catch(null),
}).nullish().catch(null);

/** What the provider counted, or else an estimate. */
function toQuantities(usage: z.output<typeof Usage>, estimate: () => Quantities): Quantities {
  const cost = typeof usage?.cost === "number" ? { cost_usd: decimal(usage.cost) } : {};
  if (!usage || usage.prompt_tokens + usage.completion_tokens === 0) {
    return { ...estimate(), ...cost };
  }
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  return {
    input_tokens: usage.prompt_tokens,
    cached_input_tokens: Math.min(cached, usage.prompt_tokens),
    output_tokens: usage.completion_tokens,
    ...cost,
  };
}

/** A number that isn't negative as the shortest decimal that stands for it, without an exponent. */
export function decimal(number: number): string {
  const [digits = "0", exponent = "0"] = `${number}`.split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  const shift = Number(exponent);
  if (shift >= 0) {
    const moved = fraction.padEnd(shift, "0");
    return `${whole}${moved.slice(0, shift)}${moved.slice(shift) && `.${moved.slice(shift)}`}`;
  }
  return `0.${`${whole}${fraction}`.padStart(-shift + fraction.length, "0")}`;
}

/** The rest of an answer that says in place of it what went wrong, as OpenRouter does. */
const Failure = z.object({ error: z.object({ message: z.string() }) });

/** Checks an answer. */
function read<S extends z.ZodType>(schema: S, answer: unknown): z.output<S> {
  const { data: failure } = Failure.safeParse(answer);
  if (failure) throw new APIError(undefined, failure.error, undefined, undefined);
  return schema.parse(answer);
}

function chatParams({ isOpenAI }: Access, { provider_model }: Model, input: TextInput) {
  const { max_output_tokens, ...params } = input;
  // The older name is all that many others know, and OpenAI's newer models refuse it.
  const limit = isOpenAI
    ? { max_completion_tokens: max_output_tokens }
    : { max_tokens: max_output_tokens };
  return { ...params, ...limit, model: provider_model };
}

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      finish_reason: z.string().nullish(),
    }),
  ], z.unknown()),
  usage: Usage,
});

async function write(access: Access, { model, input, signal }: Call): Promise<Finished> {
  const text = parseInput(textInput(model), input);
  return await ask(access, signal, async (client) => {
    const params = chatParams(access, model, text);
    const answer = await client.chat.completions.create(params, { signal });
    const { choices: [{ message, finish_reason }], usage } = read(Completion, answer);
    const written = { text: message.content ?? "", finish_reason: finish_reason ?? "stop" };
    if (!written.text) throw new ProviderError(emptiness(message.refusal ?? finish_reason));
    const used = toQuantities(usage, () => estimateChat(text, written.text, 1));
    return textResult(written, used);
  });
}

const emptiness = (why: string | null | undefined) =>
  `The provider's answer is empty${why ? `: ${why}` : ""}`;

const estimateChat = (input: TextInput, output: string, pieces: number): Quantities => ({
  input_tokens: estimateChatTokens(input),
  output_tokens: Math.min(Math.max(estimateTokens([output]), pieces), input.max_output_tokens),
});

interface Written {
  text: string;
  finish_reason?: string;
  /** The stream was closed before its end. */
  truncated?: true;
}

const textResult = ({ text, ...rest }: Written, used: Quantities): Finished => ({
  status: "succeeded",
  result: { text: storable(text), ...rest },
  used,
  summary: excerpt(text),
});

const Chunk = z.object({
  choices: z.array(z.object({
    delta: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
    finish_reason: z.string().nullish(),
  })).default([]),
  usage: Usage,
});

class TextStream implements Streaming {
  readonly #access: Access;
  readonly #call: Call;
  readonly #input: TextInput;
  readonly #closed = new AbortController();
  #text = "";
  #refusal = "";
  #pieces = 0;
  #finishReason: string | undefined;
  #usage: z.output<typeof Usage>;

  constructor(access: Access, call: Call) {
    this.#access = access;
    this.#call = call;
    this.#input = parseInput(textInput(call.model), call.input);
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    const pieces = this.#read();
    return {
      next: () => pieces.next(),
      // At once, though it may be waiting for the next piece.
      return: () => {
        this.#closed.abort();
        return pieces.return(undefined);
      },
    };
  }

  async *#read(): AsyncGenerator<string, undefined> {
    const signal = AbortSignal.any([this.#call.signal, this.#closed.signal]);
    try {
      for await (const chunk of await this.#open(signal)) {
        const piece = this.#take(chunk);
        if (piece) yield piece;
      }
      // Also when it was aborted: the client ends it then as if it were whole.
      if (this.#finishReason === undefined) {
        throw new ProviderError("The provider's answer broke off before its end");
      }
      if (!this.#text) throw new ProviderError(emptiness(this.#refusal || this.#finishReason));
    } catch (error) {
      if (this.#call.signal.aborted) throw this.#call.signal.reason;
      if (!this.#closed.signal.aborted) throw translate(error, this.#access.key);
    } finally {
      this.#closed.abort();
    }
  }

  #open(signal: AbortSignal) {
    const params = chatParams(this.#access, this.#call.model, this.#input);
    const streamed = { stream: true, stream_options: { include_usage: true } } as const;
    return ask(
      this.#access,
      signal,
      (client) => client.chat.completions.create({ ...params, ...streamed }, { signal }),
    );
  }

  #take(chunk: unknown): string {
    const { choices: [choice], usage } = read(Chunk, chunk);
    this.#usage = usage ?? this.#usage;
    this.#finishReason = choice?.finish_reason ?? this.#finishReason;
    this.#refusal += choice?.delta?.refusal ?? "";
    const piece = choice?.delta?.content ?? "";
    this.#text += piece;
    if (piece) this.#pieces++;
    return piece;
  }

  produced(): Finished {
    const used = toQuantities(
      this.#usage,
      () => estimateChat(this.#input, this.#text, this.#pieces),
    );
    const end = this.#finishReason === undefined
      ? { truncated: true } as const
      : { finish_reason: this.#finishReason };
    return textResult({ text: this.#text, ...end }, used);
  }
}

const Embeddings = z.object({
  data: z.array(z.object({ index: z.int(), embedding: z.array(z.number()).min(1) })),
  usage: Usage,
});

async function embed(access: Access, { model, input, signal }: Call): Promise<Finished> {
  const { input: texts, ...params } = parseInput(EmbeddingInput, input);
  return await ask(access, signal, async (client) => {
    const answer = await client.embeddings.create({
      ...params,
      input: texts,
      model: model.provider_model,
      // Not all know the client's default.
      encoding_format: "float",
    }, { signal });
    const { data, usage } = read(Embeddings, answer);
    const ordered = data.toSorted((a, b) => a.index - b.index);
    if (ordered.length !== texts.length || ordered.some(({ index }, place) => index !== place)) {
      throw new ProviderError("The provider's answer has not one embedding for each text");
    }
    const dimensions = ordered[0]?.embedding.length ?? 0;
    return {
      status: "succeeded",
      result: { embeddings: ordered.map(({ embedding }) => embedding) },
      used: toQuantities(usage, () => ({ input_tokens: Math.max(1, estimateTokens(texts)) })),
      summary: `${ordered.length} × ${dimensions} numbers`,
    };
  });
}

const ImagesUsage = z.object({ input_tokens: Count, output_tokens: Count })
  .transform(({ input_tokens, output_tokens }) => ({
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
  }));

const Images = z.object({
  data: z.array(z.object({ url: z.string().nullish(), b64_json: z.string().nullish() })),
  output_format: z.string().regex(/^\w+$/).catch("png"),
  usage: z.union([ImagesUsage, Usage]).nullish().catch(null),
});

async function draw(access: Access, { model, input, signal }: Call): Promise<Finished> {
  const { n, prompt, ...params } = parseInput(ImageInput, input);
  return await ask(access, signal, async (client) => {
    const body = { ...params, prompt, n, model: model.provider_model, stream: false } as const;
    const { data, output_format, usage } = read(
      Images,
      await client.images.generate(body, { signal }),
    );
    const images = data.flatMap(({ url, b64_json }): Json[] => {
      if (b64_json) return [{ b64_json, media_type: `image/${output_format}` }];
      return url ? [{ url: storable(url) }] : [];
    });
    if (images.length === 0) throw new ProviderError(emptiness("it has no image"));
    const used = toQuantities(
      Usage.parse(usage),
      () => ({ input_tokens: Math.max(1, estimateTokens([prompt])) }),
    );
    return {
      status: "succeeded",
      result: { images },
      used: { ...used, images: images.length },
      summary: `${images.length} image${images.length === 1 ? "" : "s"}`,
    };
  });
}
