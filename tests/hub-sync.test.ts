/**
 * What happens to an API token reaches the HUB, whatever the HUB's state: at least once, one at a time and in order for
 * each token, with the same id and body each time; a refill never waits for it.
 *
 * Method: a real HUB and an endpoint for notices over HTTP, stacks of the test's own that tell them, and parts of these
 * killed. Rows are made due in SQL instead of waited for.
 */
import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { Webhook } from "standardwebhooks";
import { readStackFile } from "../scripts/stack/config.ts";
import { delay } from "../scripts/stack/parts.ts";
import { makeDataFolder, type SpawnedStack, spawnStack } from "../scripts/stack/spawn.ts";
import { assertLedgerClean, connect, makeUsers } from "./harness.ts";
import { parallel } from "./stripe-events.ts";
import { type HubToken, TestHub } from "./test-hub.ts";

const PRODUCT = "018f0000-0000-7000-8000-000000000101";
const HUB_KEY = "hub-key-of-the-test";
const NOTICE_SECRET = `whsec_${btoa("a secret of the test's own")}`;
const TIMEOUT_MS = 700;
const MAX_TRIES = 12;

type Maybe<T> = T | false | undefined;

/** Waits for what a check comes to find. */
async function eventually<T>(
  what: string,
  check: () => Promise<Maybe<T>> | Maybe<T>,
): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`It never came about that ${what}`);
    await delay(20);
  }
}

interface Row {
  id: string;
  status: string;
  attempts: number;
  error: string | null;
  claim_id: string | null;
}

