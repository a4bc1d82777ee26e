/**
 * The worker of the outbox attempts what it claims exactly once, whatever the receiver does, and writes down the truth;
 * no secret leaves by an error, and one row's trouble is not another's.
 *
 * Method: the real worker and real HTTP servers on this machine, with a database that only notes its calls.
 */
import {
  deepStrictEqual as deepEqual,
  doesNotMatch,
  match,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { createBackground } from "../../functions/_shared/deps.ts";
import { hubDestination, webhookDestination } from "../../functions/_shared/destinations.ts";
import { scripError } from "../../functions/_shared/errors.ts";
import type { LogEntry } from "../../functions/_shared/http.ts";
import { deliverDue, deliverSoon } from "../../functions/_shared/outbox.ts";
import { routes } from "../../functions/hub-sync/routes.ts";
import {
  type Answer,
  asAdmin,
  asSecret,
  asUser,
  type Destinations,
  errorOf,
  fakeDeps,
  sender,
  USER,
} from "./fakes.ts";
import { gone, type Receive, startReceiver, streamed } from "./receiver.ts";

const ID = "11111111-2222-4333-8444-555555555555";
const CLAIM_ID = "99999999-2222-4333-8444-555555555555";
const HUB_KEY = "hub_key_of_the_tests";
const SECRET = `whsec_${btoa("a secret of thirty-two bytes ...")}`;
const PAYLOAD = {
  id: ID,
  event: "api_token.refilled",
  token: { id: USER, credits: 9e15, name: "ä" },
};

interface Row {
  id: string;
  claim_id: string;
  destination: string;
  event: string;
  payload: unknown;
  attempts: number;
}

const row = (changes: Partial<Row> = {}): Row => ({
  id: ID,
  claim_id: CLAIM_ID,
  destination: "hub",
  event: "api_token.refilled",
  payload: PAYLOAD,
  attempts: 1,
  ...changes,
});

const rows = (count: number, changes: Partial<Row> = {}) =>
  Array.from({ length: count }, (_, index) => row({ id: `${index}`, ...changes }));

/** A hub's settings. */
const hub = (url: string, more: Record<string, string> = {}) =>
  hubDestination(new Map(Object.entries({ HUB_URL: url, HUB_TIMEOUT_MS: "5000", ...more })));

const webhook = (url: string) =>
  webhookDestination(
    new Map(Object.entries({ NOTICE_WEBHOOK_URL: url, NOTICE_WEBHOOK_SECRET: SECRET })),
  );

/** An outbox that holds these rows, and ends attempts as the real one would. */
function outboxOf(due: Row[]): Answer {
  const waiting = [...due];
  return ({ name, args }) => {
    if (name === "claim_outbox") return waiting.splice(0, 5);
    const { outcome, outbox_id } = Object(args);
    const attempts = due.find(({ id }) => id === outbox_id)?.attempts ?? 0;
    const failed = attempts >= 12 ? "dead" : "pending";
    return [{ status: outcome === "failed" ? failed : outcome }];
  };
}

/** Runs the worker. */
async function run(
  due: Row[],
  destinations: Destinations,
  { answer = outboxOf(due), budgetMs }: { answer?: Answer; budgetMs?: number } = {},
) {
  const { deps, calls, log } = fakeDeps(answer, undefined, destinations);
  const outcomes = await sender("hub-sync", {
    "POST /": () => async (request) => Response.json(await deliverDue(deps, request, budgetMs)),
  })("POST", "");
  const argsOf = (name: string) =>
    calls.filter((call) => call.name === name).map(({ args }) => Object(args));
  return {
    status: outcomes.response.status,
    body: await outcomes.response.json(),
    claims: argsOf("claim_outbox"),
    finished: argsOf("finish_outbox"),
    alerts: outcomes.log.slice(1).map(({ error }) => error),
    log,
  };
}

const NONE = { delivered: 0, failed: 0, dead: 0, skipped: 0 };

/** Delivers one row to a HUB that answers so; what finish_outbox is told. */
async function attempt(answer: Receive, settings: Record<string, string> = {}) {
  await using receiver = startReceiver(answer);
  const began = performance.now();
  const result = await run([row()], {
    hub: hub(receiver.url, { HUB_API_KEY: HUB_KEY, ...settings }),
  });
  const took = performance.now() - began;
  const [finished] = result.finished;
  const { outbox_id, claim_id, ...told } = finished;
  deepEqual([outbox_id, claim_id, result.finished.length], [ID, CLAIM_ID, 1]);
  return { ...result, told, took, received: receiver.received };
}

Deno.test("the HUB gets the payload as it is, with the row's id and the key", async () => {
  for (const key of [HUB_KEY, undefined]) {
    await using receiver = startReceiver();
    await run([row()], { hub: hub(receiver.url, key ? { HUB_API_KEY: key } : {}) });
    const [received] = receiver.received;
    equal(receiver.received.length, 1);
    deepEqual(JSON.parse(received?.body ?? ""), PAYLOAD);
    const header = (name: string) => received?.headers.get(name);
    equal(header("idempotency-key"), ID);
    equal(header("authorization"), key ? `Bearer ${key}` : null);
    equal(header("content-type"), "application/json");
    equal(header("user-agent"), "scrip");
  }
});

Deno.test("an answer of 2xx is a delivery, whatever it says", async () => {
  const long = "x".repeat(255);
  const answers: [BodyInit | null, number, string?][] = [
    [null, 204],
    ["", 200],
    ["ok", 200],
    ["<html>", 201],
    ["{}", 200],
    ["null", 200],
    ['{"hub_id": "hub-1", "more": 1}', 200, "hub-1"],
    [JSON.stringify({ hub_id: long }), 202, long],
    [JSON.stringify({ hub_id: `${long}x` }), 200],
    ['{"hub_id": ""}', 200],
    ['{"hub_id": null}', 200],
    ['{"hub_id": 7}', 200],
    ['{"hub_id": "a\\u0000b"}', 200],
    ['{"hub_id": "a\\ud800b"}', 200],
    [new Uint8Array([0xff, 0xfe]), 200],
  ];
  for (const [body, status, hubId] of answers) {
    const { told, alerts, body: counts } = await attempt(() => new Response(body, { status }));
    deepEqual(told, { outcome: "delivered", ...(hubId ? { hub_id: hubId } : {}) }, `${body}`);
    deepEqual(counts, { ...NONE, delivered: 1 });
    deepEqual(alerts, []);
  }
});

Deno.test("any other answer has failed, and is read no further", async () => {
  for (const status of [400, 401, 404, 409, 410, 500, 502, 503]) {
    const { told, body } = await attempt(() => new Response(`{"hub_id": "x"}`, { status }));
    deepEqual(told, { outcome: "failed", error: `The answer was ${status}` });
    deepEqual(body, { ...NONE, failed: 1 });
  }
});

Deno.test("a redirection is not followed", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const { told, received } = await attempt(() =>
      new Response(null, { status, headers: { location: "/elsewhere" } })
    );
    deepEqual(told, { outcome: "failed", error: `The answer was ${status}` });
    deepEqual(received.map(({ path }) => path), ["/in"]);
  }
});

