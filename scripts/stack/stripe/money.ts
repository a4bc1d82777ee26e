/** Currencies, and the amounts that Stripe charges in them. */
import { invalidRequest, type StripeFailure } from "./errors.ts";

// Codes that Stripe's documentation lists as supported for charges.
const CURRENCIES = new Set(
  ("usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd bob brl bsd bwp byn " +
    "bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd " +
    "gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jpy kes kgs khr kmf krw kyd kzt lak lbp lkr " +
    "lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen " +
    "pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs " +
    "top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw bhd jod kwd omr tnd")
    .split(" "),
);

const WITHOUT_DECIMALS = new Set(
  "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split(" "),
);
const THREE_DECIMALS = new Set("bhd jod kwd omr tnd".split(" "));

const MINIMUMS: Readonly<Record<string, number>> = {
  usd: 50,
  aed: 200,
  aud: 50,
  bgn: 100,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17_500,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
};

const LARGEST = 99_999_999;

/** An amount for people: 1.00 USD. */
export function formatAmount(amount: number, currency: string): string {
  const digits = WITHOUT_DECIMALS.has(currency) ? 0 : THREE_DECIMALS.has(currency) ? 3 : 2;
  return `${(amount / 10 ** digits).toFixed(digits)} ${currency.toUpperCase()}`;
}

const inError = (amount: number, currency: string) =>
  currency === "usd" ? `$${(amount / 100).toFixed(2)}` : formatAmount(amount, currency);

/** The currency in lower case, as in all answers. */
export function checkCurrency(currency: string, param: string): string {
  const lower = currency.toLowerCase();
  if (CURRENCIES.has(lower)) return lower;
  throw invalidRequest(
    `Invalid currency: ${currency.slice(0, 20)}. Stripe currently supports these currencies: ${
      [...CURRENCIES].join(", ")
    }`,
    { param },
  );
}

/** Checks the amount of one charge. */
export function checkCharge(amount: number, currency: string, param: string): void {
  const minimum = MINIMUMS[currency] ?? 1;
  if (amount < minimum) {
    throw invalidRequest(`Amount must be at least ${inError(minimum, currency)} ${currency}`, {
      code: "amount_too_small",
      param,
    });
  }
  if (amount > LARGEST) {
    throw invalidRequest(`Amount must be no more than ${inError(LARGEST, currency)} ${currency}`, {
      code: "amount_too_large",
      param,
    });
  }
}

/** Checks what a checkout session comes to. */
export function checkTotal(amount: number, currency: string): void {
  const minimum = MINIMUMS[currency] ?? 1;
  // What costs nothing is allowed.
  if (amount > 0 && amount < minimum) {
    throw invalidRequest(
      "The Checkout Session's total amount due must add up to at least " +
        `${inError(minimum, currency)} ${currency}`,
      { code: "amount_too_small" },
    );
  }
  if (amount > LARGEST) {
    throw invalidRequest(
      "The Checkout Session's total amount due must be no more than " +
        `${inError(LARGEST, currency)} ${currency}`,
      { code: "amount_too_large" },
    );
  }
}

/** More is to be refunded than is left. */
export function refundTooLarge(
  amount: number,
  left: number,
  whole: boolean,
  currency: string,
): StripeFailure {
  return invalidRequest(
    `Refund amount (${inError(amount, currency)}) is greater than ` +
      `${whole ? "charge amount" : "unrefunded amount on charge"} (${inError(left, currency)})`,
    { param: "amount" },
  );
}
