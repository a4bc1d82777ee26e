/** `npm test -- pgtap [filter]`: runs supabase/tests as `supabase test db` does, without Docker. */
import { join } from "node:path";
import postgres from "postgres";
import {
  connected,
  describe,
  main,
  print,
  ProjectError,
  ROOT,
  type Shadow,
  sqlFiles,
  startShadow,
} from "./build.ts";
import { splitStatements } from "./statements.ts";

interface Result {
  passed: number;
  /** What went wrong, one text a failure. */
  failures: string[];
}

/** pgTAP's own script, out of the archive in which npm has it. */
async function pgtapScript(): Promise<string> {
  const path = join(ROOT, "node_modules/@electric-sql/pglite-pgtap/dist/pgtap.tar.gz");
  using file = await Deno.open(path);
  const unzipped = file.readable.pipeThrough(new DecompressionStream("gzip"));
  const tar = new Uint8Array(await new Response(unzipped).arrayBuffer());
  const text = (from: number, to: number) =>
    new TextDecoder().decode(tar.subarray(from, to)).replace(/\0[\s\S]*$/, "");
  // A tar is blocks of 512 bytes: a header with the name and the octal size, then the content.
  for (let at = 0; at < tar.length;) {
    const size = parseInt(text(at + 124, at + 136), 8) || 0;
    if (/\/pgtap--[\d.]+\.sql$/.test(text(at, at + 100))) {
      return text(at + 512, at + 512 + size).replace(/^\\.*$/gm, "");
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`${path} has no pgtap--<version>.sql`);
}

/**
 * The functions are made by the script, not by `create extension`, for which its files would
 * have to lie in the server's folder: that one needs not be ours to write to.
 */
async function installPgtap(url: string): Promise<void> {
  const script = await pgtapScript();
  await connected(url, async (sql) => {
    await sql`set search_path to extensions`;
    await sql.unsafe(script).simple();
  });
}

/** The TAP lines of a file, up to the first statement that fails; that failure comes last. */
async function runFile(
  url: string,
  file: string,
  helpers: string,
): Promise<{ lines: string[]; error?: string }> {
  const lines: string[] = [];
  const add = (text: string) => lines.push(...text.split("\n"));
  const onnotice = ({ message }: postgres.Notice) => add(message ?? "");
  return await connected(url, async (sql) => {
    await sql`set search_path to public, extensions`;
    await sql`set statement_timeout to '60s'`;
    await sql.unsafe(helpers).simple();
    for (const statement of splitStatements(await Deno.readTextFile(join(ROOT, file)))) {
      if (/\bcreate extension if not exists pgtap\b/i.test(statement.sql)) continue;
      try {
        for (const row of await sql.unsafe(statement.sql).simple()) {
          const [value, ...others] = Object.values(row);
          if (typeof value === "string" && others.length === 0) add(value);
        }
      } catch (error) {
        if (!(error instanceof postgres.PostgresError)) throw error;
        return { lines, error: describe({ file, statement }, error) };
      }
    }
    return { lines };
  }, { onnotice });
}

function parseTap(lines: string[], error?: string): Result {
  const failures: string[] = [];
  let passed = 0;
  let ran = 0;
  let planned: number | undefined;
  let failing = false;
  for (const line of lines) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan) planned = Number(plan[1]);
    const test = /^(not )?ok\b/.exec(line);
    if (test) {
      ran++;
      failing = test[1] !== undefined && !/# TODO\b/i.test(line);
      if (failing) failures.push(line);
      else passed++;
    } else if (failing && line.startsWith("#") && !line.startsWith("# Looks like you failed")) {
      failures.push(`${failures.pop()}\n${line}`);
    }
  }
  if (error !== undefined) failures.push(error);
  else if (planned !== ran) failures.push(`planned ${planned ?? "nothing"}, ran ${ran}`);
  return { passed, failures };
}

async function run(shadow: Shadow, files: string[]): Promise<Result> {
  await shadow.migrated("tap");
  await installPgtap(shadow.adminUrl("tap"));
  const helpers = await Deno.readTextFile(join(ROOT, "supabase/tests/helpers.sql"));
  const total: Result = { passed: 0, failures: [] };
  const waiting = [...files];
  // A database a worker: transactions of two files would wait for each other's locks.
  const worker = async (database: string) => {
    await shadow.clone(database, "tap");
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { lines, error } = await runFile(shadow.url(database), file, helpers);
      const { passed, failures } = parseTap(lines, error);
      total.passed += passed;
      total.failures.push(...failures);
      if (failures.length > 0) {
        const body = failures.join("\n").replace(/^/gm, "  ");
        print(`FAILED ${file}\n${body}\n  npm test -- pgtap ${file}`);
      }
    }
  };
  const count = Math.min(files.length, Math.max(2, navigator.hardwareConcurrency));
  await Promise.all(Array.from({ length: count }, (_, index) => worker(`tap_${index}`)));
  return total;
}

/** Runs the pgTAP files whose path contains `filter`, or all; prints what fails and a summary. */
export async function pgtap(filter = ""): Promise<boolean> {
  const files = (await sqlFiles("supabase/tests"))
    .filter((file) => file.endsWith(".test.sql") && file.includes(filter));
  if (files.length === 0) throw new ProjectError(`No file of supabase/tests matches ${filter}.`);
  await using shadow = await startShadow();
  const { passed, failures } = await run(shadow, files);
  print(`${passed} passed, ${failures.length} failed`);
  return failures.length === 0;
}

if (import.meta.main) await main(() => pgtap(Deno.args[0]));
