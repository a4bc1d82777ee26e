/**
 * A run that started ends once, whatever becomes of the provider, the caller and the database: charged when there is a
 * result, released when there is none; nothing is held for what cannot run.
 *
 * Method: the real routes with a provider and a database that fail, hang and hurry as they are told.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { createHandler } from "../../functions/_shared/http.ts";
import {
  type Ended,
  type Finished,
  type Provider,
  ProviderError,
  type Streaming,
} from "../../functions/_shared/providers/provider.ts";
import { finishRun } from "../../functions/_shared/runs.ts";
import { routes } from "../../functions/run-model/routes.ts";
import {
  asSecret,
  asUser,
  type Call,
  errorOf,
  fakeDeps,
  fakeProviders,
  fakeRuns,
  MODEL,
  RUN,
  sender,
  type Sent,
  USER,
  UUID,
} from "./fakes.ts";

const send = sender("run-model", routes);
const AT_ONCE = { body: { model: "m", input: "Hello" }, headers: asUser };
const KEYED = { ...AT_ONCE, headers: { ...asUser, "idempotency-key": "a" } };

const finished = (text: string, more: object = {}): Finished => ({
  status: "succeeded",
  result: { text, ...more },
  used: { input_tokens: 3, output_tokens: 5, cost_usd: "0.0001" },
  summary: text,
});

const running = (id = "p1") => ({ status: "running", providerRunId: id } as const);

const RECEIPT = {
  run_id: RUN,
  status: "succeeded",
  result: { text: "Hi" },
  tokens_used: 4,
  remaining: 96,
  replayed: false,
};

/** Sends a request; `runs` is the database, with its one run. */
async function run(
  provider: Partial<Provider>,
  { runs = fakeRuns(), ...sent }: Partial<Sent> & { runs?: ReturnType<typeof fakeRuns> } = {},
) {
  const all = { ...AT_ONCE, answer: runs.answer, providers: fakeProviders(provider), ...sent };
  const { response, calls, log } = await send("POST", "", all);
  return { response, calls, log, ends: () => endsOf(calls), run: runs.run };
}

const endsOf = (calls: Call[]) =>
  calls.filter(({ name }) => name === "finish_run").map(({ args }) => Object(args));

const namesOf = (calls: Call[]) => calls.map(({ name }) => name);

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

const hang = () => new Promise<never>(() => {});