/** A stack, as its users, its backends and its database see it. */
function open({ file, path }: SpawnedStack) {
  const { url, publishable_key, secret_key, database_url } = file;
  const sql = connect(4, database_url);

  async function call(route: string, body?: unknown, token?: string, method?: string) {
    const response = await fetch(`${url}/functions/v1/${route}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        apikey: token ? publishable_key : secret_key,
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  async function expect(...args: Parameters<typeof call>) {
    const { status, body } = await call(...args);
    equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** A signed-in user with US dollars. */
  async function signUp() {
    const response = await fetch(`${url}/auth/v1/signup`, {
      method: "POST",
      headers: { apikey: publishable_key, "content-type": "application/json" },
      body: JSON.stringify({
        email: `${crypto.randomUUID()}@example.test`,
        password: "correct-horse",
      }),
    });
    const { access_token: token, user: { id } } = await response.json();
    await sql`select deposit_usd(${id}, '1000', 'deposit')`;
    return { id: String(id), token: String(token) };
  }

  /** Makes an API token through the database, of which the HUB is told when the outbox is worked on. */
  async function makeToken(userId: string): Promise<string> {
    const [row] = await sql`
      select token_id from create_api_token(
        ${userId}, 'product', 'Token', ${crypto.randomUUID()}, product_id => ${PRODUCT}
      )`;
    return row?.["token_id"];
  }

  const row = async (tokenId: string, event: string) => {
    const [found] = await sql<Row[]>`
      select id, status, attempts, error, claim_id from private.outbox
      where subject = ${tokenId} and event = ${event} order by seq desc limit 1`;
    return found;
  };

  /** The HUB's state of a token, as it should be. */
  const stateOf = async (tokenId: string) => {
    const [token] = await sql`
      select credits, version, status, name from api_tokens where id = ${tokenId}`;
    return token && { ...token };
  };

  return {
    url,
    sql,
    call,
    expect,
    signUp,
    makeToken,
    row,
    stateOf,
    refill: (user: { token: string }, token_id: string, amount = "1") =>
      expect(
        "refill",
        { token_id, mode: "usd", amount, operation_id: crypto.randomUUID() },
        user.token,
      ),
    sync: () => expect("hub-sync", undefined, undefined, "POST"),
    makeDue: (tokenId: string) =>
      sql`
        update private.outbox set due_at = now() where subject = ${tokenId} and status = 'pending'`,
    processes: async () => (await readStackFile(path)).processes,
  };
}

type Opened = ReturnType<typeof open>;

/** What the HUB knows of a token, to compare with what is so. */
const known = (hub: TestHub, tokenId: string) => {
  const token = hub.tokens.get(tokenId);
  return token && pick(token);
};

const pick = ({ credits, version, status, name }: HubToken) => ({ credits, version, status, name });

const settings = (hub: TestHub) => ({
  HUB_URL: hub.url,
  HUB_API_KEY: HUB_KEY,
  HUB_TIMEOUT_MS: `${TIMEOUT_MS}`,
  NOTICE_WEBHOOK_URL: hub.noticesUrl,
  NOTICE_WEBHOOK_SECRET: NOTICE_SECRET,
});

Deno.test("with a HUB", async (t) => {
  const data = await makeDataFolder();
  const hub = new TestHub();
  const spawned = await spawnStack(data, ["--no-demo"], settings(hub));
  const stack = open(spawned);
  const { sql } = stack;
  try {
    const user = await stack.signUp();
    const step = (name: string, body: () => Promise<void>) => t.step(name, body);

    await step("a refill reaches it within moments", () => reaches(stack, hub, user));
    await step("only the functions have its key", () => keepsKey(stack));
    await step("a refill doesn't wait for it, and what fails is tried again", () => {
      return triesAgain(stack, hub, user);
    });
    await step("dead after 12 tries, seen and replayed by an admin, without going back", () => {
      return dies(stack, hub, user);
    });
    await step("delivered again by a replay, it goes not back", () => repeats(stack, hub, user));
    await step("20 workers deliver each once, one at a time and in order for each token", () => {
      return races(stack, hub);
    });
    await step("a notice arrives signed, once", () => notifies(stack, hub));
    for (const part of ["functions", "postgres"] as const) {
      await step(`kill -9 of ${part} amid refills and deliveries loses and doubles nothing`, () => {
        return survives(stack, hub, part);
      });
    }
    deepEqual(hub.overlaps, []);
    await assertLedgerClean(sql);
  } finally {
    await sql.end();
    await spawned.stop();
    await hub.close();
    await Deno.remove(data, { recursive: true });
  }
});

interface SignedIn {
  id: string;
  token: string;
}

async function reaches(stack: Opened, hub: TestHub, user: SignedIn) {
  const body = { kind: "product", product_id: PRODUCT, name: "My app", operation_id: "mine" };
  const made = await stack.call("refill/tokens", body, user.token);
  ok(made.status < 300, JSON.stringify(made.body));
  const { id } = made.body;
  const began = performance.now();
  await eventually("the HUB is told of the token", () => hub.tokens.get(id));
  await eventually("its id is saved", async () => {
    return (await stack.expect(`refill/tokens/${id}`, undefined, user.token)).hub_id;
  });
  const receipt = await stack.refill(user, id, "10");
  equal(receipt.credits_added, 999);
  await eventually("the HUB knows the credits", () => hub.tokens.get(id)?.credits === 999);
  ok(performance.now() - began < 3000, "moments are shorter");

  await stack.expect(`refill/tokens/${id}`, { name: "Our app" }, user.token, "PATCH");
  await stack.expect(`refill/tokens/${id}`, undefined, user.token, "DELETE");
  await eventually("it is revoked there", () => hub.tokens.get(id)?.status === "revoked");
  deepEqual(known(hub, id), await stack.stateOf(id));

  const told = hub.about(id);
  deepEqual(told.map(({ event }) => event), [
    "api_token.created",
    "api_token.refilled",
    "api_token.updated",
    "api_token.revoked",
  ]);
  const [created, refilled] = told;
  ok(created?.token && refilled?.token);
  equal(created.token.hub_id, null);
  const { version } = refilled.token;
  ok(version > created.token.version);
  deepEqual(refilled.token, {
    id,
    user_id: user.id,
    kind: "product",
    product_id: PRODUCT,
    name: "My app",
    status: "active",
    hub_id: `hub-${id}`,
    credits: 999,
    version,
  });
  const sent = JSON.parse(refilled.text);
  deepEqual(Object.keys(sent).sort(), ["event", "id", "occurred_at", "refill", "token"]);
  equal(sent.id, refilled.id);
  ok(Math.abs(Date.parse(sent.occurred_at) - Date.now()) < 60_000);
  const { refill_id, mode, credits_added, usd_spent, fee, rate } = receipt;
  deepEqual(sent.refill, { refill_id, mode, credits_added, usd_spent, fee, rate });
  equal(refilled.headers.get("authorization"), `Bearer ${HUB_KEY}`);
  match(refilled.headers.get("content-type") ?? "", /^application\/json/);
  match(refilled.headers.get("user-agent") ?? "", /^scrip\b/i);
  const row = await stack.row(id, "api_token.refilled");
  deepEqual([row?.id, row?.status, row?.attempts], [refilled.id, "delivered", 1]);
}

async function keepsKey(stack: Opened) {
  if (Deno.build.os !== "linux") return;
  const { gateway: _gateway, ...parts } = await stack.processes();
  const having: string[] = [];
  for (const [name, pid] of Object.entries(parts)) {
    const variables = await Deno.readTextFile(`/proc/${pid}/environ`);
    if (/HUB_|NOTICE_/.test(variables)) having.push(name);
  }
  deepEqual(having, ["functions"]);
}

/** How often, and whether always the same, a token's deliveries of a kind came in. */
function count(hub: TestHub, id: string, event = "api_token.refilled") {
  const found = hub.about(id).filter((delivery) => delivery.event === event);
  return {
    times: found.length,
    ids: new Set(found.map((delivery) => delivery.id)).size,
    bodies: new Set(found.map(({ text }) => text)).size,
  };
}

async function triesAgain(stack: Opened, hub: TestHub, user: SignedIn) {
  const cases = await Promise.all(
    Object.entries(hub.misbehaviours).map(async ([name, answer]) => {
      return { name, answer, id: await stack.makeToken(user.id) };
    }),
  );
  await stack.sync();
  await Promise.all(cases.map(async ({ name, answer, id }) => {
    hub.answers.set(id, answer);
    const began = performance.now();
    await stack.refill(user, id);
    ok(performance.now() - began < TIMEOUT_MS, `${name}: the refill waited`);
  }));
  for (const { name, id } of cases) {
    const row = await eventually(`${name}: the try has failed`, async () => {
      const now = await stack.row(id, "api_token.refilled");
      return now?.error ? now : undefined;
    });
    deepEqual([row.status, row.attempts], ["pending", 1], name);
    ok(!row.error?.includes(HUB_KEY));
    equal(hub.tokens.get(id)?.credits, 0, name);
  }
  hub.release();
  await eventually("the HUB has let go", () => hub.underWay === 0);
  for (const { id } of cases) {
    hub.answers.delete(id);
    await stack.makeDue(id);
  }
  await stack.sync();
  for (const { name, id } of cases) {
    await eventually(`${name}: it is delivered`, async () => {
      return (await stack.row(id, "api_token.refilled"))?.status === "delivered";
    });
    deepEqual(count(hub, id), { times: 2, ids: 1, bodies: 1 }, name);
    deepEqual(known(hub, id), await stack.stateOf(id), name);
  }
}

async function dies(stack: Opened, hub: TestHub, user: SignedIn) {
  const id = await stack.makeToken(user.id);
  await stack.sync();
  hub.answers.set(id, () => new Response(null, { status: 503 }));
  await stack.refill(user, id);
  const failed = (tries: number) =>
    eventually(`${tries} tries have failed`, async () => {
      const row = await stack.row(id, "api_token.refilled");
      return row?.attempts === tries && (row.status === "dead" || !row.claim_id) && row;
    });
  for (let tries = 1; tries < MAX_TRIES; tries++) {
    equal((await failed(tries)).status, "pending");
    await stack.makeDue(id);
    await stack.sync();
  }
  const dead = await failed(MAX_TRIES);
  equal(dead.status, "dead");
  await stack.sync();
  equal(count(hub, id).times, MAX_TRIES);

  const { data } = await stack.expect("admin/outbox?status=dead");
  const listed = data.find((each: { id: string }) => each.id === dead.id);
  ok(listed, "an admin doesn't see it");
  deepEqual([listed.status, listed.attempts, listed.error], ["dead", MAX_TRIES, dead.error]);
  match(listed.error, /503/);

  // What comes after it is not held up, and knows more.
  hub.answers.delete(id);
  await stack.refill(user, id);
  await eventually("the later one is delivered", () => hub.tokens.get(id)?.credits === 198);
  await stack.expect(`admin/outbox/${dead.id}/replay`, {});
  await stack.sync();
  await eventually("the replayed one is delivered", () => hub.taken.get(dead.id));
  deepEqual(known(hub, id), await stack.stateOf(id));
  const last = hub.about(id).at(-1);
  deepEqual([last?.id, last?.token?.credits], [dead.id, 99]);
  deepEqual(count(hub, id), { times: MAX_TRIES + 2, ids: 2, bodies: 2 });
}

async function repeats(stack: Opened, hub: TestHub, user: SignedIn) {
  const id = await stack.makeToken(user.id);
  await stack.refill(user, id);
  await stack.refill(user, id);
  await eventually("both are delivered", () => hub.tokens.get(id)?.credits === 198);
  const first = hub.about(id).find(({ event }) => event === "api_token.refilled");
  ok(first);
  await eventually("it is known to be delivered", async () => {
    const [row] = await stack.sql`select status from private.outbox where id = ${first.id}`;
    return row?.["status"] === "delivered";
  });
  const { status } = await stack.expect(`admin/outbox/${first.id}/replay`, {});
  equal(status, "pending");
  await stack.sync();
  await eventually("it is delivered again", () => hub.taken.get(first.id) === 2);
  const again = hub.about(id).at(-1);
  deepEqual([again?.id, again?.text], [first.id, first.text]);
  deepEqual(known(hub, id), await stack.stateOf(id));
}

/** Refills that no one has told the HUB of. */
async function refillQuietly({ sql }: Opened, userId: string, tokenId: string, times: number) {
  for (let n = 0; n < times; n++) {
    await sql`select refill_token(${userId}, ${tokenId}, 'credits', '5', ${crypto.randomUUID()})`;
  }
}

async function races(stack: Opened, hub: TestHub) {
  const { sql } = stack;
  const users = await makeUsers(sql, 10, 0);
  const tokens = await Promise.all(users.map(async (userId) => {
    await sql`select deposit_usd(${userId}, '10', 'deposit')`;
    const id = await stack.makeToken(userId);
    await refillQuietly(stack, userId, id, 9);
    return id;
  }));
  hub.delayMs = 5;
  await Promise.all(Array.from({ length: 20 }, stack.sync));
  await eventually("all are delivered", async () => {
    const left = await sql`
      select 1 from private.outbox where subject = any(${tokens}) and status <> 'delivered'`;
    return left.length === 0;
  });
  hub.delayMs = 0;
  deepEqual(hub.overlaps, []);
  for (const id of tokens) {
    const told = hub.about(id);
    equal(told.length, 10);
    equal(new Set(told.map((delivery) => delivery.id)).size, 10);
    const versions = told.map(({ token }) => token?.version ?? 0);
    deepEqual(versions, versions.toSorted((a, b) => a - b));
    deepEqual(known(hub, id), await stack.stateOf(id));
  }
}

async function notifies(stack: Opened, hub: TestHub) {
  const user = await stack.signUp();
  const id = await stack.makeToken(user.id);
  await stack.sql`select set_low_balance_threshold(${user.id}, 'usd', '995')`;
  const notices = () =>
    hub.deliveries.filter(({ path, text }) => path === "/notices" && text.includes(user.id));
  hub.answerNotice = () => new Response(null, { status: 500 });
  await stack.refill(user, id, "5");
  await stack.refill(user, id, "5");
  await eventually("it is tried", () => notices().length === 1);
  hub.answerNotice = () => new Response(null, { status: 204 });
  await eventually("the endpoint's answer is known", async () => {
    const [row] = await stack.sql`
      select error from private.outbox where destination = 'webhook' and subject = ${user.id}`;
    return row?.["error"];
  });
  await stack.makeDue(user.id);
  await stack.refill(user, id, "5");
  await eventually("it is delivered", () => notices().length === 2);
  await stack.sync();

  const [first, second] = notices();
  ok(first && second);
  equal(notices().length, 2);
  deepEqual([second.id, second.text], [first.id, first.text]);
  for (const { text, headers } of [first, second]) {
    new Webhook(NOTICE_SECRET).verify(text, Object.fromEntries(headers));
  }
  equal(second.headers.get("authorization"), null);
  const { type, timestamp, data } = JSON.parse(second.text);
  equal(type, "balance.low");
  ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  deepEqual([data.notice_id, data.user_id], [second.id, user.id]);
  const kept = await stack.sql`select id from notices where user_id = ${user.id}`;
  deepEqual([...kept], [{ id: second.id }]);
}

const REFILLS = 60;

async function survives(stack: Opened, hub: TestHub, part: "functions" | "postgres") {
  const { sql } = stack;
  const user = await stack.signUp();
  const tokens = await Promise.all(Array.from({ length: 5 }, () => stack.makeToken(user.id)));
  await stack.sync();

  // One is under way for certain when the part is killed: committed, and not delivered.
  const [held = ""] = tokens;
  hub.answers.set(held, hub.hang);

  const kill = async () => {
    const { [part]: pid = 0 } = await stack.processes();
    process.kill(pid, "SIGKILL");
    return pid;
  };
  const refill = async (n: number) => {
    const body = {
      token_id: tokens[n % 5],
      mode: "credits",
      amount: 1,
      operation_id: `refill-${n}`,
    };
    const answer = await stack.call("refill", body, user.token).catch(() => undefined);
    if (answer?.status === 200) return true;
    if (answer) equal(answer.status, 503, JSON.stringify(answer.body));
    return false;
  };
  await refill(0);
  await eventually("it is under way", () => hub.underWay === 1);
  hub.delayMs = 10;
  let sent = 0;
  let killed = 0;
  await parallel(Array.from({ length: REFILLS - 1 }, (_, n) => n + 1), 8, async (n) => {
    if (++sent === REFILLS / 3) killed = await kill();
    while (!await refill(n)) await delay(50);
  });
  hub.answers.delete(held);
  hub.release();
  await eventually(`${part} runs again`, async () => {
    const { [part]: now } = await stack.processes();
    return now !== undefined && now !== killed;
  });
  await eventually("all is delivered", async () => {
    // Whatever is still leased when nothing arrives any more is so by a worker that died, or lost its connection.
    const { length: arrived } = hub.deliveries;
    await delay(TIMEOUT_MS);
    if (hub.underWay > 0 || hub.deliveries.length > arrived) return false;
    for (const id of tokens) await stack.makeDue(id);
    await stack.sync();
    const left = await sql`
      select 1 from private.outbox where subject = any(${tokens}) and status <> 'delivered'`;
    return left.length === 0;
  });
  hub.delayMs = 0;

  const refills = await sql<{ id: string }[]>`
    select id from private.outbox
    where subject = any(${tokens}) and event = 'api_token.refilled'`;
  equal(refills.length, REFILLS);
  for (const id of tokens) {
    deepEqual(known(hub, id), await stack.stateOf(id));
    equal(hub.tokens.get(id)?.credits, REFILLS / 5);
    const about = hub.about(id);
    // Each arrived, as itself however often.
    equal(new Set(about.map((delivery) => delivery.id)).size, REFILLS / 5 + 1);
    equal(new Set(about.map(({ text }) => text)).size, REFILLS / 5 + 1);
  }
  const untaken = refills.filter(({ id }) => !hub.taken.get(id));
  deepEqual(untaken, []);
  const [first] = hub.about(held).filter(({ event }) => event === "api_token.refilled");
  const times = hub.taken.get(first?.id ?? "") ?? 0;
  // Without its database a worker cannot note that it has delivered, and delivers again.
  ok(part === "functions" ? times === 1 : times > 0, `what was under way arrived ${times} times`);
}

Deno.test("without a HUB nothing fails, and what was skipped can be told later", async () => {
  const data = await makeDataFolder();
  const hub = new TestHub();
  let spawned = await spawnStack(data, ["--no-demo"], { HUB_URL: "", NOTICE_WEBHOOK_URL: "" });
  let stack = open(spawned);
  try {
    equal((await fetch(`${stack.url}/stand-in/hub`)).status, 404);
    const user = await stack.signUp();
    const id = await stack.makeToken(user.id);
    await stack.sql`select set_low_balance_threshold(${user.id}, 'usd', '999.5')`;
    await stack.refill(user, id);
    const skipped = async () => {
      const rows = await stack.sql`
        select destination, status, attempts from private.outbox where status <> 'pending'
        order by destination, seq`;
      return rows.length === 3 && [...rows];
    };
    deepEqual(await eventually("all is skipped", skipped), [
      { destination: "hub", status: "skipped", attempts: 0 },
      { destination: "hub", status: "skipped", attempts: 0 },
      { destination: "webhook", status: "skipped", attempts: 0 },
    ]);
    deepEqual(await stack.sync(), { delivered: 0, failed: 0, dead: 0, skipped: 0 });
    await assertLedgerClean(stack.sql);

    await stack.sql.end();
    await spawned.stop();
    spawned = await spawnStack(data, ["--no-demo"], settings(hub));
    stack = open(spawned);
    const body = { status: "skipped", destination: "hub" };
    deepEqual(await stack.expect("admin/outbox/replay", body), { replayed: 2 });
    await stack.sync();
    await eventually("the HUB knows", () => hub.tokens.get(id)?.credits === 99);
    equal(hub.deliveries.filter(({ path }) => path === "/notices").length, 0);
  } finally {
    await stack.sql.end();
    await spawned.stop();
    await hub.close();
    await Deno.remove(data, { recursive: true });
  }
});
