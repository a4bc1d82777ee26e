/** The one door: routes, CORS, request ids, bodies, and a log line a request. */
import { Buffer } from "node:buffer";
import { z } from "zod";
import { type Caller, callerOf } from "./auth.ts";
import type { Deps } from "./deps.ts";
import { ScripError, scripError, toResponse } from "./errors.ts";
import { Id, OperationId } from "./fields.ts";
import { parseJson } from "./numbers.ts";

/** The parts of the path that the route names, such as `user_id`. */
export type Params = Record<string, string | undefined>;

/** A route: what it needs, then what it does. */
export type Route = (deps: Deps) => (request: Request, params: Params) => Promise<Response>;

/** Routes by method and path below the function, such as `POST /charge` or `GET /users/:user_id`. */
export type Routes = Record<`${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`, Route>;

/** A line of the log; never a body, key, token or code. */
export interface LogEntry {
  time: string;
  level: "info" | "error";
  request_id: string;
  function: string;
  /** The route, or null when there is none. */
  operation: string | null;
  /** Whose tokens: the user who calls, or the one whom a backend or an admin names. */
  user_id: string | null;
  caller: string | null;
  status: number;
  /** `ok` or the code of the error. */
  outcome: string;
  duration_ms: number;
  /** Why Scrip failed. */
  error?: string;
}

// Hosted Supabase leaves CORS to functions.
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-request-id, retry-after, content-disposition",
};
const PREFLIGHT = {
  "access-control-allow-headers":
    "authorization, x-client-info, apikey, content-type, idempotency-key, x-request-id",
  "access-control-max-age": "86400",
};

const MAX_BODY_BYTES = 65_536;

/** Makes a function's handler for `Deno.serve`. */
export function createHandler(name: string, routes: Routes, deps: Deps) {
  const table = Object.entries(routes).map(([operation, route]) => {
    const [method = "", path = ""] = operation.split(" ");
    const pathname = `/${name}${path.replace(/\/$/, "")}{/}?`;
    return { operation, method, pattern: new URLPattern({ pathname }), handle: route(deps) };
  });

  function find(request: Request) {
    const found = table.flatMap((route) => {
      const match = route.pattern.exec(request.url);
      return match ? [{ ...route, params: match.pathname.groups }] : [];
    });
    const allow = [...new Set(found.map(({ method }) => method)), "OPTIONS"].join(", ");
    return { found, allow, route: found.find(({ method }) => method === request.method) };
  }

  async function answer(request: Request, { found, allow, route }: ReturnType<typeof find>) {
    if (request.method === "OPTIONS") {
      const headers = { ...PREFLIGHT, "access-control-allow-methods": allow };
      return new Response(null, { status: 204, headers });
    }
    if (found.length === 0) throw scripError("not_found", "There is no such route");
    if (!route) {
      const message = `The method must be ${allow}, got ${request.method}`;
      throw scripError("method_not_allowed", message, { headers: { allow } });
    }
    return await route.handle(request, route.params);
  }

  return async (request: Request): Promise<Response> => {
    const started = performance.now();
    const requestId = requestIdOf(request);
    const match = find(request);
    let outcome = "ok";
    let error: string | undefined;
    const response = await answer(request, match).catch((failure) => {
      outcome = failure instanceof ScripError ? failure.body.code : "internal_error";
      error = traceOf(failure);
      return toResponse(failure, requestId);
    });
    const cacheControl = response.headers.get("cache-control") ?? "no-store";
    const headers = { ...CORS, "x-request-id": requestId, "cache-control": cacheControl };
    for (const [header, value] of Object.entries(headers)) response.headers.set(header, value);

    const caller = callerOf(request);
    const failed = response.status >= 500;
    const entry: LogEntry = {
      time: new Date().toISOString(),
      level: failed ? "error" : "info",
      request_id: requestId,
      function: name,
      operation: match.route?.operation ?? null,
      user_id: subjectOf(request, match.route?.params, caller),
      caller: caller?.kind ?? null,
      status: response.status,
      outcome,
      duration_ms: Math.round((performance.now() - started) * 10) / 10,
      ...(failed && error !== undefined ? { error } : {}),
    };
    deps.log(entry);
    const tell = (alert: string) =>
      deps.log({ ...entry, time: new Date().toISOString(), level: "error", error: alert });
    alerts.get(request)?.forEach(tell);
    answered.set(request, tell);
    return response;
  };
}

/** Whose tokens a request was about, as far as that was checked. */
function subjectOf(request: Request, params: Params | undefined, caller: Caller | undefined) {
  if (caller?.kind === "user") return caller.userId;
  const named = subjects.get(request) ?? Id.safeParse(params?.["user_id"]).data;
  return named ?? (caller?.kind === "admin" ? caller.userId : null);
}

// The users whom requests name in their bodies and queries.
const subjects = new WeakMap<Request, string>();

/** Remembers for the log whom a checked request is about: the `user_id` of a value. */
export function noteSubject<T>(request: Request, value: T): T {
  const { user_id } = Object(value);
  if (typeof user_id === "string") subjects.set(request, user_id);
  return value;
}

const alerts = new WeakMap<Request, string[]>();

// Work in the background goes on after the answer.
const answered = new WeakMap<Request, (alert: string) => void>();

/** Adds a line to the log that a person should read, though the request need not have failed. */
export function alertOperator(request: Request, text: string): void {
  const tell = answered.get(request);
  if (tell) tell(text);
  else alerts.set(request, [...alerts.get(request) ?? [], text]);
}