/** Waits until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let count = 0; count < 300 && !holds(); count++) await pause(10);
  ok(holds());
}

const answering = (name: string, ...answers: (unknown[] | Error)[]) =>
  fakeRuns((call) => {
    if (call.name !== name) return undefined;
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  });

const away = () => scripError("service_unavailable", "The database is not available");

Deno.test("a success is settled with what it used, and then answered", async () => {
  const { response, calls } = await run({ run: () => Promise.resolve(finished("Hi")) }, KEYED);
  equal(response.status, 200);
  deepEqual(await response.json(), RECEIPT);
  deepEqual(namesOf(calls), ["get_ai_model", "start_model_run", "finish_run"]);
  const { attempt, ...start } = Object(calls[1]?.args);
  match(attempt, UUID);
  deepEqual(start, {
    user_id: USER,
    operation_id: "a",
    slug: "m",
    request: { model: "m", input: { prompt: "Hello" } },
    input_preview: "a preview",
    input_tokens: 1,
    output_tokens: 2,
  });
  const { response_time_ms, ...end } = Object(calls[2]?.args);
  ok(response_time_ms >= 0);
  deepEqual(end, {
    run_id: RUN,
    outcome: "succeeded",
    result: { text: "Hi" },
    input_tokens: 3,
    output_tokens: 5,
    explicit_cost_usd: "0.0001",
    output_summary: "Hi",
  });
});

Deno.test("text is the prompt, for embeddings the input; numbers may be rounded; without a key each run is new", async () => {
  const inputs: unknown[] = [];
  const provider: Partial<Provider> = {
    run: ({ input }) => {
      inputs.push(input);
      return Promise.resolve(finished("Hi"));
    },
  };
  const first = await run(provider, { body: { model: "m", input: { a: [1] } } });
  const runs = answering("get_ai_model", [{ ...MODEL, kind: "embedding" }]);
  const second = await run(provider, { runs });
  await run(provider, { body: '{"model":"m","input":{"t":0.70000000000000000001}}' });
  deepEqual(inputs, [{ a: [1] }, { input: "Hello" }, { t: 0.7 }]);
  const ids = [first, second].map(({ calls }) => Object(calls[1]?.args).operation_id);
  ok(ids[0] !== ids[1]);
  for (const id of ids) match(id, /^[\da-f-]{36}$/);
});

Deno.test("what cannot be a request is refused before anything is held", async () => {
  const deep = (levels: number) =>
    `{"model":"m","input":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}}`;
  const bodies: [unknown, RegExp][] = [
    [{ input: "a" }, /^model: is required/],
    [{ model: "m" }, /^input: is required/],
    [{ model: "m", input: 5 }, /^input: must be text, or an object/],
    [{ model: "m", input: null }, /^input: must be text, or an object/],
    [{ model: "m", input: ["a"] }, /^input: must be text, or an object/],
    [{ model: "m", input: "a\0b" }, /^input: must be .*without NUL/],
    [{ model: "m", input: { "\ud800": 1 } }, /^input: must be .*without NUL/],
    [deep(100), /^input: must be .*levels/],
    [deep(2000), /^input: must be .*levels/],
    [{ model: "m", input: "a", stream: 1 }, /^stream: must be true or false/],
    [{ model: "m", input: "a", user_id: USER }, /^user_id: is not a field/],
  ];
  for (const [body, message] of bodies) {
    const { response, calls } = await run({}, { body });
    const error = await errorOf(response);
    equal(error.code, "invalid_request", error.message);
    match(error.message, message);
    deepEqual(calls, []);
  }
  const filled = (length: number) => ({ model: "m", input: "x".repeat(length) });
  const large = await run({}, { body: filled(1_048_576) });
  match((await errorOf(large.response)).message, /^body: must be at most 1048576 bytes/);
  const fits = { run: () => Promise.resolve(finished("Hi")) };
  equal((await run(fits, { body: filled(1_000_000) })).response.status, 200);
});

Deno.test("only users run models", async () => {
  equal((await run({}, { headers: {} })).response.status, 401);
  equal((await run({}, { headers: asSecret })).response.status, 403);
});

Deno.test("an input that the provider refuses, and a key that is missing, hold nothing", async () => {
  const refused = await run({
    prepare: () => {
      throw scripError("invalid_request", "input.n: must be a whole number");
    },
  });
  equal((await errorOf(refused.response)).message, "input.n: must be a whole number");
  deepEqual(namesOf(refused.calls), ["get_ai_model"]);

  const keyless = await run({ missingKey: () => "OPENAI_API_KEY" });
  const error = await errorOf(keyless.response);
  equal(error.status, 502);
  equal(error.message, "The model m is not configured: OPENAI_API_KEY is missing");
  deepEqual(namesOf(keyless.calls), ["get_ai_model"]);
  equal(keyless.log.length, 2);
});

Deno.test("what start_model_run refuses is answered, and the provider hears nothing", async () => {
  for (const code of ["operation_in_progress", "insufficient_tokens", "model_not_found"] as const) {
    const refusal = scripError(code, "No", { details: RUN });
    const { response, calls } = await run({}, { runs: answering("start_model_run", refusal) });
    deepEqual(await errorOf(response), { ...await errorOf(refusalOf(refusal)), details: RUN });
    deepEqual(namesOf(calls), ["get_ai_model", "start_model_run"]);
  }
});

const refusalOf = ({ status, body }: ReturnType<typeof scripError>) =>
  Response.json(body, { status });

Deno.test("a replay answers the first end, and the provider hears nothing", async () => {
  const runs = fakeRuns();
  const first = await run({ run: () => Promise.resolve(finished("Hi")) }, { ...KEYED, runs });
  deepEqual(await first.response.json(), RECEIPT);
  const again = await run({}, { ...KEYED, runs });
  equal(again.response.status, 200);
  deepEqual(await again.response.json(), { ...RECEIPT, replayed: true });
  deepEqual(again.ends(), []);

  for (const run_status of ["failed", "canceled", "abandoned"]) {
    Object.assign(runs.run, { run_status, result: null, reason: "Out of luck" });
    const failed = await run({}, { ...KEYED, runs });
    deepEqual(await errorOf(failed.response), {
      status: 502,
      code: "provider_failed",
      message: "Out of luck",
      details: RUN,
    });
  }
});

Deno.test("a provider's failure releases, and is answered as the database words it", async () => {
  const runs = answering("finish_run", [{
    owner_id: USER,
    run_status: "failed",
    tokens_used: 0,
    remaining: 100,
    reason: "Overloaded, with [redacted]",
    replayed: false,
  }]);
  const provider = { run: () => Promise.reject(new ProviderError("Overloaded, with sk-123")) };
  const { response, ends } = await run(provider, { runs });
  deepEqual(await errorOf(response), {
    status: 502,
    code: "provider_failed",
    message: "Overloaded, with [redacted]",
    details: RUN,
  });
  const [{ response_time_ms: _, ...end }, ...more] = ends();
  deepEqual(end, { run_id: RUN, outcome: "failed", error: "Overloaded, with sk-123" });
  deepEqual(more, []);
});

Deno.test("a run that the provider ended without a result is released", async () => {
  for (const status of ["failed", "canceled"] as const) {
    const { response, ends } = await run({
      run: () => Promise.resolve({ status, reason: "Out of memory" }),
    });
    equal((await errorOf(response)).message, "Out of memory");
    deepEqual(ends().map(({ outcome }) => outcome), [status]);
  }
});

Deno.test("a mistake of Scrip's releases, is opaque, and in the log", async () => {
  const { response, ends, log } = await run({
    run: () => {
      throw new TypeError("secrets.key is undefined");
    },
  });
  const text = await response.text();
  equal(response.status, 500);
  ok(!text.includes("secrets"));
  deepEqual(ends().map(({ outcome, error }) => [outcome, error]), [["failed", "Scrip failed"]]);
  match(log[0]?.error ?? "", /secrets\.key is undefined/);
});

Deno.test("a provider that hangs is stopped at the model's timeout, though it ignore the signal", async () => {
  const runs = () => answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.05 }]);
  let signal: AbortSignal | undefined;
  const providers: Partial<Provider>[] = [
    { run: hang },
    {
      run: (call) => {
        signal = call.signal;
        const { promise, reject } = Promise.withResolvers<never>();
        call.signal.addEventListener("abort", () => reject(new Error("aborted")));
        return promise;
      },
    },
  ];
  for (const provider of providers) {
    const { response, ends } = await run(provider, { runs: runs() });
    const message = "The provider did not answer within 0.05 seconds";
    deepEqual(await errorOf(response), {
      status: 502,
      code: "provider_failed",
      message,
      details: RUN,
    });
    deepEqual(ends().map(({ outcome, error }) => [outcome, error]), [["failed", message]]);
  }
  ok(signal?.aborted);
});

Deno.test("a caller who is gone cancels, before the provider is asked or while it works", async () => {
  for (const isEarly of [true, false]) {
    const gone = new AbortController();
    let asked = 0;
    if (isEarly) gone.abort();
    const { ends, log } = await run({
      run: async ({ signal }) => {
        asked++;
        setTimeout(() => gone.abort());
        await new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
        return finished("Too late");
      },
    }, { signal: gone.signal });
    equal(asked, isEarly ? 0 : 1);
    deepEqual(ends().map(({ outcome }) => outcome), ["canceled"]);
    equal(log[0]?.level, "info");
  }
});

Deno.test("a run that goes on at the provider after its end is cancelled there", async () => {
  const gone = new AbortController();
  const canceled: string[] = [];
  const { ends } = await run({
    run: async () => {
      setTimeout(() => gone.abort(), 5);
      await pause(20);
      return running();
    },
    cancel: (_, id) => {
      canceled.push(id);
      return Promise.resolve(running());
    },
  }, { signal: gone.signal });
  deepEqual(ends().map(({ outcome }) => outcome), ["canceled"]);
  await until(() => canceled.length > 0);
  deepEqual(canceled, ["p1"]);
});

Deno.test("a caller who leaves after the answer changes nothing", async () => {
  const gone = new AbortController();
  const done = { run: () => Promise.resolve(finished("Hi")) };
  const { response, ends } = await run(done, { signal: gone.signal });
  gone.abort();
  await pause(20);
  equal(response.status, 200);
  equal(ends().length, 1);
});

Deno.test("a run that has ended has no timer any more", async () => {
  const runs = answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.03 }]);
  const signals: AbortSignal[] = [];
  const { response } = await run({
    run: ({ signal }) => {
      signals.push(signal);
      return Promise.resolve(finished("Hi"));
    },
  }, { runs });
  await response.body?.cancel();
  await pause(60);
  deepEqual(signals.map(({ aborted }) => aborted), [false]);
});

Deno.test("a database that is away for a moment loses nothing", async () => {
  const runs = answering("finish_run", away());
  const done = { run: () => Promise.resolve(finished("Hi")) };
  const { response, ends } = await run(done, { runs });
  deepEqual(await response.json(), RECEIPT);
  equal(ends().length, 2);
});

Deno.test("a database that is away for longer gets the end in the background", async () => {
  const runs = answering("finish_run", away(), away(), away());
  const done = { run: () => Promise.resolve(finished("Hi")) };
  const { response, ends } = await run(done, { runs });
  equal((await errorOf(response)).code, "service_unavailable");
  await until(() => runs.run.run_status === "succeeded");
  equal(ends().length, 4);
});

Deno.test("what goes on after the answer is the platform's to keep alive", async () => {
  const runs = answering("finish_run", away(), away(), away());
  const { deps } = fakeDeps(runs.answer);
  const kept: Promise<unknown>[] = [];
  const background = (work: Promise<unknown>) => void kept.push(work);
  const end = { outcome: "canceled", error: "x" } as const;
  await finishRun({ ...deps, background }, new Request("http://localhost/"), RUN, end, {
    laterPausesMs: [],
  }).catch(() => {});
  equal(kept.length, 1);
  await kept[0];
  equal(runs.run.run_status, "canceled");
});

Deno.test("an end that cannot be written down is the operator's to know", async () => {
  const { deps, calls, log } = fakeDeps(() => {
    throw away();
  });
  const handle = createHandler("f", {
    "POST /": (deps) => async (request) => {
      const end = { outcome: "failed", error: "x" } as const;
      await finishRun(deps, request, RUN, end, { laterPausesMs: [20, 20] });
      return new Response();
    },
  }, deps);
  const { status } = await handle(new Request("http://localhost/f", { method: "POST" }));
  equal(status, 503);
  await until(() => log.length === 2);
  equal(calls.length, 6);
  match(log[1]?.error ?? "", new RegExp(`^Run ${RUN} could not be ended: .*not available`));
});

const REFUSALS = [
  new Error("statement too complex"),
  scripError("invalid_request", "output_tokens must be less"),
  scripError("balance_limit_exceeded", "Too much"),
];
const UNKEPT = {
  code: "provider_failed",
  message: "The result could not be kept",
  details: RUN,
};

Deno.test("a result that the database refuses is a failure, which nobody pays for", async () => {
  const done = { run: () => Promise.resolve(finished("Hi")) };
  for (const refusal of REFUSALS) {
    const runs = answering("finish_run", refusal);
    const { response, ends, log } = await run(done, { runs });
    deepEqual(await errorOf(response), { status: 502, ...UNKEPT });
    deepEqual(ends().map(({ outcome }) => outcome), ["succeeded", "failed"]);
    match(
      log[1]?.error ?? "",
      new RegExp(`^Run ${RUN} ends without its result: .*${refusal.message}`),
    );
    equal(runs.run.run_status, "failed");

    const streamed = answering("finish_run", refusal);
    const events = await run(streaming(["H"]), { ...STREAM, runs: streamed });
    const [name, error] = eventsOf(await events.response.text())[2] ?? [];
    deepEqual([name, error], ["error", { ...UNKEPT, hint: null }]);
    equal(streamed.run.run_status, "failed");

    const asked = answering("finish_run", refusal);
    Object.assign(asked.run, { provider_run_id: "p1" });
    const { body } = await ask({ check: () => Promise.resolve(finished("Hi")) }, asked);
    deepEqual([body.status, body.error], ["failed", UNKEPT.message]);
  }
});

Deno.test("a result is also refused in the background, and an end that is refused is an error", async () => {
  const done = { run: () => Promise.resolve(finished("Hi")) };
  const refusal = new Error("statement too complex");
  const later = answering("finish_run", away(), away(), away(), refusal, away());
  equal((await run(done, { runs: later })).response.status, 503);
  await until(() => later.run.run_status === "failed");

  const twice = answering("finish_run", refusal, refusal);
  equal((await run(done, { runs: twice })).response.status, 500);
  equal(twice.run.run_status, "running");
});

Deno.test("text that Postgres cannot store does not lose a result", async () => {
  const done = { run: () => Promise.resolve(finished("a\0b\ud800c\\u0000", { "\0": "\\\0" })) };
  const { response, ends } = await run(done);
  const kept = { text: "a\uFFFDb\uFFFDc\\u0000", "\uFFFD": "\\\uFFFD" };
  deepEqual(ends()[0].result, kept);
  deepEqual((await response.json()).result, kept);
});

Deno.test("a result has at most 16 MiB", async () => {
  const done = (bytes: number) => ({
    run: () => Promise.resolve({ ...finished("x".repeat(bytes - 11)), summary: "" }),
  });
  const { response, ends } = await run(done(16_777_217));
  match((await errorOf(response)).message, /^The result is too large: 16777217 bytes, at most/);
  deepEqual(ends().map(({ outcome }) => outcome), ["failed"]);
  equal((await run(done(16_777_216))).response.status, 200);
});

Deno.test("a run that takes longer is noted and answered 202", async () => {
  const provider = { run: () => Promise.resolve(running()) };
  const { response, calls, run: kept } = await run(provider);
  equal(response.status, 202);
  deepEqual(await response.json(), { run_id: RUN, status: "running" });
  equal(kept.provider_run_id, "p1");
  deepEqual(namesOf(calls).slice(2), ["attach_provider_run", "get_run"]);
});

Deno.test("a webhook that is faster than its run's answer has ended it", async () => {
  for (const status of ["succeeded", "failed"]) {
    const runs = fakeRuns();
    const { response } = await run({
      run: () => {
        runs.answer({
          name: "finish_run",
          args: { outcome: status, result: { text: "Hi" }, error: "Late" },
        });
        return Promise.resolve(running());
      },
    }, { runs });
    if (status === "succeeded") deepEqual(await response.json(), RECEIPT);
    else equal((await errorOf(response)).message, "Late");
  }
});

Deno.test("a webhook that is faster than the provider's own answer counts", async () => {
  const runs = fakeRuns();
  const { response } = await run({
    run: () => {
      const args = { outcome: "succeeded", result: { text: "Hi" } };
      runs.answer({ name: "finish_run", args });
      return Promise.resolve(finished("The same, told otherwise"));
    },
  }, { runs });
  deepEqual(await response.json(), RECEIPT);
});

Deno.test("a run that cannot be noted is cancelled and released", async () => {
  const canceled: string[] = [];
  const runs = answering("attach_provider_run", new Error("on fire"));
  const { response, ends } = await run({
    run: () => Promise.resolve(running()),
    cancel: (_, id) => {
      canceled.push(id);
      return Promise.reject(new ProviderError("Cannot be reached"));
    },
  }, { runs });
  equal(response.status, 500);
  deepEqual(canceled, ["p1"]);
  deepEqual(ends().map(({ outcome }) => outcome), ["failed"]);
});

Deno.test("a run that cannot be noted as the database is away is told as its key will be", async () => {
  const runs = answering("attach_provider_run", away(), away(), away());
  const { response, ends } = await run({ run: () => Promise.resolve(running()) }, { runs });
  const { code, message } = await errorOf(response);
  deepEqual([code, message], ["provider_failed", "The run could not be noted"]);
  deepEqual(ends().map(({ error }) => error), ["The run could not be noted"]);
});

Deno.test("the models on offer are for anyone", async () => {
  const rows = [{ slug: "m", kind: "text" }];
  const { response } = await send("GET", "/models", { answer: () => rows });
  deepEqual(await response.json(), { data: rows });
  const posted = await send("POST", "/models");
  equal(posted.response.status, 405);
  equal(posted.response.headers.get("allow"), "GET, OPTIONS");
});

/** Asks for the run, or cancels it. */
async function ask(provider: Partial<Provider>, runs: ReturnType<typeof fakeRuns>, path = "") {
  const [method, rest] = path === "" ? ["GET", ""] : ["POST", path];
  const sent = { headers: asUser, answer: runs.answer, providers: fakeProviders(provider) };
  const { response, calls, log } = await send(method, `/${RUN}${rest}`, sent);
  return { response, calls, log, body: await response.json() };
}

