/**
 * The door: every route refuses who may not call it and what it cannot use, names the field, answers in one shape, and
 * logs one line without secrets; nothing refused reaches the database.
 *
 * Method: the functions' real routes with a database that only notes its calls.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { routes as admin } from "../../functions/admin/routes.ts";
import { scripError } from "../../functions/_shared/errors.ts";
import { createHandler, traceOf } from "../../functions/_shared/http.ts";
import { ProviderError } from "../../functions/_shared/providers/provider.ts";
import { routes as credits } from "../../functions/credits/routes.ts";
import { routes as getTokenBalance } from "../../functions/get-token-balance/routes.ts";
import { routes as activate } from "../../functions/verify-and-activate-code/routes.ts";
import {
  asAdmin,
  asSecret,
  asUser,
  type Call,
  errorOf,
  fakeDeps,
  OTHER_USER,
  SECRET_KEY,
  USER,
} from "./fakes.ts";

const FUNCTIONS = {
  admin,
  credits,
  "get-token-balance": getTokenBalance,
  "verify-and-activate-code": activate,
};

const RECEIPT = { transaction_id: USER, charged: 5, remaining: 7, replayed: false };

/** Sends one request to a function. */
async function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
  answer?: (call: Call) => unknown[],
) {
  const { deps, calls, log } = fakeDeps(answer);
  const [name = ""] = path.split(/[/?]/);
  const routes = Object.entries(FUNCTIONS).find(([key]) => key === name)?.[1] ?? {};
  const init = body === undefined ? {} : {
    body: typeof body === "string" || body instanceof ReadableStream ? body : JSON.stringify(body),
  };
  const request = new Request(`http://localhost/${path}`, { method, headers, ...init });
  const response = await createHandler(name, routes, deps)(request);
  return { response, calls, log };
}

const charge = (body: unknown, headers: Record<string, string> = asSecret) =>
  send("POST", "credits/charge", headers, body, () => [RECEIPT]);

const CHARGE = { user_id: USER, amount: 5, operation_id: "a" };

/** Expects a 400 that begins with this, and no call of the database. */
async function refused(sent: ReturnType<typeof send>, message: RegExp) {
  const { response, calls } = await sent;
  const error = await errorOf(response);
  equal(error.status, 400, error.message);
  equal(error.code, "invalid_request");
  match(error.message, message);
  deepEqual(calls, []);
}

Deno.test("every route refuses strangers and the wrong callers before anything else", async () => {
  for (const [name, routes] of Object.entries(FUNCTIONS)) {
    for (const operation of Object.keys(routes)) {
      const [method = "", path = ""] = operation.split(" ");
      const url = name + path.replace(/:\w+/, USER).replace(/\/$/, "");
      const expect = async (status: number, headers: Record<string, string>) => {
        const { response, calls } = await send(method, url, headers);
        equal(response.status, status, `${operation} of ${name}`);
        deepEqual(calls, []);
      };
      await expect(401, {});
      await expect(401, { apikey: "sb_publishable_x", authorization: "Bearer sb_publishable_x" });
      if (name === "credits" || name === "admin") await expect(403, asUser);
      if (name === "credits") await expect(403, asAdmin);
      if (name === "verify-and-activate-code") await expect(403, asSecret);
    }
  }
});

Deno.test("charge answers the receipt, with the actor and the fields handed on", async () => {
  const { response, calls } = await charge({ ...CHARGE, metadata: { a: [1, null] } });
  deepEqual(await response.json(), {
    transaction_id: USER,
    amount: 5,
    remaining: 7,
    replayed: false,
  });
  deepEqual(calls, [{
    name: "charge_tokens",
    args: { ...CHARGE, metadata: { a: [1, null] }, actor: "service_role" },
  }]);
});

Deno.test("the operation id comes from the header or the body, never from both unless equal", async () => {
  const { operation_id: _, ...bare } = CHARGE;
  const header = { ...asSecret, "idempotency-key": "a" };
  for (const [body, headers] of [[bare, header], [CHARGE, header], [CHARGE, asSecret]] as const) {
    const { response, calls } = await charge(body, headers);
    equal(response.status, 200);
    deepEqual(calls[0]?.args, { ...CHARGE, actor: "service_role" });
  }
  await refused(charge(bare), /^operation_id: is required/);
  await refused(
    charge({ ...CHARGE, operation_id: "b" }, header),
    /^operation_id: must be the same/,
  );
  const long = { ...asSecret, "idempotency-key": "x".repeat(256) };
  await refused(charge(bare, long), /^operation_id: must be text of 1 to 255/);
  const emoji = { ...CHARGE, operation_id: "😀".repeat(255) };
  equal((await charge(emoji)).response.status, 200);
});

