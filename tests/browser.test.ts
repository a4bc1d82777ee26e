/**
 * A web app on an origin of its own does with supabase-js, in a real browser, what users do.
 *
 * Method: Chromium opens a page from another port than the stack's, so that every call passes CORS as in production.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import chromium from "@sparticuz/chromium";
import { chromium as playwright, type Page } from "playwright-core";
import { makeDataFolder, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean, connect, createCodes, ledgerTest, stack } from "./harness.ts";
import { packageOrder } from "./stripe-flows.ts";

const SUPABASE_JS = new URL(
  "../node_modules/@supabase/supabase-js/dist/umd/supabase.js",
  import.meta.url,
);
const PAGE = `<!doctype html><title>A web app</title><script src="/supabase.js"></script>`;

/** A web app on a port of its own. */
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

/** Opens the web app in a browser. */
async function inBrowser(body: (page: Page, origin: string) => Promise<void>): Promise<void> {
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
    const origin = `http://127.0.0.1:${app.addr.port}`;
    const page = await browser.newPage();
    await page.goto(`${origin}/`);
    await body(page, origin);
  } finally {
    await browser.close();
    await app.shutdown();
    Deno.env.delete("TMPDIR");
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a function, written in JavaScript, in the page. */
const inPage = async (page: Page, code: string, args: unknown) =>
  Object(await page.evaluate(`(${code})(${JSON.stringify(args)})`));

ledgerTest(
  "a user of a web app signs up, activates a code, and cannot help themselves",
  async (sql) => {
    const [code = ""] = await createCodes(sql, 1);
    await inBrowser(async (page) => {
      const { wrong, ...rest } = await inPage(page, STORY, {
        url: stack.url,
        key: stack.publishable_key,
        email: `${crypto.randomUUID()}@example.test`,
        code,
      });
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
    });
  },
);

/** Runs in the page: signs up, orders, and goes where the checkout is. */
const ORDER = `async ({ url, key, email, order, back }) => {
  const client = supabase.createClient(url, key);
  await client.auth.signUp({ email, password: "correct-horse" });
  const { data, error } = await client.functions.invoke("create-checkout", {
    body: { ...order, success_url: back }, headers: { "idempotency-key": "first order" },
  });
  if (error) return { error: await error.context.json() };
  location.assign(data.url);
  return data;
}`;

/** Runs in the page that the checkout leads back to, whose session the browser has kept. */
const BALANCE = `async ({ url, key }) => {
  const client = supabase.createClient(url, key);
  const { data } = await client.functions.invoke("get-token-balance", { method: "GET" });
  return data;
}`;

Deno.test("a user of a web app buys a package in the browser and comes back to it", async () => {
  await inBrowser(async (page, origin) => {
    const data = await makeDataFolder();
    Deno.env.set("CHECKOUT_ORIGINS", origin);
    const own = await spawnStack(data, ["--no-demo"])
      .finally(() => Deno.env.delete("CHECKOUT_ORIGINS"));
    const sql = connect(1, own.file.database_url);
    try {
      const { url, publishable_key: key } = own.file;
      const email = `${crypto.randomUUID()}@example.test`;
      const order = packageOrder();
      const elsewhere = "https://elsewhere.example/";
      const refused = await inPage(page, ORDER, { url, key, email, order, back: elsewhere });
      equal(refused.error.code, "invalid_request");

      const back = `${origin}/thanks?session={CHECKOUT_SESSION_ID}`;
      const other = `${crypto.randomUUID()}@example.test`;
      const checkout = await inPage(page, ORDER, { url, key, email: other, order, back });
      ok(checkout.url.startsWith(`${url}/stand-in/checkout/`), JSON.stringify(checkout));
      await page.waitForURL(checkout.url);
      match(await page.textContent("main") ?? "", /Starter.*1\.00 EUR/s);
      await page.getByLabel("Promotion code").fill("SAVE20");
      await page.getByRole("button", { name: "Apply" }).click();
      await page.getByRole("button", { name: "Pay 0.80 EUR" }).click();
      await page.waitForURL(`${origin}/thanks?session=${checkout.session_id}`);
      const deadline = Date.now() + 10_000;
      let remaining = 0;
      while (remaining === 0 && Date.now() < deadline) {
        ({ remaining } = await inPage(page, BALANCE, { url, key }));
      }
      equal(remaining, 100);
      await assertLedgerClean(sql);
    } finally {
      await sql.end();
      equal(await own.stop(), 0);
      await Deno.remove(data, { recursive: true });
    }
  });
});
