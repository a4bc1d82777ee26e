/**
 * The edge of usage: users read their own calls alone and whole, other backends tell of calls with the digits that were
 * written, and what is not a call, a day or a period is refused by name.
 *
 * Method: the real routes with a database that only notes its calls, and for lists one that pages as the real one does.
 */
// Deno's `equal` and `deepEqual` of this module are loose.
import {
  deepStrictEqual as deepEqual,
  match,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { createHandler } from "../../functions/_shared/http.ts";
import { routes } from "../../functions/usage/routes.ts";
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

const send = sender("usage", routes);
const read = (path: string, sent: Sent = {}) => send("GET", path, { headers: asUser, ...sent });
const post = (body: unknown, sent: Sent = {}) =>
  send("POST", "", { headers: asSecret, body, ...sent });

/** Expects a 400 with this message, and no call of the database. */
async function refused(sent: ReturnType<typeof send>, message: string) {
  const { response, calls } = await sent;
  const { status, code, message: told } = await errorOf(response);
  deepEqual({ status, code, told }, { status: 400, code: "invalid_request", told: message });
  deepEqual(calls, []);
}

/** A call as list_usage answers it, the newest being number 0. */
const listed = (number: number) => ({
  id: `00000000-0000-4000-8000-${`${number}`.padStart(12, "0")}`,
  // Several calls share a moment.
  occurred_at: `2026-01-01T00:00:00.${`${999_999 - (number >> 2)}`.padStart(6, "0")}+00:00`,
  operation_id: `call-${number}`,
  run_id: null,
  service: "openai",
  operation: "chat",
  model: "gpt-4",
  input_tokens: 1000,
  cached_input_tokens: 0,
  output_tokens: 500,
  seconds: "1.5",
  images: 0,
  cost_usd: "0.06",
  cost_eur: null,
  price_id: OTHER_USER,
  usd_eur: "0.85",
  tokens_charged: 1,
  success: number !== 1,
  error: null,
  response_time_ms: 12,
  input_preview: "Hello",
  output_summary: null,
});

/** Answers as list_usage does: so many rows after the one that is named. */
function pagesOf(count: number) {
  const rows = Array.from({ length: count }, (_, number) => listed(number));
  return ({ name, args }: Call) => {
    equal(name, "list_usage");
    const { page_size, before_id } = Object(args);
    const start = rows.findIndex(({ id }) => id === before_id) + 1;
    return rows.slice(start, start + page_size);
  };
}

const SUMS = { total_calls: 3, total_cost_usd: "0.06", by_model: [] };
const summarized = ({ name }: Call) =>
  name === "list_usage"
    ? [listed(0)]
    : [{ first_day: "2026-01-01", last_day: "2026-01-31", ...SUMS, by_day: null }];

Deno.test("users read their own usage, secret keys write it, and nobody else", async () => {
  for (const path of ["", "/history", "/export"]) {
    for (const [headers, status] of [[{}, 401], [asSecret, 403]] as const) {
      const { response, calls } = await read(path, { headers });
      equal(response.status, status, path);
      deepEqual(calls, []);
    }
    await refused(read(`${path}?user_id=${OTHER_USER}`), "user_id: is not a field of this request");
  }
  for (const [headers, status] of [[{}, 401], [asUser, 403], [asAdmin, 403]] as const) {
    const { response, calls } = await post({}, { headers });
    equal(response.status, status);
    deepEqual(calls, []);
  }
});

Deno.test("a summary is of this month unless asked otherwise, with the last ten calls of the same days", async () => {
  const { response, calls } = await read("", { answer: summarized });
  deepEqual(await response.json(), {
    service: null,
    period: "current_month",
    from: "2026-01-01",
    to: "2026-01-31",
    summary: SUMS,
    recent_history: [{ ...listed(0), seconds: 1.5 }],
  });
  const days = { first_day: "2026-01-01", last_day: "2026-01-31" };
  deepEqual(calls, [
    { name: "summarize_usage", args: { user_id: USER, with_days: false } },
    { name: "list_usage", args: { user_id: USER, page_size: 10, ...days } },
  ]);

  const asked = await read("?service=openai&period=all_time&group_by=day", { answer: summarized });
  const { service, period, summary } = await asked.response.json();
  deepEqual([service, period, summary.by_day], ["openai", "all_time", null]);
  deepEqual(asked.calls, [
    {
      name: "summarize_usage",
      args: { user_id: USER, service: "openai", period: "all_time", with_days: true },
    },
    { name: "list_usage", args: { user_id: USER, in_service: "openai", page_size: 10, ...days } },
  ]);

  for (
    const [query, args] of [
      ["?from=2026-01-05&to=2026-01-05", { from_day: "2026-01-05", to_day: "2026-01-05" }],
      ["?from=2026-01-05", { from_day: "2026-01-05" }],
      ["?to=2024-02-29", { to_day: "2024-02-29" }],
    ] as const
  ) {
    const custom = await read(query, { answer: summarized });
    equal((await custom.response.json()).period, "custom");
    deepEqual(custom.calls[0]?.args, { user_id: USER, ...args, with_days: false });
  }
});

Deno.test("a day that is none, days in the wrong order and two periods at once are refused", async () => {
  const day = "must be a day such as 2026-01-31";
  for (const path of ["", "/history", "/export"]) {
    for (
      const wrong of [
        "2026-02-29",
        "2026-02-30",
        "2026-13-01",
        "2026-1-1",
        "0000-01-01",
        "20260101",
        "2026-01-01T00:00:00Z",
        "10000-01-01",
        "infinity",
        "",
      ]
    ) {
      await refused(read(`${path}?from=${wrong}`), `from: ${day}`);
      await refused(read(`${path}?to=${wrong}`), `to: ${day}`);
    }
    await refused(read(`${path}?from=2026-01-02&to=2026-01-01`), "from: must not be after to");
    await refused(
      read(`${path}?service=`),
      "service: must be text of 1 to 100 characters, without NUL",
    );
  }
  const both = "period: must be left out when from or to is given";
  await refused(read("?period=all_time&from=2026-01-01"), both);
  await refused(read("?period=all_time&to=2026-01-01"), both);
  for (const period of ["custom", "today", ""]) {
    const rule = "period: must be one of current_month, last_30_days, all_time";
    await refused(read(`?period=${period}`), rule);
  }
  await refused(read("?group_by=month"), "group_by: must be day");
  await refused(read("/history?period=all_time"), "period: is not a field of this request");
  await refused(read("/export?limit=1"), "limit: is not a field of this request");
});

Deno.test("the history has every call once, page by page", async () => {
  const answer = pagesOf(25);
  const seen: string[] = [];
  for (let query = "?limit=10&service=openai&from=2026-01-01";;) {
    const { response, calls } = await read(`/history${query}`, { answer });
    const { data, next } = await response.json();
    equal(Object(calls[0]?.args).page_size, 11);
    seen.push(...data.map(({ id }: { id: string }) => id));
    equal(data[0].seconds, 1.5);
    if (next === null) break;
    query = `?limit=10&service=openai&from=2026-01-01&before=${next}`;
  }
  deepEqual(seen, Array.from({ length: 25 }, (_, number) => listed(number).id));

  const { calls } = await read("/history", { answer });
  deepEqual(calls[0]?.args, { user_id: USER, page_size: 51 });
  const rule = "limit: must be a whole number from 1 to 200";
  for (const limit of ["0", "201", "1.5"]) await refused(read(`/history?limit=${limit}`), rule);
  await refused(read("/history?before=x"), "before: must be the `next` of a page");
});

const COLUMNS = "id,occurred_at,operation_id,run_id,service,operation,model,input_tokens," +
  "cached_input_tokens,output_tokens,seconds,images,cost_usd,cost_eur,price_id,usd_eur," +
  "tokens_charged,success,error,response_time_ms,input_preview,output_summary";

Deno.test("the export is CSV with a header, one line a call, every call once", async () => {
  for (const count of [0, 1, 999, 1000, 1001, 2500]) {
    const query = "/export?service=openai&from=2026-01-01&to=2026-01-31";
    const { response, calls } = await read(query, { answer: pagesOf(count) });
    equal(response.headers.get("content-type"), "text/csv; charset=utf-8");
    equal(
      response.headers.get("content-disposition"),
      'attachment; filename="usage-2026-01-01-2026-01-31.csv"',
    );
    const [header, ...lines] = (await response.text()).trimEnd().split("\n");
    equal(header, COLUMNS);
    deepEqual(
      lines.map((line) => line.split(",")[0]),
      Array.from({ length: count }, (_, number) => listed(number).id),
    );
    equal(calls.length, Math.floor(count / 1000) + 1);
    for (const { args } of calls) {
      const { user_id, in_service, page_size, first_day, last_day } = Object(args);
      deepEqual(
        [user_id, in_service, page_size, first_day, last_day],
        [USER, "openai", 1000, "2026-01-01", "2026-01-31"],
      );
    }
  }
  const { response } = await read("/export", { answer: pagesOf(2) });
  equal(response.headers.get("content-disposition"), 'attachment; filename="usage.csv"');
  const [, , failed] = (await response.text()).split("\n");
  // What is unknown is empty, what failed says so.
  equal(
    failed,
    `${listed(1).id},2026-01-01T00:00:00.999999+00:00,call-1,,openai,chat,gpt-4,1000,0,500,1.5,0,` +
      `0.06,,${OTHER_USER},0.85,1,false,,12,Hello,`,
  );
});

Deno.test("the export escapes what a spreadsheet would run, and quotes what would end a field", async () => {
  const texts = {
    operation_id: "=cmd|' /C calc'!A0",
    service: "+1",
    operation: "-1",
    model: "@SUM(1)",
    error: "\tx",
    input_preview: 'a "b", c\r\nd',
    output_summary: "ü€😀",
  };
  const answer = () => [{ ...listed(0), ...texts }];
  const text = await (await read("/export", { answer })).response.text();
  for (const escaped of ["'=cmd|' /C calc'!A0", "'+1", "'-1", "'@SUM(1)", "'\tx"]) {
    ok(text.includes(`,${escaped},`) || text.includes(`,"${escaped}",`), escaped);
  }
  ok(text.includes(',"a ""b"", c\r\nd",ü€😀\n'), text);
});

Deno.test("the export stops reading when its reader goes away, and breaks off when the database does", async () => {
  const gone = await read("/export", { answer: pagesOf(9000) });
  const reader = gone.response.body?.getReader();
  await reader?.read();
  await reader?.read();
  const { length } = gone.calls;
  ok(length < 4, `${length} pages were read for two`);
  await reader?.cancel();
  await new Promise((resolve) => setTimeout(resolve, 20));
  equal(gone.calls.length, length);

  let pages = 0;
  const all = pagesOf(9000);
  const broken = await read("/export", {
    answer: (call) => {
      if (++pages > 2) throw new Error("The database is on fire");
      return all(call);
    },
  });
  equal(broken.response.status, 200);
  await rejects(broken.response.text(), /on fire/);
  match(broken.log.at(-1)?.error ?? "", /The export broke off: .*on fire/);
  equal(broken.log.at(-1)?.level, "error");

  // Before it has begun, a failure is a failure.
  const answer = () => {
    throw scripError("service_unavailable", "The database is not available, try again");
  };
  equal((await read("/export", { answer })).response.status, 503);
});

const CALL = {
  user_id: USER,
  operation_id: "a",
  service: "openai",
  operation: "chat",
  model: "gpt-4",
};
const NOTHING = {
  input_tokens: 0,
  cached_input_tokens: 0,
  output_tokens: 0,
  seconds: 0,
  images: 0,
  success: true,
};
const RECORDED = {
  usage_id: OTHER_USER,
  recorded_at: "2026-01-01T00:00:00+00:00",
  cost_usd: "0.06",
  cost_eur: "0.051",
  price_id: OTHER_USER,
  usd_eur: "0.85",
  unpriced: false,
  tokens_charged: 0,
  remaining: null,
  overdrawn: false,
  replayed: false,
};
const { usage_id, recorded_at, ...COMPUTED } = RECORDED;
const recordedOne = () => [RECORDED];

Deno.test("POST usage answers the stored row, with everything handed on", async () => {
  const { response, calls } = await post(CALL, { answer: recordedOne });
  deepEqual(await response.json(), {
    id: usage_id,
    ...CALL,
    ...NOTHING,
    occurred_at: recorded_at,
    ...COMPUTED,
  });
  deepEqual(calls, [
    { name: "track_usage", args: { ...CALL, ...NOTHING, actor: "service_role" } },
  ]);

  const quantities = {
    input_tokens: 1000,
    cached_input_tokens: 10,
    output_tokens: 500,
    seconds: 1.000001,
    images: 2,
    success: false,
    response_time_ms: 1200,
  };
  const texts = { error: "boom", input_preview: "in", output_summary: "out" };
  const full = await post({
    ...CALL,
    ...quantities,
    ...texts,
    cost_usd: "0.0000000001",
    tokens: 0,
    occurred_at: "2026-01-01T02:00:00.5+02:00",
  }, { answer: recordedOne });
  deepEqual(full.calls[0]?.args, {
    ...CALL,
    ...quantities,
    ...texts,
    explicit_cost_usd: "0.0000000001",
    tokens: 0,
    occurred_at: "2026-01-01T00:00:00.500Z",
    actor: "service_role",
  });
  // What is stored of the texts is SQL's to say; tokens are answered as those that were charged.
  deepEqual(await full.response.json(), {
    id: usage_id,
    ...CALL,
    ...quantities,
    occurred_at: recorded_at,
    ...COMPUTED,
  });
});

Deno.test("the operation id may be in the header, and there must be one", async () => {
  const { operation_id, ...bare } = CALL;
  const { response, calls } = await post(bare, {
    headers: { ...asSecret, "idempotency-key": operation_id },
    answer: recordedOne,
  });
  equal((await response.json()).operation_id, "a");
  deepEqual(calls[0]?.args, { ...CALL, ...NOTHING, actor: "service_role" });
  await refused(post(bare), "operation_id: is required");
  const other = { headers: { ...asSecret, "idempotency-key": "b" } };
  await refused(post(CALL, other), "operation_id: must be the same as Idempotency-Key");
});

Deno.test("quantities and costs are taken with the digits that were written, or refused", async () => {
  const withField = (field: string, json: string) =>
    `${JSON.stringify(CALL).slice(0, -1)},"${field}":${json}}`;
  const taken = [
    ["seconds", "0.000001", 0.000001],
    ["seconds", "1000000000", 1_000_000_000],
    ["seconds", "999999999.999999", 999_999_999.999999],
    ["cost_usd", '"0.0000000001"', "0.0000000001"],
    ["cost_usd", '"999999999.9999999999"', "999999999.9999999999"],
    ["cost_usd", '"0"', "0"],
    ["cost_usd", "0.03", "0.03"],
    ["input_tokens", "1000000000000", 1_000_000_000_000],
    ["tokens", "9000000000000000", 9_000_000_000_000_000],
  ] as const;
  for (const [field, json, value] of taken) {
    const { calls } = await post(withField(field, json), { answer: recordedOne });
    const name = field === "cost_usd" ? "explicit_cost_usd" : field;
    equal(Object(calls[0]?.args)[name], value, json);
  }
  const seconds = "must be a number from 0 to 1000000000, with at most 6 decimals";
  const cost = 'must be US dollars below 1000000000 such as "0.0021", with at most 10 decimals';
  const count = "must be a whole number from 0 to 1000000000000";
  const wrong = {
    seconds: [seconds, [
      "-1",
      "1e-7",
      "0.0000001",
      "1.0000001",
      "1e400",
      '"1"',
      "1000000001",
      "0.1000000000000000055511151231257827",
    ]],
    cost_usd: [cost, [
      '"-1"',
      '"1e-3"',
      '"0.00000000001"',
      '"1000000000"',
      '"1."',
      '"NaN"',
      "1e-7",
      "true",
      '""',
    ]],
    input_tokens: [count, ["-1", "1.5", "1000000000001", '"1"', "null"]],
    output_tokens: [count, ["-1", "9007199254740993"]],
    images: ["must be a whole number from 0 to 1000000", ["-1", "1000001"]],
    response_time_ms: ["must be a whole number from 0 to 2147483647", ["-1", "2147483648"]],
    tokens: ["must be a whole number from 0 to 9000000000000000", [
      "-1",
      "1.5",
      "9000000000000001",
    ]],
    success: ["must be true or false", ['"true"', "1"]],
    occurred_at: ["must be a time such as 2026-01-31T12:00:00Z", [
      '"2026-01-01"',
      '"2026-02-30T00:00:00Z"',
      '"now"',
      "0",
    ]],
    user_id: ["must be a UUID", ['"x"']],
    service: ["must be text of 1 to 100 characters, without NUL", ['""', `"${"x".repeat(101)}"`]],
    price_id: ["is not a field of this request", ['"x"']],
  } as const;
  for (const [field, [rule, values]] of Object.entries(wrong)) {
    for (const json of values) await refused(post(withField(field, json)), `${field}: ${rule}`);
  }
  await refused(
    post(withField("occurred_at", '"0000-06-01T00:00:00Z"')),
    "occurred_at: must be in a year from 1 to 9999",
  );
});

Deno.test("of texts the beginning is sent, without what Postgres cannot store or a key that was cut", async () => {
  const sent = async (text: string) => {
    const { calls } = await post({ ...CALL, input_preview: text }, { answer: recordedOne });
    return Object(calls[0]?.args).input_preview;
  };
  equal(await sent("a\0b\ud800"), "ab\ufffd");
  equal(await sent("x".repeat(2000)), "x".repeat(2000));
  equal(await sent("é ".repeat(2000)), "é ".repeat(1000));
  equal(await sent("😀".repeat(2001)), "😀".repeat(2000));
  const key = `sk-${"k".repeat(40)}`;
  equal(
    await sent(`${"word ".repeat(396)}${"é".repeat(10)} ${key} and more`),
    `${"word ".repeat(396)}${"é".repeat(10)} `,
  );
  await refused(
    post({ ...CALL, input_preview: 5 }),
    "input_preview: must be text",
  );
});

Deno.test("a batch is recorded call by call, in order, and each answer is a row or an error", async () => {
  const error = { code: "operation_id_reused", message: "m", details: null, hint: null };
  const empty = Object.fromEntries(Object.keys(RECORDED).map((key) => [key, null]));
  const answer = () => [
    { item: 1, ...RECORDED, error: null },
    { item: 2, ...empty, error },
    { item: 3, ...RECORDED, replayed: true, error: null },
  ];
  const calls = ["a", "b", "c"].map((operation_id) => ({ ...CALL, operation_id, cost_usd: "1" }));
  const { response, calls: noted } = await post({ calls }, { answer });
  const row = { ...CALL, ...NOTHING, id: usage_id, occurred_at: recorded_at, ...COMPUTED };
  deepEqual(await response.json(), {
    results: [
      { ...row, operation_id: "a" },
      { operation_id: "b", error },
      { ...row, operation_id: "c", replayed: true },
    ],
  });
  deepEqual(noted, [{
    name: "track_usage_batch",
    args: {
      calls: calls.map(({ cost_usd, ...call }) => ({
        ...call,
        ...NOTHING,
        explicit_cost_usd: cost_usd,
      })),
      actor: "service_role",
    },
  }]);
});

Deno.test("a batch is of 1 to 500 calls, each with its operation id, and of 2 MiB at most", async () => {
  await refused(post({ calls: [] }), "calls: must have at least 1 call");
  await refused(post({ calls: {} }), "calls: must be a list");
  await refused(post({ calls: [CALL], actor: "me" }), "actor: is not a field of this request");
  const many = (count: number, more = {}) =>
    Array.from({ length: count }, (_, number) => ({ ...CALL, operation_id: `${number}`, ...more }));
  await refused(post({ calls: many(501) }), "calls: must have at most 500 calls");
  // Too many are not looked at.
  const numbers = await post({ calls: Array.from({ length: 100_000 }, Number) });
  equal((await errorOf(numbers.response)).details, "calls: must have at most 500 calls");
  const { operation_id: _, ...bare } = CALL;
  await refused(post({ calls: [CALL, bare] }), "calls.1.operation_id: is required");
  await refused(
    post({ calls: [CALL, { ...CALL, images: -1 }] }),
    "calls.1.images: must be a whole number from 0 to 1000000",
  );
  const answer = () => many(500).map((_, index) => ({ item: index + 1, ...RECORDED, error: null }));
  // Texts of a realistic length fit.
  const large = { calls: many(500, { input_preview: "word ".repeat(700) }) };
  equal((await post(large, { answer })).response.status, 200);
  const tooLarge = { calls: many(500, { input_preview: "word ".repeat(900) }) };
  await refused(post(tooLarge), "body: must be at most 2097152 bytes");
  for (const body of ["[]", "1", "null", '"calls"']) {
    await refused(post(body), "body: must be of type object");
  }
});

Deno.test("the log names the user of a call, and not what is no user", async () => {
  const { log } = await post(CALL, { answer: recordedOne });
  equal(log[0]?.user_id, USER);
  const wrong = await post({ ...CALL, user_id: "a secret text" });
  equal(wrong.log[0]?.user_id, null);
});

Deno.test("what SQL refuses is answered as it was raised", async () => {
  const answer = () => {
    throw scripError("insufficient_tokens", "Insufficient tokens: you have 0, need 1");
  };
  const { response } = await post({ ...CALL, tokens: 1 }, { answer });
  deepEqual(await errorOf(response), {
    status: 403,
    code: "insufficient_tokens",
    message: "Insufficient tokens: you have 0, need 1",
    details: null,
  });
  // Fewer rows than calls is nobody's call refused, but Scrip's failure.
  const { deps } = fakeDeps(() => []);
  const request = new Request("http://localhost/usage", {
    method: "POST",
    headers: asSecret,
    body: JSON.stringify({ calls: [CALL] }),
  });
  equal((await createHandler("usage", routes, deps)(request)).status, 500);
});
