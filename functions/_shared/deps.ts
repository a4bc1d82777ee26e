/** What routes need, made from the environment. Tests make their own. */
import { createLocalJWKSet, createRemoteJWKSet } from "jose";
import { z } from "zod";
import { type AuthOptions, createVerify, type Verify } from "./auth.ts";
import { connect, oneRow, type Rpc, type RpcOne } from "./database.ts";
import { type Destination, hubDestination, webhookDestination } from "./destinations.ts";
import { ecbRates, type RateSource } from "./ecb.ts";
import { type LogEntry, traceOf } from "./http.ts";
import { type Providers, providersOf } from "./providers/providers.ts";
import { type StripeAccess, stripeAccess } from "./stripe.ts";

/** What routes need. */
export interface Deps {
  verify: Verify;
  rpc: Rpc;
  rpcOne: RpcOne;
  stripe: StripeAccess;
  /** Who runs models. */
  providers: Providers;
  /** The HUB, if there is one. */
  hub: Destination | undefined;
  /** The operator's webhook for notices, if there is one. */
  noticeWebhook: Destination | undefined;
  /** The European Central Bank's rates. */
  ecb: RateSource;
  /** Lets work go on after the answer; nobody waits for it, and it may be cut short. */
  background: (work: Promise<unknown>) => void;
  log: (entry: LogEntry) => void;
}

declare global {
  // Supabase's edge runtime has it.
  var EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;
}

let shared: Deps | undefined;
let sharedStripe: StripeAccess | undefined;
let sharedProviders: Providers | undefined;

/** The dependencies of this process; functions that live in one share its connections. */
export const dependencies = (): Deps => shared ??= fromEnvironment();

function fromEnvironment(): Deps {
  const { rpc } = connect({
    url: required(Deno.env, "SUPABASE_DB_URL"),
    poolSize: z.coerce.number().int().min(1).parse(Deno.env.get("DB_POOL_SIZE") ?? 4),
    prepare: Deno.env.get("DB_PREPARE") !== "false",
  });
  return {
    verify: createVerify(authOptions(Deno.env)),
    rpc,
    rpcOne: oneRow(rpc),
    // Read by those who need it: a mistake in its variables leaves the other functions alone.
    get stripe() {
      return sharedStripe ??= stripeAccess(Deno.env);
    },
    get providers() {
      return sharedProviders ??= providersOf(Deno.env);
    },
    get hub() {
      return hubDestination(Deno.env);
    },
    get noticeWebhook() {
      return webhookDestination(Deno.env);
    },
    get ecb() {
      return ecbRates(Deno.env);
    },
    background: createBackground(log),
    log,
  };
}

// deno-lint-ignore no-console -- the platform's log is what is written to the console
const log = (entry: LogEntry) => console.log(JSON.stringify(entry));

/** Makes what lets work go on after the answer, and tells when it fails. */
export const createBackground = (log: Deps["log"]): Deps["background"] => (work) => {
  const started = performance.now();
  const watched = work.catch((failure) =>
    log({
      time: new Date().toISOString(),
      level: "error",
      request_id: crypto.randomUUID(),
      function: "background",
      operation: null,
      user_id: null,
      caller: null,
      status: 500,
      outcome: "internal_error",
      duration_ms: Math.round(performance.now() - started),
      error: traceOf(failure),
    })
  );
  // Without it, as in Deno itself, the process lives on anyway.
  globalThis.EdgeRuntime?.waitUntil(watched);
};

/** Where variables come from. */
export interface Environment {
  get(name: string): string | undefined;
}

/** What callers are checked against, by the variables that Supabase sets and JWT_SECRET. */
export function authOptions(env: Environment): AuthOptions {
  const url = required(env, "SUPABASE_URL");
  const keys = z.record(z.string(), z.string().min(1))
    .parse(JSON.parse(env.get("SUPABASE_SECRET_KEYS") ?? "{}"));
  const legacy = env.get("SUPABASE_SERVICE_ROLE_KEY");
  return {
    issuer: `${url}/auth/v1`,
    secretKeys: [...Object.values(keys), ...(legacy ? [legacy] : [])],
    ...tokenKeys(env, url),
  };
}

/** Which key signs tokens is configured: hosted projects publish theirs, others share a secret. */
function tokenKeys(env: Environment, url: string): Pick<AuthOptions, "getKey" | "algorithms"> {
  const secret = env.get("JWT_SECRET");
  if (secret) {
    const key = new TextEncoder().encode(secret);
    return { getKey: () => key, algorithms: ["HS256"] };
  }
  const jwks = env.get("SUPABASE_JWKS");
  const getKey = jwks
    ? createLocalJWKSet(JSON.parse(jwks))
    : createRemoteJWKSet(new URL(`${url}/auth/v1/.well-known/jwks.json`));
  return { getKey, algorithms: ["ES256", "RS256"] };
}

function required(env: Environment, name: string): string {
  const value = env.get(name);
  if (!value) throw new Error(`The environment lacks ${name}`);
  return value;
}
