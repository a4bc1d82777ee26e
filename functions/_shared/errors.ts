/** What callers are told when a request fails: always `{code, message, details, hint}`. */
import { errorCodes } from "./error-codes.ts";

/** A code of the registry. */
export type ErrorCode = keyof typeof errorCodes;

/** The body of every error answer, the same as PostgREST's. */
export interface ErrorBody {
  code: string;
  message: string;
  details: string | null;
  hint: string | null;
}

/** An error that is meant for the caller; all others are answered as an opaque 500. */
export class ScripError extends Error {
  override name = "ScripError";

  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly headers: Record<string, string> = {},
    options?: ErrorOptions,
  ) {
    super(body.message, options);
  }
}

/** What an error may carry besides its code and message. */
export interface ErrorExtras {
  details?: string | undefined;
  /** What the caller can do about it. */
  hint?: string;
  headers?: Record<string, string>;
  /** Why, for the log alone. */
  cause?: unknown;
}

/** Makes an error of the registry. */
export function scripError(code: ErrorCode, message: string, extras: ErrorExtras = {}): ScripError {
  const { details = null, hint = null, headers, cause } = extras;
  const body = { code, message, details, hint };
  return new ScripError(errorCodes[code].status, body, headers, { cause });
}

/** The answer to a failed request. */
export function toResponse(error: unknown, requestId: string): Response {
  const told = error instanceof ScripError
    ? error
    : scripError("internal_error", "Scrip failed", { details: `x-request-id: ${requestId}` });
  return Response.json(told.body, { status: told.status, headers: told.headers });
}
