/**
 * The edge of refill: amounts reach SQL with the digits that were written or are refused by name, keys are seen by who
 * creates them and by nobody else, and no answer waits for the HUB.
 *
 * Method: the real routes with a database that only notes its calls.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { createHandler } from "../../functions/_shared/http.ts";
import { routes as credits } from "../../functions/credits/routes.ts";
import { routes } from "../../functions/refill/routes.ts";
import {
  asAdmin,
  asSecret,
  asUser,
  type Call,
  errorOf,
  fakeDeps,
  OTHER_USER,
  sender,
  type Sent,
  USER,
} from "./fakes.ts";

const TOKEN_ID = OTHER_USER;
const KEY = `scrip_${"k".repeat(40)}01234567`;
const TOKEN = {
  id: TOKEN_ID,
  kind: "master",
  name: "ci",
  created_at: "2026-01-01T00:00:00.5+00:00",
};
const RECEIPT = {
  refill_id: USER,
  credits_added: 4999,
  usd_spent: "5.00",
  fee: "0.0001",
  rate: "0.001",
  credits: 4999,
  usd_balance: "5.00",
  replayed: false,
};
const { refill_id: _, replayed: __, ...PREVIEW } = RECEIPT;

const ROWS: Record<string, unknown[]> = {
  refill_token: [RECEIPT],
  preview_refill: [PREVIEW],
  create_api_token: [{ token_id: TOKEN_ID, api_key: KEY, replayed: false }],
  list_api_tokens: [TOKEN],
  rename_api_token: [{ renamed: true }],
  revoke_api_token: [{ revoked: true }],
  consume_api_credits: [{ token_id: TOKEN_ID, credits: 3, version: 9, replayed: false }],
};
const answer = ({ name }: Call) => ROWS[name] ?? [];

const sendRefill = sender("refill", routes);
const send = (method: string, path: string, sent: Sent = {}) =>
  sendRefill(method, path, { headers: asUser, answer, ...sent });
const sendCredits = sender("credits", credits);

/** The calls that a request made itself, without what goes on behind the answer. */
const own = (calls: Call[]) => calls.filter(({ name }) => !name.endsWith("_outbox"));

const ORDER = { token_id: TOKEN_ID, mode: "usd", amount: "5.00", operation_id: "a" };
const withAmount = (amount: string, mode = "usd") =>
  `{"token_id":"${TOKEN_ID}","mode":"${mode}","operation_id":"a","amount":${amount}}`;

const USD =
  'must be US dollars from 0.000001 to 1000000000 such as "10.00", with at most 6 decimals';
const CREDITS = "must be a whole number from 1 to 9000000000000000";

/** Expects a 400 with this message, and no call of the database. */
async function refused(sent: ReturnType<typeof send>, message: string) {
  const { response, calls } = await sent;
  deepEqual(await errorOf(response), {
    status: 400,
    code: "invalid_request",
    message,
    details: message,
  });
  deepEqual(calls, []);
}

Deno.test("only users reach the routes of refill, only secret keys consume", async () => {
  for (const route of Object.keys(routes)) {
    const [method = "", path = ""] = route.split(" ");
    const url = path.replace(/^\/$/, "").replace(":id", TOKEN_ID);
    for (const [headers, status] of [[{}, 401], [asSecret, 403]] as const) {
      const { response, calls } = await send(method, url, { headers });
      equal(response.status, status, route);
      deepEqual(calls, []);
    }
  }
  for (const [headers, status] of [[{}, 401], [asUser, 403], [asAdmin, 403]] as const) {
    const { response, calls } = await sendCredits("POST", "/tokens/consume", { headers });
    equal(response.status, status);
    deepEqual(calls, []);
  }
});

Deno.test("refill answers the receipt, with the fields handed on", async () => {
  const { response, calls } = await send("POST", "", { body: ORDER });
  const { refill_id, ...rest } = RECEIPT;
  deepEqual(await response.json(), { refill_id, token_id: TOKEN_ID, mode: "usd", ...rest });
  deepEqual(own(calls), [{
    name: "refill_token",
    args: { user_id: USER, ...ORDER, actor: USER },
  }]);
});

