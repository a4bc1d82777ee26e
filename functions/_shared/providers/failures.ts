/** Why providers fail, in words that are fit for users, and waiting that a signal ends. */
import { ProviderError } from "./provider.ts";

const MAX_REASON = 500;

/** What a provider says to a key that it doesn't take, which is nothing for users to read. */
export const REFUSED_KEY = "The provider refuses the deployment's credentials";

/** Makes text what Postgres stores: without NUL, and without halves of surrogate pairs. */
export const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD");

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

/** The reason for a connection that failed. What fetch says in full names the URL, which may hold a key. */
export function connectionFailure(error: unknown): string {
  const said = error instanceof Error ? `${error} ${error.cause}` : "";
  const cause = CAUSES.exec(said)?.[0].toLowerCase();
  return `The connection to the provider failed${cause ? `: ${cause}` : ""}`;
}

/**
 * What a promise gives, unless the signal aborts first: clients wait out a Retry-After whatever their signal says.
 *
 * @throws what the signal aborts with.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Waits.
 *
 * @throws what the signal aborts with.
 */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await unlessAborted(signal, promise);
  } finally {
    clearTimeout(timer);
  }
}
