/**
 * Only a token that this project signed for a user, as configured, makes a caller; only a secret key makes a backend;
 * nobody does what others may do.
 *
 * Method: one token a way of being wrong, each differing from a good one in that way alone.
 */
import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { type CryptoKey, errors, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { createVerify, type Who } from "../../functions/_shared/auth.ts";
import { ScripError } from "../../functions/_shared/errors.ts";
import { authOptions } from "../../functions/_shared/deps.ts";
import { asAdmin, asSecret, asUser, claims, environment, JWT_SECRET, sign, USER } from "./fakes.ts";

const verify = createVerify(authOptions(environment({ JWT_SECRET })));
const request = (headers: HeadersInit = {}) => new Request("http://localhost/", { headers });
const bearing = (token: string) => request({ authorization: `Bearer ${token}` });
const base64url = (value: unknown) =>
  btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

async function refused(status: number, caller: Promise<unknown>) {
  await rejects(caller, (error) => {
    equal(error instanceof ScripError && error.status, status);
    return true;
  });
}

Deno.test("a user's token makes a user, anonymous or not", async () => {
  const user = { kind: "user", userId: USER, actor: USER };
  deepEqual(await verify(request(asUser), "user"), user);
  const anonymous = await sign(claims({ is_anonymous: true, app_metadata: {} }));
  deepEqual(await verify(bearing(anonymous), "user"), user);
});

Deno.test("app_metadata makes an admin, user_metadata does not", async () => {
  deepEqual(await verify(request(asAdmin), "admin"), { kind: "admin", userId: USER, actor: USER });
  const claimed = await sign(claims({ user_metadata: { role: "admin" } }));
  await refused(403, verify(bearing(claimed), "admin"));
});

Deno.test("each of the secret keys makes a backend, in either header", async () => {
  const secret = { kind: "secret", actor: "service_role" };
  deepEqual(await verify(request(asSecret), "secret"), secret);
  deepEqual(await verify(request({ apikey: "sb_secret_other" }), "secret"), secret);
  deepEqual(await verify(bearing(asSecret.apikey), "admin"), secret);
  const legacy = createVerify(authOptions(environment({ SUPABASE_SERVICE_ROLE_KEY: "old" })));
  deepEqual(await legacy(request({ apikey: "old" }), "secret"), secret);
  await refused(401, verify(request({ apikey: "old" }), "secret"));
});

Deno.test("a token beside a secret key decides where users may call", async () => {
  const both = request({ ...asSecret, ...asUser });
  equal((await verify(both, "user", "secret")).kind, "user");
  equal((await verify(both, "secret")).kind, "secret");
});

Deno.test("the wrong kind of caller is forbidden", async () => {
  const cases: [HeadersInit, Who][] = [
    [asUser, "secret"],
    [asUser, "admin"],
    [asAdmin, "secret"],
    [asSecret, "user"],
  ];
  for (const [headers, who] of cases) await refused(403, verify(request(headers), who));
});

Deno.test("no credentials, malformed ones and publishable keys are nobody", async () => {
  const publishable = "sb_publishable_of_the_tests";
  const token = asUser.authorization.slice("Bearer ".length);
  const cases: HeadersInit[] = [
    {},
    { apikey: "" },
    { apikey: publishable },
    { apikey: publishable, authorization: `Bearer ${publishable}` },
    { apikey: `${asSecret.apikey}x` },
    { apikey: token },
    { authorization: "Bearer" },
    { authorization: "Bearer a.b.c" },
    { authorization: `Bearer ${token.slice(0, -4)}` },
    { authorization: `Basic ${token}` },
    { authorization: token },
  ];
  for (const headers of cases) {
    for (const who of ["user", "secret", "admin"] as const) {
      await refused(401, verify(request(headers), who));
    }
  }
});

Deno.test("a token with a wrong or missing claim is refused", async () => {
  const { sub: _sub, ...noSub } = claims();
  const { exp: _exp, ...noExp } = claims();
  const { role: _role, ...noRole } = claims();
  const { iss: _iss, ...noIssuer } = claims();
  const cases: Record<string, unknown>[] = [
    noSub,
    noExp,
    noRole,
    noIssuer,
    claims({ exp: Math.floor(Date.now() / 1000) - 1 }),
    claims({ nbf: Math.floor(Date.now() / 1000) + 3600 }),
    claims({ aud: "anon" }),
    claims({ role: "anon" }),
    claims({ role: "service_role" }),
    claims({ sub: "not-a-uuid" }),
    claims({ iss: "https://another.supabase.test/auth/v1" }),
  ];
  for (const payload of cases) await refused(401, verify(bearing(await sign(payload)), "user"));
});

Deno.test("a foreign, an unsigned and a tampered token are refused", async () => {
  await refused(401, verify(bearing(await sign(claims(), "another secret")), "user"));
  const none = `${base64url({ alg: "none" })}.${base64url(claims())}.`;
  await refused(401, verify(bearing(none), "user"));
  const [head, , signature] = asUser.authorization.slice("Bearer ".length).split(".");
  const admin = base64url(claims({ app_metadata: { role: "admin" } }));
  await refused(401, verify(bearing(`${head}.${admin}.${signature}`), "admin"));
});

Deno.test("with published keys, only tokens that those keys signed are good", async () => {
  for (const alg of ["ES256", "RS256"]) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const foreign = await generateKeyPair(alg);
    const jwk = { ...await exportJWK(publicKey), kid: "1", alg };
    const asymmetric = createVerify(authOptions(environment({
      SUPABASE_JWKS: JSON.stringify({ keys: [jwk] }),
    })));
    const signedBy = (key: CryptoKey | Uint8Array, header: string) =>
      new SignJWT(claims()).setProtectedHeader({ alg: header, kid: "1" }).sign(key);

    equal((await asymmetric(bearing(await signedBy(privateKey, alg)), "user")).userId, USER);
    await refused(401, asymmetric(bearing(await signedBy(foreign.privateKey, alg)), "user"));
    // The public key is no secret: it must not pass for one.
    const encode = (text: string) => new TextEncoder().encode(text);
    for (const key of [await exportSPKI(publicKey), JSON.stringify(jwk), JWT_SECRET]) {
      await refused(401, asymmetric(bearing(await signedBy(encode(key), "HS256")), "user"));
    }
    await refused(401, asymmetric(request(asUser), "user"));
    // And where a secret signs, a published key does not.
    await refused(401, verify(bearing(await signedBy(privateKey, alg)), "user"));
  }
});

Deno.test("a shared secret overrides published keys", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = JSON.stringify({ keys: [await exportJWK(publicKey)] });
  const both = createVerify(authOptions(environment({ JWT_SECRET, SUPABASE_JWKS: jwks })));
  equal((await both(request(asUser), "user")).userId, USER);
  const token = await new SignJWT(claims()).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  await refused(401, both(bearing(token), "user"));
});

Deno.test("keys that cannot be fetched are no fault of the caller", async () => {
  const failures = [
    new TypeError("network unreachable"),
    new errors.JWKSTimeout(),
    new errors.JOSEError("Expected 200 OK from the JSON Web Key Set HTTP response"),
  ];
  for (const failure of failures) {
    const options = authOptions(environment({ JWT_SECRET }));
    const unreachable = createVerify({ ...options, getKey: () => Promise.reject(failure) });
    await refused(503, unreachable(request(asUser), "user"));
  }
});
