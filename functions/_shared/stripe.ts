/** The way to Stripe: the client made from the environment, its errors made into the caller's. */
import { createHash } from "node:crypto";
import Stripe from "stripe";
import type { Environment } from "./deps.ts";
import { type ScripError, scripError } from "./errors.ts";

const { errors } = Stripe;

/** What routes need of Stripe. */
export interface StripeAccess {
  /**
   * Does something at Stripe.
   *
   * @throws {ScripError} as {@link translateStripe} makes it, or `provider_failed` without a key.
   */
  call<T>(work: (client: Stripe) => Promise<T>): Promise<T>;
  /** Whether the key, hence every event, is about real money. */
  livemode: boolean;
  /** The secrets that sign events: more than one while they are being replaced. */
  webhookSecrets: string[];
  /** Where checkouts may lead back to; by default to the first. */
  origins: string[];
}

const TIMEOUT_MS = 20_000;
const RETRIES = 2;

/**
 * Makes the way to Stripe from STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, CHECKOUT_ORIGINS and STRIPE_API_URL. All may
 * be missing: only what needs them fails.
 *
 * @throws {Error} when they cannot be used.
 */
export function stripeAccess(env: Environment): StripeAccess {
  const key = env.get("STRIPE_SECRET_KEY");
  const livemode = /^(?:sk|rk)_live_/.test(key ?? "");
  const apiUrl = env.get("STRIPE_API_URL");
  if (apiUrl && livemode) {
    throw new Error("STRIPE_API_URL is for the local stand-in: it must be unset with a live key");
  }
  const client = key ? createClient(key, apiUrl) : undefined;
  return {
    call: async (work) => {
      if (!client) throw notConfigured("STRIPE_SECRET_KEY");
      return await work(client).catch((error) => {
        throw translateStripe(error);
      });
    },
    livemode,
    webhookSecrets: listed(env.get("STRIPE_WEBHOOK_SECRET")),
    origins: listed(env.get("CHECKOUT_ORIGINS")).map(toOrigin),
  };
}

function createClient(key: string, apiUrl: string | undefined): Stripe {
  return new Stripe(key, {
    ...(apiUrl ? addressOf(new URL(apiUrl)) : {}),
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: RETRIES,
    timeout: TIMEOUT_MS,
    appInfo: { name: "Scrip" },
    telemetry: false,
  });
}

function addressOf({ protocol, hostname, port }: URL) {
  return protocol === "https:"
    ? { protocol: "https" as const, host: hostname, port: port || "443" }
    : { protocol: "http" as const, host: hostname, port: port || "80" };
}

const listed = (text = "") => text.split(",").map((item) => item.trim()).filter(Boolean);

/** Whether a browser may be sent there with the result of a payment: in clear to this machine only. */
export const isSafe = ({ protocol, hostname, username, password }: URL): boolean =>
  username === "" && password === "" &&
  (protocol === "https:" ||
    protocol === "http:" && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(hostname));

function toOrigin(text: string): string {
  const url = URL.parse(text);
  if (url && isSafe(url) && url.href === `${url.origin}/`) return url.origin;
  throw new Error(`CHECKOUT_ORIGINS must list origins such as https://app.example.com: ${text}`);
}

/** The error of a route whose part of the environment is missing. */
export const notConfigured = (name: string): ScripError =>
  scripError("provider_failed", `Stripe is not configured: ${name} is missing`);

const REFUSED_KEY = [errors.StripeAuthenticationError, errors.StripePermissionError];

/**
 * Makes what Stripe's library throws into an error for the caller; all else stays as it is.
 *
 * - `operation_id_reused` for an idempotency key that Stripe has seen with other parameters;
 * - `payment_method_required` for a card that was declined;
 * - `provider_failed` when Stripe refuses or cannot be reached.
 */
export function translateStripe(error: unknown): unknown {
  if (!(error instanceof errors.StripeError)) return error;
  if (error instanceof errors.StripeIdempotencyError) {
    const message = "This operation_id was used before with other arguments";
    return scripError("operation_id_reused", message, { cause: error });
  }
  if (error instanceof errors.StripeCardError) {
    return scripError("payment_method_required", withoutKeys(error.message), { cause: error });
  }
  if (error instanceof errors.StripeInvalidRequestError) {
    const message = `Stripe refuses: ${withoutKeys(error.message)}`;
    return scripError("provider_failed", message, { cause: error });
  }
  if (REFUSED_KEY.some((kind) => error instanceof kind)) {
    return scripError("provider_failed", "Stripe refuses the key of this project", {
      cause: error,
    });
  }
  return scripError("provider_failed", "Stripe cannot be reached, try again", {
    headers: { "retry-after": "5" },
    cause: error,
  });
}

// Stripe masks keys in its messages, but not wholly.
const withoutKeys = (text: string) => text.replace(/\b(?:sk|rk|pk|ek|whsec)_[\w*.]+/g, "(a key)");

/**
 * Stripe's idempotency key for something that a user's operation does there. The operation id is hashed, since it may
 * be longer than Stripe allows, and hold characters that no header carries.
 */
export const stripeKey = (what: string, userId: string, operationId: string): string =>
  `scrip-${what}-${userId}-${createHash("sha256").update(operationId).digest("hex")}`;