function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id") ?? "";
  return /^[\w.:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

const MAX_CAUSES = 5;
// Of addresses the host is told, since the rest may hold a key.
const ADDRESS = /\b(?!file:)(\w+:\/\/)(?:[^\s"'()]*@)?([^\s/?#"'()]*)[^\s"'()]*/g;
const KEY =
  /\b(?:(?:sk|pk|rk|r8|hf|gsk|xai|whsec|sb_secret)[-_][\w-]{6,}|AIza[\w-]{12,}|eyJ[\w.-]{10,}|[\w-]{40,})/g;

/** Why something failed, with the causes of that, for the log: without what looks like a key. */
export function traceOf(failure: unknown): string {
  const traces: string[] = [];
  let cause = failure instanceof ScripError ? failure.cause ?? failure : failure;
  while (cause !== undefined && traces.length < MAX_CAUSES) {
    traces.push(cause instanceof Error ? cause.stack ?? cause.message : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return traces.join("\nCaused by: ").replace(ADDRESS, "$1$2").replace(KEY, "[redacted]");
}

/** A JSON answer. */
export const json = (body: unknown): Response => Response.json(body);

/** An event of an answer that is streamed: its name, and its data as JSON. */
export type StreamEvent = readonly [name: string, data: unknown];

/**
 * Answers with server-sent events, each made when the caller is ready for it. The request's line of the log is written at
 * the first of them: {@link alertOperator} tells of what fails later.
 *
 * @param next gives the next event; undefined is the end.
 * @param leave is called when the caller is gone.
 */
export function eventStream(
  next: () => Promise<StreamEvent | undefined>,
  leave: () => void,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const event = await next();
      if (event === undefined) return controller.close();
      const [name, data] = event;
      controller.enqueue(encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
    },
    cancel: leave,
  }, { highWaterMark: 0 });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      // No proxy may compress it, hence hold it back.
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

/** A page of a list, of rows that are one more than `limit` when there is a next page. */
export function page<T>(rows: T[], limit: number, cursorOf: (last: T) => string): Response {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return json({ data, next: last && rows.length > limit ? cursorOf(last) : null });
}

/** How {@link readJson} reads. */
export interface ReadOptions {
  /** The longest body, in bytes. */
  maxBytes?: number;
  /** What no body stands for; without it there must be one. */
  empty?: unknown;
}

/**
 * Reads a JSON body; numbers that JSON would round are refused.
 *
 * @throws {ScripError} `invalid_request`, naming each field that is wrong.
 */
export async function readJson<S extends z.ZodType>(
  request: Request,
  schema: S,
  { maxBytes = MAX_BODY_BYTES, empty }: ReadOptions = {},
): Promise<z.output<S>> {
  const text = await readText(request, maxBytes);
  if (text === "" && empty !== undefined) return parse(schema, empty);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof RangeError) {
      throw scripError("invalid_request", "body: must not be nested so deeply");
    }
    throw scripError("invalid_request", `body: ${text === "" ? "is required" : "must be JSON"}`);
  }
  return noteSubject(request, parse(schema, value));
}

/**
 * Reads a body as it came. Counts while reading: a length that the client states proves nothing.
 *
 * @throws {ScripError} `invalid_request` when it is longer than that, or not UTF-8.
 */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw scripError("invalid_request", `body: must be at most ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw scripError("invalid_request", "body: must be UTF-8");
  }
}

/**
 * Reads the query of a URL.
 *
 * @throws {ScripError} `invalid_request`, naming each parameter that is wrong.
 */
export function readQuery<S extends z.ZodType>(request: Request, schema: S): z.output<S> {
  const { searchParams } = new URL(request.url);
  const seen = new Set<string>();
  for (const key of searchParams.keys()) {
    if (seen.has(key)) throw scripError("invalid_request", `${shown(key)}: must be given once`);
    seen.add(key);
  }
  return noteSubject(request, parse(schema, Object.fromEntries(searchParams)));
}

const MAX_PROBLEMS = 20;

/**
 * Checks a value against a schema.
 *
 * @throws {ScripError} `invalid_request`, naming each field that is wrong.
 */
export function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const { success, data, error } = schema.safeParse(value, {
    error: (issue) => {
      if (issue.input === undefined) return "is required";
      return issue.code === "invalid_type" ? `must be of type ${issue.expected}` : undefined;
    },
  });
  if (success) return data;
  const problems = new Set(
    error.issues.slice(0, MAX_PROBLEMS).flatMap((issue) => {
      const name = (...more: string[]) => shown([...issue.path, ...more].join(".") || "body");
      return issue.code === "unrecognized_keys"
        ? issue.keys.slice(0, MAX_PROBLEMS).map((key) =>
          `${name(key)}: is not a field of this request`
        )
        : [`${name()}: ${issue.message}`];
    }),
  );
  const [first = "body: is not valid"] = problems;
  throw scripError("invalid_request", first, {
    details: [...problems].slice(0, MAX_PROBLEMS).join("; "),
  });
}

const shown = (name: string) => name.slice(0, 100);

/**
 * The id of an operation: the header `Idempotency-Key`, or the body's `operation_id`.
 *
 * @throws {ScripError} `invalid_request` when there is none and no fallback, or two that differ.
 */
export function operationId(request: Request, inBody?: string, fallback?: string): string {
  const header = request.headers.get("idempotency-key") ?? undefined;
  if (header !== undefined && inBody !== undefined && header !== inBody) {
    throw scripError("invalid_request", "operation_id: must be the same as Idempotency-Key");
  }
  return parse(z.object({ operation_id: OperationId }), {
    operation_id: header ?? inBody ?? fallback,
  }).operation_id;
}
