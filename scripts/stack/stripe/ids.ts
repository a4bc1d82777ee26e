/** Ids that look like Stripe's. */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Random letters and digits; 62 is no divisor of 256, so bytes that would favour some are passed over. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    const [byte = 255] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < 248) text += ALPHABET[byte % 62] ?? "";
  }
  return text;
}

const LENGTHS = {
  bps: 24,
  ch: 24,
  cs_test: 58,
  cus: 14,
  di: 24,
  du: 24,
  evt: 24,
  ii: 24,
  il: 24,
  in: 24,
  inpay: 24,
  li: 24,
  pi: 24,
  pm: 24,
  price: 24,
  prod: 14,
  pyr: 24,
  re: 24,
  req: 14,
  si: 14,
  sub: 24,
  txn: 24,
} as const;

/** A new id with the prefix of its kind. */
export const newId = (prefix: keyof typeof LENGTHS): string =>
  `${prefix}_${randomText(LENGTHS[prefix])}`;
