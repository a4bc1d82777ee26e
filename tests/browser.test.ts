/**
 * A web app on an origin of its own does with supabase-js, in a real browser, what users do.
 *
 * Method: Chromium opens a page from another port than the stack's, so that every call passes CORS as in production.
 */
import { deepEqual, equal, match } from "node:assert/strict";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";
import { createCodes, ledgerTest, stack } from "./harness.ts";

const SUPABASE_JS = new URL(
  "../node_modules/@supabase/supabase-js/dist/umd/supabase.js",
  import.meta.url,
);
const PAGE = `<!doctype html><title>A web app</title><script src="/supabase.js"></script>`;

function serveApp() {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) =>
      new URL(request.url).pathname === "/supabase.js"
        ? new Response(await Deno.readTextFile(SUPABASE_JS), {
          headers: { "content-type": "text/javascript" },
        })
        : new Response(PAGE, { headers: { "content-type": "text/html" } }),
  );
}

/** Runs in the page: everything that a user of the web app does, and what a request by hand is told. */
const STORY = `async ({ url, key, email, code }) => {
  const client = supabase.createClient(url, key);
  const { data: { user } } = await client.auth.signUp({ email, password: "correct-horse" });
  const invoke = (name, options) => client.functions.invoke(name, options);
  const activation = await invoke("verify-and-activate-code", {
    body: { code }, headers: { "idempotency-key": "first" },
  });
  const wrong = await invoke("verify-and-activate-code", { body: { code: "WRNG-WRNG-WRNG-WRNG" } });
  const balance = await invoke("get-token-balance", { method: "GET" });
  const journal = await client.from("token_transactions").select("type, amount");
  const theft = await client.from("user_tokens").update({ tokens_purchased: 1000000 }).eq("user_id", user.id);
  const request = await client.from("token_requests").insert({ amount: 10, reason: "more" });
  return {
    activation: activation.data,
    wrong: { status: wrong.response.status, body: await wrong.response.json(), id: wrong.response.headers.get("x-request-id") },
    remaining: balance.data.remaining,
    journal: journal.data,
    theft: theft.error.code,
    request: request.error,
  };
}`;

ledgerTest(
  "a user of a web app signs up, activates a code, and cannot help themselves",
  async (sql) => {
    const [code = ""] = await createCodes(sql, 1);
    const app = serveApp();
    // It unpacks itself into the temporary folder, where another user's copy could not be run.
    const folder = await Deno.makeTempDir({ prefix: "scrip-" });
    Deno.env.set("TMPDIR", folder);
    const browser = await playwright.launch({
      executablePath: await chromium.executablePath(),
      // Not the package's own: they turn CORS off.
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
      headless: true,
    });
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${app.addr.port}/`);
      const seen = await page.evaluate(`(${STORY})(${
        JSON.stringify({
          url: stack.url,
          key: stack.publishable_key,
          email: `${crypto.randomUUID()}@example.test`,
          code,
        })
      })`);
      const { wrong, ...rest } = Object(seen);
      deepEqual(rest, {
        activation: { tokens_granted: 2500, balance: 2500, replayed: false },
        remaining: 2500,
        journal: [{ type: "access_code", amount: 2500 }],
        theft: "42501",
        request: null,
      });
      deepEqual([wrong.status, wrong.body.code], [404, "code_not_found"]);
      match(wrong.id, /^[0-9a-f-]{36}$/);
      equal(await page.title(), "A web app");
    } finally {
      await browser.close();
      await app.shutdown();
      Deno.env.delete("TMPDIR");
      await Deno.remove(folder, { recursive: true });
    }
  },
);
