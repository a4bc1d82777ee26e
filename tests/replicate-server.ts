/**
 * A server of the tests' own that speaks Replicate's protocol over real HTTP: predictions by version or by model, polled
 * and canceled, and webhooks signed as Standard Webhooks are. It misbehaves as a test tells it to.
 */
import { Webhook } from "standardwebhooks";

/** A secret that webhooks are signed with. */
export const REPLICATE_SECRET = `whsec_${btoa("the secret of the tests' Replicate")}`;

/** A request as it came in. */
export interface ReplicateRequest {
  /** Such as `POST /v1/predictions`. */
  operation: string;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A prediction as Replicate has it. */
export interface TestPrediction {
  id: string;
  status: string;
  model: string | null;
  version: string | null;
  input: Record<string, unknown>;
  output: unknown;
  error: unknown;
  metrics: Record<string, number>;
  webhook: string | null;
}

/** How a prediction ends. */
export type End = Partial<Pick<TestPrediction, "status" | "output" | "error" | "metrics">>;

/** When the webhook of a prediction that has ended is sent, if there is one to send. */
export type Delivery = "once" | "twice" | "before_answer" | "wrong_signature" | "never";

/** What is done with a request to start a prediction. */
export interface Life {
  /** An error: this status, with this detail. */
  status?: number;
  detail?: string;
  headers?: Record<string, string>;
  /** The body as it is, in place of the protocol's. */
  raw?: string;
  /** No answer at all. */
  hangs?: boolean;
  /** The connection is cut halfway in the answer. */
  cut?: boolean;
  /** Milliseconds until the answer. */
  delayMs?: number;
  /** Milliseconds that it runs; without it, until `finish` ends it. */
  runsMs?: number;
  /** How it ends: by default with `{output: "Hello, world!"}`. */
  end?: End;
  /** By default once. */
  webhook?: Delivery;
}

const END: End = { status: "succeeded", output: "Hello, world!", metrics: { predict_time: 1.25 } };

/** How to start one. */
export interface ReplicateOptions {
  secret?: string;
  /** How the first predictions live, in turn. */
  lives?: Life[];
  /** How those after them live. */
  otherwise?: Life;
}

interface Kept {
  prediction: TestPrediction;
  life: Life;
  timer?: ReturnType<typeof setTimeout>;
}

/** Replicate, until it is stopped. */
export class TestReplicate {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #kept = new Map<string, Kept>();
  readonly #secret: string;
  readonly #lives: Life[];
  readonly #otherwise: Life;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #sending = new Set<Promise<unknown>>();
  /** Everything that came in, in order. */
  readonly requests: ReplicateRequest[] = [];
  /** The status that each webhook was answered with, in order. */
  readonly delivered: number[] = [];
  /** What reads of predictions are answered with first, in turn. */
  readonly reads: Life[] = [];

  constructor(
    { secret = REPLICATE_SECRET, lives = [], otherwise = { runsMs: 0 } }: ReplicateOptions = {},
  ) {
    this.#secret = secret;
    this.#lives = [...lives];
    this.#otherwise = otherwise;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#receive(request),
    );
  }