Deno.test("US dollars are taken with the digits that were written", async () => {
  const amounts = {
    '"5.00"': "5.00",
    '"0.000001"': "0.000001",
    '"1000000000"': "1000000000",
    '"1000000000.000000"': "1000000000.000000",
    "5": "5",
    "5.000000": "5",
    "1.0": "1",
    "1e2": "100",
    "1E+2": "100",
    "12.5e-1": "1.25",
    "0.000001": "0.000001",
    "1e-6": "0.000001",
    "999999999.999999": "999999999.999999",
  };
  for (const [written, amount] of Object.entries(amounts)) {
    const { calls } = await send("POST", "", { body: withAmount(written) });
    deepEqual(own(calls).map(({ args }) => args), [{
      user_id: USER,
      ...ORDER,
      amount,
      actor: USER,
    }]);
  }
});

Deno.test("any other amount of US dollars is refused, and not rounded", async () => {
  const amounts = [
    "5.00000000000000001",
    "4.99999999999999999999",
    "0.1000000000000000055511151231257827",
    "9007199254740993",
    "1.0000001",
    "1e-7",
    "0.0000001",
    "1000000000.000001",
    "1000000001",
    "1e21",
    "1e400",
    "1e-400",
    "-1e400",
    "0",
    "-0",
    "0.000000",
    "-5",
    `1${"0".repeat(60_000)}`,
    `0.${"0".repeat(60_000)}1`,
    `5.${"0".repeat(60_000)}1`,
    "null",
    "true",
    "[5]",
    '["5"]',
    "{}",
    ...[
      "",
      " ",
      " 5",
      "5 ",
      "5\n",
      "5.",
      ".5",
      "+5",
      "-5",
      "1,5",
      "1e2",
      "0x10",
      "NaN",
      "Infinity",
      "٥",
      "$5",
      "5\0",
      "5.0000001",
      "5.0000000",
      "0",
      "0.0",
      "1000000000.000001",
      "1000000001",
      "9".repeat(60_000),
    ].map((text) => JSON.stringify(text)),
  ];
  for (const amount of amounts) {
    await refused(send("POST", "", { body: withAmount(amount) }), `amount: ${USD}`);
    await refused(send("POST", "/preview", { body: withAmount(amount) }), `amount: ${USD}`);
  }
  const { amount: _, ...none } = ORDER;
  await refused(send("POST", "", { body: none }), "amount: is required");
});

Deno.test("credits are a whole number, written as a number or in digits", async () => {
  const amounts = {
    "100": "100",
    "1.0": "1",
    "1e2": "100",
    '"100"': "100",
    "9e15": "9000000000000000",
  };
  for (const [written, amount] of Object.entries(amounts)) {
    const { calls } = await send("POST", "", { body: withAmount(written, "credits") });
    deepEqual(own(calls).map(({ args }) => args), [
      { user_id: USER, ...ORDER, mode: "credits", amount, actor: USER },
    ]);
  }
  const wrong = [
    "0",
    "-1",
    "1.5",
    "100.00000000000000001",
    "9000000000000001",
    "9007199254740993",
    "1e400",
    "null",
    "true",
    "[1]",
    '"0"',
    '"1.0"',
    '"1e2"',
    '" 1"',
    '""',
    '"9000000000000001"',
    '"99999999999999999"',
  ];
  for (const amount of wrong) {
    await refused(send("POST", "", { body: withAmount(amount, "credits") }), `amount: ${CREDITS}`);
  }
});

Deno.test("a refill names its token and mode, nobody's account, and needs an operation id", async () => {
  const post = (more: Record<string, unknown>) => send("POST", "", { body: { ...ORDER, ...more } });
  for (const mode of ["USD", "eur", "", null, 1, undefined]) {
    await refused(post({ mode }), "mode: must be usd or credits");
  }
  await refused(post({ token_id: "x" }), "token_id: must be a UUID");
  await refused(post({ token_id: undefined }), "token_id: is required");
  await refused(post({ user_id: OTHER_USER }), "user_id: is not a field of this request");
  await refused(post({ preview: "true" }), "preview: must be true or false");
  await refused(post({ operation_id: undefined }), "operation_id: is required");
  const { operation_id, ...bare } = ORDER;
  const { calls } = await send("POST", "", {
    headers: { ...asUser, "idempotency-key": operation_id },
    body: bare,
  });
  deepEqual(own(calls)[0]?.args, { user_id: USER, ...ORDER, actor: USER });
});

