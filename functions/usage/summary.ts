import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { must } from "../_shared/fields.ts";
import { json, readQuery } from "../_shared/http.ts";
import { inOrder, selection, shown } from "./fields.ts";

const PERIODS = ["current_month", "last_30_days", "all_time"] as const;

const Query = inOrder(z.strictObject({
  ...selection,
  period: z.enum(PERIODS, must(`one of ${PERIODS.join(", ")}`)).optional(),
  group_by: z.literal("day", must("day")).optional(),
})).refine(
  ({ period, from, to }) => period === undefined || from === undefined && to === undefined,
  { path: ["period"], error: "must be left out when from or to is given" },
);

const RECENT = 10;

/** GET usage?service=&period= or from=&to=, &group_by=day → summarize_usage(), list_usage(): a user's own */
export const getUsage = ({ verify, rpc, rpcOne }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { service, period, from, to, group_by } = readQuery(request, Query);
  const { first_day, last_day, by_day, ...summary } = await rpcOne("summarize_usage", {
    user_id: userId,
    service,
    period,
    from_day: from,
    to_day: to,
    with_days: group_by === "day",
  });
  const recent = await rpc("list_usage", {
    user_id: userId,
    in_service: service,
    page_size: RECENT,
    first_day,
    last_day,
  });
  const isCustom = from !== undefined || to !== undefined;
  return json({
    service: service ?? null,
    period: isCustom ? "custom" : period ?? "current_month",
    from: first_day,
    to: last_day,
    summary: { ...summary, ...(group_by === "day" ? { by_day } : {}) },
    recent_history: recent.map(shown),
  });
};
