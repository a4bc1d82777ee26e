/** The gate of the database: what is generated from sql/ is up to date, safe, and arrives. */
import { join } from "node:path";
import {
  BARE,
  buildBoth,
  connected,
  main,
  print,
  ProjectError,
  ROOT,
  type Shadow,
  startShadow,
  supabase,
} from "./build.ts";
import { differences } from "./diff.ts";
import { generated } from "./types.ts";

/** Each check answers what is wrong; nothing when all is well. */
type Check = (shadow: Shadow) => Promise<string | undefined>;

const list = (lines: string[]) => lines.map((line) => line.replace(/^/gm, "  ")).join("\n");

const drift: Check = async (shadow) => {
  const statements = await differences(shadow.url("a"), shadow.url("b"));
  if (statements.length === 0) return undefined;
  return `supabase/migrations lack what sql/ says; run \`npm run db:diff -- <name>\`:\n${
    list(statements)
  }`;
};

const types: Check = async (shadow) => {
  const stale: string[] = [];
  for (const { path, text } of await generated(shadow, "b")) {
    const written = await Deno.readTextFile(join(ROOT, path)).catch(() => "");
    if (written !== text) stale.push(path);
  }
  if (stale.length === 0) return undefined;
  return `Stale: ${stale.join(", ")}; run \`npm run db:types\`.`;
};

const advisors: Check = async (shadow) => {
  await supabase("db", "advisors", "--fail-on", "warn", `--remote=${shadow.url("a")}`);
  return undefined;
};

/**
 * The Supabase CLI brings the migrations to a new project as well. New projects grant the API
 * roles nothing: a grant that sql/ leaves to the older projects' defaults shows as a difference.
 */
const push: Check = async (shadow) => {
  const defaults = (verb: string) =>
    connected(shadow.adminUrl("pushed"), async (sql) => {
      for (const kind of ["tables", "sequences", "functions"]) {
        await sql.unsafe(
          `alter default privileges for role postgres in schema public ${verb.replace("*", kind)}`,
        );
      }
    });
  const roles = "anon, authenticated, service_role";
  await defaults(`revoke all on * from ${roles}`);
  await supabase("db", "push", "--yes", `--remote=${shadow.url("pushed")}`);
  await defaults(`grant all on * to ${roles}`);
  const statements = await differences(shadow.url("pushed"), shadow.url("a"));
  if (statements.length === 0) return undefined;
  return "`supabase db push` makes another schema on a new project than on an older one: does " +
    `sql/ grant and revoke every privilege itself?\n${list(statements)}`;
};

/** Runs every check; prints only what is wrong. */
export async function check(): Promise<boolean> {
  await using shadow = await startShadow();
  await shadow.clone("pushed", BARE);
  await buildBoth(shadow);
  const checks = [drift, types, advisors, push].map((run) => run(shadow));
  const answers = (await Promise.allSettled(checks)).map((answer) => {
    if (answer.status === "fulfilled") return answer.value;
    if (answer.reason instanceof ProjectError) return answer.reason.message;
    throw answer.reason;
  });
  const wrong = answers.filter((answer) => answer !== undefined);
  for (const answer of wrong) print(answer);
  return wrong.length === 0;
}

if (import.meta.main) await main(check);
