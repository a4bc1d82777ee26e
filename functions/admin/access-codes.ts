import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import {
  Grant,
  Id,
  must,
  OperationId,
  pageFields,
  text,
  toCursor,
  whole,
} from "../_shared/fields.ts";
import {
  json,
  operationId,
  page,
  type Params,
  parse,
  readJson,
  readQuery,
} from "../_shared/http.ts";

const Page = z.strictObject(pageFields());

/** GET admin/access-codes?limit=&before= → list_access_codes() */
export const listAccessCodes = ({ verify, rpc }: Deps) => async (request: Request) => {
  await verify(request, "admin");
  const { limit, before } = readQuery(request, Page);
  const rows = await rpc("list_access_codes", {
    page_size: limit + 1,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

// The form that Postgres reads whatever the offset was.
const Future = z.iso.datetime({ offset: true, ...must("a time such as 2030-01-31T12:00:00Z") })
  .transform((time) => new Date(time))
  .refine((time) => time.getTime() > Date.now(), "must be in the future")
  .refine((time) => time.getUTCFullYear() <= 9999, "must be before the year 10000")
  .transform((time) => time.toISOString());

const AccessCodes = z.strictObject({
  count: whole(1, 1000).default(1),
  tokens_to_grant: Grant,
  on_top: z.boolean().optional(),
  max_uses: whole(1, 1_000_000_000).optional(),
  expires_at: Future.optional(),
  email: z.email(must("an e-mail address")).max(320, "must have at most 320 characters").optional(),
  note: text(0, 500).optional(),
  operation_id: OperationId.optional(),
});

/** POST admin/access-codes → create_access_codes(): in clear this once */
export const createAccessCodes = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { actor } = await verify(request, "admin");
  const { operation_id, ...body } = await readJson(request, AccessCodes);
  const rows = await rpc("create_access_codes", {
    ...body,
    operation_id: operationId(request, operation_id),
    actor,
  });
  const codes = rows.map(({ id, code, code_hint }) => ({ id, code, code_hint }));
  return json({ codes, replayed: rows.some(({ replayed }) => replayed) });
};

/** DELETE admin/access-codes/{id} → revoke_access_code() */
export const revokeAccessCode = ({ verify, rpcOne }: Deps) => {
  return async (request: Request, params: Params) => {
    await verify(request, "admin");
    const { id } = parse(z.object({ id: Id }), params);
    return json(await rpcOne("revoke_access_code", { access_code_id: id }));
  };
};
