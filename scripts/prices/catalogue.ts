/** The catalogue's prices as Scrip's: what of them can be written, and with which digits. */
import { calcPrice, type ModelInfo, type ModelPrice, type Provider } from "@pydantic/genai-prices";

/** The prices of a row of model_prices that the catalogue knows, as decimal strings. */
export interface Prices {
  input_usd_per_million: string | null;
  cached_input_usd_per_million: string | null;
  output_usd_per_million: string | null;
  usd_per_call: string | null;
}

/** A model whose price is wanted. */
export interface Wanted {
  service: string;
  model: string;
  /** Whether what it puts out is images, which may cost more than text does. */
  makes_images: boolean;
}

/** What the catalogue says of a model: its prices, or why they cannot be used. */
export interface Entry {
  service: string;
  model: string;
  /** Null when they are refused. */
  prices: Prices | null;
  /** What of the catalogue's was not taken; or why all of it is refused. */
  notes: string[];
}

const MAX_USD = 1_000_000;
const MAX_DECIMALS = 10;

/**
 * A number as a decimal string without exponent, with the digits of its shortest text: those that it was written with in
 * the catalogue.
 *
 * @param shift how many places to move the point to the left.
 */
export function toDecimal(number: number, shift = 0): string {
  const [mantissa = "", exponent = "0"] = `${number}`.split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const places = fraction.length - Number(exponent) + shift;
  const digits = (whole + fraction + "0".repeat(Math.max(0, -places)))
    .padStart(Math.max(0, places) + 1, "0");
  const point = digits.length - Math.max(0, places);
  const decimals = digits.slice(point).replace(/0+$/, "");
  const units = digits.slice(0, point).replace(/^0+(?=\d)/, "");
  return decimals === "" ? units : `${units}.${decimals}`;
}

class Refusal extends Error {}

function toPrice(key: string, price: number, shift = 0): string {
  if (!(price > 0)) throw new Refusal(`${key} is ${price}`);
  const decimal = toDecimal(price, shift);
  if (price > MAX_USD) throw new Refusal(`${key} is above ${MAX_USD}: ${price}`);
  if ((decimal.split(".")[1] ?? "").length > MAX_DECIMALS) {
    throw new Refusal(`${key} has more than ${MAX_DECIMALS} decimals: ${decimal}`);
  }
  return decimal;
}

/** The prices in force, of those that count from a day or at some time of the day. */
function inForce(prices: ModelInfo["prices"], now: Date): { prices: ModelPrice; notes: string[] } {
  if (!Array.isArray(prices)) return { prices, notes: [] };
  const notes: string[] = [];
  const started = prices.filter(({ constraint }) => {
    if (constraint === undefined) return true;
    if (constraint.type === "start_date" && new Date(constraint.start_date) <= now) return true;
    notes.push(
      constraint.type === "start_date"
        ? `another price from ${constraint.start_date}`
        : `another price from ${constraint.start_time} to ${constraint.end_time}`,
    );
    return false;
  });
  const last = started.at(-1);
  if (!last) throw new Refusal("no price is in force at all times");
  return { prices: last.prices, notes };
}

/**
 * What the catalogue says of a model.
 *
 * @returns undefined when it has no price by the token or call.
 */
export function toEntry(
  { service, model, makes_images }: Wanted,
  prices: ModelInfo["prices"],
  now: Date,
): Entry | undefined {
  try {
    const current = inForce(prices, now);
    const notes = new Set(current.notes);
    const left = new Map(Object.entries(current.prices).filter(([, price]) => price !== undefined));
    const take = (key: string, shift = 0) => {
      const price = left.get(key);
      if (price === undefined) return null;
      left.delete(key);
      if (typeof price !== "object") return toPrice(key, price, shift);
      const starts = price.tiers.map(({ start }) => start).join(", ");
      notes.add(`another price above ${starts} input tokens`);
      return toPrice(key, price.base, shift);
    };
    const output = makes_images && left.has("output_image_mtok")
      ? "output_image_mtok"
      : "output_mtok";
    const row: Prices = {
      input_usd_per_million: take("input_mtok"),
      cached_input_usd_per_million: take("cache_read_mtok"),
      output_usd_per_million: take(output),
      usd_per_call: take("requests_kcount", 3),
    };
    if (row.cached_input_usd_per_million !== null && row.input_usd_per_million === null) {
      throw new Refusal("cache_read_mtok is without input_mtok");
    }
    if (Object.values(row).every((price) => price === null)) return undefined;
    return { service, model, prices: row, notes: [...notes, ...left.keys()] };
  } catch (error) {
    if (error instanceof Refusal) return { service, model, prices: null, notes: [error.message] };
    throw error;
  }
}

/** Finds a model by its name as the library does. */
function findModel(provider: Provider, name: string): ModelInfo | undefined {
  try {
    return calcPrice({}, name, { provider })?.model;
  } catch {
    // It cannot reckon with the model's prices; whether they can be used is for toEntry.
    return provider.models.find(({ id }) => id === name);
  }
}

/** What {@link readCatalogue} found. */
export interface Found {
  entries: Entry[];
  /** The models wanted by name that the catalogue has no price for. */
  unknown: Wanted[];
}

/**
 * Every model of some services, by the catalogue's ids, and those that are wanted by name.
 *
 * @param find the provider of the catalogue that a service is.
 */
export function readCatalogue(
  services: readonly string[],
  wanted: readonly Wanted[],
  find: (service: string) => Provider | undefined,
  now: Date,
): Found {
  const entries = new Map<string, Entry>();
  const keyOf = ({ service, model }: Wanted) => JSON.stringify([service, model]);
  const add = (one: Wanted, model: ModelInfo | undefined) => {
    const entry = model && toEntry(one, model.prices, now);
    if (entry) entries.set(keyOf(one), entry);
  };
  for (const service of services) {
    for (const model of find(service)?.models ?? []) {
      add({ service, model: model.id, makes_images: false }, model);
    }
  }
  for (const one of wanted) {
    const provider = find(one.service);
    add(one, provider && findModel(provider, one.model));
  }
  return {
    entries: [...entries.values()],
    unknown: wanted.filter((one) => !entries.has(keyOf(one))),
  };
}
