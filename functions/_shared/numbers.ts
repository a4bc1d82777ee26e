/** JSON in which no number is silently another one than was written. */

/**
 * Parses JSON. A number that has more digits than a JSON number carries, such as 5.00000000000000001, becomes what no
 * schema takes, so that the field is refused and not rounded; {@link roundNumbers} is for fields where nearly is enough.
 *
 * @throws {SyntaxError} when it is no JSON, {RangeError} when it is nested too deeply.
 */
export const parseJson = (text: string): unknown => JSON.parse(text, exact);

// A symbol, since JSON has none. Without the source every number is refused: better than being wrong.
const exact = (_key: string, value: unknown, { source = "" }: { source?: string } = {}) =>
  typeof value !== "number" || digitsOf(source) === digitsOf(`${value}`)
    ? value
    : Symbol(`${value}`);

/** Takes the nearest numbers for those that {@link parseJson} did not. */
export function roundNumbers(value: unknown): unknown {
  if (typeof value === "symbol") return Number(value.description);
  if (typeof value !== "object" || value === null) return value;
  const items: unknown[] = Object.values(value);
  const rounded = items.map(roundNumbers);
  if (rounded.every((item, index) => item === items[index])) return value;
  if (Array.isArray(value)) return rounded;
  return Object.fromEntries(Object.keys(value).map((key, index) => [key, rounded[index]]));
}

/** A number's digits from the first to the last that isn't 0, and the power of ten of the last. */
function digitsOf(number: string): string {
  const [, whole = "", fraction = "", exponent = "0"] =
    /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(number) ?? [];
  const digits = whole + fraction;
  const significant = /[1-9](?:\d*[1-9])?/.exec(digits);
  if (!significant) return "0";
  const zeros = digits.length - significant.index - significant[0].length;
  return `${significant[0]}e${Number(exponent) - fraction.length + zeros}`;
}
