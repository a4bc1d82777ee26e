/**
 * What was acknowledged is there exactly once after kill -9, and what was not can be retried.
 *
 * Method: a stack of its own under a load of charges, or of Stripe's events, over HTTP; a part is killed in the middle;
 * then every operation is retried with its id until it is answered, and the journal is counted.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { readStackFile } from "../scripts/stack/config.ts";
import { delay } from "../scripts/stack/parts.ts";
import { makeDataFolder, type SpawnedStack, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean, connect, makeUsers } from "./harness.ts";
import { copyEvents, deliver, PACKAGES, parallel, type TestEvent, Till } from "./stripe-events.ts";

const OPERATIONS = 600;
const CALLERS = 16;

interface Receipt {
  transaction_id: string;
  replayed: boolean;
}

for (const part of ["postgres", "functions"] as const) {
  Deno.test(`kill -9 of ${part} under load loses and doubles nothing`, async () => {
    const data = await makeDataFolder();
    const stack = await spawnStack(data, ["--no-demo"]);
    try {
      const { url, secret_key, database_url } = stack.file;
      const sql = connect(2, database_url);
      const users = await makeUsers(sql, 3, OPERATIONS);
      await sql.end();

      const charge = async (n: number): Promise<Receipt | undefined> => {
        const response = await fetch(`${url}/functions/v1/credits/charge`, {
          method: "POST",
          headers: { apikey: secret_key, "content-type": "application/json" },
          body: JSON.stringify({ user_id: users[n % 3], amount: 1, operation_id: `charge-${n}` }),
        }).catch(() => undefined);
        if (response?.status === 200) return await response.json();
        // Nothing but "not now" may be answered while a part is down.
        if (response) equal(response.status, 503, await response.text());
      };

      const acknowledged = new Map<number, Receipt>();
      let refused = 0;
      let next = 0;
      const caller = async () => {
        for (let n = next++; n < OPERATIONS; n = next++) {
          const receipt = await charge(n);
          if (receipt) acknowledged.set(n, receipt);
          else refused++;
          if (n === Math.floor(OPERATIONS / 3)) {
            const { processes } = await readStackFile(stack.path);
            process.kill(processes[part] ?? 0, "SIGKILL");
          }
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      ok(refused > 0, "the kill came too late to interrupt anything");

      const deadline = Date.now() + 20_000;
      for (let n = 0; n < OPERATIONS; n++) {
        let receipt = await charge(n);
        while (!receipt && Date.now() < deadline) {
          await delay(50);
          receipt = await charge(n);
        }
        const first = acknowledged.get(n);
        if (!first) continue;
        equal(receipt?.replayed, true, `operation ${n} was acknowledged and then lost`);
        equal(receipt?.transaction_id, first.transaction_id);
      }

      const after = connect(1, database_url);
      const [counts] = await after`
        select count(*)::int as rows, count(distinct operation_id)::int as operations
        from token_transactions where type = 'charge'`;
      deepEqual(counts, { rows: OPERATIONS, operations: OPERATIONS });
      await assertLedgerClean(after);
      await after.end();
    } finally {
      await stack.stop();
      await Deno.remove(data, { recursive: true });
    }
  });
}

/** Kills Postgres; resolves once another one runs. */
async function killPostgres({ path }: SpawnedStack): Promise<void> {
  const { processes: { postgres: before = 0 } } = await readStackFile(path);
  process.kill(before, "SIGKILL");
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { processes: { postgres: now } } = await readStackFile(path);
    if (now !== undefined && now !== before) return;
    ok(Date.now() < deadline, "Postgres did not come back");
    await delay(20);
  }
}

Deno.test("kill -9 of postgres between and amid Stripe's events loses and doubles nothing", async () => {
  using till = new Till();
  const buyer = await till.buyer();
  await till.buy(buyer, PACKAGES.small);
  const [payment] = till.payments();
  till.failRefund(await till.refund(payment?.id ?? "", 400));
  await till.refund(payment?.id ?? "", 99);
  const story = till.take("checkout.session.completed", "refund.created", "refund.failed");
  equal(story.length, 4);

  const data = await makeDataFolder();
  const stack = await spawnStack(data, ["--no-demo"]);
  const { file } = stack;
  try {
    const before = connect(2, file.database_url);
    const users = await makeUsers(before, 60, 0);
    await before.end();
    const stories = users.map((user) => copyEvents(story, new Map([[buyer.user, user]])));

    let refused = 0;
    const send = async (event: TestEvent) => {
      const answer = await deliver(event, file).catch(() => undefined);
      // Stripe sends again what is answered with 5xx, or not at all.
      if (answer?.status === 200) return answer.outcome;
      if (answer) ok(answer.status >= 500, `${answer.status} ${answer.code}`);
      refused++;
    };
    const [first = [], ...others] = stories;
    const [purchase, ...refunds] = first;
    ok(purchase);
    equal(await send(purchase), "applied");
    await killPostgres(stack);
    await parallel(refunds, 1, send);

    const events = others.flat();
    let sent = 0;
    refused = 0;
    let back: Promise<void> | undefined;
    const acknowledged = new Set<string>();
    await parallel(events, CALLERS, async (event) => {
      if (++sent === Math.floor(events.length / 3)) back = killPostgres(stack);
      if (await send(event)) acknowledged.add(event.id);
    });
    ok(refused > 0, "the kill came too late to interrupt anything");
    await back;

    const deadline = Date.now() + 20_000;
    await parallel(stories.flat(), CALLERS, async (event) => {
      let outcome = await send(event);
      while (!outcome && Date.now() < deadline) {
        await delay(50);
        outcome = await send(event);
      }
      if (acknowledged.has(event.id)) equal(outcome, "duplicate", "acknowledged and then lost");
    });

    const after = connect(1, file.database_url);
    const [counts] = await after`
      select
        (select count(*) from private.stripe_events) as events,
        (select count(*) from token_transactions where type = 'purchase') as granted,
        (select array_agg(distinct tokens_purchased) from user_tokens where user_id = any(${users})) as balances,
        (select array_agg(distinct refunded_cents) from purchases) as refunded`;
    deepEqual(counts, {
      events: stories.flat().length,
      granted: users.length,
      balances: [550 - 108],
      refunded: [99],
    });
    await assertLedgerClean(after);
    await after.end();
  } finally {
    await stack.stop();
    await Deno.remove(data, { recursive: true });
  }
});
