/** What routes need, without a network. */
import { SignJWT } from "jose";
import { createVerify } from "../../functions/_shared/auth.ts";
import { oneRow, type Rpc } from "../../functions/_shared/database.ts";
import { authOptions, createBackground, type Deps } from "../../functions/_shared/deps.ts";
import { createHandler, type LogEntry, type Routes } from "../../functions/_shared/http.ts";
import type { Provider } from "../../functions/_shared/providers/provider.ts";
import { type Providers, providersOf } from "../../functions/_shared/providers/providers.ts";
import { type StripeAccess, stripeAccess } from "../../functions/_shared/stripe.ts";

export const URL_OF_PROJECT = "https://project.supabase.test";
export const JWT_SECRET = "a secret that only the tests' auth server and functions know";
export const SECRET_KEY = "sb_secret_of_the_tests";
export const USER = "6a0f5a1e-63a4-4c0b-9a56-4a5a3c1f7d11";
export const OTHER_USER = "0f0c9d5e-7a55-4d0e-8a39-5f3a0b9c2e22";

/** The environment of functions whose tokens are signed by a shared secret. */
export const environment = (more: Record<string, string> = {}) =>
  new Map(Object.entries({
    SUPABASE_URL: URL_OF_PROJECT,
    SUPABASE_SECRET_KEYS: JSON.stringify({ other: "sb_secret_other", default: SECRET_KEY }),
    ...more,
  }));

/** The claims of a user's token. */
export const claims = (more: Record<string, unknown> = {}) => ({
  iss: `${URL_OF_PROJECT}/auth/v1`,
  aud: "authenticated",
  role: "authenticated",
  sub: USER,
  exp: Math.floor(Date.now() / 1000) + 3600,
  ...more,
});

/** Signs a token with the shared secret. */
export const sign = (payload: Record<string, unknown>, secret = JWT_SECRET) =>
  new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));

/** Credentials, as headers. */
export const asSecret = { apikey: SECRET_KEY };
export const asUser = { authorization: `Bearer ${await sign(claims())}` };
export const asAdmin = {
  authorization: `Bearer ${await sign(claims({ app_metadata: { role: "admin" } }))}`,
};

/** A call of an SQL function. */
export interface Call {
  name: string;
  args: unknown;
}

/** Gives the rows of an SQL function, or throws. */
export type Answer = (call: Call) => unknown[];

const NO_STRIPE = stripeAccess(new Map());

/** Dependencies that note what is called and logged. */
export function fakeDeps(
  answer: Answer = () => [],
  stripe: StripeAccess = NO_STRIPE,
  destinations: Destinations = {},
) {
  const calls: Call[] = [];
  const log: LogEntry[] = [];
  const rpc: Rpc = async (name, args) => {
    // As the real one, it leaves out what is undefined.
    calls.push({ name, args: JSON.parse(JSON.stringify(args)) });
    return await JSON.parse(JSON.stringify(answer({ name, args })));
  };
  const deps: Deps = {
    verify: createVerify(authOptions(environment({ JWT_SECRET }))),
    rpc,
    rpcOne: oneRow(rpc),
    stripe,
    providers: destinations.providers ?? providersOf(new Map()),
    get hub() {
      return destinations.hub;
    },
    get noticeWebhook() {
      return destinations.noticeWebhook;
    },
    get ecb() {
      return destinations.ecb ?? { latest: () => Promise.reject(new Error("There is no bank")) };
    },
    background: createBackground((entry) => log.push(entry)),
    log: (entry) => log.push(entry),
  };
  return { deps, calls, log };
}

/**
 * Where the outbox delivers to, and the bank that is asked for rates; without these, nowhere. Who runs models; without
 * these, those of an empty environment.
 */
export type Destinations = Partial<Pick<Deps, "hub" | "noticeWebhook" | "ecb" | "providers">>;

/** What {@link sender} sends, and what the database and Stripe say. */
export interface Sent extends Destinations {
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is text. */
  body?: unknown;
  answer?: Answer;
  stripe?: StripeAccess;
  /** Aborts when the caller is gone. */
  signal?: AbortSignal;
}

/** Sends requests to a function's real routes. */
export function sender(name: string, routes: Routes) {
  return async (method: string, path: string, sent: Sent = {}) => {
    const { headers, body, answer, stripe, signal, ...destinations } = sent;
    const { deps, calls, log } = fakeDeps(answer, stripe, destinations);
    const request = new Request(`http://localhost/${name}${path}`, {
      method,
      ...(headers ? { headers } : {}),
      ...(signal ? { signal } : {}),
      ...(body === undefined ? {} : {
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    });
    return { response: await createHandler(name, routes, deps)(request), calls, log };
  };
}

/** What `crypto.randomUUID()` makes. */
export const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/;

export const RUN = "3b9d2c1e-8f47-4a6b-9c10-2d5e7f8a9b01";

/** A model of the catalogue. */
export const MODEL = {
  model: "m",
  kind: "text",
  provider: "fake",
  provider_model: "m-1",
  provider_version: null,
  base_url: null,
  api_key_variable: null,
  max_output_tokens: 100,
  timeout_seconds: 60,
  inline_seconds: 30,
  active: true,
};

/** Providers of which each is this one. */
export function fakeProviders(
  provider: Partial<Provider>,
  readWebhook: Providers["readWebhook"] = () => Promise.reject(new Error("There is no webhook")),
): Providers {
  const prepared = { atMost: { input_tokens: 1, output_tokens: 2 }, preview: "a preview" };
  const whole: Provider = {
    missingKey: () => undefined,
    prepare: () => prepared,
    run: () => Promise.reject(new Error("It cannot run")),
    ...provider,
  };
  return { get: () => Promise.resolve(whole), readWebhook };
}

/** A database with one run, which ends once; `first` answers before it does, or doesn't. */
export function fakeRuns(first: (call: Call) => unknown[] | undefined = () => undefined) {
  const run = {
    owner_id: USER,
    model: "m",
    run_status: "running",
    provider_run_id: null,
    result: null,
    reason: null,
    tokens_used: 0,
    remaining: 90,
    created_at: "2026-11-21T10:00:00.000000+00:00",
    expires_at: "2026-11-21T10:06:00.000000+00:00",
    finished_at: null,
  };
  const finish = (args: Call["args"]) => {
    const replayed = run.run_status !== "running";
    const { outcome, result = null, error = null } = Object(args);
    if (!replayed) {
      const tokens_used = outcome === "succeeded" ? 4 : 0;
      Object.assign(run, { run_status: outcome, result, reason: error, tokens_used });
      Object.assign(run, { remaining: 100 - tokens_used, finished_at: run.created_at });
    }
    return { ...run, overdrawn: false, replayed };
  };
  const start = { run_id: RUN, run_status: "running", tokens_reserved: 10, remaining: 90 };
  const answers: Record<string, (args: Call["args"]) => unknown> = {
    get_ai_model: () => MODEL,
    start_model_run: () => ({ ...start, replayed: run.run_status !== "running" }),
    start_run: () => ({ ...start, replayed: run.run_status !== "running" }),
    attach_provider_run: (args) => {
      const attached = run.run_status === "running";
      if (attached) Object.assign(run, { provider_run_id: Object(args).provider_run_id });
      return { attached };
    },
    finish_run: finish,
    get_run: () => run,
  };
  const answer: Answer = (call) => first(call) ?? [answers[call.name]?.(call.args)];
  return { run, answer };
}

/** What an error answers. */
export async function errorOf(response: Response) {
  const { code, message, details } = await response.json();
  return { status: response.status, code, message, details };
}
