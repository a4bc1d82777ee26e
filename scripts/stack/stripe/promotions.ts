/** The promotion codes that every stand-in knows. */
import { missing } from "./errors.ts";

/** Something that makes a purchase cheaper, once. */
export interface Promotion {
  /** What customers enter. */
  code: string;
  id: string;
  coupon: string;
  percentOff: number;
}

/** All there are. */
export const PROMOTIONS: readonly Promotion[] = [
  { code: "SAVE20", id: "promo_standinSave20", coupon: "standin_save20", percentOff: 20 },
  { code: "FREE100", id: "promo_standinFree100", coupon: "standin_free100", percentOff: 100 },
];

/** The promotion with the code that a customer entered. */
export const promotionByCode = (code: string): Promotion | undefined =>
  PROMOTIONS.find((promotion) => promotion.code === code.trim().toUpperCase());

/** The promotion that a parameter names. */
export function findPromotion(
  asked: { coupon?: string | undefined; promotion_code?: string | undefined },
  param: string,
): Promotion {
  const { coupon, promotion_code } = asked;
  const found = PROMOTIONS.find((one) => one.id === promotion_code || one.coupon === coupon);
  if (found) return found;
  throw promotion_code === undefined
    ? missing("coupon", coupon ?? "", `${param}[coupon]`)
    : missing("promotion code", promotion_code, `${param}[promotion_code]`);
}

/** What it takes off an amount. */
export const discountOn = (amount: number, promotion: Promotion | undefined): number =>
  promotion ? Math.round(amount * promotion.percentOff / 100) : 0;
