import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { money, must, pageFields, text, Time, toCursor } from "../_shared/fields.ts";
import { json, page, readJson, readQuery } from "../_shared/http.ts";

const Service = text(1, 100);
const Model = text(1, 200);

const Page = z.strictObject({
  ...pageFields(),
  service: Service.optional(),
  model: Model.optional(),
});

/** GET admin/prices?service=&model=&limit=&before= → list_model_prices(): in all their versions */
export const listPrices = ({ verify, rpc }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { service, model, limit, before } = readQuery(request, Page);
  const rows = await rpc("list_model_prices", {
    in_service: service,
    in_model: model,
    page_size: limit + 1,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

const PRICE = must('US dollars above 0 such as "2.50", with at most 10 decimals');
const Price = money(10, PRICE).refine((text) => /[1-9]/.test(text), PRICE).optional();

const NewPrice = z.strictObject({
  service: Service,
  model: Model,
  input_usd_per_million: Price,
  cached_input_usd_per_million: Price,
  output_usd_per_million: Price,
  usd_per_call: Price,
  usd_per_second: Price,
  usd_per_image: Price,
  valid_from: Time.optional(),
});

/** PUT admin/prices → set_model_price(): a new version, from now or a moment to come */
export const setPrice = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const price = await readJson(request, NewPrice);
  const { price_id, in_force_from, outcome } = await rpcOne("set_model_price", price);
  return json({ id: price_id, ...price, valid_from: in_force_from, outcome });
};
