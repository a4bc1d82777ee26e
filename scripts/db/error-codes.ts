/** The registry of errors, from SQL to TypeScript. */
import type { Sql } from "postgres";

const HEAD = `// Generated from sql/errors/ by \`npm run db:types\`. Do not edit.

/** Every error code with its HTTP status and meaning. */
`;

const WIDTH = 100;

interface Registered {
  code: string;
  http_status: number;
  meaning: string;
}

function property({ code, http_status, meaning }: Registered): string {
  const text = JSON.stringify(meaning);
  const line = `    meaning: ${text},`;
  // As `deno fmt` breaks it.
  const broken = line.length > WIDTH ? `    meaning:\n      ${text},` : line;
  return `  ${code}: {\n    status: ${http_status},\n${broken}\n  },\n`;
}

/** The text of functions/_shared/error-codes.ts, from a database that has sql/. */
export async function errorCodesModule(sql: Sql): Promise<string> {
  const codes = await sql<Registered[]>`
    select * from private.error_codes() order by http_status, code collate "C"`;
  return `${HEAD}export const errorCodes = {\n${codes.map(property).join("")}} as const;\n`;
}
