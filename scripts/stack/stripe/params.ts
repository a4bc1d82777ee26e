/** The kinds of parameters, and what Stripe says of wrong ones. */
import { z } from "zod";
import { invalidParameter } from "./errors.ts";
import type { Tree } from "./form.ts";

/** Reports a wrong value with a code of Stripe's. */
function wrong(context: z.RefinementCtx, message: string, code?: string): never {
  context.addIssue({ code: "custom", message, params: { code } });
  return z.NEVER;
}

/** A string that is not empty. */
export const text = (longest = 5000) =>
  z.string().transform((value, context) => {
    if (value === "") {
      return wrong(
        context,
        "You passed an empty string. We assume empty values are an attempt to unset a parameter; " +
          "however this parameter cannot be unset.",
        "parameter_invalid_empty",
      );
    }
    return value.length <= longest
      ? value
      : wrong(context, `Invalid string: must be at most ${longest} characters`);
  });

/** A whole number. */
export const integer = (smallest = Number.MIN_SAFE_INTEGER, largest = Number.MAX_SAFE_INTEGER) =>
  z.string().transform((value, context) => {
    if (!/^-?\d{1,15}$/.test(value)) {
      return wrong(context, `Invalid integer: ${value.slice(0, 100)}`, "parameter_invalid_integer");
    }
    const number = Number(value);
    if (number < smallest) {
      return wrong(
        context,
        `This value must be greater than or equal to ${smallest}.`,
        "parameter_invalid_integer",
      );
    }
    return number <= largest ? number : wrong(
      context,
      `This value must be less than or equal to ${largest}.`,
      "parameter_invalid_integer",
    );
  });

/** `true` or `false`. */
export const boolean = z.string().transform((value, context) =>
  value === "true" || value === "false"
    ? value === "true"
    : wrong(context, `Invalid boolean: ${value.slice(0, 100)}`)
);

/** An http or https address. */
export const url = z.string().max(5000).transform((value, context) => {
  // {CHECKOUT_SESSION_ID} is allowed anywhere behind the host.
  const parsed = URL.parse(value);
  return parsed && /^https?:$/.test(parsed.protocol) && /^https?:\/\//i.test(value)
    ? value
    : wrong(context, "Not a valid URL", "url_invalid");
});

/** An e-mail address. */
export const email = z.string().transform((value, context) =>
  /^[^\s@]{1,256}@[^\s@]{1,256}\.[^\s@.]{1,63}$/.test(value)
    ? value
    : wrong(context, `Invalid email address: ${value.slice(0, 300)}`, "email_invalid")
);

/** One of some words. */
export const oneOf = <const T extends readonly [string, ...string[]]>(...words: T) => z.enum(words);

/** Makes a list of `{0: a, 1: b}`. */
export const list = <T extends z.ZodType>(item: T, most = 100) =>
  z.preprocess((value) => {
    if (typeof value !== "object" || value === null) return value === "" ? [] : value;
    const entries = Object.entries(value);
    return entries.every(([name], index) => name === `${index}`)
      ? entries.map(([, element]) => element)
      : value;
  }, z.array(item).max(most));

/** The empty string unsets it. */
export const unsettable = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => value === "" ? null : value, schema.nullable());

const MOST_KEYS = 50;
const LONGEST_KEY = 40;
const LONGEST_VALUE = 500;

/** Names and values of one's own; an empty value takes a name away. */
export const metadata = z.preprocess(
  (value) => value === "" ? null : value,
  z.record(z.string(), z.string()).nullable(),
).transform((entries, context) => {
  if (entries === null) return null;
  if (Object.keys(entries).length > MOST_KEYS) {
    return wrong(context, `Metadata can have up to ${MOST_KEYS} keys`);
  }
  for (const [name, value] of Object.entries(entries)) {
    if (name.length === 0 || name.length > LONGEST_KEY) {
      return wrong(
        context,
        `Metadata keys can have up to ${LONGEST_KEY} characters, but you passed in a key that is ${name.length} characters.`,
      );
    }
    if (value.length > LONGEST_VALUE) {
      return wrong(
        context,
        `Metadata values can have up to ${LONGEST_VALUE} characters, but you passed in a value that is ${value.length} characters.`,
      );
    }
  }
  return { ...entries };
});

/** Applies a `metadata` parameter to what there was. */
export function mergeMetadata(
  before: Record<string, string>,
  change: Record<string, string> | null | undefined,
): Record<string, string> {
  if (change === undefined) return before;
  if (change === null) return {};
  const merged = Object.entries({ ...before, ...change }).filter(([, value]) => value !== "");
  if (merged.length > MOST_KEYS) {
    throw invalidParameter(`Metadata can have up to ${MOST_KEYS} keys`, { param: "metadata" });
  }
  return Object.fromEntries(merged);
}

/** Which fields to send as objects instead of ids. */
export const expand = list(z.string().max(200), 20).optional();

/** A time, or bounds of one, in seconds since 1970. */
export const range = z.union([
  integer().transform((value) => ({ gte: value, lte: value })),
  z.strictObject({
    gt: integer().optional(),
    gte: integer().optional(),
    lt: integer().optional(),
    lte: integer().optional(),
  }),
]).optional();

/** What every list takes. */
export const page = {
  limit: integer(1, 100).default(10),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
  created: range,
  expand,
} as const;

const paramOf = (path: readonly PropertyKey[]) =>
  path.map((part, index) => index === 0 ? String(part) : `[${String(part)}]`).join("");

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let at = tree;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Object.entries(at).find(([name]) => name === String(part))?.[1];
  }
  return at;
}

function failureOf(issue: z.core.$ZodIssue, tree: Tree) {
  if (issue.code === "unrecognized_keys") {
    const param = paramOf([...issue.path, issue.keys[0] ?? ""]);
    return invalidParameter(`Received unknown parameter: ${param.slice(0, 200)}`, {
      code: "parameter_unknown",
      param,
    });
  }
  const param = paramOf(issue.path);
  if (valueAt(tree, issue.path) === undefined) {
    return invalidParameter(`Missing required param: ${param}.`, {
      code: "parameter_missing",
      param,
    });
  }
  if (issue.code === "invalid_value") {
    const words = issue.values.map(String);
    const last = words.pop();
    const choice = words.length === 0 ? last : `one of ${words.join(", ")}, or ${last}`;
    return invalidParameter(`Invalid ${param}: must be ${choice}`, { param });
  }
  if (issue.code === "custom") {
    const code = issue.params?.["code"];
    return invalidParameter(issue.message, {
      param,
      ...(typeof code === "string" ? { code } : {}),
    });
  }
  return invalidParameter(`Invalid ${param}`, { param });
}

/**
 * Reads the parameters of a call.
 *
 * @throws {StripeFailure} 400 about the first that is wrong; unknown ones come first.
 */
export function readParams<T>(schema: z.ZodType<T>, tree: Tree): T {
  const result = schema.safeParse(tree);
  if (result.success) return result.data;
  const { issues } = result.error;
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (!issue) throw result.error;
  throw failureOf(issue, tree);
}