Deno.test("a preview is asked for in two ways, needs no operation id, and refills nothing", async () => {
  const { operation_id, ...bare } = ORDER;
  const asked = [
    ["", { ...bare, preview: true }],
    ["", { ...bare, preview: true, operation_id }],
    ["/preview", bare],
    ["/preview", { ...bare, preview: true, operation_id }],
  ] as const;
  for (const [path, body] of asked) {
    const { response, calls } = await send("POST", path, { body });
    deepEqual(await response.json(), {
      preview: true,
      token_id: TOKEN_ID,
      mode: "usd",
      ...PREVIEW,
    });
    // Nothing goes on behind it either.
    deepEqual(calls, [{ name: "preview_refill", args: { user_id: USER, ...bare } }]);
  }
  await refused(
    send("POST", "/preview", { body: { ...ORDER, preview: false } }),
    "preview: must be true here",
  );
  const { calls } = await send("POST", "", { body: { ...ORDER, preview: false } });
  deepEqual(own(calls).map(({ name }) => name), ["refill_token"]);
});

Deno.test("a new token is answered with its key, which is neither logged nor answered again", async () => {
  const body = { kind: "master", name: "ci", operation_id: "a" };
  const { response, calls, log } = await send("POST", "/tokens", { body });
  deepEqual(await response.json(), { ...TOKEN, key: KEY, replayed: false });
  deepEqual(own(calls), [
    { name: "create_api_token", args: { user_id: USER, ...body } },
    { name: "list_api_tokens", args: { user_id: USER, token_id: TOKEN_ID } },
  ]);
  ok(!JSON.stringify(log).includes(KEY));

  const replay = await send("POST", "/tokens", {
    body,
    answer: (call) =>
      call.name === "create_api_token"
        ? [{ token_id: TOKEN_ID, api_key: null, replayed: true }]
        : answer(call),
  });
  deepEqual(await replay.response.json(), { ...TOKEN, key: null, replayed: true });
});

Deno.test("what is no token to create is refused by name", async () => {
  const post = (more: Record<string, unknown>) =>
    send("POST", "/tokens", {
      body: { kind: "product", product_id: TOKEN_ID, name: "ci", operation_id: "a", ...more },
    });
  equal((await post({})).response.status, 200);
  equal((await post({ name: "😀".repeat(100) })).response.status, 200);
  for (const kind of ["Master", "", null, undefined]) {
    await refused(post({ kind }), "kind: must be product or master");
  }
  await refused(post({ product_id: undefined }), "product_id: is required");
  await refused(post({ kind: "master" }), "product_id: is not a field of this request");
  await refused(post({ operation_id: undefined }), "operation_id: is required");
  for (
    const more of [{ user_id: OTHER_USER }, { key: KEY }, { credits: 5 }, { status: "active" }]
  ) {
    await refused(post(more), `${Object.keys(more)[0]}: is not a field of this request`);
  }
  for (const name of ["", "x".repeat(101), "😀".repeat(101), "a\0", "\ud800", 1, null]) {
    const rule = "name: must be text of 1 to 100 characters, without NUL";
    await refused(post({ name }), rule);
    await refused(send("PATCH", `/tokens/${TOKEN_ID}`, { body: { name } }), rule);
  }
});

Deno.test("a token is shown, renamed and revoked, for its owner's id", async () => {
  const expected = {
    GET: [],
    PATCH: [{ name: "rename_api_token", args: { user_id: USER, token_id: TOKEN_ID, name: "ci" } }],
    DELETE: [{ name: "revoke_api_token", args: { user_id: USER, token_id: TOKEN_ID } }],
  };
  for (const [method, first] of Object.entries(expected)) {
    const { response, calls } = await send(method, `/tokens/${TOKEN_ID.toUpperCase()}`, {
      ...(method === "PATCH" ? { body: { name: "ci" } } : {}),
    });
    deepEqual(await response.json(), TOKEN);
    deepEqual(own(calls), [
      ...first,
      { name: "list_api_tokens", args: { user_id: USER, token_id: TOKEN_ID } },
    ]);
    await refused(send(method, "/tokens/x"), "id: must be a UUID");
  }
});

