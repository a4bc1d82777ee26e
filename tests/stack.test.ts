/**
 * The local stack keeps its promises: it answers as Supabase's gateway does, leaves the project's
 * grants alone, survives the death of any of its parts, and leaves nothing behind.
 *
 * What only reads uses the stack of the test run; what breaks things starts one of its own.
 */
import {
  deepStrictEqual as deepEqual,
  match,
  notStrictEqual as notEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { Webhook } from "standardwebhooks";
import { readStackFile, type StackFile } from "../scripts/stack/config.ts";
import { delay } from "../scripts/stack/parts.ts";
import { makeDataFolder, SpawnError, spawnStack } from "../scripts/stack/spawn.ts";
import { JOBS } from "../scripts/stack/stack.ts";

const shared = () => readStackFile(Deno.env.get("SCRIP_STACK") ?? ".scrip/stack.json");

const client = (stack: StackFile) =>
  createClient(stack.url, stack.publishable_key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function eventually(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!await check()) {
    if (Date.now() > deadline) throw new Error(`It never came about that ${what}`);
    await delay(50);
  }
}

Deno.test("a preflight request to the REST API is allowed", async () => {
  const { url } = await shared();
  const response = await fetch(`${url}/rest/v1/token_packages`, {
    method: "OPTIONS",
    headers: { origin: "http://example.test", "access-control-request-method": "POST" },
  });
  equal(response.status, 204);
  equal(response.headers.get("access-control-allow-origin"), "*");
  const allowed = response.headers.get("access-control-allow-headers") ?? "";
  for (const name of ["authorization", "x-client-info", "apikey", "content-type"]) {
    ok(allowed.includes(name), `${name} is not in ${allowed}`);
  }
});

Deno.test("a checkout leads back to a page that tells its end", async () => {
  for (const [end, told] of [["success", /paid/], ["cancelled", /cancelled/]] as const) {
    const { url } = await shared();
    const response = await fetch(`${url}/?checkout=${end}`);
    equal(response.status, 200);
    match(await response.text(), told);
  }
});

Deno.test("an unknown path and an unknown function are 404 in the common shape", async () => {
  const { url } = await shared();
  for (const path of ["/nowhere", "/functions/v1/no-such-function/route"]) {
    const response = await fetch(url + path);
    equal(response.status, 404);
    deepEqual(Object.keys(await response.json()), ["code", "message", "details", "hint"]);
  }
});

Deno.test("the stand-in for the HUB checks who tells it, and goes not back", async () => {
  const { url, hub_api_key } = await shared();
  const id = crypto.randomUUID();
  const tell = async (version: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/stand-in/hub`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${hub_api_key}`,
        "idempotency-key": crypto.randomUUID(),
        ...headers,
      },
      body: JSON.stringify({
        event: "api_token.refilled",
        occurred_at: "2026-01-01T00:00:00Z",
        token: { id, version },
      }),
    });
    return [response.status, (await response.json()).hub_id];
  };
  const versions = async () => {
    const { data } = await (await fetch(`${url}/stand-in/hub`)).json();
    return data.map(({ token }: { token: { id: string; version: number } }) => token)
      .filter((token: { id: string }) => token.id === id)
      .map(({ version }: { version: number }) => version);
  };
  deepEqual(await tell(9, { authorization: "Bearer other" }), [401, undefined]);
  deepEqual(await tell(9, { "idempotency-key": "" }), [400, undefined]);
  deepEqual(await tell("9"), [400, undefined]);
  deepEqual(await versions(), []);
  for (const [version, kept] of [[2, 2], [1, 2], [2, 2], [3, 3]]) {
    deepEqual(await tell(version), [200, `hub-${id}`]);
    deepEqual(await versions(), [kept]);
  }
  const other = await fetch(`${url}/stand-in/hub`, { method: "DELETE" });
  equal(other.status, 405);
  await other.body?.cancel();
});

