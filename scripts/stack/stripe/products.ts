/** Products, and prices made on the spot. */
import { z } from "zod";
import { invalidParameter, invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate } from "./lists.ts";
import { checkCurrency } from "./money.ts";
import {
  boolean,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  text,
  unsettable,
  url,
} from "./params.ts";
import { listParams, noParams, params, route } from "./route.ts";
import type { Price, Product } from "./wire.ts";
import { find, type World } from "./world.ts";

const FIELDS = {
  active: boolean.optional(),
  description: unsettable(text(40_000)).optional(),
  images: list(url, 8).optional(),
  metadata: metadata.optional(),
  statement_descriptor: text(22).optional(),
  tax_code: unsettable(text()).optional(),
  unit_label: unsettable(text(12)).optional(),
  url: unsettable(url).optional(),
} as const;

const ID = text(255).refine((id) => /^[A-Za-z0-9_-]+$/.test(id), {
  error: "Invalid product ID: only letters, digits, _ and - are allowed",
});

const Create = params({ ...FIELDS, id: ID.optional(), name: text() });
const Update = params({ ...FIELDS, name: text().optional() });

/** The parameters of a product that is made along with its price. */
export const ProductData = z.strictObject({
  name: text(),
  description: text(40_000).optional(),
  images: list(url, 8).optional(),
  metadata: metadata.optional(),
  tax_code: text().optional(),
  unit_label: text(12).optional(),
});

/** How often a price is charged. */
export const Recurring = z.strictObject({
  interval: oneOf("day", "week", "month", "year"),
  interval_count: integer(1, 1095).optional(),
});

/** The parameters of a price that is made on the spot. */
export const PriceData = z.strictObject({
  currency: text(),
  product: text().optional(),
  product_data: ProductData.optional(),
  recurring: Recurring.optional(),
  tax_behavior: oneOf("exclusive", "inclusive", "unspecified").optional(),
  unit_amount: integer(0, 99_999_999),
});

function makeProduct(
  world: World,
  { metadata: entries, id, ...asked }: Partial<z.output<typeof Create>> & { name: string },
): Product {
  const product: Product = {
    id: id ?? newId("prod"),
    object: "product",
    active: asked.active ?? true,
    created: world.now(),
    default_price: null,
    description: asked.description ?? null,
    images: asked.images ?? [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, entries),
    name: asked.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: asked.statement_descriptor ?? null,
    tax_code: asked.tax_code ?? null,
    tax_details: null,
    type: "service",
    unit_label: asked.unit_label ?? null,
    updated: world.now(),
    url: asked.url ?? null,
  };
  world.store.put("product", product);
  return product;
}

/**
 * Makes the price that `price_data` describes.
 *
 * @param param the parameter that holds it.
 */
export function makePrice(world: World, data: z.output<typeof PriceData>, param: string): Price {
  const currency = checkCurrency(data.currency, `${param}[currency]`);
  if ((data.product === undefined) === (data.product_data === undefined)) {
    throw invalidParameter(
      data.product === undefined
        ? `Missing required param: ${param}[product].`
        : `You may only specify one of these parameters: ${param}[product], ${param}[product_data].`,
      {
        code: data.product === undefined ? "parameter_missing" : "parameters_exclusive",
        param: `${param}[product]`,
      },
    );
  }
  const product = data.product_data
    ? makeProduct(world, { ...data.product_data, active: false })
    : find(world, "product", data.product ?? "", `${param}[product]`);
  if (data.product !== undefined && !product.active) {
    throw invalidRequest(`The product ${product.id} is not active`, {
      code: "product_inactive",
      param: `${param}[product]`,
    });
  }
  const price: Price = {
    id: newId("price"),
    object: "price",
    active: false,
    billing_scheme: "per_unit",
    created: world.now(),
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: product.id,
    recurring: data.recurring
      ? {
        interval: data.recurring.interval,
        interval_count: data.recurring.interval_count ?? 1,
        meter: null,
        trial_period_days: null,
        usage_type: "licensed",
      }
      : null,
    tax_behavior: data.tax_behavior ?? "unspecified",
    tiers_mode: null,
    transform_quantity: null,
    type: data.recurring ? "recurring" : "one_time",
    unit_amount: data.unit_amount,
    unit_amount_decimal: `${data.unit_amount}`,
  };
  world.store.put("price", price);
  return price;
}

/** The calls about products and prices. */
export const productRoutes = [
  route("POST", "/v1/products", Create, (world, asked) => {
    if (asked.id !== undefined && world.store.get("product", asked.id)) {
      throw invalidRequest("Product already exists.", {
        code: "resource_already_exists",
        param: "id",
      });
    }
    const product = makeProduct(world, asked);
    emit(world, "product.created", product);
    return product;
  }),
  route("GET", "/v1/products/:id", noParams, (world, _, id) => find(world, "product", id)),
  route("POST", "/v1/products/:id", Update, (world, { metadata: entries, ...asked }, id) => {
    const before = find(world, "product", id);
    const product: Product = {
      ...before,
      active: asked.active ?? before.active,
      description: asked.description === undefined ? before.description : asked.description,
      images: asked.images ?? before.images,
      metadata: mergeMetadata(before.metadata, entries),
      name: asked.name ?? before.name,
      statement_descriptor: asked.statement_descriptor ?? before.statement_descriptor ?? null,
      tax_code: asked.tax_code === undefined ? before.tax_code ?? null : asked.tax_code,
      unit_label: asked.unit_label === undefined ? before.unit_label ?? null : asked.unit_label,
      url: asked.url === undefined ? before.url : asked.url,
      updated: world.now(),
    };
    world.store.put("product", product);
    emit(world, "product.updated", product, before);
    return product;
  }),
  route("GET", "/v1/products", listParams({ active: boolean.optional() }), (world, asked) => {
    const all = world.store.all("product")
      .filter(({ active }) => asked.active === undefined || active === asked.active);
    return paginate("/v1/products", all, asked);
  }),
  route("GET", "/v1/prices/:id", noParams, (world, _, id) => find(world, "price", id)),
];