  /** The base URL. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/v1`;
  }

  /** All predictions, in order. */
  get predictions(): TestPrediction[] {
    return [...this.#kept.values()].map(({ prediction }) => prediction);
  }

  /** How the next predictions live, before `otherwise`. */
  then(...lives: Life[]): void {
    this.#lives.push(...lives);
  }

  /** Ends a prediction, and sends its webhook. */
  async finish(id: string, end: End = {}): Promise<void> {
    const kept = this.#kept.get(id);
    if (!kept || !isRunning(kept.prediction)) return;
    clearTimeout(kept.timer);
    Object.assign(kept.prediction, END, kept.life.end, end);
    const { webhook = "once" } = kept.life;
    if (webhook === "never") return;
    await this.deliver(id, webhook === "wrong_signature" ? { secret: OTHER_SECRET } : {});
    if (webhook === "twice") await this.deliver(id);
  }

  /** Sends the webhook of a prediction as it is now. */
  async deliver(id: string, { secret = this.#secret, at = new Date() } = {}): Promise<void> {
    const prediction = this.#kept.get(id)?.prediction;
    if (!prediction?.webhook) return;
    const body = JSON.stringify(prediction);
    const response = await fetch(prediction.webhook, {
      method: "POST",
      headers: { "content-type": "application/json", ...signed(secret, body, at, `msg_${id}`) },
      body,
    });
    await response.body?.cancel();
    this.delivered.push(response.status);
  }

  async #receive(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const text = await request.text();
    const body = text ? JSON.parse(text) : {};
    this.requests.push({
      operation: `${request.method} ${pathname}`,
      headers: request.headers,
      body,
    });
    const [, id = "", cancel] = /^\/v1\/predictions\/([^/]+)(\/cancel)?$/.exec(pathname) ?? [];
    if (!id) return await this.#create(pathname, body);
    const trouble = cancel ? undefined : this.reads.shift();
    if (trouble) return await this.#answer(trouble, this.#kept.get(id)?.prediction);
    const kept = this.#kept.get(id);
    if (!kept) return Response.json({ detail: "Prediction not found" }, { status: 404 });
    if (cancel && isRunning(kept.prediction)) {
      clearTimeout(kept.timer);
      kept.prediction.status = "canceled";
    }
    return Response.json(kept.prediction);
  }

  async #create(pathname: string, body: Record<string, unknown>): Promise<Response> {
    const life = this.#lives.shift() ?? this.#otherwise;
    if (life.status || life.raw !== undefined || life.hangs) return await this.#answer(life);
    const { version, input, webhook } = body;
    const [, model = null] = /^\/v1\/models\/([^/]+\/[^/]+)\/predictions$/.exec(pathname) ?? [];
    const prediction: TestPrediction = {
      id: crypto.randomUUID().replaceAll("-", ""),
      status: "starting",
      model,
      version: typeof version === "string" ? version : null,
      input: Object(input),
      output: null,
      error: null,
      metrics: {},
      webhook: typeof webhook === "string" ? webhook : null,
    };
    const kept: Kept = { prediction, life };
    this.#kept.set(prediction.id, kept);
    const answer = { ...prediction };
    if (life.webhook === "before_answer") await this.finish(prediction.id);
    else if (life.runsMs !== undefined) {
      kept.timer = setTimeout(() => this.#track(this.finish(prediction.id)), life.runsMs);
    }
    return await this.#answer(life, answer);
  }

  async #answer(trouble: Life, prediction?: TestPrediction): Promise<Response> {
    const { status, detail = "It went wrong", headers = {}, raw, hangs, cut, delayMs = 0 } =
      trouble;
    if (hangs) await this.#stopped.promise;
    if (delayMs > 0) await new Promise((done) => setTimeout(done, delayMs));
    const type = { "content-type": "application/json", ...headers };
    if (status) {
      return new Response(raw ?? JSON.stringify({ detail, status }), { status, headers: type });
    }
    const whole = raw ?? JSON.stringify(prediction);
    return new Response(cut ? cutAfter(whole.slice(0, whole.length / 2)) : whole, {
      headers: type,
    });
  }

  #track(work: Promise<unknown>): void {
    const watched = work.catch(() => {}).finally(() => this.#sending.delete(watched));
    this.#sending.add(watched);
  }

  async stop(): Promise<void> {
    this.#stopped.resolve();
    for (const { timer } of this.#kept.values()) clearTimeout(timer);
    await Promise.all(this.#sending);
    await this.#server.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts one; it stops at the end of the scope. */
export const startReplicate = (options?: ReplicateOptions) => new TestReplicate(options);

const OTHER_SECRET = `whsec_${btoa("a secret of somebody else's")}`;

const isRunning = ({ status }: TestPrediction) => status === "starting" || status === "processing";

/** The headers of a webhook. */
export function signed(secret: string, body: string, at = new Date(), id = "msg_1") {
  return {
    "webhook-id": id,
    "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
}

function cutAfter(text: string) {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (text) controller.enqueue(new TextEncoder().encode(text));
      text = "";
      await new Promise((done) => setTimeout(done, 20));
      controller.error(new Error("cut"));
    },
  });
}
