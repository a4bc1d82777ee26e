/** One statement of an SQL file. */
export interface Statement {
  /** The text, with the comments before it, without the final semicolon. */
  sql: string;
  /** The line of the file on which `sql` begins, from 1. */
  line: number;
}

// What may hold a semicolon that ends nothing, or is one that does. Bodies are dollar-quoted
// here; `begin atomic … end` is not understood.
const TOKENS = new RegExp(
  [
    String.raw`(?<!\w)[eE]'(?:\\[\s\S]|''|[^'\\])*'`,
    String.raw`'(?:''|[^'])*'`,
    String.raw`"(?:""|[^"])*"`,
    String.raw`(?<!\w)\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$`,
    String.raw`--[^\n]*`,
    String.raw`\/\*[\s\S]*?\*\/`,
    ";",
  ].join("|"),
  "g",
);

/** Splits an SQL file into its statements; a tail of comments alone is no statement. */
export function splitStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  let code = "";
  let from = 0;
  const add = (end: number) => {
    const raw = text.slice(start, end);
    if ((code + text.slice(from, end)).trim() !== "") {
      const blank = raw.length - raw.trimStart().length;
      const line = text.slice(0, start + blank).split("\n").length;
      statements.push({ sql: raw.trim(), line });
    }
  };
  for (const match of text.matchAll(TOKENS)) {
    const [token] = match;
    const end = match.index + token.length;
    code += text.slice(from, match.index);
    if (token === ";") {
      from = match.index;
      add(match.index);
      start = end;
      code = "";
    } else if (!/^(--|\/\*)/.test(token)) {
      code += token;
    }
    from = end;
  }
  add(text.length);
  return statements;
}