const shown = (more: object) => ({
  run_id: RUN,
  tokens_used: 0,
  remaining: 90,
  created_at: "2026-11-21T10:00:00.000000+00:00",
  finished_at: null,
  ...more,
});

Deno.test("a run can be asked for by its owner, however it ended", async () => {
  const runs = fakeRuns();
  const { body, calls } = await ask({}, runs);
  deepEqual(body, shown({ status: "running" }));
  deepEqual(calls, [{ name: "get_run", args: { run_id: RUN, user_id: USER } }]);
  Object.assign(runs.run, { run_status: "succeeded", result: { text: "Hi" }, tokens_used: 4 });
  deepEqual(
    (await ask({}, runs)).body,
    shown({
      status: "succeeded",
      result: { text: "Hi" },
      tokens_used: 4,
    }),
  );
  Object.assign(runs.run, { run_status: "failed", result: null, tokens_used: 0, reason: "No" });
  deepEqual((await ask({}, runs)).body, shown({ status: "failed", error: "No" }));
  const asked: unknown[] = [];
  Object.assign(runs.run, { provider_run_id: "p1" });
  await ask({
    check: (_, id) => {
      asked.push(id);
      return Promise.resolve(running());
    },
  }, runs);
  deepEqual(asked, []);
  const unknown = answering("get_run", scripError("run_not_found", "There is no run"));
  equal((await ask({}, unknown)).response.status, 404);
  equal((await send("GET", "/x", { headers: asUser })).response.status, 400);
});

