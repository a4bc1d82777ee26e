/** Throwaway databases: the one that the migrations make, and the one that sql/ describes. */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { applyPrelude, migrate } from "../stack/migrate.ts";
import { startPostgres } from "../stack/postgres.ts";
import { splitStatements, type Statement } from "./statements.ts";

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A mistake in the project's files, told without a stack trace. */
export class ProjectError extends Error {
  override name = "ProjectError";
}

/** A throwaway cluster; disposing of it removes everything. */
export interface Shadow extends AsyncDisposable {
  /** The connection string of a database, as the role `postgres` that hosted projects have. */
  url(database: string): string;
  /** The same as the superuser, whom hosted projects don't let in. */
  adminUrl(database: string): string;
  /** Copies a database. Nobody may be connected to the template. */
  clone(database: string, template: string): Promise<void>;
  /** Makes a database like a hosted project's, with the migrations. */
  migrated(database: string): Promise<void>;
  /** Makes a database like a hosted project's, with sql/; answers the statements as they ran. */
  described(database: string): Promise<string[]>;
}

/** The name of the database that has the prelude alone. */
export const BARE = "bare";

/** Runs `use` with a connection that is closed afterwards. */
export async function connected<T>(
  url: string,
  use: (sql: postgres.Sql) => Promise<T>,
  options: postgres.Options<Record<string, never>> = {},
): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, ...options });
  try {
    return await use(sql);
  } finally {
    await sql.end();
  }
}

/** Makes `a` with the migrations and `b` with sql/; answers sql/'s statements as they ran. */
export async function buildBoth(shadow: Shadow): Promise<string[]> {
  const made = shadow.migrated("a");
  const meant = shadow.described("b");
  // A failure waits for the other, which still uses the cluster.
  await Promise.allSettled([made, meant]);
  await made;
  return await meant;
}