Deno.test("Retry-After is handed on in seconds, in either form", async () => {
  const inTwoMinutes = () => new Date(Date.now() + 120_000).toUTCString();
  const cases: [string, number?][] = [
    ["7", 7],
    [inTwoMinutes(), 120],
    ["999999999", 86_400],
    [new Date(Date.now() + 1e10).toUTCString(), 86_400],
    ["0"],
    ["-5"],
    [new Date(0).toUTCString()],
    ["soon"],
    ["9999999999999999999"],
  ];
  for (const [header, seconds] of cases) {
    for (const status of [429, 503]) {
      const { told } = await attempt(() =>
        new Response(null, { status, headers: { "retry-after": header } })
      );
      equal(told.error, `The answer was ${status}`);
      if (seconds === 120) ok(told.retry_after_seconds >= 118 && told.retry_after_seconds <= 120);
      else equal(told.retry_after_seconds, seconds, header);
    }
  }
});

Deno.test("a receiver that hangs is given up after the timeout, within its answer as well", async () => {
  const answers: Receive[] = [
    (_, request) => gone(request).then(() => new Response()),
    (_, request) => {
      let begun = false;
      return streamed(async (body) => {
        if (begun) await gone(request);
        else body.enqueue(new TextEncoder().encode('{"hub_id": "'));
        begun = true;
      });
    },
    // Slowly enough never to end.
    () =>
      streamed(async (body) => {
        await new Promise((done) => setTimeout(done, 50));
        body.enqueue(new TextEncoder().encode(" "));
      }),
  ];
  for (const answer of answers) {
    const { told, took } = await attempt(answer, { HUB_TIMEOUT_MS: "300" });
    deepEqual(told, { outcome: "failed", error: "No answer within 300 ms" });
    ok(took >= 290 && took < 3000, `${took} ms`);
  }
});