const pending = () => {
  const runs = fakeRuns();
  Object.assign(runs.run, { provider_run_id: "p1" });
  return runs;
};

Deno.test("a run whose webhook is lost is ended when it is asked for", async () => {
  const still = await ask({ check: () => Promise.resolve(running()) }, pending());
  equal(still.body.status, "running");
  deepEqual(endsOf(still.calls), []);

  const ended = await ask({ check: () => Promise.resolve(finished("Hi")) }, pending());
  equal(ended.body.status, "succeeded");
  deepEqual(ended.body.result, { text: "Hi" });
  equal(endsOf(ended.calls).length, 1);

  const failing = { check: () => Promise.reject(new ProviderError("Cannot be reached")) };
  const { body, log, response } = await ask(failing, pending());
  equal(response.status, 200);
  equal(body.status, "running");
  match(log[1]?.error ?? "", /Cannot be reached/);
});

Deno.test("a run that goes on at the provider can be canceled, once", async () => {
  const canceled: string[] = [];
  const provider: Partial<Provider> = {
    cancel: (_, id) => {
      canceled.push(id);
      return Promise.resolve(running());
    },
  };
  const runs = pending();
  for (let count = 0; count < 2; count++) {
    const { body } = await ask(provider, runs, "/cancel");
    equal(body.status, "canceled");
    equal(body.error, "The run was canceled");
  }
  deepEqual(canceled, ["p1"]);

  const ended = pending();
  Object.assign(ended.run, { run_status: "succeeded", result: { text: "Hi" } });
  equal((await ask(provider, ended, "/cancel")).body.status, "succeeded");
  deepEqual(canceled, ["p1"]);
});