Deno.test("amounts that are no whole number of tokens are refused by name", async () => {
  const amounts = [
    "1e400",
    "-1e400",
    "0",
    "-1",
    "1.5",
    '"5"',
    "null",
    "true",
    "[5]",
    "9000000000000001",
    "9007199254740993",
    "1e-7",
  ];
  for (const amount of amounts) {
    const body = `{"user_id":"${USER}","operation_id":"a","amount":${amount}}`;
    await refused(charge(body), /^amount: must be a whole number from 1 to 9000000000000000$/);
  }
  await refused(charge('{"amount":NaN}'), /^body: must be JSON$/);
  await refused(charge({ user_id: USER, operation_id: "a" }), /^amount: is required$/);
  for (const amount of ["1e3", "0x10", "-1", "0", "1.0", "", "NaN", " 1", "99999999999999999"]) {
    const query = new URLSearchParams({ amount });
    await refused(
      send("GET", `credits/check/${USER}?${query}`, asSecret),
      /^amount: must be a whole/,
    );
  }
});

Deno.test("other fields are refused by name, all of them in details", async () => {
  await refused(charge({ ...CHARGE, user_id: "1" }), /^user_id: must be a UUID$/);
  await refused(charge({ ...CHARGE, actor: "me" }), /^actor: is not a field of this request$/);
  await refused(charge({ ...CHARGE, 'a" => 1': 1 }), /is not a field of this request$/);
  await refused(charge({ ...CHARGE, operation_id: "" }), /^operation_id: must be text/);
  await refused(charge({ ...CHARGE, description: "x".repeat(501) }), /^description: must be text/);
  await refused(charge({ ...CHARGE, metadata: [] }), /^metadata: must be an object/);
  await refused(
    charge({ ...CHARGE, metadata: { a: "x".repeat(16_384) } }),
    /^metadata: must be an/,
  );
  const { response } = await charge({ user_id: 1, amount: 1, operation_id: 2, x: 3 });
  const { details } = await errorOf(response);
  match(details, /user_id: .*; operation_id: .*; x: is not a field/);
  const batch = { charges: [CHARGE, { ...CHARGE, amount: 0 }] };
  await refused(
    send("POST", "credits/charge-batch", asSecret, batch),
    /^charges\.1\.amount: must be/,
  );
});

Deno.test("what Postgres cannot store is refused wherever it is", async () => {
  for (const text of ["\0", "a\0b", "\ud800", "\udc00\ud800"]) {
    await refused(charge({ ...CHARGE, operation_id: text }), /^operation_id: /);
    await refused(charge({ ...CHARGE, description: text }), /^description: /);
    await refused(charge({ ...CHARGE, metadata: { a: { b: [text] } } }), /^metadata: /);
    await refused(charge({ ...CHARGE, metadata: { [text]: 1 } }), /^metadata: /);
  }
  for (const text of ["\\u0000", "\\\\u0000", "😀"]) {
    equal(
      (await charge({ ...CHARGE, description: text, metadata: { text } })).response.status,
      200,
    );
  }
});

/** The body of a charge, with metadata as it is written here. */
const withMetadata = (metadata: string) =>
  JSON.stringify(CHARGE).replace("}", `,"metadata":${metadata}}`);

Deno.test("what is nested too deeply is refused, however deeply", async () => {
  const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  equal((await charge(withMetadata(nested(100)))).response.status, 200);
  for (const levels of [101, 500]) {
    await refused(charge(withMetadata(nested(levels))), /^metadata: must be an object/);
  }
  await refused(charge(withMetadata(nested(30_000))), /^body: must not be nested so deeply$/);
});

