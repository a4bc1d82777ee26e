/** The euro's reference rates, from the European Central Bank's daily file. */
import { Buffer } from "node:buffer";
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import type { Environment } from "./deps.ts";
import { type ScripError, scripError } from "./errors.ts";
import { Day } from "./fields.ts";

/** What a euro was worth in US dollars. */
export interface Rate {
  day: string;
  /** A decimal string, as it was published. */
  usd_per_eur: string;
}

/** The way to the bank's rates. */
export interface RateSource {
  /**
   * The latest rate that is published: on weekends and the bank's holidays that of the last day before.
   *
   * @throws {ScripError} `provider_failed` when it cannot be had, or makes no sense.
   */
  latest(): Promise<Rate>;
}

const DEFAULT_URL = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml";
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 262_144;

/**
 * Makes the way to the bank from ECB_RATES_URL, by default the bank's own address.
 *
 * @param timeoutMs for the whole answer.
 * @throws {Error} when that is no URL.
 */
export function ecbRates(env: Environment, timeoutMs = TIMEOUT_MS): RateSource {
  const url = URL.parse(env.get("ECB_RATES_URL") || DEFAULT_URL);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new Error("ECB_RATES_URL must be a URL with http or https, without user and password");
  }
  return { latest: async () => readRate(await download(url, timeoutMs), new Date()) };
}

const failed = (reason: string, cause?: unknown): ScripError =>
  scripError("provider_failed", `The European Central Bank's rates: ${reason}`, { cause });

async function download(url: URL, timeoutMs: number): Promise<string> {
  try {
    const response = await fetch(url, {
      headers: { "user-agent": "scrip" },
      // A rate is taken from where the operator says, and from nowhere else.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw failed(`the answer was ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_BYTES) throw failed(`the file is longer than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") {
      throw failed(`the bank did not answer within ${timeoutMs / 1000} seconds`, error);
    }
    // What fetch throws names the URL.
    throw error instanceof TypeError ? failed("the connection failed", error) : error;
  }
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "",
  removeNSPrefix: true,
  // Digits are kept as they are written.
  parseAttributeValue: false,
  processEntities: false,
  isArray: (_name, _path, _isLeaf, isAttribute) => !isAttribute,
});

const one = <S extends z.ZodType>(item: S) => z.tuple([item]);

const DailyFile = z.object({
  Envelope: one(z.object({
    Cube: one(z.object({
      Cube: one(z.object({
        time: Day,
        Cube: z.array(z.object({ currency: z.string(), rate: z.string() })),
      })),
    })),
  })),
});

/**
 * Reads the daily file.
 *
 * @throws {ScripError} `provider_failed` when it is another file, or of a day to come.
 */
export function readRate(xml: string, now: Date): Rate {
  const { data } = DailyFile.safeParse(parseXml(xml));
  if (!data) throw failed("the file is not the daily one");
  const [{ time: day, Cube: rates }] = data.Envelope[0].Cube[0].Cube;
  const [usd, ...more] = rates.filter(({ currency }) => currency === "USD");
  if (!usd || more.length > 0) throw failed("the file does not have one rate of the US dollar");
  if (!/^\d{1,4}(?:\.\d{1,10})?$/.test(usd.rate) || !/[1-9]/.test(usd.rate)) {
    throw failed(`the US dollar's is no rate: ${usd.rate.slice(0, 40)}`);
  }
  if (day > now.toISOString()) throw failed(`the file is of ${day}, which is to come`);
  return { day, usd_per_eur: usd.rate };
}

function parseXml(xml: string): unknown {
  try {
    return parser.parse(xml, true);
  } catch (error) {
    throw failed("the file is no XML", error);
  }
}
