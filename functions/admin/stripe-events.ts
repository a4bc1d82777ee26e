import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { pageFields, text, toCursor } from "../_shared/fields.ts";
import { alertOperator, json, page, type Params, parse, readQuery } from "../_shared/http.ts";

const EventId = text(1, 255);

const Page = z.strictObject({
  ...pageFields(EventId),
  needs_attention: z.enum(["true", "false"], { error: "must be true or false" })
    .transform((word) => word === "true").optional(),
});

/** GET admin/stripe-events?limit=&before=&needs_attention= → list_stripe_events() */
export const listStripeEvents = ({ verify, rpc }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { limit, before, needs_attention } = readQuery(request, Page);
  const rows = await rpc("list_stripe_events", {
    page_size: limit + 1,
    needs_attention,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

/** POST admin/stripe-events/{id}/replay → replay_stripe_event(): does what an event still lacks */
export const replayStripeEvent = ({ verify, rpcOne }: Deps) => {
  return async (request: Request, params: Params) => {
    await verify(request, "admin");
    const { id } = parse(z.object({ id: EventId }), params);
    const { outcome, attention, error } = await rpcOne("replay_stripe_event", { event_id: id });
    if (outcome === "failed") alertOperator(request, `Event ${id}: ${error}`);
    return json({ event_id: id, outcome, attention });
  };
};
