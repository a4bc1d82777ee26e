/**
 * Work of one's own is charged when it succeeded and else not, once for each id, and its end is written down whatever
 * becomes of it.
 *
 * Method: a function as people write them, with work and a database that fail as they are told.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { json, type Routes } from "../../functions/_shared/http.ts";
import {
  ProviderError,
  withTokens,
  type Work,
  type WorkOptions,
} from "../../functions/_shared/with-tokens.ts";
import { asUser, errorOf, fakeRuns, RUN, sender, type Sent, USER, UUID } from "./fakes.ts";

/** Does work in a function of one's own. */
async function does(
  work: (signal: AbortSignal) => Promise<Work>,
  options: Partial<WorkOptions> = {},
  { runs = fakeRuns(), ...sent }: Partial<Sent> & { runs?: ReturnType<typeof fakeRuns> } = {},
) {
  const routes: Routes = {
    "POST /": (deps) => async (request) => {
      const { userId } = await deps.verify(request, "user");
      const paid = { userId, amount: 5, service: "s", operation: "o", model: "m", ...options };
      return json(await withTokens(deps, request, paid, work));
    },
  };
  const { response, calls, log } = await sender("mine", routes)("POST", "", {
    headers: { ...asUser, "idempotency-key": "a" },
    answer: runs.answer,
    ...sent,
  });
  const ends = calls.filter(({ name }) => name === "finish_run").map(({ args }) => Object(args));
  return { response, calls, log, ends, runs };
}

const hi = () => Promise.resolve({ result: { text: "Hi" } });

const RECEIPT = {
  run_id: RUN,
  status: "succeeded",
  result: { text: "Hi" },
  tokens_used: 4,
  remaining: 96,
  replayed: false,
};

Deno.test("work is held for, done, settled and answered", async () => {
  const { response, calls } = await does(hi);
  deepEqual(await response.json(), RECEIPT);
  deepEqual(calls.map(({ name }) => name), ["start_run", "finish_run"]);
  const { attempt, ...start } = Object(calls[0]?.args);
  match(attempt, UUID);
  deepEqual(start, {
    user_id: USER,
    operation_id: "a",
    request: {},
    amount: 5,
    service: "s",
    operation: "o",
    model: "m",
    ttl_seconds: 420,
  });
  const { response_time_ms: _, ...end } = Object(calls[1]?.args);
  deepEqual(end, { run_id: RUN, outcome: "succeeded", result: { text: "Hi" } });
});

Deno.test("work says what it used and what it costs", async () => {
  const { calls, ends } = await does(
    () =>
      Promise.resolve({
        result: "Hi",
        tokens: 3,
        used: { input_tokens: 7, cost_usd: "0.5" },
        summary: "a greeting",
      }),
    { operationId: "a", input: { q: "a\0" }, preview: "b\0", timeoutSeconds: 10 },
  );
  const { request, input_preview, ttl_seconds } = Object(calls[0]?.args);
  deepEqual([request, input_preview, ttl_seconds], [{ q: "a\uFFFD" }, "b\uFFFD", 310]);
  const [{ response_time_ms: _, ...end }] = ends;
  deepEqual(end, {
    run_id: RUN,
    outcome: "succeeded",
    result: "Hi",
    tokens: 3,
    input_tokens: 7,
    explicit_cost_usd: "0.5",
    output_summary: "a greeting",
  });
});

Deno.test("the same id answers the first result, and does nothing", async () => {
  const { runs } = await does(hi);
  let done = 0;
  const again = await does(
    () => {
      done++;
      return hi();
    },
    {},
    { runs },
  );
  deepEqual(await again.response.json(), { ...RECEIPT, replayed: true });
  equal(done, 0);
  Object.assign(runs.run, { run_status: "failed", reason: "No" });
  const failed = await does(hi, {}, { runs });
  deepEqual(await errorOf(failed.response), {
    status: 502,
    code: "provider_failed",
    message: "No",
    details: RUN,
  });
});

Deno.test("without an id each request is work of its own", async () => {
  const ids = [];
  for (let count = 0; count < 2; count++) {
    const { calls } = await does(hi, {}, { headers: asUser });
    ids.push(Object(calls[0]?.args).operation_id);
  }
  ok(ids[0] !== ids[1]);
});

Deno.test("what cannot start is not done", async () => {
  let done = 0;
  const runs = fakeRuns(() => {
    throw scripError("insufficient_tokens", "Insufficient tokens: you have 0, need 5");
  });
  const { response } = await does(
    () => {
      done++;
      return hi();
    },
    {},
    { runs },
  );
  equal(response.status, 403);
  equal(done, 0);
});

Deno.test("work that fails is released; the user hears what is meant for users", async () => {
  const failures: [Error, number, RegExp, string][] = [
    [new ProviderError("Overloaded"), 502, /^Overloaded$/, "Overloaded"],
    [scripError("invalid_request", "url: is no image"), 400, /^url: is/, "url: is no image"],
    [new Error("the key sk-1 is wrong"), 500, /^Scrip failed$/, "Scrip failed"],
  ];
  for (const [error, status, message, recorded] of failures) {
    for (const work of [() => Promise.reject(error), () => raise(error)]) {
      const { response, ends } = await does(work);
      equal(response.status, status);
      match((await response.json()).message, message);
      deepEqual(ends.map(({ outcome, error }) => [outcome, error]), [["failed", recorded]]);
    }
  }
});

const raise = (error: Error) => {
  throw error;
};

Deno.test("work that takes too long is stopped and released", async () => {
  let isStopped = false;
  const { response, ends } = await does((signal) => {
    signal.addEventListener("abort", () => isStopped = true);
    return new Promise(() => {});
  }, { timeoutSeconds: 0.02 });
  match((await errorOf(response)).message, /did not answer within 0.02 seconds/);
  deepEqual(ends.map(({ outcome }) => outcome), ["failed"]);
  ok(isStopped);
});

Deno.test("a caller who is gone pays nothing", async () => {
  const gone = new AbortController();
  const { ends } = await does(
    () => {
      setTimeout(() => gone.abort());
      return new Promise(() => {});
    },
    {},
    { signal: gone.signal },
  );
  deepEqual(ends.map(({ outcome }) => outcome), ["canceled"]);
});

Deno.test("a result that is no JSON is a failure", async () => {
  const { response, ends } = await does(() => {
    const result: Record<string, never> = {};
    return Promise.resolve({ result: Object.assign(result, { result }) });
  });
  match((await errorOf(response)).message, /^The result is not JSON/);
  deepEqual(ends.map(({ outcome }) => outcome), ["failed"]);
});

Deno.test("a failure that cannot be written down at once is no other failure", async () => {
  let isAway = true;
  const runs = fakeRuns(({ name }) => {
    if (name === "finish_run" && isAway) throw scripError("service_unavailable", "Away");
    return undefined;
  });
  const { response, log } = await does(() => raise(new Error("a mistake")), {}, { runs });
  isAway = false;
  equal((await errorOf(response)).code, "internal_error");
  match(log[0]?.error ?? "", /a mistake/);
  match(log[1]?.error ?? "", /could not be ended/);
  for (let count = 0; count < 200 && runs.run.run_status === "running"; count++) {
    await new Promise((done) => setTimeout(done, 10));
  }
  equal(runs.run.run_status, "failed");
});
