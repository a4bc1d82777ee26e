/**
 * `npm run reconcile`: prints every difference between what Stripe says and what Scrip holds.
 *
 *     npm run reconcile -- [--from YYYY-MM-DD] [--to YYYY-MM-DD] [--data DIR]
 *
 * Exits with 0 when there is none, 1 when there is one, 2 when it could not be done.
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { ScripError } from "../functions/_shared/errors.ts";
import { stripeAccess } from "../functions/_shared/stripe.ts";
import { compare, type Comparison, type Difference, KINDS } from "./reconcile/compare.ts";
import type { Period } from "./reconcile/snapshot.ts";
import { readStackFile } from "./stack/config.ts";

const HELP = `npm run reconcile -- [options]

  --from YYYY-MM-DD   the first day, in UTC (default: 30 days before the end)
  --to YYYY-MM-DD     the last day, in UTC (default: up to now)
  --data DIR          the data folder of a local stack (default .scrip), instead of
                      what STRIPE_SECRET_KEY and SUPABASE_DB_URL name
`;

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
/** How long an event may take to come before its absence is a difference. */
const PAUSE_MS = 5000;

/** Why it could not be done. */
class Impossible extends Error {}

const say = (text: string) => process.stdout.write(`${text}\n`);

function parseDay(option: string, text: string): number {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(NaN);
  // The 31st of a shorter month is no date, whatever Date makes of it.
  const isDay = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
  if (!isDay) throw new Impossible(`${option} is a day such as 2026-01-31, got ${text}\n\n${HELP}`);
  return day.getTime();
}

/** The days asked for, the last one included, or the last 30 days up to now. */
export function readPeriod(
  { from, to }: { from?: string | undefined; to?: string | undefined },
  now: number,
): Period {
  const end = to === undefined ? Math.ceil(now / 1000) * 1000 : parseDay("--to", to) + DAY_MS;
  const start = from === undefined ? end - DEFAULT_DAYS * DAY_MS : parseDay("--from", from);
  if (start >= end) throw new Impossible(`--from ${from} is after the end\n\n${HELP}`);
  return { from: new Date(start), to: new Date(end) };
}

function readOptions(args: string[]) {
  const day = { type: "string" } as const;
  const options = { from: day, to: day, data: day, help: { type: "boolean", short: "h" } } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new Impossible(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

/** Where Stripe and the database are, by the names that functions know them by. */
async function readPlaces(data: string | undefined): Promise<Map<string, string>> {
  const names = ["STRIPE_SECRET_KEY", "SUPABASE_DB_URL"] as const;
  const [given, missing] = [
    names.filter((name) => Deno.env.get(name)),
    names.filter((name) => !Deno.env.get(name)),
  ];
  if (data === undefined && missing.length === 0) {
    const all = [...names, "STRIPE_API_URL"];
    return new Map(all.map((name) => [name, Deno.env.get(name) ?? ""]));
  }
  if (data === undefined && given.length > 0) {
    throw new Impossible(
      `${missing} is missing beside ${given}; for a local stack name its --data`,
    );
  }
  const path = join(data ?? ".scrip", "stack.json");
  const stack = await readStackFile(path).catch(() => {
    throw new Impossible(
      `there is no STRIPE_SECRET_KEY and SUPABASE_DB_URL in the environment, and no stack at ${path}`,
    );
  });
  // Without a stand-in the stack was started with a real key, which is not written down.
  const key = stack.stripe_api_url ? stack.stripe_secret_key : Deno.env.get("STRIPE_SECRET_KEY");
  if (!key) {
    throw new Impossible(`the stack at ${path} has no stand-in for Stripe: set STRIPE_SECRET_KEY`);
  }
  return new Map([
    ["STRIPE_SECRET_KEY", key],
    ["STRIPE_API_URL", stack.stripe_api_url ?? ""],
    ["SUPABASE_DB_URL", stack.database_url],
  ]);
}

const day = (date: Date) => date.toISOString().replace(".000Z", "Z");

function describe({ differences, counts }: Comparison, period: string): string {
  const line = ({ id, detail, user_id }: Difference) =>
    `  ${[id, detail].filter((part) => part !== null).join("  ")}  user ${user_id ?? "unknown"}`;
  const groups = Object.entries(KINDS).flatMap(([kind, heading]) => {
    const lines = differences.filter((one) => one.kind === kind).map(line);
    return lines.length === 0 ? [] : [`${heading}\n${lines.join("\n")}\n`];
  });
  const { payments, subscriptions, others } = counts;
  return [
    `${period}\n`,
    ...groups,
    `Compared: payments ${payments}, subscriptions ${subscriptions}. Payments that are not Scrip's: ${others}.`,
    differences.length === 0 ? "No differences." : `Differences: ${differences.length}.`,
  ].join("\n");
}

/** What keeps it from being done, in a word on which side it is. */
function explain(error: unknown, database: string): Error {
  if (error instanceof Impossible) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ScripError) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    return new Impossible(`${message}${cause}`);
  }
  const isOfDatabase = error instanceof postgres.PostgresError ||
    error instanceof Error && "code" in error && /^(E[A-Z]+|CONN|AUTH|SASL)/.test(`${error.code}`);
  if (isOfDatabase) return new Impossible(`the database at ${database}: ${message}`);
  return error instanceof Error ? error : new Error(message);
}

async function reconcile(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    say(HELP);
    return 0;
  }
  const period = readPeriod(options, Date.now());
  const places = await readPlaces(options.data);
  const url = places.get("SUPABASE_DB_URL") ?? "";
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 10,
    onnotice: () => {},
    // verify_ledger reads everything.
    connection: { application_name: "scrip reconcile", statement_timeout: 0, TimeZone: "UTC" },
  });
  try {
    const stripe = stripeAccess({ get: (name) => places.get(name) || undefined });
    await sql`select 1`;
    const result = await stripe.call((client) => compare(client, sql, period, PAUSE_MS));
    const mode = stripe.livemode ? "live" : "test";
    say(describe(result, `${day(period.from)} to ${day(period.to)}, Stripe's ${mode} mode`));
    return result.differences.length === 0 ? 0 : 1;
  } catch (error) {
    throw explain(error, URL.parse(url)?.host ?? "SUPABASE_DB_URL");
  } finally {
    await sql.end({ timeout: 1 });
  }
}

if (import.meta.main) {
  const code = await reconcile(Deno.args).catch((error) => {
    const text = error instanceof Impossible ? error.message : error.stack;
    process.stderr.write(`Cannot reconcile: ${text}\n`);
    return 2;
  });
  process.exit(code);
}
