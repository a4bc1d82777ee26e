/** Replicate: models by version or by name, as predictions that are polled, or that a signed webhook tells of. */
import Replicate from "replicate";
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { Environment } from "../deps.ts";
import { scripError } from "../errors.ts";
import { Id, whole } from "../fields.ts";
import {
  excerpt,
  failureOf,
  providerError,
  reasonFor,
  refusal,
  requireKey,
  sleep,
} from "./failures.ts";
import { send } from "./fetch.ts";
import { estimateTokens, IMAGE_TOKENS, parseInput, tokensAtMost } from "./inputs.ts";
import {
  type Call,
  type Ended,
  type Finished,
  type Input,
  type Json,
  MAX_IMAGES,
  type Model,
  type Pending,
  type Prepared,
  type Provider,
  ProviderError,
  type Quantities,
  TokenCount,
} from "./provider.ts";

const REPLICATE_URL = "https://api.replicate.com/v1";
const REPLICATE_KEY = "REPLICATE_API_TOKEN";
const OPENAI_KEY = "OPENAI_API_KEY";
const WEBHOOK_SECRET = "REPLICATE_WEBHOOK_SECRET";
const POLL_MS = 500;
// How long after the inline seconds a poll may still be waited for.
const POLL_GRACE_MS = 2_000;
const READ_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 30_000;
// How long a prediction that is not wanted any more may take to be started, so that it can be canceled.
const GRACE_MS = 3_000;

/** What a webhook of a provider tells of a run. */
export interface ProviderEvent {
  /** Whose run: as the URL says that was given to the provider. */
  runId: string;
  /** What the provider calls it. */
  providerRunId: string;
  /** How it ended; undefined when it goes on. */
  outcome: Finished | Ended | undefined;
}

/** The provider, and how its webhooks are read. */
interface ReplicateProvider extends Provider {
  /**
   * Reads a webhook whose signature is of REPLICATE_WEBHOOK_SECRET and at most five minutes old.
   *
   * @throws {ScripError} `invalid_signature`; `invalid_request` when it is signed, but isn't about a run.
   */
  readWebhook(request: Request, body: string): ProviderEvent;
}

const COUNTS = [
  "num_outputs",
  "num_images",
  "number_of_images",
  "max_images",
  "num_samples",
  "batch_size",
  "n",
];
const LIMITS = [
  "max_output_tokens",
  "max_completion_tokens",
  "max_new_tokens",
  "max_tokens",
  "max_length",
];

/**
 * Makes the provider from REPLICATE_API_TOKEN, REPLICATE_BASE_URL, REPLICATE_WEBHOOK_SECRET and SUPABASE_URL.
 *
 * The input is the model's own, and the result `{output}`. A prediction that takes longer than the model's
 * `inline_seconds` goes on without the caller; Replicate itself ends it at the model's timeout. Its end is told to
 * provider-webhook when there is a secret to check that with and an address that Replicate takes, of HTTPS.
 *
 * Seconds are those of the prediction, at most the model's timeout. Tokens, for kind `text`, are what Replicate counted,
 * or else a quarter of the characters, rounded up; images, for kind `image`, are the URLs of the output.
 */
export function replicateProvider(env: Environment): ReplicateProvider {
  const keyOf = ({ api_key_variable }: Model) => {
    const variable = api_key_variable || REPLICATE_KEY;
    if (variable === OPENAI_KEY) {
      throw scripError("provider_failed", `${OPENAI_KEY} is sent to OpenAI only`);
    }
    return { variable, key: env.get(variable)?.trim() || undefined };
  };
  const connect = (model: Model) => {
    const { variable, key } = keyOf(model);
    const baseUrl = env.get("REPLICATE_BASE_URL") || REPLICATE_URL;
    return new Predictions(requireKey("Replicate", variable, key), baseUrl, model);
  };
  return {
    missingKey: (model) => {
      const { variable, key } = keyOf(model);
      return key ? undefined : variable;
    },
    prepare,
    run: async (call) => await connect(call.model).run(call, webhookFor(env, call)),
    check: async (model, id) => await connect(model).check(id),
    cancel: async (model, id) => await connect(model).cancel(id),
    readWebhook: (request, body) => readWebhook(env, request, body),
  };
}

function prepare(model: Model, input: Input): Prepared {
  const rules = {
    image: Object.fromEntries(COUNTS.map((name) => [name, whole(1, 100).exactOptional()])),
    text: Object.fromEntries(
      LIMITS.map((name) => [name, whole(1, model.max_output_tokens).exactOptional()]),
    ),
    video: {},
    embedding: {},
  };
  const checked = parseInput(z.looseObject(rules[model.kind]), input);
  const numbers = Object.keys(rules[model.kind])
    .map((name) => z.number().catch(1).parse(checked[name]));
  const prompt = z.string().catch("").parse(input["prompt"] ?? input["text"]);
  return {
    atMost: {
      seconds: model.timeout_seconds,
      ...(model.kind === "image" ? { images: Math.max(...numbers) } : {}),
      ...(model.kind === "text"
        ? { input_tokens: inputTokensAtMost(input), output_tokens: model.max_output_tokens }
        : {}),
    },
    preview: excerpt(prompt),
  };
}