/** Starts a throwaway cluster with one database, {@link BARE}. */
export async function startShadow(): Promise<Shadow> {
  const folder = await Deno.makeTempDir({ prefix: "scrip-" });
  // The server may run as another user.
  await Deno.chmod(folder, 0o755);
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    const cluster = await startPostgres({
      directory: join(folder, "cluster"),
      flags: ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"],
    });
    const adminUrl = (database: string) => cluster.url(database, "supabase_admin");
    const clone = (database: string, template: string) =>
      connected(adminUrl("template1"), async (sql) => {
        await sql`create database ${sql(database)} template ${sql(template)} owner postgres`;
      });
    const shadow: Shadow = {
      url: (database) => cluster.url(database),
      adminUrl,
      clone,
      async migrated(database) {
        await clone(database, BARE);
        try {
          await migrate(cluster.url(database));
        } catch (error) {
          throw new ProjectError(error instanceof Error ? error.message : String(error));
        }
      },
      async described(database) {
        await clone(database, BARE);
        return await connected(cluster.url(database), loadSql);
      },
      async [Symbol.asyncDispose]() {
        await cluster.stop();
        await remove();
      },
    };
    try {
      // Not a template of template1, to which clone() connects.
      await connected(
        adminUrl("template1"),
        (sql) => sql`create database ${sql(BARE)} template template0`,
      );
      await applyPrelude(adminUrl(BARE));
      return shadow;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The `.sql` files under a folder of the repository, sorted, as paths from its root. */
export async function sqlFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string) => {
    for await (const entry of Deno.readDir(path)) {
      const child = join(path, entry.name);
      if (entry.isDirectory) await visit(child);
      else if (entry.name.endsWith(".sql")) found.push(relative(ROOT, child));
    }
  };
  await visit(join(ROOT, folder)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  return found.sort();
}

// What an error is called when something that it needs may still come in another file.
const MISSING = new Set([
  "3F000", // schema
  "42P01", // table
  "42703", // column
  "42704", // type, role, …
  "42830", // unique key that a foreign key refers to
  "42883", // function
]);

/** A statement and the file that it is of. */
export interface Located {
  file: string;
  statement: Statement;
}

/** Says where and why a statement failed: `file:line: message`. */
export function describe({ file, statement }: Located, error: postgres.PostgresError): string {
  const before = statement.sql.slice(0, Number(error.position ?? 1) - 1);
  // Without a position the error belongs to the whole statement: skip the comments before it.
  const comments = error.position
    ? ""
    : /^(\s*(--[^\n]*\n|\/\*[\s\S]*?\*\/))*\s*/.exec(statement.sql)?.[0] ?? "";
  const line = statement.line + (before + comments).split("\n").length - 1;
  const more = [error.detail, error.hint, error.where].filter(Boolean).map((text) => `\n  ${text}`);
  return `${file}:${line}: ${error.message}${more.join("")}`;
}

/**
 * Loads sql/ in whatever order works: each file's statements in turn, a file waiting for the
 * others at a statement that needs something that isn't there yet.
 */
async function loadSql(sql: postgres.Sql): Promise<string[]> {
  await sql`set check_function_bodies = off`;
  const order: Located[] = [];
  let queues = await Promise.all((await sqlFiles("sql")).map(async (file) => ({
    file,
    statements: splitStatements(await Deno.readTextFile(join(ROOT, file))),
  })));
  while (queues.length > 0) {
    const waiting: typeof queues = [];
    const missing: string[] = [];
    let progress = false;
    for (const { file, statements } of queues) {
      let done = 0;
      for (const statement of statements) {
        try {
          await sql.unsafe(statement.sql);
        } catch (error) {
          if (!(error instanceof postgres.PostgresError)) throw error;
          const message = describe({ file, statement }, error);
          if (!MISSING.has(error.code)) throw new ProjectError(message);
          missing.push(message);
          break;
        }
        done++;
        order.push({ file, statement });
      }
      progress ||= done > 0;
      if (done < statements.length) waiting.push({ file, statements: statements.slice(done) });
    }
    if (!progress) throw new ProjectError(missing.join("\n"));
    queues = waiting;
  }
  await checkRoutines(sql, order);
  await refuseRows(sql);
  return order.map(({ statement }) => statement.sql);
}

/** Now that everything is there, bodies can be checked. */
async function checkRoutines(sql: postgres.Sql, order: Located[]): Promise<void> {
  await sql`set check_function_bodies = on`;
  const wrong: string[] = [];
  for (const located of order) {
    if (!/\bcreate\s+or\s+replace\s+(function|procedure)\b/i.test(located.statement.sql)) continue;
    try {
      await sql.unsafe(located.statement.sql);
    } catch (error) {
      if (!(error instanceof postgres.PostgresError)) throw error;
      wrong.push(describe(located, error));
    }
  }
  if (wrong.length > 0) throw new ProjectError(wrong.join("\n"));
}

/** Migrations are made from the schema: rows that sql/ inserts would never arrive anywhere. */
async function refuseRows(sql: postgres.Sql): Promise<void> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('public', 'private')
    order by 1`;
  for (const { name } of tables) {
    const rows = await sql.unsafe(`select from ${name} limit 1`);
    if (rows.length > 0) {
      throw new ProjectError(`sql/ inserts rows into ${name}, but migrations carry no rows.`);
    }
  }
}

/** Runs the Supabase CLI of this project; its output, or an error that holds it. */
export async function supabase(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("node", {
    args: [join(ROOT, "node_modules/supabase/dist/supabase.js"), ...args],
    cwd: ROOT,
    env: { SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) {
    throw new ProjectError(`supabase ${args[0]} ${args[1]}:\n${text(stdout)}${text(stderr)}`);
  }
  return text(stdout);
}

/** Writes a line to the standard output. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

/** Runs a command: exits with 1 when it answers false or fails, without a trace for mistakes. */
export async function main(command: () => Promise<boolean>): Promise<never> {
  try {
    Deno.exit(await command() ? 0 : 1);
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    print(error.message);
    Deno.exit(1);
  }
}
