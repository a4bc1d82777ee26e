/** What routes need, without a network. */
import { SignJWT } from "jose";
import { createVerify } from "../../functions/_shared/auth.ts";
import { oneRow, type Rpc } from "../../functions/_shared/database.ts";
import { authOptions, createBackground, type Deps } from "../../functions/_shared/deps.ts";
import { createHandler, type LogEntry, type Routes } from "../../functions/_shared/http.ts";
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
    get hub() {
      return destinations.hub;
    },
    get noticeWebhook() {
      return destinations.noticeWebhook;
    },
    background: createBackground((entry) => log.push(entry)),
    log: (entry) => log.push(entry),
  };
  return { deps, calls, log };
}

/** Where the outbox delivers to; without these, nowhere. */
export type Destinations = Partial<Pick<Deps, "hub" | "noticeWebhook">>;

/** What {@link sender} sends, and what the database and Stripe say. */
export interface Sent extends Destinations {
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is text. */
  body?: unknown;
  answer?: Answer;
  stripe?: StripeAccess;
}

/** Sends requests to a function's real routes. */
export function sender(name: string, routes: Routes) {
  return async (method: string, path: string, sent: Sent = {}) => {
    const { headers, body, answer, stripe, ...destinations } = sent;
    const { deps, calls, log } = fakeDeps(answer, stripe, destinations);
    const request = new Request(`http://localhost/${name}${path}`, {
      method,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : {
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    });
    return { response: await createHandler(name, routes, deps)(request), calls, log };
  };
}

/** What an error answers. */
export async function errorOf(response: Response) {
  const { code, message, details } = await response.json();
  return { status: response.status, code, message, details };
}