/** Where Replicate tells of a prediction's end, if it can. The address says the kind of the model, which events don't. */
export function webhookFor(env: Environment, { runId, model }: Call): string | undefined {
  const project = env.get("SUPABASE_URL") ?? "";
  // Replicate takes no others; what stands in its place does.
  const isTaken = project.startsWith("https://") || env.get("REPLICATE_BASE_URL");
  if (!isTaken || !env.get(WEBHOOK_SECRET)) return undefined;
  const query = new URLSearchParams({ run_id: runId, kind: model.kind });
  return `${project}/functions/v1/provider-webhook/replicate?${query}`;
}

// What is not a number counts as nothing said.
const Seconds = z.number().min(0).max(1e9).nullish().catch(null);
const Tokens = TokenCount.nullish().catch(null);

const Prediction = z.object({
  id: z.string().regex(/^[\w-]{1,128}$/),
  status: z.enum(["starting", "processing", "succeeded", "failed", "canceled", "aborted"]),
  input: z.record(z.string(), z.json()).catch({}),
  output: z.json().nullish(),
  error: z.unknown().optional(),
  metrics: z.object({
    predict_time: Seconds,
    total_time: Seconds,
    input_token_count: Tokens,
    output_token_count: Tokens,
  }).nullish().catch(null),
  webhook: z.string().nullish(),
});

type Prediction = z.output<typeof Prediction>;

/** The predictions of one account. */
class Predictions {
  constructor(readonly key: string, readonly baseUrl: string, readonly model: Model) {}

  async run(call: Call, webhook: string | undefined): Promise<Finished | Pending | Ended> {
    const { signal } = call;
    const until = performance.now() + this.model.inline_seconds * 1000;
    let prediction = await this.#start(call, webhook);
    const { id } = prediction;
    while (isRunning(prediction)) {
      const left = until - performance.now();
      if (left <= 0) break;
      try {
        await sleep(Math.min(POLL_MS, left), signal);
        const deadline = AbortSignal.timeout(Math.min(left + POLL_GRACE_MS, READ_TIMEOUT_MS));
        prediction = await this.#get(id, AbortSignal.any([signal, deadline]), 1);
      } catch {
        if (!signal.aborted) break;
        // What the caller is told is why it ended, not how that went.
        await this.cancel(id).catch(() => {});
        throw signal.reason;
      }
    }
    return this.#stateOf(prediction);
  }

  async check(id: string): Promise<Finished | Pending | Ended> {
    return this.#stateOf(await this.#get(id, AbortSignal.timeout(READ_TIMEOUT_MS)));
  }

  async cancel(id: string): Promise<Finished | Pending | Ended> {
    const signal = AbortSignal.timeout(GRACE_MS);
    return this.#stateOf(
      await this.#ask((client) => client.predictions.cancel(id, { signal })),
    );
  }

  /** Starts a prediction. One that comes too late is canceled: it would cost, and nobody would know. */
  async #start({ input, signal }: Call, webhook: string | undefined): Promise<Prediction> {
    const { provider_version: version, provider_model: model } = this.model;
    if (!version && !/^[\w.-]+\/[\w.-]+$/.test(model)) {
      throw new ProviderError("The model's name at Replicate is not of the form owner/name");
    }
    signal.throwIfAborted();
    const grace = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => timer = setTimeout(() => grace.abort(), GRACE_MS);
    signal.addEventListener("abort", end);
    try {
      const prediction = await this.#ask((client) =>
        client.predictions.create({
          ...(version ? { version } : { model }),
          input,
          ...(webhook ? { webhook, webhook_events_filter: ["completed"] } : {}),
          signal: grace.signal,
        })
      );
      if (!signal.aborted) return prediction;
      if (isRunning(prediction)) await this.cancel(prediction.id).catch(() => {});
      throw signal.reason;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", end);
      clearTimeout(timer);
    }
  }

  async #get(id: string, signal: AbortSignal, attempts?: number): Promise<Prediction> {
    return await this.#ask((client) => client.predictions.get(id, { signal }), attempts);
  }

  async #ask(
    work: (client: Replicate) => Promise<unknown>,
    attempts?: number,
  ): Promise<Prediction> {
    try {
      const client = new Replicate({
        auth: this.key,
        baseUrl: this.baseUrl,
        userAgent: "scrip",
        useFileOutput: false,
        fetch: createFetch(this.key, this.model.timeout_seconds, attempts),
      });
      return Prediction.parse(await work(client));
    } catch (error) {
      throw failureOf(error, this.key);
    }
  }

  #stateOf(prediction: Prediction): Finished | Pending | Ended {
    return isRunning(prediction)
      ? { status: "running", providerRunId: prediction.id }
      : outcomeOf(prediction, this.model.kind, this.key);
  }
}

const isRunning = ({ status }: Prediction) => status === "starting" || status === "processing";

