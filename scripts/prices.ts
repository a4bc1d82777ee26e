/**
 * `npm run prices:update`: brings what providers ask up to date with the catalogue of @pydantic/genai-prices.
 *
 *     npm run prices:update -- [--yes] [--provider NAME]… [--database URL | --data DIR]
 *
 * Exits with 0 when nothing is left to write, 1 when something is, 2 when it could not be done.
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { findProvider, waitForUpdate } from "@pydantic/genai-prices";
import postgres from "postgres";
import { translate } from "../functions/_shared/database.ts";
import { ScripError } from "../functions/_shared/errors.ts";
import { type Entry, readCatalogue, type Wanted } from "./prices/catalogue.ts";
import { compare, describe, type Diff, type InForce } from "./prices/diff.ts";
import { readStackFile } from "./stack/config.ts";

const HELP = `npm run prices:update -- [options]

Shows what the catalogue's prices would change, asks, and writes them, in force from now. Prices
that were set by hand are kept.

  --yes               writes without asking, also where there is no terminal
  --provider NAME     the catalogue's provider, any number of times (default: those of
                      ai_models, and the models of unpriced calls of the last 30 days)
  --database URL      the database (default: SUPABASE_DB_URL, unless there is --data)
  --data DIR          the data folder of a local stack (default .scrip)
  -h, --help          shows this

Exits with 0 when nothing is left to write, 1 when something is, 2 when it could not be done.
`;

/** Why it could not be done. */
class Impossible extends Error {}

const say = (text: string) => process.stdout.write(`${text}\n`);

function readOptions(args: string[]) {
  const options = {
    yes: { type: "boolean" },
    provider: { type: "string", multiple: true },
    database: { type: "string" },
    data: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new Impossible(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

/** Where the database is. */
async function readDatabaseUrl(
  { database, data }: { database?: string | undefined; data?: string | undefined },
): Promise<string> {
  const given = database ?? (data === undefined ? Deno.env.get("SUPABASE_DB_URL") : undefined);
  if (given) return given;
  const path = join(data ?? ".scrip", "stack.json");
  const stack = await readStackFile(path).catch(() => {
    throw new Impossible(
      `there is no --database and no SUPABASE_DB_URL in the environment, and no stack at ${path}`,
    );
  });
  return stack.database_url;
}

const find = (service: string) => findProvider({ providerId: service });

/** The services of ai_models, and the models that are known by name: those on offer, and those of unpriced calls. */
async function readWanted(sql: postgres.Sql, only: readonly string[]) {
  for (const name of only) {
    if (find(name)) continue;
    const all = (await waitForUpdate() ?? []).map(({ id }) => id).join(", ");
    throw new Impossible(`the catalogue has no provider ${name}; it has ${all}`);
  }
  const used = await sql<{ service: string }[]>`
    select distinct coalesce(m.service, m.provider) as service from public.ai_models m order by 1`;
  const wanted = await sql<Wanted[]>`
    select w.service, w.model, bool_or(w.makes_images) as makes_images
    from (
      select coalesce(m.service, m.provider) as service, m.provider_model as model,
        m.kind = 'image' as makes_images
      from public.ai_models m
      where m.active
      union all
      select d.service, d.model, false
      from public.usage_daily d
      where d.unpriced_calls > 0 and d.day >= (now() at time zone 'UTC')::date - 30
    ) w
    group by w.service, w.model
    order by w.service, w.model`;
  const isAsked = (service: string) => only.length === 0 || only.includes(service);
  return {
    services: only.length > 0 ? only : used.map(({ service }) => service),
    wanted: wanted.filter(({ service }) => isAsked(service)),
  };
}

const readInForce = (sql: postgres.Sql) =>
  sql<InForce[]>`
    select p.service, p.model, p.source,
      trim_scale(p.input_usd_per_million)::text as input_usd_per_million,
      trim_scale(p.cached_input_usd_per_million)::text as cached_input_usd_per_million,
      trim_scale(p.output_usd_per_million)::text as output_usd_per_million,
      trim_scale(p.usd_per_call)::text as usd_per_call,
      trim_scale(p.usd_per_second)::text as usd_per_second,
      trim_scale(p.usd_per_image)::text as usd_per_image
    from (
      select distinct on (m.service, m.model) m.*
      from public.model_prices m
      where m.valid_from <= now()
      order by m.service, m.model, m.valid_from desc
    ) p
    where p.valid_to is null or p.valid_to > now()`;

/** Writes prices, all or none. */
async function write(sql: postgres.Sql, entries: readonly Entry[]): Promise<void> {
  const rows = entries.map(({ service, model, prices }) => ({ service, model, ...prices }));
  const outcomes = await sql<{ service: string; model: string; outcome: string }[]>`
    select r.service, r.model, s.outcome
    from jsonb_to_recordset(${sql.json(rows)}) as r (
      service text, model text, input_usd_per_million text, cached_input_usd_per_million text,
      output_usd_per_million text, usd_per_call text
    )
    cross join lateral public.set_model_price(
      r.service, r.model, r.input_usd_per_million, r.cached_input_usd_per_million,
      r.output_usd_per_million, r.usd_per_call, source => 'catalogue'
    ) s`;
  const set = outcomes.filter(({ outcome }) => outcome === "set");
  say(`Written: ${set.length}.`);
  for (const { service, model, outcome } of outcomes) {
    if (outcome !== "set") say(`  ${service} ${model}: ${outcome} in the meantime`);
  }
}

function mayWrite({ added, changed }: Diff, yes: boolean): boolean {
  if (yes) return true;
  if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
    const agreed = confirm(`Write ${added.length + changed.length} prices, in force from now?`);
    if (!agreed) say("Nothing is written.");
    return agreed;
  }
  say("Nothing is written: this is no terminal. Add --yes to write it.");
  return false;
}

/** What keeps it from being done, when that is the database. */
function explain(error: unknown, host: string): unknown {
  const told = translate(error);
  if (!(told instanceof ScripError || told instanceof postgres.PostgresError)) return error;
  const cause = told.cause instanceof Error ? told.cause : told;
  return new Impossible(`the database at ${host}: ${cause.message}`);
}

async function update(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    say(HELP);
    return 0;
  }
  const url = await readDatabaseUrl(options);
  const host = URL.parse(url)?.host ?? "the address given";
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: "scrip prices:update", statement_timeout: 0, TimeZone: "UTC" },
  });
  try {
    const { services, wanted } = await readWanted(sql, options.provider ?? []);
    const diff = compare(
      readCatalogue(services, wanted, find, new Date()),
      await readInForce(sql),
    );
    const known = services.filter(find).join(", ") || "none; name one by --provider";
    say(`Database: ${host}\nProviders: ${known}\n\n${describe(diff)}`);
    const entries = [...diff.added, ...diff.changed.map(({ entry }) => entry)];
    if (entries.length === 0) return 0;
    if (!mayWrite(diff, options.yes === true)) return 1;
    await write(sql, entries);
    return 0;
  } catch (error) {
    throw explain(error, host);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

if (import.meta.main) {
  const code = await update(Deno.args).catch((error) => {
    const text = error instanceof Impossible ? error.message : error.stack;
    process.stderr.write(`Cannot update prices: ${text}\n`);
    return 2;
  });
  process.exit(code);
}
