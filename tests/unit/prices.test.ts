/**
 * The catalogue's prices become Scrip's with exactly the digits of the catalogue, or are refused; what was set by hand
 * stays; and all that is left out is told.
 *
 * Method: made-up entries of the catalogue, fast-check for digits, and the whole catalogue as it is installed.
 */
// Deno's `equal` and `deepEqual` of this module are loose.
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import { calcPrice, type ModelInfo, type Provider, waitForUpdate } from "@pydantic/genai-prices";
import fc from "fast-check";
import { type Entry, readCatalogue, toDecimal, toEntry } from "../../scripts/prices/catalogue.ts";
import { compare, describe, type InForce } from "../../scripts/prices/diff.ts";

const NOW = new Date("2026-06-15T12:00:00Z");
const WANTED = { service: "acme", model: "m", makes_images: false };
const read = (prices: ModelInfo["prices"], wanted = WANTED) => toEntry(wanted, prices, NOW);
const NO_PRICES = {
  input_usd_per_million: null,
  cached_input_usd_per_million: null,
  output_usd_per_million: null,
  usd_per_call: null,
};

/** A number's value as a fraction whose denominator is a power of ten, from its shortest text. */
function exactly(text: string): { digits: bigint; tens: number } {
  const [mantissa = "", exponent = "0"] = text.split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  let digits = BigInt(whole + fraction);
  let tens = fraction.length - Number(exponent);
  while (digits !== 0n && digits % 10n === 0n) {
    digits /= 10n;
    tens--;
  }
  return { digits, tens };
}