Deno.test("a run that had ended at the provider before it was canceled ends like that", async () => {
  const ends: [Finished | Ended, string, number][] = [
    [finished("Hi"), "succeeded", 4],
    [{ status: "failed", reason: "Out of memory" }, "failed", 0],
    [{ status: "canceled", reason: "The provider canceled the run" }, "canceled", 0],
  ];
  for (const [outcome, status, tokens] of ends) {
    const { body } = await ask({ cancel: () => Promise.resolve(outcome) }, pending(), "/cancel");
    deepEqual([body.status, body.tokens_used], [status, tokens]);
  }
});

Deno.test("a run that ends while it is canceled stays as it ended", async () => {
  const runs = pending();
  const { body } = await ask(
    {
      cancel: () => {
        const args = { outcome: "succeeded", result: { text: "Hi" } };
        runs.answer({ name: "finish_run", args });
        return Promise.resolve(running());
      },
    },
    runs,
    "/cancel",
  );
  equal(body.status, "succeeded");
});

Deno.test("a run that the request waits for cannot be canceled, nor one that the provider keeps", async () => {
  const inline = await ask({ cancel: () => Promise.resolve(running()) }, fakeRuns(), "/cancel");
  equal(inline.response.status, 409);
  equal(inline.body.code, "operation_in_progress");
  equal((await ask({}, pending(), "/cancel")).response.status, 409);

  const failing = { cancel: () => Promise.reject(new ProviderError("Cannot be reached")) };
  const { response, body, calls } = await ask(failing, pending(), "/cancel");
  equal(response.status, 502);
  deepEqual([body.message, body.details], ["Cannot be reached", RUN]);
  deepEqual(endsOf(calls), []);
});