Deno.test("numbers that JSON would round are refused by name", async () => {
  const withAmount = (amount: string) =>
    `{"user_id":"${USER}","operation_id":"a","amount":${amount}}`;
  for (const amount of ["5", "5.0", "5.000", "5e0", "0.5e1", "50E-1", "500e-2"]) {
    const { calls } = await charge(withAmount(amount));
    deepEqual(calls[0]?.args, { ...CHARGE, actor: "service_role" }, amount);
  }
  const rounded = [
    "5.00000000000000001",
    "4.9999999999999999999",
    "0.50000000000000000001e1",
    "8999999999999999.9",
    "9007199254740993",
    "9e999999999999999999999",
    `5.${"0".repeat(60_000)}1`,
  ];
  for (const amount of rounded) {
    await refused(charge(withAmount(amount)), /^amount: must be a whole number from 1 to/);
  }
  await refused(
    send(
      "POST",
      "credits/charge-batch",
      asSecret,
      `{"charges":[${withAmount("5.00000000000000001")}]}`,
    ),
    /^charges\.0\.amount: must be a whole number from 1 to/,
  );
  await refused(charge(withAmount('5,"x":0.30000000000000000001')), /^x: is not a field/);
  const deposit = (amount: string) =>
    send(
      "POST",
      `admin/users/${USER}/usd-deposit`,
      asAdmin,
      `{"reason":"r","operation_id":"a","amount":${amount}}`,
    );
  await refused(deposit("5.00000000000000001"), /^amount: must be an amount such as/);
  match(JSON.stringify((await deposit("0.1")).calls), /"amount":"0\.1"/);
  await refused(charge("5.00000000000000001"), /^body: must be/);
  await refused(
    send("POST", "get-token-balance", asSecret, '{"user_id":0.30000000000000000001}'),
    /^user_id: must be/,
  );
});

Deno.test("metadata keeps the nearest numbers, as other languages write theirs", async () => {
  const written =
    '{"a":0.10000000000000001,"b":[{"c":5.00000000000000001},-0.30000000000000004],"d":1e-400}';
  const { calls } = await charge(withMetadata(written));
  equal(
    JSON.stringify(Object(calls[0]?.args).metadata),
    '{"a":0.1,"b":[{"c":5},-0.30000000000000004],"d":0}',
  );
  for (
    const metadata of [
      '{"a":1e400}',
      '{"a":[-1e400]}',
      "0.10000000000000001",
      "[0.10000000000000001]",
    ]
  ) {
    await refused(charge(withMetadata(metadata)), /^metadata/);
  }
});

Deno.test("bodies must be JSON of a limited size", async () => {
  await refused(charge(""), /^body: is required$/);
  await refused(charge(undefined), /^body: is required$/);
  for (const body of ["{", "nope", '{"a":1}}']) await refused(charge(body), /^body: must be JSON$/);
  for (const body of ["[]", "null", "1", '"x"']) await refused(charge(body), /^body: must be/);
  const padded = JSON.stringify(CHARGE).padEnd(65_536);
  equal((await charge(padded)).response.status, 200);
  await refused(charge(`${padded} `), /^body: must be at most 65536 bytes$/);
  const latin1 = new ReadableStream({
    start(stream) {
      stream.enqueue(new Uint8Array([0x22, 0xff, 0x22]));
      stream.close();
    },
  });
  await refused(charge(latin1), /^body: must be UTF-8$/);
});

Deno.test("a body of unknown length is cut off at the limit", async () => {
  let sent = 0;
  const endless = new ReadableStream({
    pull(stream) {
      sent += 1024;
      stream.enqueue(new Uint8Array(1024).fill(0x20));
    },
  });
  await refused(charge(endless), /^body: must be at most 65536 bytes$/);
  ok(sent < 100_000, `${sent} bytes were read`);
});

Deno.test("a batch may be larger, and answers each charge", async () => {
  const error = { code: "insufficient_tokens", message: "m", details: null, hint: null };
  const rows = [
    { operation_id: "a", error: null, ...RECEIPT },
    { operation_id: "b", error, transaction_id: null },
  ];
  const description = "x".repeat(500);
  const charges = Array.from({ length: 1000 }, () => ({ ...CHARGE, description }));
  const { response } = await send(
    "POST",
    "credits/charge-batch",
    asSecret,
    { charges },
    () => rows,
  );
  deepEqual(await response.json(), {
    results: [
      { operation_id: "a", transaction_id: USER, amount: 5, remaining: 7, replayed: false },
      { operation_id: "b", error },
    ],
  });
  const more = { charges: [...charges, CHARGE] };
  await refused(
    send("POST", "credits/charge-batch", asSecret, more),
    /^charges: must have at most/,
  );
  await refused(send("POST", "credits/charge-batch", asSecret, { charges: [] }), /^charges: must/);
});

