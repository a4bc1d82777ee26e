/** Brings a database up to date: the prelude, then supabase/migrations, then supabase/seed.sql. */
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { splitStatements } from "../db/statements.ts";
import { StackError } from "./parts.ts";

const MIGRATIONS = fileURLToPath(new URL("../../supabase/migrations", import.meta.url));
const SEED = fileURLToPath(new URL("../../supabase/seed.sql", import.meta.url));
const FILE_NAME = /^(\d+)_(.+)\.sql$/;

/** Gives a bare database what every hosted Supabase database has. Connects as `supabase_admin`. */
export async function applyPrelude(url: string): Promise<void> {
  const prelude = await Deno.readTextFile(new URL("prelude.sql", import.meta.url));
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(prelude);
  } finally {
    await sql.end();
  }
}

/**
 * Applies the pending migrations in order, each in one transaction with its row in
 * `supabase_migrations.schema_migrations`, as the Supabase CLI does. Connects as `postgres`.
 *
 * @returns the versions that were applied.
 * @throws {StackError} naming the migration that failed, and its line; those before it stay applied.
 */
export async function migrate(url: string): Promise<string[]> {
  const names = [...Deno.readDirSync(MIGRATIONS)].map((entry) => entry.name)
    .filter((name) => FILE_NAME.test(name)).sort();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const done = await history(sql);
    const applied: string[] = [];
    for (const file of names) {
      const [, version = "", name = ""] = FILE_NAME.exec(file) ?? [];
      if (done.has(version)) continue;
      await apply(sql, version, name, await Deno.readTextFile(`${MIGRATIONS}/${file}`));
      applied.push(version);
    }
    return applied;
  } finally {
    await sql.end();
  }
}

/** Adds what a new project begins with: supabase/seed.sql, whose rows never replace others. */
export async function seed(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(await Deno.readTextFile(SEED)).simple();
  } finally {
    await sql.end();
  }
}

async function history(sql: postgres.Sql): Promise<Set<string>> {
  const [found] = await sql`
    select to_regclass('supabase_migrations.schema_migrations') is not null as exists`;
  if (!found?.exists) {
    await sql`create schema if not exists supabase_migrations`;
    await sql`
      create table if not exists supabase_migrations.schema_migrations (
        version text primary key,
        statements text[],
        name text
      )`;
  }
  const rows = await sql<{ version: string }[]>`
    select version from supabase_migrations.schema_migrations`;
  return new Set(rows.map((row) => row.version));
}

async function apply(sql: postgres.Sql, version: string, name: string, text: string) {
  const statements = splitStatements(text);
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(text);
      await transaction`
        insert into supabase_migrations.schema_migrations (version, statements, name)
        values (${version}, ${statements.map((statement) => statement.sql)}, ${name})`;
      // A migration's own settings, such as search_path, end with it.
      await transaction`reset all`;
    });
  } catch (error) {
    const position = Number(error instanceof postgres.PostgresError ? error.position : NaN);
    const line = Number.isNaN(position) ? "" : `:${text.slice(0, position).split("\n").length}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StackError(`Migration supabase/migrations/${version}_${name}.sql${line}: ${reason}`, {
      cause: error,
    });
  }
}