Deno.test("tokens are listed page by page", async () => {
  const rows = [TOKEN, { ...TOKEN, id: USER }];
  const list = (query: string) => send("GET", `/tokens?${query}`, { answer: () => rows });
  const first = await (await list("limit=1")).response.json();
  deepEqual(first.data, [TOKEN]);
  const { response, calls } = await list(`limit=2&before=${first.next}`);
  deepEqual(calls[0]?.args, {
    user_id: USER,
    page_size: 3,
    before_created_at: TOKEN.created_at,
    before_id: TOKEN_ID,
  });
  equal((await response.json()).next, null);
  for (const query of ["limit=0", "limit=201", "before=x", `user_id=${OTHER_USER}`]) {
    equal((await list(query)).response.status, 400, query);
  }
});

Deno.test("consume hands any key on: its form is no shortcut", async () => {
  const consume = (more: Record<string, unknown>) =>
    sendCredits("POST", "/tokens/consume", {
      headers: asSecret,
      body: { api_key: KEY, credits: 5, operation_id: "a", ...more },
      answer,
    });
  for (const api_key of [KEY, KEY.slice(0, -1) + "f", "x", " ", "sk_live", "é".repeat(255)]) {
    const { response, calls, log } = await consume({ api_key });
    deepEqual(await response.json(), {
      token_id: TOKEN_ID,
      credits: 3,
      version: 9,
      replayed: false,
    });
    deepEqual(calls, [{
      name: "consume_api_credits",
      args: { api_key, amount: 5, operation_id: "a", actor: "service_role" },
    }]);
    if (api_key !== " " && api_key !== "x") ok(!JSON.stringify(log).includes(api_key));
  }
  for (const api_key of ["", "x".repeat(256), "a\0", 5, null]) {
    const rule = "api_key: must be text of 1 to 255 characters, without NUL";
    await refused(consume({ api_key }), rule);
  }
  for (const amount of [0, -1, 1.5, "5", null, 9_000_000_000_000_001]) {
    await refused(consume({ credits: amount }), `credits: ${CREDITS}`);
  }
  await refused(consume({ operation_id: undefined }), "operation_id: is required");
});

Deno.test("whoever changes a token has the HUB told, and waits neither for it nor for its failure", async () => {
  const told = [
    ["POST", "", ORDER],
    ["POST", "/tokens", { kind: "master", name: "ci", operation_id: "a" }],
    ["PATCH", `/tokens/${TOKEN_ID}`, { name: "ci" }],
    ["DELETE", `/tokens/${TOKEN_ID}`, undefined],
  ] as const;
  const untold = [
    ["POST", "", { ...ORDER, preview: true }],
    ["POST", "/preview", ORDER],
    ["POST", "", { ...ORDER, amount: "0" }],
    ["GET", "/tokens", undefined],
    ["GET", `/tokens/${TOKEN_ID}`, undefined],
  ] as const;
  const hang = () => new Promise<never>(() => {});
  const fail = () => Promise.reject(new Error("The outbox is on fire"));
  const ask = async (
    [method, path, body]: typeof told[number] | typeof untold[number],
    claim: () => Promise<never>,
  ) => {
    const { deps, log } = fakeDeps(answer);
    const behind: Promise<unknown>[] = [];
    const handler = createHandler("refill", routes, {
      ...deps,
      rpc: (name, args) => name === "claim_outbox" ? claim() : deps.rpc(name, args),
      background: (work) => behind.push(work),
    });
    const request = new Request(`http://localhost/refill${path}`, {
      method,
      headers: asUser,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const response = await handler(request);
    equal(log.length, 1);
    return { status: response.status, behind };
  };
  for (const operation of told) {
    const slow = await ask(operation, hang);
    deepEqual([slow.status, slow.behind.length], [200, 1], operation.join(" "));
    const failed = await ask(operation, fail);
    deepEqual([failed.status, failed.behind.length], [200, 1], operation.join(" "));
    await Promise.allSettled(failed.behind);
  }
  for (const operation of untold) {
    deepEqual((await ask(operation, hang)).behind, [], operation.join(" "));
  }
});

Deno.test("what SQL refuses is answered as it was raised, and nothing goes on behind it", async () => {
  const raise = () => {
    throw scripError("insufficient_usd", "Insufficient USD balance: you have $1.00, need $5.00");
  };
  const { response, calls } = await send("POST", "", { body: ORDER, answer: raise });
  deepEqual(await errorOf(response), {
    status: 403,
    code: "insufficient_usd",
    message: "Insufficient USD balance: you have $1.00, need $5.00",
    details: null,
  });
  deepEqual(calls.map(({ name }) => name), ["refill_token"]);
});
