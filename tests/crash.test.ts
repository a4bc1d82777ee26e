/**
 * What was acknowledged is there exactly once after kill -9, and what was not can be retried.
 *
 * Method: a stack of its own under a load of charges over HTTP; a part is killed in the middle; then every operation
 * is retried with its id until it is answered, and the journal is counted.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import process from "node:process";
import { readStackFile } from "../scripts/stack/config.ts";
import { delay } from "../scripts/stack/parts.ts";
import { makeDataFolder, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean, connect, makeUsers } from "./harness.ts";

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
