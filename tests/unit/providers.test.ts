/**
 * A model's provider is found by its name, and one that isn't there is named.
 *
 * Method: each name, and names that objects have by themselves.
 */
import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { providersOf } from "../../functions/_shared/providers/providers.ts";
import { env, model } from "./providers.ts";

const providers = providersOf(env({}));

Deno.test("providers are found by name", async () => {
  const missing = [];
  for (const name of ["demo", "openai", "replicate"]) {
    missing.push((await providers.get(name)).missingKey(model()));
  }
  deepEqual(missing, [undefined, "OPENAI_API_KEY", "REPLICATE_API_TOKEN"]);
});

Deno.test("a provider that isn't there is named", async () => {
  for (const name of ["anthropic", "constructor", "__proto__", ""]) {
    await rejects(providers.get(name), { message: `There is no provider ${name}`, status: 502 });
  }
});

Deno.test("only providers that send webhooks are listened to", async () => {
  const request = new Request("http://localhost/provider-webhook/demo");
  await rejects(providers.readWebhook("demo", request, "{}"), { status: 404 });
  equal(await providers.readWebhook("replicate", request, "{}").catch((e) => e.status), 502);
});
