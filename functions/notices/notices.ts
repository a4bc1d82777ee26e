import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Id, pageFields, toCursor } from "../_shared/fields.ts";
import { json, page, type Params, parse, readQuery } from "../_shared/http.ts";

const Page = z.strictObject({
  ...pageFields(),
  unread: z.enum(["true", "false"], { error: "must be true or false" })
    .transform((word) => word === "true").optional(),
});

/** GET notices?limit=&before=&unread= → list_notices() */
export const listNotices = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { limit, before, unread } = readQuery(request, Page);
  const rows = await rpc("list_notices", {
    user_id: userId,
    page_size: limit + 1,
    unread,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

/** POST notices/{id}/read → read_notice() */
export const readNotice = ({ verify, rpcOne }: Deps) => {
  return async (request: Request, params: Params) => {
    const { userId } = await verify(request, "user");
    const { id } = parse(z.object({ id: Id }), params);
    return json(await rpcOne("read_notice", { user_id: userId, notice_id: id }));
  };
};
