/** Who is calling. */
import { createHash, timingSafeEqual } from "node:crypto";
import { errors, jwtVerify, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { ScripError, scripError } from "./errors.ts";
import { Id } from "./fields.ts";

/** A person, by the JWT of a session; an admin by its `app_metadata`, which users cannot edit. */
export interface User {
  kind: "user" | "admin";
  userId: string;
  /** Whom the journal names. */
  actor: string;
}

/** Another backend, by a secret key. */
export interface Secret {
  kind: "secret";
  /** Whom the journal names. */
  actor: string;
}

/** Who is calling. */
export type Caller = User | Secret;

/** Who may call: any user, a secret key's holder, an admin (or a secret key's holder). */
export type Who = "user" | "secret" | "admin";

/**
 * Finds out who is calling, and refuses those who may not.
 *
 * @throws {ScripError} `unauthorized` without valid credentials, `forbidden` with the wrong ones.
 */
export interface Verify {
  (request: Request, who: "user"): Promise<User>;
  (request: Request, ...who: Who[]): Promise<Caller>;
}

/** What callers are checked against. */
export interface AuthOptions {
  /** The issuer of the project's JWTs. */
  issuer: string;
  /** Gives the key of a JWT. */
  getKey: JWTVerifyGetKey;
  /** The algorithms of the keys: chosen here, never by the token. */
  algorithms: string[];
  /** The project's secret keys. */
  secretKeys: string[];
}

const SECRET: Secret = { kind: "secret", actor: "service_role" };

const Claims = z.object({
  sub: Id,
  role: z.literal("authenticated"),
  app_metadata: z.object({ role: z.unknown().optional() }).nullish(),
});

// Not the token's fault.
const KEYS_UNREACHABLE = ["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID"];

const callers = new WeakMap<Request, Caller>();

/** Who has been found to make this request, allowed or not. */
export const callerOf = (request: Request): Caller | undefined => callers.get(request);

/** Makes the check of a project's callers. */
export function createVerify({ issuer, getKey, algorithms, secretKeys }: AuthOptions): Verify {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  const hashes = secretKeys.map(hash);
  // All are compared, whichever it is: the time taken says nothing.
  const isSecretKey = (text: string | null | undefined) =>
    text ? hashes.filter((known) => timingSafeEqual(known, hash(text))).length > 0 : false;

  async function user(request: Request, token: string): Promise<User> {
    const { payload } = await jwtVerify(token, getKey, {
      algorithms,
      issuer,
      audience: "authenticated",
      requiredClaims: ["exp", "sub"],
    }).catch((error) => {
      throw tokenError(error);
    });
    const { data } = Claims.safeParse(payload);
    if (!data) throw unauthorized("The token is not a user's");
    const caller: User = {
      kind: data.app_metadata?.role === "admin" ? "admin" : "user",
      userId: data.sub,
      actor: data.sub,
    };
    callers.set(request, caller);
    return caller;
  }

  function verify(request: Request, who: "user"): Promise<User>;
  function verify(request: Request, ...who: Who[]): Promise<Caller>;
  async function verify(request: Request, ...who: Who[]): Promise<Caller> {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const bearsSecret = isSecretKey(bearer);
    const isSecret = isSecretKey(request.headers.get("apikey")) || bearsSecret;
    const token = bearsSecret ? undefined : bearer;

    if (token && (!isSecret || who.includes("user"))) {
      const caller = await user(request, token);
      if (who.includes("user") || who.includes(caller.kind)) return caller;
      throw forbidden(`Only ${who.join(" or ")} may do this`);
    }
    if (!isSecret) throw unauthorized("Credentials are missing");
    callers.set(request, SECRET);
    if (who.includes("secret") || who.includes("admin")) return SECRET;
    throw forbidden("Only a user may do this, and a secret key is none");
  }
  return verify;
}

const unauthorized = (message: string) =>
  scripError("unauthorized", message, { headers: { "www-authenticate": "Bearer" } });

const forbidden = (message: string) => scripError("forbidden", message);

function tokenError(error: unknown): ScripError {
  if (error instanceof errors.JWTExpired) return unauthorized("The token has expired");
  if (error instanceof errors.JOSEError && !KEYS_UNREACHABLE.includes(error.code)) {
    return unauthorized("The token is not valid");
  }
  return scripError("service_unavailable", "The keys of tokens cannot be reached, try again", {
    headers: { "retry-after": "1" },
    cause: error,
  });
}