Deno.test("an answer that breaks off has failed, though it began with 200", async () => {
  const { told } = await attempt(() => {
    let begun = false;
    return streamed(async (body) => {
      // Else it may be noticed before anything is sent.
      await new Promise((done) => setTimeout(done, 50));
      if (begun) throw new Error("closed");
      body.enqueue(new TextEncoder().encode('{"hub_id": "hub-1"'));
      begun = true;
    });
  });
  deepEqual(told, { outcome: "failed", error: "The connection failed: reading a body" });
});

Deno.test("of an endless answer only the beginning is read", async () => {
  const sent = { bytes: 0, cancelled: false };
  const { told } = await attempt(() =>
    streamed((body) => {
      body.enqueue(new Uint8Array(16_384).fill(32));
      sent.bytes += 16_384;
    }, () => {
      sent.cancelled = true;
    })
  );
  deepEqual(told, { outcome: "delivered" });
  ok(sent.cancelled && sent.bytes < 10_000_000, `${sent.bytes} bytes`);
});

Deno.test("a receiver that is not there has failed, and the error names no secret", async () => {
  const closed = startReceiver();
  await closed[Symbol.asyncDispose]();
  const refused = await run([row()], {
    hub: hub(`${closed.url}?key=verysecret`, { HUB_API_KEY: HUB_KEY }),
  });
  equal(refused.finished[0].error, "The connection failed: connection refused");
  const unknown = await run([row()], { hub: hub("http://hub.invalid/?key=verysecret") });
  match(unknown.finished[0].error, /^The connection failed: dns error$|^No answer within 5000 ms$/);
  for (const { finished, alerts } of [refused, unknown]) {
    doesNotMatch(JSON.stringify([finished, alerts]), /verysecret|hub_key/);
  }
});

Deno.test("what has no destination is skipped", async () => {
  await using receiver = startReceiver();
  const due = [row(), row({ id: "2", destination: "webhook" })];
  const { finished, body, alerts } = await run(due, {});
  deepEqual(finished.map(({ outcome }) => outcome), ["skipped", "skipped"]);
  deepEqual(body, { ...NONE, skipped: 2 });
  deepEqual(alerts, []);
  const one = await run(due, { hub: hub(receiver.url) });
  deepEqual(one.body, { ...NONE, delivered: 1, skipped: 1 });
});

Deno.test("a destination that is wrongly configured fails and says why; the other goes on", async () => {
  await using receiver = startReceiver();
  const { body, finished, alerts } = await run([row(), row({ id: "2", destination: "webhook" })], {
    get hub() {
      return hub("ftp://x");
    },
    noticeWebhook: webhook(receiver.url),
  });
  deepEqual(body, { ...NONE, delivered: 1, failed: 1 });
  const error = "HUB_URL must be a URL with http or https";
  deepEqual(finished.find(({ outbox_id }) => outbox_id === ID).error, error);
  deepEqual(alerts, [`Deliveries failed: 1, the last to hub: ${error}`]);
});

