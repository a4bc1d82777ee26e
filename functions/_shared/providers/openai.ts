/** OpenAI, and whatever speaks its protocol: OpenRouter, vLLM, Ollama and others, by the model's base URL. */
import OpenAI, { APIConnectionError, APIError } from "openai";
import { z } from "zod";
import type { Environment } from "../deps.ts";
import { scripError } from "../errors.ts";
import { excerpt, failureOf, providerError, refusal, requireKey } from "./failures.ts";
import { send } from "./fetch.ts";
import {
  chatTokensAtMost,
  embeddingFields,
  estimateChatTokens,
  estimateTokens,
  fittingEmbeddings,
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
  MAX_IMAGES,
  type Model,
  type Prepared,
  type Provider,
  ProviderError,
  type Quantities,
  type Streaming,
  TokenCount,
} from "./provider.ts";

const OPENAI_URL = "https://api.openai.com/v1";
const OPENAI_KEY = "OPENAI_API_KEY";
// The longest that timers know: what ends a call is its signal.
const NO_TIMEOUT_MS = 2 ** 31 - 1;
// How long the rest of a stream is waited for once its text is whole.
const REST_MS = 2_000;
// The most that OpenAI's models make where the input doesn't say.
const DIMENSIONS = 3_072;

/** Where a model is, and with which key. */
interface Access {
  baseUrl: string;
  /** Whether that is OpenAI itself, or what OPENAI_BASE_URL names in its place. */
  isOpenAI: boolean;
  /** The variable of the key; undefined when none is sent. */
  variable: string | undefined;
  key: string | undefined;
}

const EmbeddingInput = z.strictObject(embeddingFields).superRefine(fittingEmbeddings(DIMENSIONS));
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
 * the characters, those of its reasoning too, rounded up; output at least one for each piece that came, and at most
 * `max_output_tokens`.
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
  const key = variable === undefined ? undefined : env.get(variable)?.trim() || undefined;
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
  const apiKey = variable === undefined ? "none" : requireKey("OpenAI", variable, key);
  try {
    const client = new OpenAI({
      apiKey,
      baseURL: baseUrl,
      // Or they come from the environment, whatever the host.
      organization: null,
      project: null,
      adminAPIKey: null,
      webhookSecret: null,
      fetch: send,
      // Its own would ask a model twice.
      maxRetries: 0,
      timeout: NO_TIMEOUT_MS,
      // It logs what models answer.
      logLevel: "off",
    });
    return await work(client);
  } catch (error) {
    throw signal.aborted ? signal.reason : translate(error, key);
  }
}

function translate(error: unknown, key: string | undefined): ProviderError {
  if (error instanceof APIConnectionError) return failureOf(error.cause ?? error, key);
  if (error instanceof APIError) {
    // The client puts the status first.
    const said = error.message.replace(/^\d{3} /, "").replace(/^status code \(no body\)$/, "");
    const reason = error.status ? refusal(error.status, said) : `The provider broke off: ${said}`;
    return providerError(reason, key, error);
  }
  return failureOf(error, key);
}

// What is not a count counts as nothing said.
const Usage = z.object({
  prompt_tokens: TokenCount,
  completion_tokens: TokenCount.default(0),
  prompt_tokens_details: z.object({ cached_tokens: TokenCount.catch(0) }).nullish().catch(null),
  cost: z.number().min(0).lt(1e9).nullish().catch(null),
}).nullish().catch(null);

/** What the provider counted, or else an estimate. */
function toQuantities(usage: z.output<typeof Usage>, estimate: () => Quantities): Quantities {
  const cost = typeof usage?.cost === "number" ? { cost_usd: usage.cost.toFixed(10) } : {};
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

const Said = z.object({
  content: z.string().nullish(),
  refusal: z.string().nullish(),
  reasoning_content: z.string().nullish().catch(null),
  reasoning: z.string().nullish().catch(null),
});

/** What a model thought: output, though no text of the answer. */
const thoughtsOf = ({ reasoning_content, reasoning }: z.output<typeof Said>) =>
  reasoning_content || reasoning || "";

const Completion = z.object({
  choices: z.tuple([
    z.object({
      message: Said,
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
    const used = toQuantities(
      usage,
      () => estimateChat(text, written.text + thoughtsOf(message), 1),
    );
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
  result: { text, ...rest },
  used,
  summary: excerpt(text),
});

const Choice = z.object({ delta: Said.nullish(), finish_reason: z.string().nullish() });

const Chunk = z.object({ choices: z.array(Choice).nullish(), usage: Usage });

class TextStream implements Streaming {
  readonly #access: Access;
  readonly #call: Call;
  readonly #input: TextInput;
  readonly #closed = new AbortController();
  readonly #reading = this.#read();
  #text = "";
  #thoughts = "";
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
    return {
      next: () => this.#reading.next(),
      // At once, though it may be waiting for the next piece.
      return: () => {
        this.#closed.abort();
        return this.#reading.return(undefined);
      },
    };
  }

  async finish(ms: number): Promise<boolean> {
    const timer = setTimeout(() => this.#closed.abort(), ms);
    try {
      for await (const _ of this.#reading) { /* until the end */ }
    } catch {
      // What had come counts, however it ends.
    } finally {
      clearTimeout(timer);
    }
    return this.#finishReason !== undefined;
  }

  async *#read(): AsyncGenerator<string, undefined> {
    const signal = AbortSignal.any([this.#call.signal, this.#closed.signal]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const chunks = await this.#open(signal);
      for await (const chunk of chunks) {
        const { choices, usage } = read(Chunk, chunk);
        this.#usage = usage ?? this.#usage;
        const piece = this.#take(choices?.[0]);
        if (piece) yield piece;
        if (this.#finishReason === undefined) continue;
        if (usage) break;
        // Not all count, or end what they send.
        timer ??= setTimeout(() => chunks.controller.abort(), REST_MS);
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
      clearTimeout(timer);
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

  #take(choice: z.output<typeof Choice> | undefined): string {
    this.#finishReason = choice?.finish_reason ?? this.#finishReason;
    if (!choice?.delta) return "";
    const { content, refusal } = choice.delta;
    const thoughts = thoughtsOf(choice.delta);
    this.#refusal += refusal ?? "";
    this.#text += content ?? "";
    this.#thoughts += thoughts;
    if (content || thoughts) this.#pieces++;
    return content ?? "";
  }

  produced(): Finished {
    const finish_reason = this.#finishReason;
    const used = toQuantities(
      // Who counts as it goes may begin with 0.
      finish_reason === undefined ? null : this.#usage,
      () => estimateChat(this.#input, this.#text + this.#thoughts, this.#pieces),
    );
    const end = finish_reason === undefined ? { truncated: true } as const : { finish_reason };
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

const ImagesUsage = z.object({ input_tokens: TokenCount, output_tokens: TokenCount })
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
      return url ? [{ url }] : [];
    });
    if (images.length === 0) throw new ProviderError(emptiness("it has no image"));
    const used = toQuantities(
      Usage.parse(usage),
      () => ({ input_tokens: Math.max(1, estimateTokens([prompt])) }),
    );
    return {
      status: "succeeded",
      result: { images },
      used: { ...used, images: Math.min(images.length, MAX_IMAGES) },
      summary: `${images.length} image${images.length === 1 ? "" : "s"}`,
    };
  });
}
