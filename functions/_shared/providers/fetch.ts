/** Requests to providers, repeated where that starts nothing twice. */
import { causeOf, sleep } from "./failures.ts";

const ATTEMPTS = 4;
const RETRY_MS = 500;
const MAX_RETRY_MS = 20_000;

/** How {@link send} sends. */
interface SendOptions {
  /** By default four. */
  attempts?: number | undefined;
  /** The longest that one attempt may take; without it, what the signal says. */
  timeoutMs?: number;
}

/**
 * Sends a request, again when the provider is busy or wasn't reached, as late as it asks, up to 20 seconds. A read is sent
 * again as well when the provider or the connection failed.
 *
 * @returns the last answer, also when it is an error or a redirect: who is configured is told, and nobody else.
 * @throws what fetch throws, or the signal aborts with.
 */
export async function send(
  url: string | URL | Request,
  init: RequestInit = {},
  { attempts = ATTEMPTS, timeoutMs }: SendOptions = {},
): Promise<Response> {
  const isRead = init.method === "GET";
  const ended = init.signal ?? new AbortController().signal;
  for (let attempt = 1;; attempt++) {
    const isLast = attempt === attempts;
    const limits = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
    const signal = AbortSignal.any([ended, ...limits]);
    const response = await fetch(url, { ...init, redirect: "manual", signal }).catch((error) => {
      if (isLast || ended.aborted || !(isRead || isUnsent(error))) throw error;
      return undefined;
    });
    const wait = retryAfter(response) ?? RETRY_MS * 2 ** (attempt - 1);
    if (response && (isLast || !isBusy(response, isRead) || wait > MAX_RETRY_MS)) return response;
    await response?.body?.cancel();
    await sleep(wait, ended);
  }
}

const isUnsent = (error: unknown) => /refused|dns/.test(causeOf(error) ?? "");

const isBusy = ({ status }: Response, isRead: boolean) =>
  status === 429 || status === 503 || isRead && status >= 500;

/** In milliseconds, from OpenAI's own header or either form of the usual one. */
function retryAfter(response: Response | undefined): number | undefined {
  const [exact = "", usual = ""] = ["retry-after-ms", "retry-after"]
    .map((name) => response?.headers.get(name) ?? "");
  const isNumber = (text: string) => /^\d{1,9}$/.test(text);
  if (isNumber(exact)) return Number(exact);
  const ms = isNumber(usual) ? Number(usual) * 1000 : Date.parse(usual) - Date.now();
  return ms >= 0 ? ms : undefined;
}
