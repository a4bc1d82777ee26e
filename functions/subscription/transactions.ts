import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { digits, whole } from "../_shared/fields.ts";
import { page, readQuery } from "../_shared/http.ts";

const Page = z.strictObject({
  limit: digits(whole(1, 200)).default(50),
  before: digits(whole(1, Number.MAX_SAFE_INTEGER)).optional(),
});

/** GET subscription/transactions?limit=&before= → list_token_transactions(): a user's own journal */
export const listTransactions = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { limit, before } = readQuery(request, Page);
  const rows = await rpc("list_token_transactions", {
    user_id: userId,
    page_size: limit + 1,
    before_seq: before,
  });
  return page(rows, limit, ({ seq }) => `${seq}`);
};
