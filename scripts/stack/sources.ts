/**
 * Whom the functions ask: the providers of models and the European Central Bank that the environment names; without a
 * variable for its address, a stand-in for the bank.
 */
import { takeVariable } from "./config.ts";
import type { StandIn } from "./receivers.ts";

/** How the functions reach whom they ask. */
export interface Sources {
  /** The stand-ins, by their path behind the gateway. */
  standIns: ReadonlyMap<string, StandIn>;
  /** The variables for the functions, with the gateway's address. */
  env(url: string): Record<string, string>;
}

const VARIABLES = [
  "OPENAI_BASE_URL",
  "REPLICATE_API_TOKEN",
  "REPLICATE_BASE_URL",
  "REPLICATE_WEBHOOK_SECRET",
];

// A model of the catalogue names the variable of its key, which is one of these.
const isApiKey = (name: string) => /^[A-Z][A-Z0-9_]*_API_KEY$/.test(name);

const RATES_PATH = "/stand-in/ecb/eurofxref-daily.xml";

/** Hands the providers' variables, and every `…_API_KEY` that no one has taken, to the functions alone. */
export function chooseSources(): Sources {
  const given: Record<string, string> = {};
  const names = [...VARIABLES, ...Object.keys(Deno.env.toObject()).filter(isApiKey)];
  for (const name of names) {
    const value = takeVariable(name);
    if (value) given[name] = value;
  }
  const rates = takeVariable("ECB_RATES_URL");
  const standIns = new Map<string, StandIn>();
  if (rates === undefined) standIns.set(RATES_PATH, serveRates);
  const ratesUrl = (url: string) => rates ?? url + RATES_PATH;
  return {
    standIns,
    // With an empty variable the functions know where the bank is.
    env: (url) => ({ ...given, ...(rates === "" ? {} : { ECB_RATES_URL: ratesUrl(url) }) }),
  };
}

/** Stands in for the bank's daily file: today's, in which a dollar is 0.85 euros to four decimals. */
const serveRates: StandIn = (request) => {
  if (request.method !== "GET") return Promise.resolve(new Response(null, { status: 405 }));
  const [today] = new Date().toISOString().split("T");
  const file = `<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" \
xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>A stand-in for the European Central Bank</gesmes:name></gesmes:Sender>
  <Cube>
    <Cube time='${today}'>
      <Cube currency='USD' rate='1.1765'/>
      <Cube currency='JPY' rate='183.15'/>
      <Cube currency='GBP' rate='0.8812'/>
    </Cube>
  </Cube>
</gesmes:Envelope>
`;
  return Promise.resolve(new Response(file, { headers: { "content-type": "text/xml" } }));
};