const STREAM = { body: { model: "m", input: "Hello", stream: true } };

/** A provider that streams pieces; a number is a pause, an error is thrown. */
function streaming(pieces: (string | number | Error)[]) {
  const seen = { text: "", isWhole: false, closed: false, signal: new AbortController().signal };
  const stream = ({ signal }: { signal: AbortSignal }): Streaming => {
    seen.signal = signal;
    return {
      async *[Symbol.asyncIterator]() {
        try {
          for (const piece of pieces) {
            if (piece instanceof Error) throw piece;
            if (typeof piece === "number") {
              await pause(piece);
              signal.throwIfAborted();
            } else {
              seen.text += piece;
              yield piece;
            }
          }
          seen.isWhole = true;
        } finally {
          seen.closed = true;
        }
      },
      produced: () => finished(seen.text, seen.isWhole ? {} : { truncated: true }),
    };
  };
  return { stream, seen };
}

const eventsOf = (text: string) =>
  text.split("\n\n").filter(Boolean).map((event) => {
    const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
    return [name, JSON.parse(data)];
  });

const WHOLE = [
  ["run", { run_id: RUN }],
  ["delta", { text: "H" }],
  ["delta", { text: "i" }],
  ["done", RECEIPT],
];

Deno.test("text comes piece by piece, and is settled before done", async () => {
  const { response, ends, log } = await run(streaming(["H", "", "i"]), STREAM);
  equal(response.status, 200);
  match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  equal(response.headers.get("cache-control"), "no-store, no-transform");
  deepEqual(eventsOf(await response.text()), WHOLE);
  const [{ outcome, result, output_tokens }, ...more] = ends();
  deepEqual([outcome, result, output_tokens, more], ["succeeded", { text: "Hi" }, 5, []]);
  equal(log.length, 1);
});

