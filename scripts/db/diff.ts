/** `npm run db:diff -- <name>`: writes the migration from supabase/migrations to sql/. */
import { join } from "node:path";
import {
  type Action,
  encodeId,
  type FactKind,
  type Plan,
  plan,
  type Policy,
  renderPlanFiles,
} from "@supabase/pg-delta";
import { resolveProfile, supabaseProfile } from "@supabase/pg-delta/integrations";
import { Pool } from "pg";
import {
  buildBoth,
  connected,
  main,
  print,
  ProjectError,
  ROOT,
  type Shadow,
  sqlFiles,
  startShadow,
} from "./build.ts";

const FOLDER = "supabase/migrations";
const TYPES: FactKind[] = ["schema", "type", "typeAttribute", "domain"];

interface PlanOptions {
  /** Takes a drop and a creation that agree for a renaming. */
  renames?: boolean;
  /** Plans new types and new values of enums alone. */
  typesOnly?: boolean;
}

/** What makes one database's schema into another's, as pg-delta sees it. */
async function planBetween(from: string, to: string, options: PlanOptions = {}): Promise<Plan> {
  const source = new Pool({ connectionString: from });
  const desired = new Pool({ connectionString: to });
  // end() doesn't wait for the sockets: the server may be stopped before they close.
  for (const pool of [source, desired]) pool.on("error", () => {});
  try {
    const policy: Policy = {
      id: "types",
      filter: [
        // A type that goes may still have columns.
        { match: { verb: ["remove"] }, action: "exclude" },
        { match: { not: { kind: TYPES } }, action: "exclude" },
      ],
      extends: supabaseProfile.policy ? [supabaseProfile.policy] : [],
    };
    const profile = await resolveProfile(
      source,
      options.typesOnly ? { ...supabaseProfile, policy } : supabaseProfile,
    );
    const [before, after] = await Promise.all([profile.extract(source), profile.extract(desired)]);
    const blocking = [...before.diagnostics, ...after.diagnostics]
      .filter(({ severity, code }) => severity === "error" || code === "unmodeled_kind");
    if (blocking.length > 0) {
      throw new ProjectError(blocking.map(({ message }) => message).join("\n"));
    }
    return plan(before.factBase, after.factBase, {
      ...profile.planOptions,
      renames: options.renames ? "auto" : "off",
    });
  } finally {
    await Promise.all([source.end(), desired.end()]);
  }
}

/** Comments that differ: pg-delta leaves out those on view columns and on triggers in `auth`. */
async function commentsBetween(from: string, to: string): Promise<string[]> {
  const read = (url: string) =>
    connected(url, (sql) =>
      sql<{ target: string; literal: string }[]>`
        select
          case
            when o.type like '% column' then 'column ' || o.identity
            when o.type = 'table constraint' then 'constraint ' || o.identity
            when o.type = 'domain constraint'
              then 'constraint ' || regexp_replace(o.identity, ' on (?=[^ ]+$)', ' on domain ')
            else o.type || ' ' || o.identity
          end as target,
          quote_literal(d.description) as literal
        from pg_catalog.pg_description d
        cross join lateral pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) o
        where d.objoid >= 16384
        order by 1`);
  const [before, after] = await Promise.all([read(from), read(to)]);
  const old = new Map(before.map(({ target, literal }) => [target, literal]));
  const changed = after.filter(({ target, literal }) => old.get(target) !== literal);
  const kept = new Set(after.map(({ target }) => target));
  const gone = before.filter(({ target }) => !kept.has(target));
  return [
    ...changed.map(({ target, literal }) => `comment on ${target} is ${literal};`),
    ...gone.map(({ target }) => `comment on ${target} is null;`),
  ];
}

/** Tables whose columns come in another order, which no migration can change. */
async function columnOrdersBetween(from: string, to: string): Promise<string[]> {
  const read = (url: string) =>
    connected(url, (sql) =>
      sql<{ table: string; columns: string }[]>`
        select
          format('%I.%I', c.relnamespace::regnamespace, c.relname) as table,
          string_agg(a.attname, ', ' order by a.attnum) as columns
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        where c.relnamespace::regnamespace::text in ('public', 'private')
          and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
        group by 1`);
  const [before, after] = await Promise.all([read(from), read(to)]);
  const made = new Map(before.map(({ table, columns }) => [table, columns]));
  const sorted = (columns: string) => columns.split(", ").sort().join();
  return after.flatMap(({ table, columns }) => {
    const there = made.get(table);
    if (there === undefined || there === columns || sorted(there) !== sorted(columns)) return [];
    return [
      `-- The columns of ${table} come in another order: new ones go last.\n` +
      `--   migrations  ${there}\n--   sql/        ${columns}`,
    ];
  });
}

/** The statements that would make one database's schema into another's; none when they agree. */
export async function differences(from: string, to: string): Promise<string[]> {
  const [{ actions }, comments, orders] = await Promise.all([
    planBetween(from, to),
    commentsBetween(from, to),
    columnOrdersBetween(from, to),
  ]);
  const planned = actions.map(({ sql }) => `${sql.replace(/[\s;]+$/, "")};`);
  // pg-delta's own comment statements would come twice.
  return [...planned.filter((sql) => !sql.startsWith("COMMENT ON")), ...comments, ...orders];
}

