import { stringify } from "csv-stringify";
import { z } from "zod";
import type { Row } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { pageFields, toCursor } from "../_shared/fields.ts";
import { alertOperator, page, readQuery, traceOf } from "../_shared/http.ts";
import { inOrder, selection, shown } from "./fields.ts";

const Page = inOrder(z.strictObject({ ...pageFields(), ...selection }));

/** GET usage/history?service=&from=&to=&limit=&before= → list_usage(): a user's own calls, newest first */
export const listCalls = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { service, from, to, limit, before } = readQuery(request, Page);
  const rows = await rpc("list_usage", {
    user_id: userId,
    in_service: service,
    page_size: limit + 1,
    first_day: from,
    last_day: to,
    before_occurred_at: before?.created_at,
    before_id: before?.id,
  });
  return page(
    rows.map(shown),
    limit,
    ({ occurred_at, id }) => toCursor({ created_at: occurred_at, id }),
  );
};

const Export = inOrder(z.strictObject(selection));
const EXPORT_PAGE = 1000;

/** GET usage/export?service=&from=&to= → list_usage(), page by page: a user's own calls as CSV, newest first */
export const exportCalls = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { service, from, to } = readQuery(request, Export);
  const readPage = (last?: Row<"list_usage">) =>
    rpc("list_usage", {
      user_id: userId,
      in_service: service,
      page_size: EXPORT_PAGE,
      first_day: from,
      last_day: to,
      before_occurred_at: last?.occurred_at,
      before_id: last?.id,
    });
  // Before the answer has begun, a failure is still told as one.
  const lines = toCsv(await readPage(), readPage, (failure) => {
    alertOperator(request, `The export broke off: ${traceOf(failure)}`);
  });
  const name = ["usage", from, to].filter((part) => part !== undefined).join("-");
  return new Response(ReadableStream.from(lines), {
    headers: {
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}.csv"`,
    },
  });
};

const COLUMNS = [
  "id",
  "occurred_at",
  "operation_id",
  "run_id",
  "service",
  "operation",
  "model",
  "input_tokens",
  "cached_input_tokens",
  "output_tokens",
  "seconds",
  "images",
  "cost_usd",
  "cost_eur",
  "price_id",
  "usd_eur",
  "tokens_charged",
  "success",
  "error",
  "response_time_ms",
  "input_preview",
  "output_summary",
] as const satisfies (keyof Row<"list_usage">)[];

/** The pages as CSV, each read when the one before it has been taken; a reader who goes away ends it. */
async function* toCsv(
  first: Row<"list_usage">[],
  readPage: (last: Row<"list_usage">) => Promise<Row<"list_usage">[]>,
  tell: (failure: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const encode = (rows: Row<"list_usage">[], header: boolean) =>
    encoder.encode(stringify(rows, {
      columns: COLUMNS,
      header,
      // Texts of users are opened in spreadsheets.
      escape_formulas: true,
      cast: { boolean: String },
    }));
  try {
    yield encode(first, true);
    for (let rows = first; rows.length === EXPORT_PAGE;) {
      const last = rows.at(-1);
      if (!last) return;
      rows = await readPage(last);
      if (rows.length > 0) yield encode(rows, false);
    }
  } catch (failure) {
    tell(failure);
    // The answer breaks off, which its reader can see: a part is not taken for the whole.
    throw failure;
  }
}
