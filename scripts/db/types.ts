/** `npm run db:types`: writes what is generated in TypeScript from sql/. */
import { join } from "node:path";
import { connected, main, print, ROOT, type Shadow, startShadow, supabase } from "./build.ts";
import { errorCodesModule } from "./error-codes.ts";

/** A generated file: its path from the root of the repository, and what it should hold. */
export interface Generated {
  path: string;
  text: string;
}

const HEAD = "// Generated from sql/ by `npm run db:types`. Do not edit.\n\n";

/** The files generated from a database that has sql/. */
export async function generated(shadow: Shadow, database: string): Promise<Generated[]> {
  const remote = `--remote=${shadow.url(database)}`;
  const [types, errorCodes] = await Promise.all([
    supabase("gen", "types", "--lang", "typescript", "-s", "public", remote),
    connected(shadow.url(database), errorCodesModule),
  ]);
  return [
    { path: "functions/_shared/database.types.ts", text: HEAD + types },
    { path: "functions/_shared/error-codes.ts", text: errorCodes },
  ];
}

async function types(): Promise<boolean> {
  await using shadow = await startShadow();
  await shadow.described("b");
  for (const { path, text } of await generated(shadow, "b")) {
    await Deno.writeTextFile(join(ROOT, path), text);
    print(path);
  }
  return true;
}

if (import.meta.main) await main(types);
