import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Id, must, pageFields, toCursor } from "../_shared/fields.ts";
import { json, page, type Params, parse, readJson, readQuery } from "../_shared/http.ts";

const Status = z.enum(
  ["pending", "delivered", "skipped", "dead"],
  must("pending, delivered, skipped or dead"),
);

const Page = z.strictObject({
  ...pageFields(),
  status: Status.default("dead"),
});

/** GET admin/outbox?limit=&before=&status= → list_outbox(): what was given up, if nothing else is asked for */
export const listOutbox = ({ verify, rpc }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { limit, before, status } = readQuery(request, Page);
  const rows = await rpc("list_outbox", {
    page_size: limit + 1,
    in_status: status,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

/** POST admin/outbox/{id}/replay → replay_outbox(): delivered again by the next run of hub-sync */
export const replayDelivery = ({ verify, rpcOne }: Deps) => {
  return async (request: Request, params: Params) => {
    await verify(request, "admin");
    const { id } = parse(z.object({ id: Id }), params);
    await readJson(request, z.strictObject({}), { empty: {} });
    return json(await rpcOne("replay_outbox", { outbox_id: id }));
  };
};

const Replay = z.strictObject({
  status: Status,
  destination: z.enum(["hub", "webhook"], must("hub or webhook")).optional(),
});

/** POST admin/outbox/replay → replay_outbox_all(): a thousand at most */
export const replayOutbox = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const replay = await readJson(request, Replay);
  return json(await rpcOne("replay_outbox_all", replay));
};