Deno.test("the stand-in for the operator's endpoint checks signatures, and shows a notice once", async () => {
  const { url, notice_webhook_secret } = await shared();
  const id = crypto.randomUUID();
  const body = JSON.stringify({ type: "balance.low", id });
  const tell = async (secret: string, sent = body) => {
    const now = new Date();
    const { status } = await fetch(`${url}/stand-in/webhook`, {
      method: "POST",
      headers: {
        "webhook-id": id,
        "webhook-timestamp": `${Math.floor(now.getTime() / 1000)}`,
        "webhook-signature": new Webhook(secret).sign(id, now, body),
      },
      body: sent,
    });
    return status;
  };
  const times = async () => {
    const { data } = await (await fetch(`${url}/stand-in/webhook`)).json();
    return data.filter((notice: unknown) => JSON.stringify(notice) === body).length;
  };
  equal(await tell(`whsec_${btoa("another secret")}`), 401);
  equal(await tell(notice_webhook_secret, `${body} `), 401);
  equal(await times(), 0);
  equal(await tell(notice_webhook_secret), 204);
  equal(await tell(notice_webhook_secret), 204);
  equal(await times(), 1);
});

Deno.test("what is scheduled here is what is scheduled on hosted Supabase", async () => {
  const { database_url } = await shared();
  const sql = postgres(database_url, { max: 1 });
  const [row] = await sql`
    select prosrc from pg_proc where oid = 'private.schedule_jobs()'::regprocedure`;
  await sql.end();
  const jobs = /\('scrip-[\w-]+', '([^']+)', '(?:public\.)?([\w/-]+)(?:\(\))?'\)/g;
  const minutes = (schedule: string) =>
    /^\* /.test(schedule) ? 1 : /^\d+ \* /.test(schedule) ? 60 : 24 * 60;
  const hosted = [...row?.["prosrc"].matchAll(jobs)]
    .map(([, schedule = "", name = ""]) => [minutes(schedule), name]);
  const here = JOBS.map((
    [minutes, path],
  ) => [minutes, path.replace(/^(functions\/v1|rest\/v1\/rpc)\//, "")]);
  deepEqual(here.map(String).sort(), hosted.map(String).sort());
});

Deno.test("REST traffic leaves grants, policies and the functions of auth alone", async () => {
  const stack = await shared();
  const sql = postgres(stack.database_url, { max: 1 });
  const privileges = async () => [
    await sql`
      select oid::regclass::text, relacl::text, relrowsecurity
      from pg_class where relnamespace::regnamespace::text in ('public', 'private') order by 1`,
    await sql`select oid::regprocedure::text, proacl::text, md5(prosrc)
      from pg_proc where pronamespace::regnamespace::text in ('public', 'private', 'auth')
      order by 1`,
    await sql`select defaclrole, defaclnamespace, defaclobjtype, defaclacl::text
      from pg_default_acl order by 1, 2, 3`,
    await sql`select nspname, nspacl::text from pg_namespace where nspname !~ '^pg_' order by 1`,
  ];
  const before = await privileges();
  const user = client(stack);
  equal((await user.auth.signInWithPassword(stack.user)).error, null);
  await Promise.all(["user_tokens", "token_packages"].map((name) => user.from(name).select()));
  await client(stack).from("user_tokens").select();
  deepEqual(await privileges(), before);
  await sql.end();
});

Deno.test("a token carries app_metadata, which marks the admin", async () => {
  const stack = await shared();
  const user = client(stack);
  const role = async (account: { email: string; password: string }) => {
    const { data } = await user.auth.signInWithPassword(account);
    const [, claims = ""] = data.session?.access_token.split(".") ?? [];
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).app_metadata.role;
  };
  equal(await role(stack.admin), "admin");
  equal(await role(stack.user), undefined);
});

Deno.test("a stack of its own", async (t) => {
  const data = await makeDataFolder();
  const first = await spawnStack(data, ["--no-demo"]);
  const current = () => readStackFile(first.path);
  const { url, user } = first.file;
  const signsIn = async () =>
    (await client(first.file).auth.signInWithPassword(user)).error === null;

  for (const part of ["api", "functions", "postgres", "stripe"]) {
    await t.step(`${part} comes back after kill -9`, async () => {
      const pid = (await current()).processes[part] ?? 0;
      process.kill(pid, "SIGKILL");
      await eventually(`${part} runs again`, async () => {
        const now = (await current()).processes[part];
        return now !== undefined && now !== pid && alive(now);
      });
      await eventually("the user can sign in", signsIn);
      notEqual((await fetch(`${url}/functions/v1/get-token-balance`)).status, 503);
    });
  }

  await t.step("what is scheduled can be called, and has the rate of a stand-in", async () => {
    const today = new Date().toISOString().slice(0, 10);
    const answers = await Promise.all(JOBS.map(async ([, path]) => {
      const headers = { apikey: first.file.secret_key };
      const response = await fetch(`${url}/${path}`, { method: "POST", headers });
      ok(response.ok, `${path} was answered ${response.status}`);
      return [path, await response.json()] as const;
    }));
    const { "functions/v1/fx-sync": rate } = Object.fromEntries(answers);
    deepEqual(rate, { day: today, usd_eur: "0.8499787505", outcome: "set" });
    const other = await fetch(`${url}/stand-in/ecb/eurofxref-daily.xml`, { method: "POST" });
    equal(other.status, 405);
    await other.body?.cancel();
  });

  await t.step("the taken port is named, with the way out", async () => {
    const elsewhere = await makeDataFolder();
    const { port } = new URL(url);
    await rejects(spawnStack(elsewhere, ["--port", port]), (error) => {
      ok(error instanceof SpawnError);
      equal(error.code, 1);
      match(error.output, new RegExp(`Port ${port} is taken.*npm start -- --port`));
      return true;
    });
    await Deno.remove(elsewhere, { recursive: true });
  });

  await t.step("a data folder in use is refused", async () => {
    await rejects(spawnStack(data), (error) => {
      ok(error instanceof SpawnError);
      equal(error.code, 1);
      match(error.output, /in use by a running stack/);
      return true;
    });
  });

  await t.step("a second stack runs beside it, with keys and users of its own", async () => {
    const elsewhere = await makeDataFolder();
    const second = await spawnStack(elsewhere, ["--no-demo"]);
    notEqual(second.file.url, url);
    notEqual(second.file.secret_key, first.file.secret_key);
    equal((await client(second.file).auth.signInWithPassword(user)).error, null);
    equal(await second.stop(), 0);
    await Deno.remove(elsewhere, { recursive: true });
    ok(await signsIn());
  });

  await t.step("everything ends when the supervisor is killed, and starts again", async () => {
    const { processes } = await current();
    process.kill(processes.gateway ?? 0, "SIGKILL");
    await eventually("no process is left", () => !Object.values(processes).some(alive));
  });

  await t.step("a clean stop keeps the keys and leaves no process", async () => {
    const again = await spawnStack(data, ["--no-demo"]);
    equal(again.file.secret_key, first.file.secret_key);
    const pids = Object.values(again.file.processes);
    equal(pids.length, 5);
    const began = Date.now();
    equal(await again.stop(), 0);
    ok(Date.now() - began < 3000);
    deepEqual(pids.filter(alive), []);
    deepEqual((await readStackFile(join(data, "stack.json"))).processes, {});
  });

  await t.step("the stack stops when what started it is killed", async () => {
    const again = await spawnStack(data, ["--no-demo"]);
    process.kill(again.pid, "SIGKILL");
    const pids = Object.values(again.file.processes);
    await eventually("no process is left", () => !pids.some(alive));
  });

  await Deno.remove(data, { recursive: true });
});