/** What takes something away that nothing of the plan brings back; sql/ has every privilege. */
function drops({ actions }: Plan): Action[] {
  const made = new Set(actions.flatMap(({ produces }) => produces.map(encodeId)));
  return actions.filter(({ verb, dataLoss, destroys }) =>
    dataLoss === "destructive" ||
    verb === "drop" &&
      destroys.some((id) => id.kind !== "acl" && id.kind !== "comment" && !made.has(encodeId(id)))
  );
}

/**
 * The contents of the files that lead from database `a` to `b`; changes `a`.
 *
 * One pass of pg-delta isn't enough: it leaves new objects with what default privileges give
 * them, and revokes column privileges by a later `revoke` on the table. Types come in a pass of
 * their own, since a table made before its columns' types gets these columns last.
 */
async function migrationFiles(shadow: Shadow, options: { renames: boolean; allowDrops: boolean }) {
  const [a, b] = [shadow.url("a"), shadow.url("b")];
  const files: string[] = [];
  let open = false;
  const append = async (text: string, transactional: boolean) => {
    await connected(a, async (sql) => {
      if (transactional) await sql.begin((tx) => tx.unsafe(text));
      else await sql.unsafe(text);
    });
    const last = files.at(-1);
    if (open && transactional && last !== undefined) files[files.length - 1] = `${last}\n${text}`;
    else files.push(text);
    open = transactional;
  };
  for (let pass = 0; pass < 6; pass++) {
    const step = await planBetween(a, b, { renames: options.renames, typesOnly: pass === 0 });
    if (pass > 0 && step.actions.length === 0) {
      const comments = await commentsBetween(a, b);
      if (comments.length > 0) await append(comments.join("\n\n") + "\n", true);
      return files;
    }
    const dropped = drops(step);
    if (dropped.length > 0 && !options.allowDrops) {
      throw new ProjectError(
        "Refused: the migration would drop something. Pass --allow-drops if that is meant, or " +
          "--renames if it was renamed.\n" + dropped.map(({ sql }) => `  ${sql}`).join("\n"),
      );
    }
    const rendered = renderPlanFiles(step, { allowDrops: true }).files;
    for (const [index, { contents, transactional }] of rendered.entries()) {
      // A later segment needs what an earlier one committed.
      if (index > 0) open = false;
      await append(contents, transactional);
    }
    // So does the next pass, if this one added a value to an enum.
    open &&= step.actions.every(({ transactionality }) => transactionality === "transactional");
  }
  throw new ProjectError("pg-delta finds no end: it repeats a change that doesn't take.");
}

/** Versions after every existing one, made of the time in UTC: yyyymmddhhmmss. */
function versionsAfter(existing: string[]): (index: number) => string {
  const last = existing.map((file) => /(\d{14})_/.exec(file)?.[1] ?? "").sort().at(-1) ?? "";
  const iso = last.replace(/^(....)(..)(..)(..)(..)(..)$/, "$1-$2-$3T$4:$5:$6Z");
  const start = Math.max(Date.now(), last === "" ? 0 : Date.parse(iso) + 1000);
  return (index) => new Date(start + index * 1000).toISOString().replace(/\D/g, "").slice(0, 14);
}

async function diff(args: string[]): Promise<boolean> {
  const flags = args.filter((arg) => arg.startsWith("--"));
  const [name, ...rest] = args.filter((arg) => !arg.startsWith("--"));
  const unknown = flags.filter((flag) => !["--allow-drops", "--renames"].includes(flag));
  if (!name || !/^[a-z0-9_]+$/.test(name) || rest.length > 0 || unknown.length > 0) {
    print("Usage: npm run db:diff -- <name_in_snake_case> [--allow-drops] [--renames]");
    return false;
  }

  await using shadow = await startShadow();
  const statements = await buildBoth(shadow);
  const existing = await sqlFiles(FOLDER);
  // The first migration is sql/ itself, in an order that works: with its comments, readable.
  const files = existing.length === 0
    ? [`set check_function_bodies = off;\n\n${statements.join(";\n\n")};\n`]
    : await migrationFiles(shadow, {
      renames: flags.includes("--renames"),
      allowDrops: flags.includes("--allow-drops"),
    });

  if (files.length === 0) print(`Nothing to do: ${FOLDER} makes what sql/ describes.`);
  await Deno.mkdir(join(ROOT, FOLDER), { recursive: true });
  const version = versionsAfter(existing);
  for (const [index, contents] of files.entries()) {
    const part = files.length > 1 ? `_${index + 1}` : "";
    const path = `${FOLDER}/${version(index)}_${name}${part}.sql`;
    const head = `-- Generated from sql/ by \`npm run db:diff -- ${
      args.join(" ")
    }\`. Do not edit.\n\n`;
    await Deno.writeTextFile(join(ROOT, path), head + contents);
    print(path);
  }
  return true;
}

if (import.meta.main) await main(() => diff(Deno.args));