Deno.test("settings that cannot be used are told by name, without their values", () => {
  const url = "https://hub.example.test/in";
  const cases: [Record<string, string>, RegExp][] = [
    [{ HUB_URL: "hub.example.test" }, /^HUB_URL must be a URL with http or https$/],
    [{ HUB_URL: "ftp://hub.example.test" }, /^HUB_URL must be a URL with http or https$/],
    [{ HUB_URL: "https://user:pass@hub.example.test" }, /^HUB_URL must have no user/],
    [{ HUB_URL: url, HUB_API_KEY: "two words" }, /^HUB_API_KEY must be of printable/],
    [{ HUB_URL: url, HUB_API_KEY: "a\nb" }, /^HUB_API_KEY must be of printable/],
    [{ HUB_URL: url, HUB_API_KEY: "ключ" }, /^HUB_API_KEY must be of printable/],
    ...["99", "60001", "1e3", "1.5", "-1", "ten", " 500"].map((HUB_TIMEOUT_MS) =>
      [
        { HUB_URL: url, HUB_TIMEOUT_MS },
        /^HUB_TIMEOUT_MS must be a whole number from 100 to 60000$/,
      ] satisfies [Record<string, string>, RegExp]
    ),
  ];
  for (const [env, message] of cases) {
    throws(() => hubDestination(new Map(Object.entries(env))), { message });
  }
  equal(hubDestination(new Map([["HUB_URL", url]]))?.timeoutMs, 10_000);
  for (const timeout of ["100", "60000"]) {
    const env = new Map([["HUB_URL", url], ["HUB_TIMEOUT_MS", timeout]]);
    equal(hubDestination(env)?.timeoutMs, Number(timeout));
  }
  equal(hubDestination(new Map([["HUB_URL", ""], ["HUB_API_KEY", "a b"]])), undefined);

  const secrets = ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", SECRET.slice(6)];
  for (const NOTICE_WEBHOOK_SECRET of [...secrets, `whsec_${btoa("x".repeat(65))}`]) {
    const env = new Map(Object.entries({ NOTICE_WEBHOOK_URL: url, NOTICE_WEBHOOK_SECRET }));
    throws(() => webhookDestination(env), {
      message: "NOTICE_WEBHOOK_SECRET must be whsec_ and 24 to 64 bytes in base64",
    });
  }
  throws(() => webhookDestination(new Map([["NOTICE_WEBHOOK_URL", url]])), /NOTICE_WEBHOOK_SECRET/);
  throws(
    () => webhookDestination(new Map([["NOTICE_WEBHOOK_URL", "x"]])),
    /^Error: NOTICE_WEBHOOK_URL/,
  );
  equal(webhookDestination(new Map()), undefined);
});

Deno.test("a webhook is signed as Standard Webhooks are, and is the same each time", async () => {
  await using receiver = startReceiver();
  const due = row({
    destination: "webhook",
    payload: { type: "balance.low", data: { have: "1" } },
  });
  const noticeWebhook = webhook(receiver.url);
  await run([due], { noticeWebhook });
  await run([{ ...due, attempts: 2 }], { noticeWebhook });
  const [first, second] = receiver.received;
  ok(first && second);
  deepEqual(new Webhook(SECRET).verify(first.body, Object.fromEntries(first.headers)), due.payload);
  equal(first.headers.get("webhook-id"), ID);
  equal(first.headers.get("authorization"), null);
  equal(first.headers.get("idempotency-key"), null);
  ok(Math.abs(Number(first.headers.get("webhook-timestamp")) - Date.now() / 1000) < 10);
  deepEqual([second.body, second.headers.get("webhook-id")], [first.body, ID]);
  const headers = Object.fromEntries(first.headers);
  throws(() => new Webhook(SECRET).verify(first.body.replace("1", "2"), headers));
  throws(() => new Webhook(SECRET).verify(first.body, { ...headers, "webhook-id": "other" }));
  throws(() => new Webhook(`whsec_${btoa("y".repeat(32))}`).verify(first.body, headers));
});