Deno.test("queries are strict", async () => {
  await refused(send("GET", "get-token-balance?x=1", asUser), /^x: is not a field/);
  const twice = `get-token-balance?user_id=${USER}&user_id=${USER}`;
  await refused(send("GET", twice, asUser), /^user_id: must be given once$/);
  await refused(send("GET", "get-token-balance", asSecret), /^user_id: is required/);
  for (const limit of ["0", "201", "x"]) {
    await refused(send("GET", `admin/access-codes?limit=${limit}`, asAdmin), /^limit: must be/);
  }
  const year0 = btoa(`0000-01-01T00:00:00Z|${USER}`);
  for (const before of ["", "x", "%00", btoa("x|y"), btoa(`now|${USER}`), year0]) {
    await refused(send("GET", `admin/access-codes?before=${before}`, asAdmin), /^before: must be/);
  }
});

Deno.test("a user sees the own balance only, a secret key any", async () => {
  const answer = () => [{ remaining: 1 }];
  const ask = (headers: Record<string, string>, query: string, body?: unknown) =>
    send(body ? "POST" : "GET", `get-token-balance${query}`, headers, body, answer);
  for (const sent of [ask(asUser, ""), ask(asUser, `?user_id=${USER.toUpperCase()}`)]) {
    deepEqual(await (await sent).response.json(), { user_id: USER, remaining: 1 });
  }
  for (
    const sent of [ask(asUser, `?user_id=${OTHER_USER}`), ask(asUser, "", { user_id: OTHER_USER })]
  ) {
    const { response, calls } = await sent;
    equal(response.status, 403);
    deepEqual(calls, []);
  }
  deepEqual(await (await ask(asSecret, "", { user_id: OTHER_USER })).response.json(), {
    user_id: OTHER_USER,
    remaining: 1,
  });
  const { response } = await send("POST", "get-token-balance", asUser, undefined, () => []);
  equal((await errorOf(response)).code, "user_not_found");
});

Deno.test("activation answers a failure as the error that it is", async () => {
  const failure = {
    code: "rate_limited",
    message: "Wait",
    details: null,
    hint: null,
    status: 429,
    retry_after: 60,
  };
  const post = (code: unknown, row: unknown) =>
    send("POST", "verify-and-activate-code", { ...asUser, "x-forwarded-for": "::1, 10.0.0.1" }, {
      code,
    }, () => [row]);
  const { response } = await post("7kqm-2xw9 0rtb-hc5e", { failure });
  equal(response.headers.get("retry-after"), "60");
  deepEqual(await errorOf(response), {
    status: 429,
    code: "rate_limited",
    message: "Wait",
    details: null,
  });
  const done = { tokens_granted: 5, remaining: 9, replayed: false, failure: null };
  const { response: good, calls, log } = await post("7kqm-2xw9-0rtb-hc5e", done);
  deepEqual(await good.json(), { tokens_granted: 5, balance: 9, replayed: false });
  match(JSON.stringify(calls), /"code":"7kqm2xw90rtbhc5e".*"address":"::1"/);
  ok(!/7kqm/i.test(JSON.stringify(log)));
  for (const code of ["", "ABC", "7KQM-2XW9-0RTB-HC5", "7KQM-2XW9-0RTB-HC5É", 1, undefined]) {
    await refused(post(code, done), /^code: /);
  }
});

Deno.test("access codes expire in the future, in a form that Postgres reads", async () => {
  const create = (expires_at: unknown) =>
    send("POST", "admin/access-codes", asAdmin, {
      tokens_to_grant: 0,
      operation_id: "a",
      expires_at,
    });
  for (
    const time of ["2020-01-01T00:00:00Z", "2099-01-01", "9999-12-31T23:00:00-23:00", "soon", 5]
  ) {
    await refused(create(time), /^expires_at: must be/);
  }
  const { calls } = await create("2099-01-01T00:00:00+23:59");
  match(JSON.stringify(calls), /"expires_at":"2098-12-31T00:01:00.000Z"/);
});

Deno.test("pages go on where the last one ended", async () => {
  const rows = [2, 1].map((day) => ({
    id: USER,
    created_at: `2026-01-0${day}T00:00:00.123456+00:00`,
  }));
  const list = (query: string) =>
    send("GET", `admin/access-codes?${query}`, asAdmin, undefined, () => rows);
  const first = await (await list("limit=1")).response.json();
  deepEqual(first.data, rows.slice(0, 1));
  const { calls, response } = await list(`limit=2&before=${first.next}`);
  deepEqual(calls[0]?.args, {
    page_size: 3,
    before_created_at: rows[0]?.created_at,
    before_id: USER,
  });
  equal((await response.json()).next, null);
});

