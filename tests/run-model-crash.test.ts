/**
 * Runs that were under way when the functions died are never charged: their holds expire, a sweep marks them abandoned, and
 * their keys answer so from then on.
 *
 * Method: a stack of its own with 20 calls under way, whole and streamed, at a provider that does not answer; its functions
 * are killed with -9. The holds' expiry is moved up in SQL instead of waited for.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { readStackFile } from "../scripts/stack/config.ts";
import { makeDataFolder, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean } from "./harness.ts";
import {
  addModel,
  assertRunsClean,
  eventually,
  NOTHING_SPENT,
  openStack,
  spent,
  times,
} from "./models.ts";
import { startOpenAI } from "./openai-server.ts";
import { parallel } from "./stripe-events.ts";

const RUNS = 20;

Deno.test("kill -9 of functions while 20 runs are under way charges nothing and loses no token", async () => {
  const data = await makeDataFolder();
  const spawned = await spawnStack(data, ["--no-demo"]);
  const { url, sql, call, customer } = openStack(spawned);
  const provider = startOpenAI([], { hangs: true, pieces: 3, text: "one two three four" });
  try {
    const users = await parallel(times(4), 4, () => customer(100));
    const { slug: hanging } = await addModel(sql, {
      provider: "openai",
      base_url: provider.url,
      fixed_tokens: 7,
    });
    const { slug: quick } = await addModel(sql, { fixed_tokens: 1 });
    const before = await parallel(
      users,
      4,
      (user) => call("run-model", { model: quick, input: "Hello?" }, user.token, "before"),
    );

    deepEqual(before.map(({ status }) => status), users.map(() => 200), JSON.stringify(before));

    /** A whole run waits for an answer; a streamed one has brought three words, and waits for more. */
    const orders = times(RUNS).map((n) => {
      const user = users[n % users.length];
      ok(user);
      const body = n % 2
        ? { model: hanging, input: `Hello ${n}`, stream: true }
        : { model: quick, input: { prompt: `Hello ${n}`, delay_ms: 60_000 } };
      return { user, body, key: `run-${n}` };
    });
    const answers = orders.map(async ({ user, body, key }) => {
      const response = await fetch(`${url}/functions/v1/run-model`, {
        method: "POST",
        headers: {
          apikey: spawned.file.publishable_key,
          authorization: `Bearer ${user.token}`,
          "content-type": "application/json",
          "idempotency-key": key,
        },
        body: JSON.stringify(body),
      });
      return `${response.status} ${await response.text()}`;
    });
    const settled = Promise.allSettled(answers);
    await eventually("all are under way", async () => {
      const rows = await sql`select 1 from runs where status = 'running'`;
      return rows.length === RUNS && provider.requests.length === RUNS / 2;
    });
    const { processes: { functions: killed = 0 } } = await readStackFile(spawned.path);
    process.kill(killed, "SIGKILL");

    for (const answer of await settled) {
      // A stream breaks off, the others are told to try again; nobody is told of success.
      if (answer.status === "fulfilled") match(answer.value, /^(503 |200 (?!.*event: done))/s);
    }
    await eventually("the functions run again", async () => {
      const { processes: { functions: now } } = await readStackFile(spawned.path);
      return now !== undefined && now !== killed;
    });
    await assertLedgerClean(sql);
    await assertRunsClean(sql);
    const [held] = await sql`
      select count(*) as holds, sum(amount)::bigint as tokens from token_holds where status = 'active'`;
    deepEqual({ ...held }, { holds: RUNS, tokens: RUNS / 2 * 7 + RUNS / 2 });
    for (const { user, body, key } of orders.slice(0, 4)) {
      const again = await call("run-model", body, user.token, key);
      deepEqual([again.status, again.body.code], [409, "operation_in_progress"]);
    }

    // Nobody ends them before their time.
    equal((await sql`select abandon_runs() as runs`)[0]?.["runs"], 0);
    await sql`update token_holds set expires_at = now() where status = 'active'`;
    await sql`update runs set expires_at = now() where status = 'running'`;
    const sweeps = await Promise.all(times(5).map(() => sql`select abandon_runs() as runs`));
    equal(sweeps.flat().reduce((sum, { runs }) => sum + runs, 0), RUNS);
    await sql`select expire_token_holds()`;

    for (const { user, body, key } of orders) {
      const { status, body: { code, message } } = await call("run-model", body, user.token, key);
      deepEqual([status, code], [502, "provider_failed"]);
      match(message, /not finished in time/);
    }
    equal(provider.requests.length, RUNS / 2);
    for (const user of users) {
      deepEqual(await spent(sql, user), { ...NOTHING_SPENT, used: 1, charges: 1 });
      const rows = await sql`
        select status, count(*) from runs where user_id = ${user.id} group by status order by status`;
      deepEqual(rows.map((row) => ({ ...row })), [
        { status: "succeeded", count: 1 },
        { status: "abandoned", count: RUNS / users.length },
      ]);
      const { body } = await call("usage", undefined, user.token);
      const { total_calls, failed_calls, tokens_charged } = body.summary;
      deepEqual([total_calls, failed_calls, tokens_charged], [1 + RUNS / 4, RUNS / 4, 1]);
    }
    // What had ended before is still there.
    for (const [n, user] of users.entries()) {
      const again = await call(
        "run-model",
        { model: quick, input: "Hello?" },
        user.token,
        "before",
      );
      deepEqual(again.body, { ...before[n]?.body, replayed: true });
    }
    // All tokens can be spent.
    const [user] = users;
    ok(user);
    const { slug } = await addModel(sql, { fixed_tokens: 99 });
    const all = await call("run-model", { model: slug, input: "Hello?" }, user.token);
    deepEqual([all.status, all.body.remaining], [200, 0]);
    await assertLedgerClean(sql);
    await assertRunsClean(sql);
  } finally {
    await sql.end();
    await spawned.stop();
    await provider.stop();
    await Deno.remove(data, { recursive: true });
  }
});
