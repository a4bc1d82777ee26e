/** The whole stack in one process tree: this process is the gateway and supervises the rest. */
import { join, resolve } from "node:path";
import {
  loadSecrets,
  readConfig,
  type Secrets,
  type StackFile,
  takeVariable,
  writeStackFile,
} from "./config.ts";
import { ACCOUNTS, addDemoContent, createAccounts, type DemoContent } from "./demo.ts";
import { type Backends, serveGateway } from "./gateway.ts";
import { applyPrelude, migrate, seed } from "./migrate.ts";
import {
  delay,
  freePort,
  keepRunning,
  type Kept,
  type Running,
  type Server,
  StackError,
  startServer,
} from "./parts.ts";
import { databaseUrls, startPostgres } from "./postgres.ts";
import { chooseReceivers } from "./receivers.ts";
import { chooseSources } from "./sources.ts";

/** How {@link startStack} runs. */
export interface StackOptions {
  /** The port of the gateway; 0 for a free one. */
  port: number;
  /** The data folder. */
  data: string;
  /** Whether to add demo content. */
  demo: boolean;
}

/** A running stack. */
export interface Stack {
  /** The contents of its stack.json. */
  readonly file: StackFile;
  /** What there is to try; absent without demo data. */
  readonly demo?: DemoContent;
  /** Stops everything, within about three seconds. */
  stop(): Promise<void>;
}

/** Holds the data folder for this process; the system lets go of it however the process ends. */
async function lockData(data: string): Promise<Deno.FsFile> {
  await Deno.mkdir(data, { recursive: true });
  const lock = await Deno.open(join(data, "lock"), { create: true, read: true, write: true });
  if (await lock.tryLock(true)) return lock;
  lock.close();
  throw new StackError(
    `The data folder ${data} is in use by a running stack. ` +
      "Stop that one, or keep this one's data elsewhere: npm start -- --data <folder>",
  );
}

function openGateway(port: number, backends: Backends) {
  try {
    return serveGateway(port, backends);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new StackError(
      `Port ${port} is taken, perhaps by another stack. ` +
        `Choose a free one: npm start -- --port ${port === 54_321 ? 54_322 : port + 1}`,
    );
  }
}

interface Parts {
  postgres?: Kept<Running>;
  api?: Kept<Server>;
  functions?: Kept<Server>;
  stripe?: Kept<Server>;
}

/** How the functions reach Stripe. */
interface StripeAccess {
  /** The port of the stand-in; absent with a real key. */
  port?: number;
  env: Record<string, string>;
}

/** With the environment's key the functions reach Stripe itself, without one its stand-in. */
function chooseStripe(secrets: Secrets): StripeAccess {
  // Where Stripe is, only this process says.
  takeVariable("STRIPE_API_URL");
  const key = takeVariable("STRIPE_SECRET_KEY");
  const secret = takeVariable("STRIPE_WEBHOOK_SECRET") || secrets.stripe_webhook_secret;
  if (key) return { env: { STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRET: secret } };
  // Functions keep its address, so it keeps its port when it starts again.
  const port = freePort();
  return {
    port,
    env: {
      STRIPE_API_URL: `http://127.0.0.1:${port}`,
      STRIPE_SECRET_KEY: secrets.stripe_secret_key,
      STRIPE_WEBHOOK_SECRET: secrets.stripe_webhook_secret,
    },
  };
}

const MINUTE_MS = 60_000;
const HOUR = 60;
const DAY = 24 * HOUR;

/** What is scheduled, and how many minutes apart: routes of the functions, and functions of the database. */
export const JOBS: [minutes: number, path: string][] = [
  [1, "functions/v1/auto-top-up/run"],
  [1, "functions/v1/hub-sync"],
  [1, "rest/v1/rpc/expire_token_holds"],
  [1, "rest/v1/rpc/abandon_runs"],
  [1, "rest/v1/rpc/prune_outbox"],
  [1, "rest/v1/rpc/prune_runs"],
  [HOUR, "functions/v1/fx-sync"],
  [DAY, "rest/v1/rpc/rotate_usage_months"],
];

/** Stands in for pg_cron and pg_net: does what private.schedule_jobs() schedules, from the first minute on. */
function startCron({ url, secret_key }: StackFile): () => void {
  const run = async (path: string) => {
    const response = await fetch(`${url}/${path}`, {
      method: "POST",
      headers: { apikey: secret_key },
    });
    await response.body?.cancel();
  };
  let minute = 0;
  const timer = setInterval(() => {
    minute++;
    // A failure is told in a log of the stack; the next time comes.
    for (const [minutes, path] of JOBS) {
      if (minute % minutes === 0) run(path).catch(() => undefined);
    }
  }, MINUTE_MS);
  return () => clearInterval(timer);
}

