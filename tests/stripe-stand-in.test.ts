/**
 * The stand-in for Stripe as a part of the stack: it keeps its state and its address, browsers reach its pages and
 * nothing else of it, and with a real key it is not there.
 *
 * Method: stacks of the test's own, since parts of them are killed. What it answers is tested in unit/.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notStrictEqual as notEqual,
  ok,
  strictEqual as equal,
} from "node:assert/strict";
import process from "node:process";
import Stripe from "stripe";
import { readStackFile } from "../scripts/stack/config.ts";
import { delay } from "../scripts/stack/parts.ts";
import { makeDataFolder, type SpawnedStack, spawnStack } from "../scripts/stack/spawn.ts";

function clientOf({ file }: SpawnedStack): Stripe {
  const { hostname, port } = new URL(file.stripe_api_url ?? "");
  return new Stripe(file.stripe_secret_key, {
    host: hostname,
    port: Number(port),
    protocol: "http",
    httpClient: Stripe.createFetchHttpClient(),
    maxNetworkRetries: 3,
  });
}

async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, init);
  await response.body?.cancel();
  return response.status;
}

const withData = async (body: (data: string) => Promise<void>) => {
  const data = await makeDataFolder();
  try {
    await body(data);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
};

Deno.test("the stand-in for Stripe is part of the stack", async (t) => {
  await withData(async (data) => {
    const stack = await spawnStack(data, ["--no-demo"]);
    const stripe = clientOf(stack);
    const { url, stripe_api_url, stripe_secret_key } = stack.file;
    const session = await stripe.checkout.sessions.create({
      mode: "payment",
      success_url: `${url}/ok`,
      line_items: [{
        quantity: 1,
        price_data: { currency: "usd", unit_amount: 500, product_data: { name: "Tokens" } },
      }],
    });

    await t.step("browsers reach its pages through the gateway, and nothing else", async () => {
      ok(session.url?.startsWith(`${url}/stand-in/checkout/cs_test_`));
      match(await (await fetch(session.url ?? "")).text(), /No money moves/);
      equal(await statusOf(`${url}/stand-in/portal/none`), 404);
      const init = { headers: { authorization: `Bearer ${stripe_secret_key}` } };
      for (const path of ["v1/customers", "stand-in/settled", "stand-in/checkout/a/b"]) {
        const response = await fetch(`${url}/${path}`, init);
        deepEqual([response.status, (await response.json()).code], [404, "not_found"]);
      }
      equal(await statusOf(`${stripe_api_url}/v1/customers`, init), 200);
    });

    await t.step("after kill -9 it is back, where it was and as it was", async () => {
      const before = (await readStackFile(stack.path)).processes["stripe"] ?? 0;
      process.kill(before, "SIGKILL");
      const deadline = Date.now() + 15_000;
      for (;;) {
        const { processes } = await readStackFile(stack.path);
        if (processes["stripe"] !== undefined && processes["stripe"] !== before) break;
        ok(Date.now() < deadline, "it did not come back");
        await delay(50);
      }
      equal((await stripe.checkout.sessions.retrieve(session.id)).amount_total, 500);
    });

    await t.step("a stack.json of before its time gets its key, and keeps the others", async () => {
      equal(await stack.stop(), 0);
      const { stripe_secret_key: _key, stripe_api_url: _url, ...old } = stack.file;
      await Deno.writeTextFile(stack.path, JSON.stringify(old));
      const again = await spawnStack(data, ["--no-demo"]);
      equal(again.file.secret_key, stack.file.secret_key);
      match(again.file.stripe_secret_key, /^sk_test_local_/);
      notEqual(again.file.stripe_secret_key, stripe_secret_key);
      const found = await clientOf(again).checkout.sessions.retrieve(session.id);
      equal(found.status, "open");
      equal(await again.stop(), 0);
    });
  });
});

Deno.test("with a real key there is no stand-in", async () => {
  await withData(async (data) => {
    Deno.env.set("STRIPE_SECRET_KEY", "sk_test_of_an_account");
    const stack = await spawnStack(data, ["--no-demo"])
      .finally(() => Deno.env.delete("STRIPE_SECRET_KEY"));
    equal(stack.file.stripe_api_url, undefined);
    equal(stack.file.processes["stripe"], undefined);
    equal(await statusOf(`${stack.file.url}/stand-in/checkout/cs_test_1`), 404);
    ok(!(await Deno.readTextFile(stack.path)).includes("sk_test_of_an_account"));
    equal(await stack.stop(), 0);
  });
});
