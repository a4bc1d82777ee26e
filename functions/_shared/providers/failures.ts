/** Why providers fail, in words that are fit for users, and waiting that a signal ends. */
import { z } from "zod";
import { ProviderError } from "./provider.ts";

const MAX_REASON = 500;

/** What a provider says to a key that it doesn't take, which is nothing for users to read. */
const REFUSED_KEY = "The provider refuses the deployment's credentials";

/** Makes text what Postgres stores: without NUL, and without halves of surrogate pairs. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD");

/** The beginning of a text for the list of calls, which redacts it before it is cut to its length. */
export const excerpt = (text: string): string => storable(text.slice(0, 1000)).trim();

/** An error for the user: a provider's words, without the key, cut to 500 characters. */
export function providerError(reason: string, key: string | undefined, cause?: unknown) {
  return new ProviderError(reasonFor(reason, key), { cause });
}

/** A provider's words, without the key, cut to 500 characters. */
export function reasonFor(text: string, key: string | undefined): string {
  const words = key ? text.replaceAll(key, "[redacted]") : text;
  return storable([...words.slice(0, 2 * MAX_REASON)].slice(0, MAX_REASON).join(""));
}

/** The reason for an answer that is an error, with what its body says. */
export const refusal = (status: number, said: string): string =>
  status === 401 || status === 403
    ? REFUSED_KEY
    : `The provider answers ${status}${said.trim() ? `: ${said.trim()}` : ""}`;

const CAUSES =
  /connection (?:refused|reset|closed)|dns error|certificate|unreachable|reading a body/i;

/** Why a connection failed, if that is known. What fetch says in full names the URL, which may hold a key. */
export function causeOf(error: unknown): string | undefined {
  const said = error instanceof Error ? `${error} ${error.cause}` : "";
  return CAUSES.exec(said)?.[0].toLowerCase();
}

/** The error for the user: of an answer that makes no sense or is nested too deeply, or else of the connection. */
export function failureOf(error: unknown, key: string | undefined): ProviderError {
  if (error instanceof ProviderError) return error;
  const nonsense = [z.ZodError, SyntaxError, RangeError];
  if (nonsense.some((kind) => error instanceof kind)) {
    return providerError("The provider's answer is malformed", key, error);
  }
  const cause = causeOf(error);
  const reason = `The connection to the provider failed${cause ? `: ${cause}` : ""}`;
  return providerError(reason, key, error);
}

/**
 * The key that a variable holds.
 *
 * @throws {ProviderError} when it is missing or no header can carry it: what fetch says of that shows the key.
 */
export function requireKey(service: string, variable: string, key: string | undefined): string {
  const isKey = /^[\x21-\x7e]+$/.test(key ?? "");
  if (key && isKey) return key;
  const problem = key ? "has characters that no key has" : "is missing";
  throw new ProviderError(`${service} is not configured: ${variable} ${problem}`);
}

/**
 * Waits.
 *
 * @throws what the signal aborts with.
 */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  // Not timers/promises': hosted Deno does not end those by a signal.
  const timer = setTimeout(wake, ms);
  signal.addEventListener("abort", wake);
  if (!signal.aborted) await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", wake);
  signal.throwIfAborted();
}