Deno.test("five are under way at once, and a slow one does not keep the others waiting", async () => {
  let underWay = 0;
  let most = 0;
  await using receiver = startReceiver(async ({ headers }) => {
    most = Math.max(most, ++underWay);
    await new Promise((done) =>
      setTimeout(done, headers.get("idempotency-key") === "0" ? 250 : 20)
    );
    underWay--;
    return new Response();
  });
  const { body, claims } = await run(rows(12), { hub: hub(receiver.url) });
  deepEqual(body, { ...NONE, delivered: 12 });
  equal(most, 5);
  equal(claims.length, 4);
});

Deno.test("a lease is longer than any attempt", async () => {
  await using receiver = startReceiver();
  const { url } = receiver;
  const cases: [Destinations, number][] = [
    [{}, 40],
    [{ hub: hub(url, { HUB_TIMEOUT_MS: "100" }) }, 40],
    [{ hub: hub(url, { HUB_TIMEOUT_MS: "60000" }) }, 90],
    [{ hub: hub(url, { HUB_TIMEOUT_MS: "20001" }), noticeWebhook: webhook(url) }, 51],
  ];
  for (const [destinations, lease_seconds] of cases) {
    const { claims } = await run([], destinations);
    deepEqual(claims, [{ max_count: 5, lease_seconds }]);
  }
});

Deno.test("once the time is over, what is under way is ended and no more is begun", async () => {
  await using receiver = startReceiver();
  const { body, claims } = await run(rows(100), { hub: hub(receiver.url) }, { budgetMs: 0 });
  equal(claims.length, 1);
  deepEqual(body, { ...NONE, delivered: 5 });
  equal(receiver.received.length, 5);
});

Deno.test("a worker that came too late counts nothing", async () => {
  await using receiver = startReceiver();
  const outbox = outboxOf([row()]);
  const answer: Answer = (call) =>
    call.name === "finish_outbox" ? [{ status: "stale" }] : outbox(call);
  const { body, alerts } = await run([], { hub: hub(receiver.url) }, { answer });
  deepEqual([body, alerts], [NONE, []]);
});

Deno.test("the operator is told of what is dead, and once a run of what failed", async () => {
  await using receiver = startReceiver(() => new Response(null, { status: 500 }));
  const due = [...rows(6), row({ attempts: 12 })];
  const { body, alerts } = await run(due, { hub: hub(receiver.url) });
  deepEqual(body, { ...NONE, failed: 6, dead: 1 });
  deepEqual(alerts, [
    `Delivery ${ID} to hub is dead after 12 attempts: The answer was 500`,
    "Deliveries failed: 6, the last to hub: The answer was 500",
  ]);
});

Deno.test("when the database fails, the row is left to its lease and the others go on", async () => {
  await using receiver = startReceiver();
  const due = rows(7);
  const outbox = outboxOf(due);
  const answer: Answer = (call) => {
    if (call.name === "finish_outbox" && Object(call.args).outbox_id === "3") {
      throw scripError("service_unavailable", "down", { cause: "no answer" });
    }
    return outbox(call);
  };
  const { status, body, alerts } = await run([], { hub: hub(receiver.url) }, { answer });
  deepEqual([status, body], [200, { ...NONE, delivered: 6 }]);
  deepEqual(alerts, ["Delivery 3 to hub is unfinished: no answer"]);

  let claims = 0;
  const failing: Answer = (call) => {
    if (call.name === "claim_outbox" && ++claims > 1) {
      throw scripError("service_unavailable", "down");
    }
    return outboxOf(due)(call);
  };
  equal((await run([], { hub: hub(receiver.url) }, { answer: failing })).status, 503);
});

