/** The fields that requests share. */
import { Buffer } from "node:buffer";
import { z } from "zod";
import { roundNumbers } from "./numbers.ts";

/** Says what a field must be; that it is missing is said elsewhere. */
export const must = (what: string) => ({
  error: ({ input }: { input?: unknown }) => input === undefined ? undefined : `must be ${what}`,
});

/** The most tokens or credits that there can be: JSON carries them exactly. */
const MAX_TOKENS = 9_000_000_000_000_000;

/** A whole number within bounds. */
export function whole(min: number, max: number) {
  const rule = must(`a whole number from ${min} to ${max}`);
  return z.int(rule).min(min, rule).max(max, rule);
}

/** Tokens, in JSON. */
export const Amount = whole(1, MAX_TOKENS);

/** Tokens that a code gives: an access code may give none but the entitlement. */
export const Grant = whole(0, MAX_TOKENS);

/** A whole number in a query. */
export const digits = (number: z.ZodType<number, number>) =>
  z.string().transform((text) => /^\d{1,16}$/.test(text) ? Number(text) : NaN).pipe(number);

/** A UUID of any version, since users may come from anywhere. */
export const Id = z.guid(must("a UUID")).toLowerCase();

/** A day of the calendar, in UTC. */
export const Day = z.iso.date(must("a day such as 2026-01-31"))
  .refine((day) => day >= "0001", must("a day such as 2026-01-31"));

/** A moment, in the form that Postgres reads whatever the offset was. */
export const Time = z.iso.datetime({ offset: true, ...must("a time such as 2026-01-31T12:00:00Z") })
  .transform((time) => new Date(time))
  .refine(
    (time) => time.getUTCFullYear() >= 1 && time.getUTCFullYear() <= 9999,
    "must be in a year from 1 to 9999",
  )
  .transform((time) => time.toISOString());

// What Postgres cannot store, NUL and halves of surrogate pairs, in the form that JSON.stringify gives them.
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][\da-f]{2})/g;

const isStorable = (value: unknown) => JSON.stringify(value).search(UNSTORABLE) < 0;

/** A JSON value with what Postgres cannot store replaced. */
export const toStorable = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value).replace(UNSTORABLE, "$1\uFFFD"));

/** Text of some length, in characters as Postgres counts them. */
export function text(min: number, max: number) {
  const rule = must(`text of ${min} to ${max} characters, without NUL`);
  return z.string(rule)
    .refine((value) => value.length <= 2 * max && [...value].length <= max, rule)
    .refine((value) => value.length >= min && isStorable(value), rule);
}

/** A caller's idempotency key. */
export const OperationId = text(1, 255);

/** What an operation is for, in the caller's words. */
export const Description = text(0, 500);

/** Money as a decimal string, of at most so many decimals; JSON numbers are taken as they are written. */
export function money(
  decimals: number,
  rule = must(`an amount such as "25.00", with at most ${decimals} decimals`),
) {
  const form = new RegExp(`^\\d{1,12}(?:\\.\\d{1,${decimals}})?$`);
  return z.union([z.string(), z.number()], rule).transform(String).pipe(
    z.string().regex(form, rule),
  );
}

/** US dollars above 0, of at most 6 decimals. */
export function usd(max: number) {
  const rule = must(
    `US dollars from 0.000001 to ${max} such as "10.00", with at most 6 decimals`,
  );
  return money(6, rule).refine((text) => Number(text) > 0 && Number(text) <= max, rule);
}

/** Tokens or credits where US dollars are possible too: as a number or in digits. */
export const WholeText = z.union(
  [Amount, digits(Amount)],
  must(`a whole number from 1 to ${MAX_TOKENS}`),
).transform(String);

/** A currency by its ISO 4217 code, in lower case as Stripe has it. */
export const Currency = z.string(must("a currency such as eur"))
  .regex(/^[A-Za-z]{3}$/, "must be a currency such as eur")
  .toLowerCase();

/** The name of a plan. */
export const Tier = text(1, 100);

/** What a value that was parsed from JSON can be: nothing is left to check, and no large body keeps a function busy with it. */
export const AnyJson = z.custom<z.core.util.JSONType>();

/** How deep JSON may be. */
export const MAX_LEVELS = 100;

const isNested = (value: unknown) => typeof value === "object" && value !== null;

// As parseJson() says it: JSON's numbers have no end, those of JavaScript do.
const isInfinite = (value: unknown) =>
  typeof value === "symbol" && !isFinite(Number(value.description));

/** Whether JSON has no more levels than may be, and no number that is too large for JavaScript. */
function isUsual(value: unknown): boolean {
  let level = [value];
  for (let above = 0; level.length > 0; above++) {
    const nested = level.filter(isNested);
    if (level.some(isInfinite) || (nested.length > 0 && above === MAX_LEVELS)) return false;
    level = nested.flatMap((item) => Object.values(Object(item)));
  }
  return true;
}

/** JSON that Postgres can store, of at most {@link MAX_LEVELS} levels; its numbers may have more digits than are kept. */
export const storableJson = <S extends z.ZodType>(schema: S, rule: ReturnType<typeof must>) =>
  z.unknown()
    // First, since what follows would follow any depth.
    .refine(isUsual, rule)
    .transform(roundNumbers)
    .pipe(schema)
    .refine(isStorable, rule);

const MAX_METADATA_BYTES = 16_384;
const METADATA_RULE = must(
  `an object of at most ${MAX_METADATA_BYTES} bytes and ${MAX_LEVELS} levels, without NUL`,
);

/** The caller's own data: a JSON object. */
export const Metadata = storableJson(z.record(z.string(), AnyJson, METADATA_RULE), METADATA_RULE)
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_METADATA_BYTES, METADATA_RULE);

/** Where a page of a list ends. */
export interface Position {
  created_at: string;
  id: string;
}

// A year that Postgres knows; all digits of the second.
const Moment = z.iso.datetime({ offset: true }).regex(/^[1-9].*(?:Z|\+00:00)$/);

/** The `next` of a page that ends at this row. */
export const toCursor = ({ created_at, id }: Position): string =>
  btoa(`${created_at}|${id}`).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** The `before` of a page: what {@link toCursor} made of rows with such ids. */
export function cursor(id: z.ZodType<string>) {
  const Place = z.object({ created_at: Moment, id });
  return z.string().transform((text, context): Position => {
    const place = Place.safeParse(fromCursor(text)).data;
    if (place) return place;
    context.addIssue({ code: "custom", message: "must be the `next` of a page" });
    return z.NEVER;
  });
}

/** The fields of a query for a page of a list, whose rows have such ids. */
export const pageFields = (id: z.ZodType<string> = Id) => ({
  limit: digits(whole(1, 200)).default(50),
  before: cursor(id).optional(),
});

function fromCursor(text: string) {
  try {
    const [created_at, id] = atob(text.replaceAll("-", "+").replaceAll("_", "/")).split("|");
    return { created_at, id };
  } catch {
    return undefined;
  }
}
