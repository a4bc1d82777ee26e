import { z } from "zod";
import type { Row } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { Grant, Id, money, must, OperationId, text, Time, whole } from "../_shared/fields.ts";
import { json, noteSubject, operationId, parse, readJson } from "../_shared/http.ts";

const MAX_QUANTITY = 1_000_000_000_000;
const MAX_SECONDS = 1_000_000_000;
const MAX_IMAGES = 1_000_000;
const MAX_MS = 2_147_483_647;

const SECONDS = must(`a number from 0 to ${MAX_SECONDS}, with at most 6 decimals`);

// What JSON has for a number is the shortest text that reads back as the same one.
const Seconds = z.number(SECONDS).min(0, SECONDS).max(MAX_SECONDS, SECONDS)
  .refine((seconds) => /^\d+(?:\.\d{1,6})?$/.test(`${seconds}`), SECONDS);

const COST = must('US dollars below 1000000000 such as "0.0021", with at most 10 decimals');
const Cost = money(10, COST).refine((text) => /^0*\d{1,9}(?:\.|$)/.test(text), COST);

const MAX_EXCERPT = 2000;

/** The beginning of a text. SQL takes keys out and cuts further; what would be half a key for it ends before. */
function excerpt(text: string): string {
  const start = [...text.slice(0, 2 * MAX_EXCERPT)].slice(0, MAX_EXCERPT).join("");
  const whole = start.length < text.length ? start.replace(/[\w.+/=-]+$/, "") : start;
  return whole.toWellFormed().replaceAll("\0", "");
}

const Excerpt = z.string(must("text")).transform(excerpt);

const Call = z.strictObject({
  user_id: Id,
  operation_id: OperationId.optional(),
  service: text(1, 100),
  operation: text(1, 100),
  model: text(1, 200),
  input_tokens: whole(0, MAX_QUANTITY).default(0),
  /** Of the input tokens, those from the service's cache. */
  cached_input_tokens: whole(0, MAX_QUANTITY).default(0),
  output_tokens: whole(0, MAX_QUANTITY).default(0),
  seconds: Seconds.default(0),
  images: whole(0, MAX_IMAGES).default(0),
  /** What it cost, when the caller knows; without it, what the price says. */
  cost_usd: Cost.optional(),
  /** What to charge for it: without it nothing; 0 releases the hold of the same operation_id. */
  tokens: Grant.optional(),
  success: z.boolean(must("true or false")).default(true),
  error: Excerpt.optional(),
  response_time_ms: whole(0, MAX_MS).optional(),
  input_preview: Excerpt.optional(),
  output_summary: Excerpt.optional(),
  occurred_at: Time.optional(),
});

const Batch = z.strictObject({
  calls: z.array(Call.extend({ operation_id: OperationId }), must("a list"))
    .min(1, "must have at least 1 call")
    .max(500, "must have at most 500 calls"),
});

// What it holds says which of the two it is, and that one says what is wrong.
const Either = z.unknown().transform((body) => ({ body }));

const MAX_BYTES = 2_097_152;

/** POST usage → track_usage(), or for `{calls: […]}` track_usage_batch(): each is recorded or refused by itself. */
export const track = (deps: Deps) => async (request: Request) => {
  const { actor } = await deps.verify(request, "secret");
  const { body } = await readJson(request, Either, { maxBytes: MAX_BYTES });
  if (Object.hasOwn(Object(body), "calls")) {
    return await trackBatch(deps, parse(Batch, body).calls, actor);
  }
  const call = noteSubject(request, parse(Call, body));
  const operation_id = operationId(request, call.operation_id);
  const row = await deps.rpcOne("track_usage", { ...toArguments(call), operation_id, actor });
  return json(recorded({ ...call, operation_id }, row));
};

async function trackBatch(
  { rpc }: Deps,
  calls: z.output<typeof Batch>["calls"],
  actor: string,
): Promise<Response> {
  const rows = await rpc("track_usage_batch", { calls: calls.map(toArguments), actor });
  const results = calls.map((call, index) => {
    const { item: _, error, ...row } = rows[index] ?? missing();
    return error === null ? recorded(call, row) : { operation_id: call.operation_id, error };
  });
  return json({ results });
}

function missing(): never {
  throw new Error("track_usage_batch returned fewer rows than calls");
}

const toArguments = <C extends z.output<typeof Call>>({ cost_usd, ...call }: C) => ({
  ...call,
  explicit_cost_usd: cost_usd,
});

/** The stored row; its texts are left out, since what is kept of them is not what came. */
function recorded(call: z.output<typeof Call>, row: Row<"track_usage">) {
  const { tokens: _, error: __, input_preview: ___, output_summary: ____, ...given } = call;
  const { usage_id, recorded_at, ...computed } = row;
  return { id: usage_id, ...given, occurred_at: recorded_at, ...computed };
}