Deno.test("behind answers, one run at a time looks again for what came meanwhile", async () => {
  const gate = Promise.withResolvers<unknown[]>();
  let claims = 0;
  const { deps } = fakeDeps();
  const work: Promise<unknown>[] = [];
  deps.background = (run) => work.push(run);
  deps.rpc = async () => {
    claims++;
    await gate.promise;
    return [];
  };
  const ask = () => deliverSoon(deps, new Request("http://localhost/refill"));
  for (let n = 0; n < 20; n++) ask();
  equal(work.length, 1);
  equal(claims, 1);
  gate.resolve([]);
  await Promise.all(work);
  equal(claims, 2, "the nineteen that came meanwhile are one more look");
  ask();
  await Promise.all(work);
  equal([work.length, claims].join(), "2,3");

  deps.rpc = () => Promise.reject(new Error("gone"));
  ask();
  equal((await Promise.allSettled(work)).at(-1)?.status, "rejected");
  deps.rpc = () => Promise.resolve([]);
  ask();
  await work.at(-1);
  equal(work.length, 4, "a run that failed is over");
});

Deno.test("work in the background is told to the log when it fails, and to the runtime", async () => {
  const log: LogEntry[] = [];
  const handed: Promise<unknown>[] = [];
  const background = createBackground((entry) => log.push(entry));
  const fail = () => Promise.reject(new Error("on fire"));
  background(fail());
  globalThis.EdgeRuntime = { waitUntil: (work) => handed.push(work) };
  try {
    background(fail());
    background(Promise.resolve());
  } finally {
    globalThis.EdgeRuntime = undefined;
  }
  equal(handed.length, 2);
  await Promise.all(handed);
  await new Promise((done) => setTimeout(done));
  equal(log.length, 2);
  for (const { level, error } of log) {
    equal(level, "error");
    match(error ?? "", /^Error: on fire/);
  }
});

Deno.test("what fails after the answer is told under the request's id", async () => {
  await using receiver = startReceiver(() => new Response(null, { status: 500 }));
  const behind: Promise<unknown>[] = [];
  const { deps } = fakeDeps(outboxOf([row()]), undefined, { hub: hub(receiver.url) });
  const { response, log } = await sender("x", {
    "POST /": () => async (request) => {
      behind.push(deliverDue(deps, request));
      return await Promise.resolve(Response.json({}));
    },
  })("POST", "");
  equal(log.length, 1);
  await Promise.all(behind);
  const [, alert] = log;
  equal(log.length, 2);
  equal(alert?.error, "Deliveries failed: 1, the last to hub: The answer was 500");
  equal(alert?.request_id, response.headers.get("x-request-id"));
  equal(alert?.level, "error");
});

const sync = sender("hub-sync", routes);

Deno.test("hub-sync is for secret keys alone", async () => {
  for (const [headers, status] of [[{}, 401], [asUser, 403], [asAdmin, 403]] as const) {
    const { response, calls } = await sync("POST", "", { headers });
    equal(response.status, status);
    deepEqual(calls, []);
  }
});

Deno.test("hub-sync answers what came of it", async () => {
  await using receiver = startReceiver(({ headers }) =>
    new Response(null, { status: headers.get("idempotency-key") === "1" ? 500 : 200 })
  );
  const due = [...rows(3), row({ destination: "webhook" })];
  for (const body of [undefined, {}]) {
    const { response } = await sync("POST", "", {
      headers: asSecret,
      body,
      answer: outboxOf(due),
      hub: hub(receiver.url),
    });
    equal(response.status, 200);
    deepEqual(await response.json(), { delivered: 2, failed: 1, dead: 0, skipped: 1 });
  }
  const { response, calls } = await sync("POST", "", { headers: asSecret, body: { limit: 1 } });
  equal((await errorOf(response)).message, "limit: is not a field of this request");
  deepEqual(calls, []);
  const down = await sync("POST", "", {
    headers: asSecret,
    answer: () => {
      throw scripError("service_unavailable", "The database is not available, try again");
    },
  });
  equal((await errorOf(down.response)).code, "service_unavailable");
});
