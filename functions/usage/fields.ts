/** The fields that the queries of usage share. */
import type { z } from "zod";
import type { Row } from "../_shared/database.ts";
import { Day, text } from "../_shared/fields.ts";

/** Which calls are asked for: of one service or all, from a day to a day, both of them included. */
export const selection = {
  service: text(1, 100).optional(),
  from: Day.optional(),
  to: Day.optional(),
};

interface Days {
  from?: string | undefined;
  to?: string | undefined;
}

/** The same schema, and its first day is not after its last. */
export const inOrder = <S extends z.ZodType<Days>>(schema: S): S =>
  schema.refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ["from"],
    error: "must not be after to",
  });

/** A call as it is answered: the driver gives a numeric as text. */
export const shown = (call: Row<"list_usage">) => ({ ...call, seconds: Number(call.seconds) });
