/** Where the outbox delivers to: an external HUB, and the operator's webhook for notices. */
import { Buffer } from "node:buffer";
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { Environment } from "./deps.ts";
import { text } from "./fields.ts";
import { causeOf } from "./providers/failures.ts";

/** What is delivered: the same body under the same id, however often. */
export interface Delivery {
  id: string;
  payload: unknown;
}

/** What became of an attempt to deliver. */
export interface Attempt {
  outcome: "delivered" | "failed";
  /** Why it failed: for the operator, without secrets. */
  error?: string;
  /** What the receiver asked for. */
  retry_after_seconds?: number | undefined;
  /** What the HUB calls the token. */
  hub_id?: string | undefined;
}

/** Somewhere to deliver to. */
export interface Destination {
  /** An attempt takes no longer. */
  timeoutMs: number;
  /** Attempts to deliver; never throws. */
  deliver(delivery: Delivery): Promise<Attempt>;
}

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;
const DAY_SECONDS = 86_400;

/**
 * Makes the way to the HUB from HUB_URL, HUB_API_KEY and HUB_TIMEOUT_MS; undefined without the first.
 *
 * @throws {Error} when they cannot be used.
 */
export function hubDestination(env: Environment): Destination | undefined {
  const url = readUrl(env, "HUB_URL");
  if (!url) return undefined;
  const key = env.get("HUB_API_KEY");
  if (key && !/^[\x21-\x7e]+$/.test(key)) {
    throw new Error("HUB_API_KEY must be of printable ASCII characters without spaces");
  }
  const timeoutMs = readTimeout(env);
  return {
    timeoutMs,
    deliver: ({ id, payload }) =>
      post(url, JSON.stringify(payload), timeoutMs, {
        "idempotency-key": id,
        ...(key ? { authorization: `Bearer ${key}` } : {}),
      }),
  };
}

/**
 * Makes the way to the operator's webhook from NOTICE_WEBHOOK_URL and NOTICE_WEBHOOK_SECRET; undefined without the first.
 * Deliveries are signed as Standard Webhooks are.
 *
 * @throws {Error} when they cannot be used.
 */
export function webhookDestination(env: Environment): Destination | undefined {
  const url = readUrl(env, "NOTICE_WEBHOOK_URL");
  if (!url) return undefined;
  const secret = env.get("NOTICE_WEBHOOK_SECRET") ?? "";
  if (!isSigningSecret(secret)) {
    throw new Error("NOTICE_WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64");
  }
  const signer = new Webhook(secret);
  return {
    timeoutMs: TIMEOUT_MS,
    deliver: ({ id, payload }) => {
      const body = JSON.stringify(payload);
      const now = new Date();
      return post(url, body, TIMEOUT_MS, {
        "webhook-id": id,
        "webhook-timestamp": `${Math.floor(now.getTime() / 1000)}`,
        "webhook-signature": signer.sign(id, now, body),
      });
    },
  };
}

// None of the messages has the value: URLs may hold keys.
function readUrl(env: Environment, name: string): string | undefined {
  const value = env.get(name);
  if (!value) return undefined;
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Error(`${name} must be a URL with http or https`);
  }
  if (url.username || url.password) throw new Error(`${name} must have no user and no password`);
  return url.href;
}

function readTimeout(env: Environment): number {
  const value = env.get("HUB_TIMEOUT_MS");
  if (!value) return TIMEOUT_MS;
  const timeoutMs = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
  if (timeoutMs >= 100 && timeoutMs <= 60_000) return timeoutMs;
  throw new Error("HUB_TIMEOUT_MS must be a whole number from 100 to 60000");
}

function isSigningSecret(secret: string): boolean {
  const base64 = /^whsec_((?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?)$/.exec(
    secret,
  )?.[1];
  const { length } = Buffer.from(base64 ?? "", "base64");
  return length >= 24 && length <= 64;
}

async function post(
  url: string,
  body: string,
  timeoutMs: number,
  headers: Record<string, string>,
): Promise<Attempt> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "user-agent": "scrip" },
      body,
      // What is configured is told, and nobody else.
      redirect: "manual",
      // For the body as well.
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return {
        outcome: "failed",
        error: `The answer was ${response.status}`,
        retry_after_seconds: retryAfter(response.headers.get("retry-after")),
      };
    }
    return { outcome: "delivered", hub_id: hubIdOf(await readStart(response)) };
  } catch (error) {
    return { outcome: "failed", error: reasonOf(error, timeoutMs) };
  }
}

/** The body as text; of one that is too long, its beginning. */
async function readStart(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}

const Answer = z.object({ hub_id: text(1, 255) });

function hubIdOf(body: string): string | undefined {
  try {
    return Answer.safeParse(JSON.parse(body)).data?.hub_id;
  } catch {
    return undefined;
  }
}

/** Seconds, from either form of the header. */
function retryAfter(header: string | null): number | undefined {
  const seconds = /^\d{1,9}$/.test(header ?? "")
    ? Number(header)
    : Math.ceil((Date.parse(header ?? "") - Date.now()) / 1000);
  return seconds > 0 ? Math.min(seconds, DAY_SECONDS) : undefined;
}

// What fetch says in full names the URL.
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `No answer within ${timeoutMs} ms`;
  }
  const cause = causeOf(error);
  return cause ? `The connection failed: ${cause}` : "The connection failed";
}
