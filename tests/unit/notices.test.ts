/**
 * A user, and nobody else, reads the own notices and sets the balances below which they come; what is no threshold is
 * refused by name before the database is asked.
 *
 * Method: the real routes with a database that only notes its calls.
 */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { routes } from "../../functions/notices/routes.ts";
import { asSecret, asUser, errorOf, sender, USER } from "./fakes.ts";

const send = sender("notices", routes);
const ID = "11111111-2222-4333-8444-555555555555";
const ROWS = [ID, USER].map((id) => ({ id, created_at: "2026-01-01T00:00:00.5+00:00" }));

const list = (query: string) => send("GET", query, { headers: asUser, answer: () => ROWS });

const put = (body: unknown) =>
  send("PUT", "/thresholds", { headers: asUser, body, answer: () => [{ balance: "tokens" }] });

Deno.test("strangers and secret keys are refused", async () => {
  const operations = [
    ["GET", ""],
    ["POST", `/${ID}/read`],
    ["GET", "/thresholds"],
    ["PUT", "/thresholds"],
  ] as const;
  for (const [method, path] of operations) {
    for (const [headers, status] of [[{}, 401], [asSecret, 403]] as const) {
      const { response, calls } = await send(method, path, { headers });
      equal(response.status, status);
      deepEqual(calls, []);
    }
  }
});

Deno.test("notices are listed page by page, all of them or the unread", async () => {
  const first = await (await list("?limit=1")).response.json();
  deepEqual(first.data, ROWS.slice(0, 1));
  const { response, calls } = await list(`?limit=2&unread=true&before=${first.next}`);
  deepEqual(calls, [{
    name: "list_notices",
    args: {
      user_id: USER,
      page_size: 3,
      unread: true,
      before_created_at: ROWS[0]?.created_at,
      before_id: ID,
    },
  }]);
  equal((await response.json()).next, null);
  deepEqual((await list("?unread=false")).calls[0]?.args, {
    user_id: USER,
    page_size: 51,
    unread: false,
  });
  deepEqual((await list("")).calls[0]?.args, { user_id: USER, page_size: 51 });
  for (
    const [query, message] of [
      ["limit=0", /^limit: must be a whole number from 1 to 200$/],
      ["limit=201", /^limit: must be a whole number/],
      ["unread=1", /^unread: must be true or false$/],
      ["before=x", /^before: must be the `next` of a page$/],
      [`user_id=${ID}`, /^user_id: is not a field/],
    ] as const
  ) {
    const { response, calls } = await list(`?${query}`);
    const { status, message: said } = await errorOf(response);
    equal(status, 400);
    match(said, message);
    deepEqual(calls, []);
  }
});

Deno.test("a notice is read by its id", async () => {
  const row = { id: ID, read_at: "2026-01-01T00:00:00+00:00" };
  const { response, calls } = await send("POST", `/${ID}/read`, {
    headers: asUser,
    answer: () => [row],
  });
  deepEqual(await response.json(), row);
  deepEqual(calls, [{ name: "read_notice", args: { user_id: USER, notice_id: ID } }]);
  const wrong = await send("POST", "/x/read", { headers: asUser });
  match((await errorOf(wrong.response)).message, /^id: must be a UUID$/);
  deepEqual(wrong.calls, []);
});

Deno.test("thresholds are answered as rows", async () => {
  const rows = [{ balance: "tokens", threshold: null }, { balance: "usd", threshold: "5.00" }];
  const { response, calls } = await send("GET", "/thresholds", {
    headers: asUser,
    answer: () => rows,
  });
  deepEqual(await response.json(), { data: rows });
  deepEqual(calls, [{ name: "get_low_balance_thresholds", args: { user_id: USER } }]);
});

Deno.test("a threshold is set as text, or removed, and all are answered", async () => {
  const cases: [body: Record<string, unknown>, args: Record<string, unknown>][] = [
    [{ balance: "tokens", threshold: 100 }, { balance: "tokens", threshold: "100" }],
    [{ balance: "tokens", threshold: "100" }, { balance: "tokens", threshold: "100" }],
    [{ balance: "tokens", threshold: 9_000_000_000_000_000 }, {
      balance: "tokens",
      threshold: "9000000000000000",
    }],
    [{ balance: "tokens", threshold: null }, { balance: "tokens" }],
    [{ balance: "usd", threshold: "5.000001" }, { balance: "usd", threshold: "5.000001" }],
    [{ balance: "usd", threshold: 0.1 }, { balance: "usd", threshold: "0.1" }],
    [{ balance: "usd", threshold: "9000000000.000000" }, {
      balance: "usd",
      threshold: "9000000000.000000",
    }],
    [{ balance: "usd", threshold: null }, { balance: "usd" }],
    [{ balance: "api_token", token_id: ID, threshold: 1 }, {
      balance: "api_token",
      token_id: ID,
      threshold: "1",
    }],
    [{ balance: "api_token", token_id: ID, threshold: null }, {
      balance: "api_token",
      token_id: ID,
    }],
  ];
  for (const [body, args] of cases) {
    const { response, calls } = await put(body);
    deepEqual(await response.json(), { data: [{ balance: "tokens" }] });
    deepEqual(calls, [
      { name: "set_low_balance_threshold", args: { user_id: USER, ...args } },
      { name: "get_low_balance_thresholds", args: { user_id: USER } },
    ]);
  }
});

Deno.test("what is no threshold is refused by name", async () => {
  const whole = /^threshold: must be a whole number from 1 to 9000000000000000$/;
  const usd = /^threshold: must be US dollars from 0.000001 to 9000000000 such as/;
  const cases: [body: unknown, message: RegExp][] = [
    ...[0, -1, 1.5, 9_000_000_000_000_001, 1e21, "0", "-1", "1.5", "1e3", "", " 1", true, [1]].map(
      (threshold): [unknown, RegExp] => [{ balance: "tokens", threshold }, whole],
    ),
    ...[0, -1, 1e-7, 1e21, "0", "0.000000", "5.0000001", "9000000000.01", "1e3", "NaN", "", "1."]
      .map((threshold): [unknown, RegExp] => [{ balance: "usd", threshold }, usd]),
    // A number that JSON would round.
    ['{"balance": "usd", "threshold": 5.00000000000000001}', usd],
    [{ balance: "api_token", token_id: ID, threshold: 0.5 }, whole],
    [{ balance: "tokens" }, /^threshold: is required$/],
    [{ threshold: 1 }, /^balance: must be tokens, usd or api_token$/],
    [{ balance: "euro", threshold: 1 }, /^balance: must be tokens, usd or api_token$/],
    [{ balance: "api_token", threshold: 1 }, /^token_id: is required$/],
    [{ balance: "api_token", token_id: "x", threshold: 1 }, /^token_id: must be a UUID$/],
    [{ balance: "tokens", token_id: ID, threshold: 1 }, /^token_id: is not a field/],
    [{ balance: "tokens", user_id: ID, threshold: 1 }, /^user_id: is not a field/],
  ];
  for (const [body, message] of cases) {
    const { response, calls } = await put(body);
    const { status, message: said } = await errorOf(response);
    equal(status, 400, JSON.stringify(body));
    match(said, message);
    deepEqual(calls, []);
  }
});
