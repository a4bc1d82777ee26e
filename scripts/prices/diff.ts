/** What writing the catalogue's prices would change. */
import type { Entry, Found, Prices, Wanted } from "./catalogue.ts";

/** A price that is in force. */
export interface InForce extends Prices {
  service: string;
  model: string;
  source: string;
  usd_per_second: string | null;
  usd_per_image: string | null;
}

/** An entry, and what is in force instead of it. */
export interface Change {
  entry: Entry;
  now: InForce;
}

/** What writing the catalogue's prices would change, and what not. */
export interface Diff {
  added: Entry[];
  changed: Change[];
  /** Set by hand to something else. */
  kept: Change[];
  refused: Entry[];
  /** Wanted by name, unknown to the catalogue, and without a price in Scrip too. */
  missing: Wanted[];
  unchanged: number;
}

const NAMES = {
  input_usd_per_million: "input",
  cached_input_usd_per_million: "cached input",
  output_usd_per_million: "output",
  usd_per_call: "a call",
  usd_per_second: "a second",
  usd_per_image: "an image",
} as const;

const NONE = { usd_per_second: null, usd_per_image: null };

type AllPrices = Pick<InForce, keyof typeof NAMES>;

const lines = (prices: AllPrices) =>
  [
    [NAMES.input_usd_per_million, prices.input_usd_per_million],
    [NAMES.cached_input_usd_per_million, prices.cached_input_usd_per_million],
    [NAMES.output_usd_per_million, prices.output_usd_per_million],
    [NAMES.usd_per_call, prices.usd_per_call],
    [NAMES.usd_per_second, prices.usd_per_second],
    [NAMES.usd_per_image, prices.usd_per_image],
  ] as const;

const shown = (prices: AllPrices): string =>
  lines(prices).flatMap(([name, price]) => price === null ? [] : [`${name} ${price}`]).join(", ");

/** What differs between two prices, old → new; "" when nothing does. */
function difference(old: AllPrices, next: AllPrices): string {
  const after = lines(next);
  return lines(old).flatMap(([name, before], index) => {
    const price = after[index]?.[1] ?? null;
    return before === price ? [] : [`${name} ${before ?? "none"} → ${price ?? "none"}`];
  }).join(", ");
}

const keyOf = ({ service, model }: { service: string; model: string }) =>
  JSON.stringify([service, model]);

/** Compares what the catalogue has with what is in force. */
export function compare({ entries, unknown }: Found, inForce: readonly InForce[]): Diff {
  const current = new Map(inForce.map((row) => [keyOf(row), row]));
  const diff: Diff = {
    added: [],
    changed: [],
    kept: [],
    refused: [],
    missing: unknown.filter((one) => !current.has(keyOf(one))),
    unchanged: 0,
  };
  for (const entry of entries) {
    const now = current.get(keyOf(entry));
    if (entry.prices === null) diff.refused.push(entry);
    else if (now === undefined) diff.added.push(entry);
    else if (difference(now, { ...NONE, ...entry.prices }) === "") diff.unchanged++;
    else if (now.source === "manual") diff.kept.push({ entry, now });
    else diff.changed.push({ entry, now });
  }
  return diff;
}

/** The difference in words, a line a model. */
export function describe({ added, changed, kept, refused, missing, unchanged }: Diff): string {
  const line = ({ service, model, notes }: Entry, text: string) =>
    `  ${service} ${model}: ${text}${notes.length > 0 ? ` (left out: ${notes.join("; ")})` : ""}`;
  const change = ({ entry, now }: Change) =>
    line(entry, entry.prices ? difference(now, { ...NONE, ...entry.prices }) : "");
  const group = (heading: string, rows: string[]) =>
    rows.length === 0 ? [] : [heading, ...rows, ""];
  return [
    ...group(
      "Added, in US dollars for a million tokens",
      added.map((entry) => line(entry, entry.prices ? shown({ ...NONE, ...entry.prices }) : "")),
    ),
    ...group("Changed", changed.map(change)),
    ...group("Set by hand, and kept; the catalogue has another price", kept.map(change)),
    ...group(
      "Refused",
      refused.map(({ service, model, notes }) => `  ${service} ${model}: ${notes.join("; ")}`),
    ),
    ...group(
      "Without a price, and unknown to the catalogue: set one by PUT admin/prices",
      missing.map(({ service, model }) => `  ${service} ${model}`),
    ),
    `Added ${added.length}, changed ${changed.length}, kept ${kept.length}, refused ${refused.length}, unchanged ${unchanged}.`,
  ].join("\n");
}
