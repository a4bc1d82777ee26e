/** The one address of the stack: paths and headers as on Supabase. */
import type { StandIn } from "./receivers.ts";

/** What the gateway forwards to. */
export interface Backends {
  /** The address of the REST and auth server, or undefined while it is down. */
  api(): string | undefined;
  /** The address of the function host, or undefined while it is down. */
  functions(): string | undefined;
  /** The address of the stand-in for Stripe, undefined while it is down; absent with a real key. */
  stripe?: () => string | undefined;
  /** The stand-ins inside this process, by their path. */
  standIns: ReadonlyMap<string, StandIn>;
  /** The functions that exist. */
  functionNames: ReadonlySet<string>;
}

const ALLOWED_HEADERS = [
  "authorization",
  "x-client-info",
  "apikey",
  "content-type",
  "idempotency-key",
  "x-request-id",
  "prefer",
  "accept-profile",
  "content-profile",
  "range",
  "range-unit",
  "x-supabase-api-version",
];

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-request-id, retry-after, content-range, content-location",
};

const PREFLIGHT = {
  ...CORS,
  "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
  "access-control-allow-headers": ALLOWED_HEADERS.join(", "),
  "access-control-max-age": "86400",
};

// They describe one connection, not the message. (RFC 9110, section 7.6.1)
const HOP_BY_HOP = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

function failure(status: number, code: string, message: string, headers = {}): Response {
  return Response.json({ code, message, details: null, hint: null }, {
    status,
    headers: { ...CORS, "x-request-id": crypto.randomUUID(), ...headers },
  });
}

const unavailable = (part: string) =>
  failure(503, "service_unavailable", `The ${part} is restarting`, { "retry-after": "1" });

async function forward(
  request: Request,
  target: string,
  part: string,
  peer: string,
): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const name of HOP_BY_HOP) headers.delete(name);
  // The true peer replaces what a client claims: rate limits rely on it.
  headers.set("x-forwarded-for", peer);
  headers.set("x-forwarded-host", new URL(request.url).host);
  headers.set("x-forwarded-proto", "http");
  // fetch() would unpack a compressed answer and leave its headers as they were.
  headers.set("accept-encoding", "identity");
  try {
    return await fetch(target, {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
      signal: request.signal,
    });
  } catch (error) {
    if (request.signal.aborted) throw error;
    return unavailable(part);
  }
}

function withCors(response: Response): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(CORS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

/** Where checkouts lead back to, as long as there is no web app. */
function greet(checkout: string | null): Response {
  const news = checkout === "success"
    ? "The checkout is paid: the tokens are in the balance.\n"
    : checkout === "cancelled"
    ? "The checkout was cancelled: nothing is paid.\n"
    : "";
  return new Response(`Scrip is running.\n${news}`);
}

// What customers see of the stand-in for Stripe. Its API and its controls are for this machine's processes.
const STRIPE_PAGE = /^\/stand-in\/(checkout|portal)\/\w+$/;

async function route(request: Request, backends: Backends, peer: string): Promise<Response> {
  const { pathname, search, searchParams } = new URL(request.url);
  if (pathname === "/") return greet(searchParams.get("checkout"));
  const [, service, version, name = ""] = pathname.split("/");
  if (version === "v1" && (service === "rest" || service === "auth")) {
    if (request.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    const origin = backends.api();
    if (!origin) return unavailable("API server");
    return withCors(await forward(request, origin + pathname + search, "API server", peer));
  }
  if (version === "v1" && service === "functions") {
    if (!backends.functionNames.has(name)) {
      return failure(404, "not_found", `There is no function \`${name}\``);
    }
    const origin = backends.functions();
    if (!origin) return unavailable("function host");
    // Here as on hosted Supabase, a function sees its own name first, and answers CORS itself.
    const path = pathname.slice("/functions/v1".length);
    return await forward(request, origin + path + search, "function host", peer);
  }
  const standIn = backends.standIns.get(pathname);
  if (standIn) return await standIn(request);
  if (backends.stripe && STRIPE_PAGE.test(pathname)) {
    const origin = backends.stripe();
    if (!origin) return unavailable("stand-in for Stripe");
    return await forward(request, origin + pathname, "stand-in for Stripe", peer);
  }
  return failure(404, "not_found", `There is nothing at ${pathname}`);
}

/**
 * Serves the gateway on loopback.
 *
 * @throws {Deno.errors.AddrInUse} when the port is taken.
 */
export function serveGateway(port: number, backends: Backends): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    (request, info) =>
      route(request, backends, info.remoteAddr.hostname).catch((error) => {
        if (request.signal.aborted) return new Response(null, { status: 499 });
        throw error;
      }),
  );
}
