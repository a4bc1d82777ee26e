import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Day, digits, money, must, whole } from "../_shared/fields.ts";
import { json, page, readJson, readQuery } from "../_shared/http.ts";

const Page = z.strictObject({
  limit: digits(whole(1, 200)).default(50),
  before: Day.optional(),
});

/** GET admin/currency-rates?limit=&before= → list_currency_rates() */
export const listCurrencyRates = ({ verify, rpc }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { limit, before } = readQuery(request, Page);
  const rows = await rpc("list_currency_rates", { page_size: limit + 1, before_day: before });
  return page(rows, limit, ({ day }) => day);
};

const RATE = must('euros for a US dollar such as "0.85", above 0 and at most 10 decimals');

const NewRate = z.strictObject({
  usd_eur: money(10, RATE).refine((text) => /[1-9]/.test(text), RATE),
  day: Day.optional(),
});

/** PUT admin/currency-rates → set_currency_rate(): of today, or of a past day without one */
export const setCurrencyRate = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { rate_day, rate, outcome } = await rpcOne(
    "set_currency_rate",
    await readJson(request, NewRate),
  );
  return json({ day: rate_day, usd_eur: rate, outcome });
};