Deno.test("a stream that has ended has no timer any more", async () => {
  const runs = answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.05 }]);
  const { stream, seen } = streaming(["H"]);
  const { response } = await run({ stream }, { ...STREAM, runs });
  await response.text();
  await pause(80);
  equal(seen.signal.aborted, false);
});

Deno.test("a replay of a stream gives the whole text at once, or the failure", async () => {
  const runs = fakeRuns();
  Object.assign(runs.run, {
    run_status: "succeeded",
    result: { text: "Hi" },
    tokens_used: 4,
    remaining: 96,
  });
  const { response } = await run({ stream: streaming([]).stream }, { ...STREAM, runs });
  deepEqual(eventsOf(await response.text()), [
    ["run", { run_id: RUN }],
    ["delta", { text: "Hi" }],
    ["done", { ...RECEIPT, replayed: true }],
  ]);
  Object.assign(runs.run, { run_status: "failed", reason: "No" });
  const failed = await run({ stream: streaming([]).stream }, { ...STREAM, runs });
  equal((await errorOf(failed.response)).message, "No");
});

Deno.test("only text can stream, and of providers that do", async () => {
  const image = answering("get_ai_model", [{ ...MODEL, kind: "image" }]);
  for (
    const { response, calls } of [
      await run({}, STREAM),
      await run(streaming(["a"]), { ...STREAM, runs: image }),
    ]
  ) {
    equal((await errorOf(response)).message, "stream: the model m cannot stream");
    deepEqual(namesOf(calls), ["get_ai_model"]);
  }
});

Deno.test("a stream that breaks off releases, and ends with the error", async () => {
  const { response, ends, log } = await run(
    streaming(["H", new ProviderError("Broke off")]),
    STREAM,
  );
  deepEqual(eventsOf(await response.text()).slice(1), [
    ["delta", { text: "H" }],
    ["error", { code: "provider_failed", message: "Broke off", details: RUN, hint: null }],
  ]);
  deepEqual(ends().map(({ outcome }) => outcome), ["failed"]);
  equal(log.length, 2);
  match(log[1]?.error ?? "", /Broke off/);
});

Deno.test("a mistake of Scrip's in a stream is opaque, and in the log", async () => {
  const broken = streaming(["H", new TypeError("secrets.key is undefined")]);
  const { response, ends, log } = await run(broken, STREAM);
  const [name, { code }] = eventsOf(await response.text())[2] ?? [];
  deepEqual([name, code], ["error", "internal_error"]);
  deepEqual(ends().map(({ error }) => error), ["Scrip failed"]);
  match(log[1]?.error ?? "", /secrets\.key/);
});

Deno.test("a stream that hangs is late", async () => {
  const runs = answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.05 }]);
  const { stream, seen } = streaming(["H", 100]);
  const { response, ends } = await run({ stream }, { ...STREAM, runs });
  const [name, { message }] = eventsOf(await response.text())[2] ?? [];
  equal(name, "error");
  equal(message, "The provider did not answer within 0.05 seconds");
  deepEqual(ends().map(({ outcome }) => outcome), ["failed"]);
  await until(() => seen.closed);
});

Deno.test("a stream whose time is over while text comes is cut, and charged", async () => {
  const runs = answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.4 }]);
  const { stream, seen } = streaming(Array.from({ length: 100 }, () => ["a", 20]).flat());
  const { response, ends } = await run({ stream }, { ...STREAM, runs });
  const events = eventsOf(await response.text());
  const [name, receipt] = events.at(-1) ?? [];
  equal(name, "done");
  const text = events.flatMap(([, data]) => data.text ?? []).join("");
  deepEqual(receipt, { ...RECEIPT, result: { text, truncated: true } });
  ok(text.length > 2 && text.length < 50);
  deepEqual(ends().map(({ outcome }) => outcome), ["succeeded"]);
  await until(() => seen.closed);
});

Deno.test("a caller who leaves pays by the provider's own counts, or else for what came until then", async () => {
  const ways = [
    [() => true, "Hi"],
    [() => false, "H"],
    [() => {
      throw new ProviderError("Broke off");
    }, "H"],
  ] as const;
  for (const [end, paid] of ways) {
    const { stream, seen } = streaming(["H", 1000, "never"]);
    const waited: [number, boolean][] = [];
    const { response, ends } = await run({
      stream: (call) =>
        Object.assign(stream(call), {
          finish: async (ms: number) => {
            waited.push([ms, call.signal.aborted]);
            await pause(20);
            seen.text += "i";
            return end();
          },
        }),
    }, STREAM);
    const reader = response.body?.getReader();
    for (let count = 0; count < 2; count++) await reader?.read();
    const next = reader?.read();
    await reader?.cancel();
    await next;
    deepEqual(ends(), []);
    await until(() => ends().length > 0);
    await pause(20);
    const [{ outcome, result }, ...more] = ends();
    deepEqual([outcome, result.text, more], ["succeeded", paid, []]);
    deepEqual(waited, [[2000, false]]);
    ok(seen.signal.aborted);
  }
});