Deno.test("unknown routes and methods are told apart", async () => {
  for (const path of ["credits", "credits/nope", "credits/charge/x", "credits/check"]) {
    deepEqual(await errorOf((await send("POST", path, asSecret)).response), {
      status: 404,
      code: "not_found",
      message: "There is no such route",
      details: null,
    });
  }
  const { response } = await send("PUT", "admin/access-codes", asAdmin);
  equal(response.status, 405);
  equal(response.headers.get("allow"), "GET, POST, OPTIONS");
  equal((await errorOf(response)).code, "method_not_allowed");
});

Deno.test("browsers of any origin may call", async () => {
  const { response } = await send("OPTIONS", "credits/charge");
  equal(response.status, 204);
  equal(response.headers.get("access-control-allow-origin"), "*");
  equal(response.headers.get("access-control-allow-methods"), "POST, OPTIONS");
  match(
    response.headers.get("access-control-allow-headers") ?? "",
    /authorization, .*idempotency-key/,
  );
  const { response: failed } = await send("POST", "credits/charge");
  equal(failed.headers.get("access-control-allow-origin"), "*");
  match(
    failed.headers.get("access-control-expose-headers") ?? "",
    /x-request-id, retry-after, content-disposition/,
  );
});

Deno.test("request ids are taken when safe and made otherwise", async () => {
  const idOf = async (id: string) => {
    const { response, log } = await send("POST", "credits/charge", { "x-request-id": id });
    equal(log[0]?.request_id, response.headers.get("x-request-id"));
    return log[0]?.request_id ?? "";
  };
  equal(await idOf("trace-1:a.b_C"), "trace-1:a.b_C");
  for (const id of ["", "a b", "<x>", "é", "x".repeat(129)]) {
    match(await idOf(id), /^[0-9a-f-]{36}$/);
  }
});

Deno.test("an unknown failure is opaque, and the log has its cause", async () => {
  const { response, log } = await send("POST", "credits/charge", asSecret, CHARGE, () => {
    throw new Error("relation user_tokens is on fire");
  });
  const text = await response.text();
  equal(response.status, 500);
  match(text, /"code":"internal_error"/);
  ok(!/fire/.test(text) && text.includes(log[0]?.request_id ?? "?"));
  match(log[0]?.error ?? "", /on fire/);
  equal(log[0]?.level, "error");
});

Deno.test("the log has the causes of a failure, and of addresses and keys nothing that opens a door", () => {
  const root = new Error(
    "refused https://user:pa/ss@api.test/v1?key=abc(3), postgres://u:pw@db:5/x",
  );
  const middle = new TypeError("the key sk-abcdef123456 is wrong", { cause: root });
  const trace = traceOf(new ProviderError("The connection failed", { cause: middle }));
  match(
    trace,
    /^ProviderError: The connection failed\n +at .*\nCaused by: TypeError: the key \[re/s,
  );
  match(
    trace,
    /\nCaused by: Error: refused https:\/\/api\.test\(3\), postgres:\/\/db:5\n +at file:/,
  );
  for (const secret of ["abc", "pa/", "pw", "user"]) ok(!trace.includes(secret), trace);
  equal(traceOf(scripError("provider_failed", "No", { cause: "why" })), "why");
  const cyclic = new Error("round");
  cyclic.cause = cyclic;
  equal(traceOf(cyclic).split("Caused by").length, 5);
});

Deno.test("the log has one line a request, who called, and no secret", async () => {
  const secret = { ...CHARGE, description: "between us", metadata: { ssn: "123" } };
  const { log } = await charge(secret, { ...asSecret, "x-request-id": "r" });
  deepEqual(
    log.map(({ time: _, duration_ms, ...rest }) => ({ ...rest, timed: duration_ms >= 0 })),
    [{
      level: "info",
      request_id: "r",
      function: "credits",
      operation: "POST /charge",
      user_id: CHARGE.user_id,
      caller: "secret",
      status: 200,
      outcome: "ok",
      timed: true,
    }],
  );
  const { log: failed } = await send("GET", `get-token-balance?user_id=${OTHER_USER}`, asUser);
  equal(failed[0]?.user_id, USER);
  equal(failed[0]?.outcome, "forbidden");
  const { log: named } = await send("GET", `credits/balance/${OTHER_USER}`, asSecret);
  equal(named[0]?.user_id, OTHER_USER);
  const { log: unnamed } = await send("GET", "credits/balance/my-secret-text", asSecret);
  equal(unnamed[0]?.user_id, null);
  const lines = JSON.stringify([log, failed]);
  const token = asUser.authorization.slice("Bearer ".length);
  for (const word of [SECRET_KEY, token, "between us", "ssn"]) ok(!lines.includes(word));
});