/**
 * Starts the stack, or nothing of it.
 *
 * @throws {StackError} naming what did not start, why, and where its log is.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const data = resolve(options.data);
  const config = await readConfig();
  const lock = await lockData(data);
  const secrets = await loadSecrets(data);
  const parts: Parts = {};
  const log = (name: string) => join(data, `${name}.log`);
  const origin = (part: "api" | "functions" | "stripe") => {
    const server = parts[part]?.current();
    return server && `http://127.0.0.1:${server.port}`;
  };

  const stripe = chooseStripe(secrets);
  const receivers = chooseReceivers(secrets);
  const sources = chooseSources();
  const gateway = openGateway(options.port, {
    // Without its database it would answer every request with an opaque 500.
    api: () => parts.postgres?.current() && origin("api"),
    functions: () => origin("functions"),
    functionNames: new Set(Object.keys(config.functions)),
    standIns: new Map([...receivers.standIns, ...sources.standIns]),
    ...(stripe.port === undefined ? {} : { stripe: () => origin("stripe") }),
  });
  const url = `http://127.0.0.1:${gateway.addr.port}`;
  const databasePort = freePort();
  const databaseUrl = databaseUrls(databasePort);
  const file: StackFile = {
    url,
    ...secrets,
    database_url: databaseUrl("postgres"),
    ...(stripe.port === undefined ? {} : { stripe_api_url: `http://127.0.0.1:${stripe.port}` }),
    ...ACCOUNTS,
    processes: {},
  };

  let written = Promise.resolve();
  const writeFile = (processes: StackFile["processes"]) => {
    written = written.then(() => writeStackFile(data, Object.assign(file, { processes })));
    return written;
  };
  const noteProcesses = () => {
    const running = (["postgres", "api", "functions", "stripe"] as const).flatMap((name) => {
      const part = parts[name]?.current();
      return part ? [[name, part.pid]] : [];
    });
    return writeFile({ ...Object.fromEntries(running), gateway: Deno.pid });
  };
  let started = false;
  const changed = () => {
    if (started) noteProcesses();
  };

  const startDatabase = async () => {
    parts.postgres = await keepRunning("postgres", () =>
      startPostgres({
        directory: join(data, "postgres"),
        port: databasePort,
        logFile: log("postgres"),
      }), changed);
    await applyPrelude(databaseUrl("postgres", "supabase_admin"));
    const applied = await migrate(databaseUrl("postgres"));
    if (applied.length > 0) await seed(databaseUrl("postgres"));
  };
  const startApi = async () => {
    const env = {
      SUPABASE_URL: url,
      SUPABASE_DB_URL: databaseUrl("postgres", "authenticator"),
      SUPABASE_PUBLISHABLE_KEY: secrets.publishable_key,
      SUPABASE_SECRET_KEY: secrets.secret_key,
      JWT_SECRET: secrets.jwt_secret,
      LITE_TELEMETRY: "0",
    };
    parts.api = await keepRunning("api", () => startServer("api", env, log("api")), changed);
  };
  const startFunctions = async () => {
    const env = {
      SUPABASE_URL: url,
      SUPABASE_DB_URL: databaseUrl("postgres"),
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: secrets.publishable_key }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: secrets.secret_key }),
      // Hosted projects publish public keys instead; a shared secret is all that lite signs with.
      JWT_SECRET: secrets.jwt_secret,
      ...stripe.env,
      ...receivers.env(url),
      ...sources.env(url),
      CHECKOUT_ORIGINS: [url, Deno.env.get("CHECKOUT_ORIGINS") || []].flat().join(","),
    };
    const start = () => startServer("functions", env, log("functions"));
    parts.functions = await keepRunning("functions", start, changed);
  };

  const startStripe = async () => {
    const { port } = stripe;
    if (port === undefined) return;
    const env = {
      ...stripe.env,
      SUPABASE_URL: url,
      STRIPE_STATE_FILE: join(data, "stripe.jsonl"),
    };
    const start = () => startServer("stripe", env, log("stripe"), port);
    parts.stripe = await keepRunning("stripe", start, changed);
  };

  let stopCron = () => {};
  const stop = async () => {
    stopCron();
    // Answers under way get a moment to finish.
    await Promise.race([gateway.shutdown(), delay(500)]);
    await Promise.all([parts.api?.stop(), parts.functions?.stop(), parts.stripe?.stop()]);
    await parts.postgres?.stop();
    if (started) await writeFile({});
    lock.close();
  };

  try {
    const starts = [startDatabase().then(startApi), startFunctions(), startStripe()];
    // Stopping has to know of everything that did start.
    await Promise.allSettled(starts);
    await Promise.all(starts);
    const target = { url, databaseUrl: databaseUrl("postgres"), secrets };
    await createAccounts(target);
    const demo = options.demo ? { demo: await addDemoContent(target) } : {};
    started = true;
    await noteProcesses();
    stopCron = startCron(file);
    return { file, ...demo, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