Deno.test("a provider that cannot say what it produced is not paid", async () => {
  const mistake = () => {
    throw new TypeError("nothing was counted");
  };
  const broken = (call: { signal: AbortSignal }) =>
    Object.assign(streaming(["H"]).stream(call), { produced: mistake });
  const whole = await run({ stream: broken }, STREAM);
  equal(eventsOf(await whole.response.text())[2]?.[0], "error");
  const left = await run({ stream: broken }, STREAM);
  const reader = left.response.body?.getReader();
  for (let count = 0; count < 2; count++) await reader?.read();
  await reader?.cancel();
  for (const { ends, log } of [whole, left]) {
    await until(() => ends().length > 0);
    deepEqual(ends().map(({ outcome, error }) => [outcome, error]), [["failed", "Scrip failed"]]);
    match(log[1]?.error ?? "", /nothing was counted/);
  }
});

Deno.test("a caller who leaves pays for what was produced, and the provider stops", async () => {
  const leaving = [
    async (reader: ReadableStreamDefaultReader, _: AbortController) => await reader.cancel(),
    (_: ReadableStreamDefaultReader, gone: AbortController) => Promise.resolve(gone.abort()),
  ];
  for (const leave of leaving) {
    for (const isWaiting of [false, true]) {
      const gone = new AbortController();
      const { stream, seen } = streaming(["H", 30, "never"]);
      const { response, ends, log } = await run({ stream }, { ...STREAM, signal: gone.signal });
      const reader = response.body?.getReader();
      ok(reader);
      for (let count = 0; count < 2; count++) await reader.read();
      const next = isWaiting ? reader.read() : undefined;
      await pause(5);
      await leave(reader, gone);
      await next;
      await until(() => ends().length > 0);
      await pause(50);
      const [{ outcome, result }, ...more] = ends();
      deepEqual([outcome, result, more], ["succeeded", { text: "H", truncated: true }, []]);
      ok(seen.signal.aborted);
      equal(seen.text, "H");
      equal(log.length, 1);
      if (isWaiting) await until(() => seen.closed);
    }
  }
});

Deno.test("a caller who leaves before any text pays nothing", async () => {
  for (const reads of [0, 1]) {
    const { response, ends } = await run(streaming([5, "H"]), STREAM);
    const reader = response.body?.getReader();
    for (let count = 0; count < reads; count++) await reader?.read();
    await reader?.cancel();
    await until(() => ends().length > 0);
    deepEqual(ends().map(({ outcome }) => outcome), ["canceled"]);
  }
});

Deno.test("a caller who stops reading until the time is over pays for what was produced", async () => {
  const runs = answering("get_ai_model", [{ ...MODEL, timeout_seconds: 0.05 }]);
  const { response, ends } = await run(streaming(["H", "i"]), { ...STREAM, runs });
  const reader = response.body?.getReader();
  ok(reader);
  for (let count = 0; count < 2; count++) await reader.read();
  await pause(100);
  deepEqual(ends().map(({ outcome }) => outcome), ["succeeded"]);
  const text = new TextDecoder().decode((await reader.read()).value);
  const [name, { result }] = eventsOf(text)[0] ?? [];
  deepEqual([name, result], ["done", { text: "H", truncated: true }]);
  equal((await reader.read()).done, true);
});

Deno.test("a caller who leaves at the end is charged once", async () => {
  const { response, ends } = await run(streaming(["H"]), STREAM);
  const reader = response.body?.getReader();
  for (let count = 0; count < 2; count++) await reader?.read();
  const done = reader?.read();
  await Promise.resolve();
  await reader?.cancel();
  await done;
  await pause(20);
  equal(ends().length, 1);
});

Deno.test("no done without a settlement", async () => {
  const gone = answering("finish_run", away(), away(), away());
  const { response, log } = await run(streaming(["H"]), { ...STREAM, runs: gone });
  const events = eventsOf(await response.text());
  deepEqual(events.map(([name]) => name), ["run", "delta", "error"]);
  equal(events[2]?.[1].code, "service_unavailable");
  await until(() => gone.run.run_status === "succeeded");
  ok(log.length >= 2);
});
