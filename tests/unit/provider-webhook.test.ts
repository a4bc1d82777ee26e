/**
 * A webhook ends the run that it is about, once, and only when the provider signed it lately: nothing else reaches the
 * database.
 *
 * Method: the real routes and the real provider, with webhooks signed by the standard's library, one way of being wrong at
 * a time.
 */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { scripError } from "../../functions/_shared/errors.ts";
import { providersOf } from "../../functions/_shared/providers/providers.ts";
import { routes } from "../../functions/provider-webhook/routes.ts";
import { errorOf, fakeProviders, fakeRuns, RUN, sender, USER } from "./fakes.ts";

const send = sender("provider-webhook", routes);
const SECRET = `whsec_${btoa("a secret of Replicate's webhooks")}`;
const PATH = `/replicate?run_id=${RUN}&kind=text`;

const PREDICTION = {
  id: "p1",
  status: "succeeded",
  input: { prompt: "Hello" },
  output: ["H", "i"],
  error: null,
  metrics: { predict_time: 1.5 },
};

const sign = (body: string, secret = SECRET, at = new Date()) => ({
  "webhook-id": "msg_1",
  "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
  "webhook-signature": new Webhook(secret).sign("msg_1", at, body),
});

/** What {@link deliver} sends otherwise than it is right. */
interface Wrong {
  path?: string;
  headers?: Record<string, string>;
  env?: Record<string, string>;
}

/** Sends a prediction, signed. */
async function deliver(
  prediction: object = {},
  runs = fakeRuns(),
  { path = PATH, headers, env = { REPLICATE_WEBHOOK_SECRET: SECRET } }: Wrong = {},
) {
  const body = JSON.stringify({ ...PREDICTION, ...prediction });
  const sent = await send("POST", path, {
    headers: headers ?? sign(body),
    body,
    answer: runs.answer,
    providers: providersOf(new Map(Object.entries(env))),
  });
  const ends = sent.calls.filter(({ name }) => name === "finish_run")
    .map(({ args }) => Object(args));
  return { ...sent, ends };
}

const outcomeOf = async ({ response }: { response: Response }) => {
  const { received, outcome } = await response.json();
  equal(received, true);
  return outcome;
};

Deno.test("a signed webhook ends its run, and is a duplicate from then on", async () => {
  const runs = fakeRuns();
  runs.run.created_at = new Date(Date.now() - 5000).toISOString();
  const first = await deliver({}, runs);
  equal(await outcomeOf(first), "applied");
  const [{ outcome, run_id, result, seconds, response_time_ms }] = first.ends;
  deepEqual([outcome, run_id, seconds], ["succeeded", RUN, 1.5]);
  equal(Math.round(response_time_ms / 1000), 5);
  match(JSON.stringify(result), /H/);
  equal(first.log[0]?.user_id, USER);
  equal(await outcomeOf(await deliver({}, runs)), "duplicate");
});

Deno.test("a result that the database refuses is applied as a failure", async () => {
  let refusals = 1;
  const runs = fakeRuns(({ name }) => {
    if (name === "finish_run" && refusals-- > 0) throw new Error("statement too complex");
    return undefined;
  });
  const { response, ends } = await deliver({}, runs);
  equal(await outcomeOf({ response }), "applied");
  deepEqual(ends.map(({ outcome }) => outcome), ["succeeded", "failed"]);
  equal(runs.run.run_status, "failed");
});

Deno.test("clocks that differ, and ends that are found late, do not lose a result", async () => {
  for (const [day, expected] of [["2999-01-01", 0], ["2000-01-01", 2_147_483_647]] as const) {
    const runs = fakeRuns();
    runs.run.created_at = `${day}T00:00:00.000000+00:00`;
    const { ends } = await deliver({}, runs);
    equal(ends[0].response_time_ms, expected);
  }
});

Deno.test("a run that failed or was canceled at the provider is released", async () => {
  for (const status of ["failed", "canceled"]) {
    const sent = await deliver({ status, output: null, error: "Out of memory" });
    equal(await outcomeOf(sent), "applied");
    equal(sent.ends[0].outcome, status);
  }
});

Deno.test("a webhook that is faster than the answer with the run's id counts; one of another run does not", async () => {
  const runs = fakeRuns();
  Object.assign(runs.run, { provider_run_id: "p2" });
  const other = await deliver({}, runs);
  equal(await outcomeOf(other), "ignored");
  deepEqual(other.ends, []);
  equal(await outcomeOf(await deliver({ id: "p2" }, runs)), "applied");
  equal(await outcomeOf(await deliver({}, fakeRuns())), "applied");
});

Deno.test("what does not end a run that there is changes nothing", async () => {
  const going = await deliver({ status: "processing", output: null });
  equal(await outcomeOf(going), "ignored");
  deepEqual(going.calls, []);

  const none = fakeRuns(({ name }) => {
    if (name === "get_run") throw scripError("run_not_found", "There is no run");
    return undefined;
  });
  const unknown = await deliver({}, none);
  equal(await outcomeOf(unknown), "ignored");
  deepEqual(unknown.ends, []);
});

Deno.test("a signature that is missing, wrong, old or of something else is refused", async () => {
  const body = JSON.stringify(PREDICTION);
  const { "webhook-id": _, ...nameless } = sign(body);
  const headers: Record<string, string>[] = [
    {},
    nameless,
    { ...sign(body), "webhook-signature": "v1,AAAA" },
    { ...sign(body), "webhook-id": "msg_2" },
    sign(body, `whsec_${btoa("another secret of another sender")}`),
    sign(`${body} `),
    sign(body, SECRET, new Date(Date.now() - 302_000)),
  ];
  for (const header of headers) {
    const { response, calls } = await deliver({}, fakeRuns(), { headers: header });
    equal((await errorOf(response)).code, "invalid_signature", JSON.stringify(header));
    deepEqual(calls, []);
  }
});

Deno.test("without a secret, nothing is accepted", async () => {
  for (const secret of ["", " , "]) {
    const env = { REPLICATE_WEBHOOK_SECRET: secret };
    const { response, calls, log } = await deliver({}, fakeRuns(), { env });
    const { status, message } = await errorOf(response);
    equal(status, 502);
    match(message, /REPLICATE_WEBHOOK_SECRET is missing/);
    deepEqual(calls, []);
    equal(log[0]?.level, "error");
  }
});

Deno.test("what is signed but about no run is refused, and other providers have no webhooks", async () => {
  const refusals: [Wrong, number][] = [
    [{ path: "/replicate" }, 400],
    [{ path: "/replicate?run_id=x&kind=text" }, 400],
    [{ path: `/openai?run_id=${RUN}` }, 404],
    [{ path: "" }, 404],
  ];
  for (const [wrong, status] of refusals) {
    const { response, calls } = await deliver({}, fakeRuns(), wrong);
    equal(response.status, status);
    deepEqual(calls, []);
  }
});

Deno.test("a database that is away makes the provider come again", async () => {
  const runs = fakeRuns(({ name }) => {
    if (name === "get_run") throw scripError("service_unavailable", "Away");
    return undefined;
  });
  equal((await deliver({}, runs)).response.status, 503);
});

Deno.test("a body has at most 16 MiB", async () => {
  const providers = fakeProviders(
    {},
    () => Promise.resolve({ runId: RUN, providerRunId: "p1", outcome: undefined }),
  );
  const post = (bytes: number) =>
    send("POST", PATH, { body: "x".repeat(bytes), providers, answer: fakeRuns().answer });
  equal((await post(16_777_216)).response.status, 200);
  equal((await errorOf((await post(16_777_217)).response)).code, "invalid_request");
});