Deno.test("a decimal has exactly the digits of the number's shortest text, and no exponent", () => {
  const known = [
    [0.1, "0.1"],
    [30, "30"],
    [1e-7, "0.0000001"],
    [1.5e-9, "0.0000000015"],
    [0.075, "0.075"],
    [1e21, "1000000000000000000000"],
    [1.25e22, "12500000000000000000000"],
    [0.18000000000000002, "0.18000000000000002"],
    [100, "100"],
    [1.1, "1.1"],
  ] as const;
  for (const [number, text] of known) equal(toDecimal(number), text);
  const shifted = [[12, "0.012"], [1000, "1"], [0.5, "0.0005"], [1500, "1.5"], [
    1e-7,
    "0.0000000001",
  ]] as const;
  for (const [number, text] of shifted) equal(toDecimal(number, 3), text);

  const positive = fc.double({ min: 5e-324, max: 1e300, noNaN: true });
  fc.assert(
    fc.property(positive, fc.constantFrom(0, 3), (number, shift) => {
      const text = toDecimal(number, shift);
      ok(/^(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/.test(text), text);
      const { digits, tens } = exactly(text);
      const given = exactly(`${number}`);
      deepEqual([digits, tens], [given.digits, given.tens + shift]);
      if (shift === 0) equal(Number(text), number);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("every price that is written is the catalogue's number exactly, or the entry is refused", () => {
  const price = fc.oneof(
    fc.double({ min: 0, max: 2_000_000, noNaN: false }),
    fc.integer({ min: -5, max: 1_000_000 }).map((number) => number / 1000),
    fc.constantFrom(0, -1, -0, NaN, Infinity, 1e-10, 1e-11, 1_000_000, 1_000_001),
  );
  fc.assert(
    fc.property(price, price, price, price, (input, cached, output, requests) => {
      const entry = read({
        input_mtok: input,
        cache_read_mtok: cached,
        output_mtok: { base: output, tiers: [{ start: 1000, price: 99 }] },
        requests_kcount: requests,
      });
      const written: [string | null | undefined, number][] = [
        [entry?.prices?.input_usd_per_million, input],
        [entry?.prices?.cached_input_usd_per_million, cached],
        [entry?.prices?.output_usd_per_million, output],
      ];
      const fits = (number: number, shift = 0) =>
        number > 0 && number <= 1_000_000 &&
        (toDecimal(number, shift).split(".")[1] ?? "").length <= 10;
      const good = [input, cached, output].every((number) => fits(number)) && fits(requests, 3);
      equal(entry?.prices !== null, good);
      if (!good) return;
      for (const [text, number] of written) {
        equal(text, toDecimal(number));
        equal(Number(text), number);
        ok(/^\d{1,7}(?:\.\d{1,10})?$/.test(text ?? ""), text ?? "");
      }
      equal(entry?.prices?.usd_per_call, toDecimal(requests, 3));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("prices by the token and call are taken, the base of tiers, and the rest is told", () => {
  deepEqual(read({ input_mtok: 30, output_mtok: 60 }), {
    service: "acme",
    model: "m",
    prices: { ...NO_PRICES, input_usd_per_million: "30", output_usd_per_million: "60" },
    notes: [],
  });
  const tiers = [{ start: 200_000, price: 6 }];
  deepEqual(
    read({
      input_mtok: { base: 3, tiers },
      cache_read_mtok: { base: 0.3, tiers },
      output_mtok: { base: 15, tiers },
      cache_write_mtok: 3.75,
      requests_kcount: 12,
      web_searches_kcount: 10,
    }),
    {
      service: "acme",
      model: "m",
      prices: {
        input_usd_per_million: "3",
        cached_input_usd_per_million: "0.3",
        output_usd_per_million: "15",
        usd_per_call: "0.012",
      },
      notes: [
        "another price above 200000 input tokens",
        "cache_write_mtok",
        "web_searches_kcount",
      ],
    },
  );
  equal(read({}), undefined);
  equal(read({ audio_hours: 0.36 }), undefined);
});

Deno.test("what a model of images puts out has the price of images, where there is one", () => {
  const prices = { input_mtok: 5, output_mtok: 10, output_image_mtok: 32 };
  const image = read(prices, { ...WANTED, makes_images: true });
  equal(image?.prices?.output_usd_per_million, "32");
  deepEqual(image?.notes, ["output_mtok"]);
  const text = read(prices);
  equal(text?.prices?.output_usd_per_million, "10");
  deepEqual(text?.notes, ["output_image_mtok"]);
  const plain = read({ output_mtok: 40 }, { ...WANTED, makes_images: true });
  equal(plain?.prices?.output_usd_per_million, "40");
});

Deno.test("of several prices the one that has begun and counts all day is taken", () => {
  const from = (start_date: string, input_mtok: number) => ({
    constraint: { type: "start_date" as const, start_date },
    prices: { input_mtok },
  });
  const at = (start_time: string, end_time: string) => ({
    constraint: { type: "time_of_date" as const, start_time, end_time },
    prices: { input_mtok: 99 },
  });
  const first = { prices: { input_mtok: 1 } };
  const input = (prices: ModelInfo["prices"]) => {
    const entry = read(prices);
    return [entry?.prices?.input_usd_per_million, entry?.notes];
  };
  deepEqual(input([first]), ["1", []]);
  deepEqual(input([first, from("2026-06-15", 2)]), ["2", []]);
  deepEqual(input([first, from("2026-01-01", 2), from("2026-06-16", 3)]), [
    "2",
    ["another price from 2026-06-16"],
  ]);
  deepEqual(input([first, from("2026-01-01", 2), at("01:00:00Z", "04:00:00Z")]), [
    "2",
    ["another price from 01:00:00Z to 04:00:00Z"],
  ]);
  deepEqual(read([from("2027-01-01", 3)]), {
    service: "acme",
    model: "m",
    prices: null,
    notes: ["no price is in force at all times"],
  });
});

Deno.test("a price that is 0, negative, none or not kept exactly refuses the entry", () => {
  const reason = (prices: ModelInfo["prices"]) => {
    const entry = read(prices);
    equal(entry?.prices, null);
    return entry?.notes.join();
  };
  equal(reason({ input_mtok: 0, output_mtok: 1 }), "input_mtok is 0");
  equal(reason({ input_mtok: 1, output_mtok: -1 }), "output_mtok is -1");
  equal(reason({ input_mtok: NaN }), "input_mtok is NaN");
  equal(reason({ input_mtok: Infinity }), "input_mtok is above 1000000: Infinity");
  equal(reason({ input_mtok: { base: 0, tiers: [] } }), "input_mtok is 0");
  equal(
    reason({ input_mtok: 0.18000000000000002 }),
    "input_mtok has more than 10 decimals: 0.18000000000000002",
  );
  equal(
    reason({ requests_kcount: 1e-8 }),
    "requests_kcount has more than 10 decimals: 0.00000000001",
  );
  equal(reason({ cache_read_mtok: 1, output_mtok: 1 }), "cache_read_mtok is without input_mtok");
});

/** A provider of a made-up catalogue. */
const provider = (id: string, models: ModelInfo[]): Provider => ({
  id,
  name: id,
  api_pattern: id,
  models,
});

const ACME = provider("acme", [
  {
    id: "alpha",
    match: { or: [{ equals: "alpha" }, { equals: "alpha-2026-01-01" }] },
    prices: { input_mtok: 1 },
  },
  { id: "beta", match: { starts_with: "beta" }, prices: { input_mtok: 2 } },
  // As for some of the real ones, its id is no name that it answers to.
  { id: "gamma", match: { equals: "acme/gamma" }, prices: { input_mtok: 3 } },
  { id: "free", match: { equals: "free" }, prices: {} },
]);

Deno.test("a service's models are the catalogue's ids and the exact names that are in use", () => {
  const find = (service: string) => ["acme", "acme-eu"].includes(service) ? ACME : undefined;
  const name = (service: string, model: string) => ({ service, model, makes_images: false });
  const wanted = [
    name("acme", "alpha-2026-01-01"),
    name("acme", "Beta-Turbo"),
    name("acme", "delta"),
    name("acme", "free"),
    name("acme", "gamma"),
    name("acme-eu", "beta"),
    name("demo", "demo-text"),
  ];
  const { entries, unknown } = readCatalogue(["acme", "demo"], wanted, find, NOW);
  deepEqual(
    entries.map(({ service, model, prices }) => [service, model, prices?.input_usd_per_million]),
    [
      ["acme", "alpha", "1"],
      ["acme", "beta", "2"],
      ["acme", "gamma", "3"],
      ["acme", "alpha-2026-01-01", "1"],
      ["acme", "Beta-Turbo", "2"],
      ["acme-eu", "beta", "2"],
    ],
  );
  deepEqual(
    unknown.map(({ service, model }) => `${service} ${model}`),
    ["acme delta", "acme free", "demo demo-text"],
  );
});

const inForce = (model: string, more: Partial<InForce> = {}): InForce => ({
  service: "acme",
  model,
  source: "catalogue",
  ...NO_PRICES,
  usd_per_second: null,
  usd_per_image: null,
  ...more,
});
const entry = (
  model: string,
  more: Partial<Entry["prices"]> = {},
  notes: string[] = [],
): Entry => ({
  service: "acme",
  model,
  prices: { ...NO_PRICES, ...more },
  notes,
});

Deno.test("the difference is what is new, what changed, what was set by hand and what is refused", () => {
  const wanted = ["unheard", "known"].map((model) => ({ ...WANTED, model }));
  const diff = compare({
    entries: [
      entry("new", { input_usd_per_million: "1", output_usd_per_million: "2" }, [
        "web_searches_kcount",
      ]),
      entry("same", { input_usd_per_million: "1" }),
      entry("dearer", { input_usd_per_million: "2", cached_input_usd_per_million: "0.5" }),
      entry("by-hand", { input_usd_per_million: "3" }),
      entry("by-hand-the-same", { input_usd_per_million: "3" }),
      entry("by-hand-and-second", { input_usd_per_million: "3" }),
      { ...entry("free", {}, ["input_mtok is 0"]), prices: null },
    ],
    unknown: wanted,
  }, [
    inForce("same", { input_usd_per_million: "1" }),
    inForce("dearer", { input_usd_per_million: "1", output_usd_per_million: "4" }),
    inForce("by-hand", { source: "manual", input_usd_per_million: "9" }),
    inForce("by-hand-the-same", { source: "manual", input_usd_per_million: "3" }),
    inForce("by-hand-and-second", {
      source: "manual",
      input_usd_per_million: "3",
      usd_per_second: "1",
    }),
    inForce("known", { source: "manual", usd_per_call: "1" }),
    { ...inForce("new"), service: "other" },
  ]);
  const models = (changes: { entry: Entry }[]) => changes.map(({ entry }) => entry.model);
  deepEqual(diff.added.map(({ model }) => model), ["new"]);
  deepEqual(models(diff.changed), ["dearer"]);
  deepEqual(models(diff.kept), ["by-hand", "by-hand-and-second"]);
  deepEqual(diff.refused.map(({ model }) => model), ["free"]);
  deepEqual(diff.missing.map(({ model }) => model), ["unheard"]);
  equal(diff.unchanged, 2);
  equal(
    describe(diff),
    `Added, in US dollars for a million tokens
  acme new: input 1, output 2 (left out: web_searches_kcount)

Changed
  acme dearer: input 1 → 2, cached input none → 0.5, output 4 → none

Set by hand, and kept; the catalogue has another price
  acme by-hand: input 9 → 3
  acme by-hand-and-second: a second 1 → none

Refused
  acme free: input_mtok is 0

Without a price, and unknown to the catalogue: set one by PUT admin/prices
  acme unheard

Added 1, changed 1, kept 2, refused 1, unchanged 2.`,
  );
  equal(
    describe(compare({ entries: [], unknown: [] }, [])),
    "Added 0, changed 0, kept 0, refused 0, unchanged 0.",
  );
});

Deno.test("the catalogue that is installed is read whole: known prices are right, and refusals few", async () => {
  const providers = await waitForUpdate() ?? [];
  ok(providers.length > 10);
  const find = (service: string) => providers.find(({ id }) => id === service);
  const now = new Date();
  const services = providers.map(({ id }) => id);
  const { entries } = readCatalogue(services, [], find, now);
  ok(entries.length > 1000, `${entries.length}`);
  const refused = entries.filter(({ prices }) => prices === null);
  ok(refused.length < entries.length / 100, JSON.stringify(refused));
  const priceOf = (service: string, model: string) =>
    entries.find((one) => one.service === service && one.model === model)?.prices;
  deepEqual(priceOf("openai", "gpt-4"), {
    ...NO_PRICES,
    input_usd_per_million: "30",
    output_usd_per_million: "60",
  });
  deepEqual(priceOf("openai", "text-embedding-ada-002"), {
    ...NO_PRICES,
    input_usd_per_million: "0.1",
  });

  // The library comes to the same price for a small call, where its price doesn't depend on the time of the day.
  let compared = 0;
  for (const { service, model, prices, notes } of entries) {
    const library = calcPrice({ input_tokens: 1, output_tokens: 0 }, model, {
      providerId: service,
    });
    if (!prices || library?.model.id !== model || notes.some((note) => note.includes("Z to"))) {
      continue;
    }
    const price = library.model_price["input_mtok"];
    const number = typeof price === "object" ? price.base : price;
    equal(prices.input_usd_per_million, number === undefined ? null : toDecimal(number), model);
    compared++;
  }
  ok(compared > 1000, `${compared}`);
});