/** What a prediction that has ended was. */
function outcomeOf(
  { status, input, output = null, error, metrics }: Prediction,
  kind: Model["kind"],
  key: string | undefined,
): Finished | Ended {
  if (status !== "succeeded") {
    const isFailure = status === "failed";
    const fallback = isFailure ? "The provider failed" : "The provider canceled the run";
    const reason = typeof error === "string" && error.trim() ? error.trim() : fallback;
    return { status: isFailure ? "failed" : "canceled", reason: reasonFor(reason, key) };
  }
  const texts = textsIn(output);
  const urls = texts.filter(isUrl).length;
  const needsUrl = kind === "image" || kind === "video";
  if (needsUrl ? urls === 0 : isEmpty(output)) {
    return { status: "failed", reason: "The provider's answer is empty" };
  }
  const used: Quantities = { seconds: metrics?.predict_time ?? metrics?.total_time ?? 0 };
  if (kind === "image") used.images = Math.min(urls, MAX_IMAGES);
  if (kind === "text") {
    used.input_tokens = metrics?.input_token_count || Math.max(1, estimateTokens(textsIn(input)));
    used.output_tokens = metrics?.output_token_count || Math.max(1, estimateTokens(texts));
  }
  const summary = excerpt(texts.join(kind === "text" ? "" : " "));
  return { status: "succeeded", result: { output }, used, summary };
}

const isUrl = (text: string) => /^(?:https?:\/\/|data:)\S+$/.test(text);

/** The texts in a value, however deep. */
function textsIn(value: Json): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** Whether nothing is in a value: neither a number nor a text that has characters. */
function isEmpty(value: Json): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).every(isEmpty);
  return value === null || value === "";
}

/** A text that is an address may be of an image. */
function inputTokensAtMost(input: Input): number {
  const texts = textsIn(input);
  const plain = texts.filter((text) => !isUrl(text));
  return tokensAtMost(plain) + IMAGE_TOKENS * (texts.length - plain.length);
}

const Address = z.object({ run_id: Id, kind: z.enum(["text", "image", "video", "embedding"]) });

function readWebhook(env: Environment, request: Request, body: string): ProviderEvent {
  verify(env, request.headers, body);
  const prediction = readPrediction(body);
  // The address in the body is signed.
  const address = URL.parse(prediction.webhook ?? request.url);
  const { success, data } = Address.safeParse(Object.fromEntries(address?.searchParams ?? []));
  if (!success) throw scripError("invalid_request", "run_id: must be in the webhook's address");
  const outcome = isRunning(prediction)
    ? undefined
    : outcomeOf(prediction, data.kind, env.get(REPLICATE_KEY));
  return { runId: data.run_id, providerRunId: prediction.id, outcome };
}

function readPrediction(body: string): Prediction {
  try {
    return Prediction.parse(JSON.parse(body));
  } catch (error) {
    throw scripError("invalid_request", "body: must be a prediction", { cause: error });
  }
}

// The library of the standard, and not Replicate's client: that takes signatures of any age.
function verify(env: Environment, headers: Headers, body: string): void {
  const webhooks = (env.get(WEBHOOK_SECRET) ?? "").split(",").flatMap((secret) => {
    try {
      return [new Webhook(secret.trim())];
    } catch {
      return [];
    }
  });
  if (webhooks.length === 0) {
    const message = `Replicate is not configured: ${WEBHOOK_SECRET} is missing or no secret`;
    throw scripError("provider_failed", message);
  }
  const sent = Object.fromEntries(headers);
  const isSigned = webhooks.some((webhook) => {
    try {
      webhook.verify(body, sent, { jsonParse: false });
      return true;
    } catch {
      return false;
    }
  });
  if (!isSigned) {
    throw scripError("invalid_signature", "The signature is missing, wrong or too old");
  }
}

/**
 * A fetch for the client. The client's own repeats have no pause, pay no heed to Retry-After, and repeat requests that
 * may have started a prediction already; here it gets the first failure each time instead.
 */
function createFetch(key: string, timeoutSeconds: number, attempts?: number) {
  const failures = new WeakMap<RequestInit, unknown>();
  const answer = async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    if (url.endsWith("/predictions")) {
      headers.set("cancel-after", `${Math.max(5, timeoutSeconds)}s`);
    }
    const options = { attempts, timeoutMs: ANSWER_TIMEOUT_MS };
    const response = await send(url, { ...init, headers }, options);
    if (response.ok) return response;
    throw providerError(refusal(response.status, await detailOf(response)), key);
  };
  return async (url: Request | string, init: RequestInit = {}): Promise<Response> => {
    if (failures.has(init)) throw failures.get(init);
    try {
      return await answer(String(url), init);
    } catch (error) {
      failures.set(init, error);
      throw error;
    }
  };
}

const Problem = z.object({ detail: z.string() });

/** What an error answer says. */
async function detailOf(response: Response): Promise<string> {
  const text = await response.text().catch(() => "");
  try {
    return Problem.parse(JSON.parse(text)).detail;
  } catch {
    return text;
  }
}
