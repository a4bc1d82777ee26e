import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Id, OperationId, pageFields, text, toCursor } from "../_shared/fields.ts";
import {
  json,
  operationId,
  page,
  type Params,
  parse,
  readJson,
  readQuery,
} from "../_shared/http.ts";
import { deliverSoon } from "../_shared/outbox.ts";

const Page = z.strictObject(pageFields());

/** GET refill/tokens?limit=&before= → list_api_tokens() */
export const listTokens = ({ verify, rpc }: Deps) => async (request: Request) => {
  const { userId } = await verify(request, "user");
  const { limit, before } = readQuery(request, Page);
  const rows = await rpc("list_api_tokens", {
    user_id: userId,
    page_size: limit + 1,
    before_created_at: before?.created_at,
    before_id: before?.id,
  });
  return page(rows, limit, toCursor);
};

const readToken = ({ rpcOne }: Deps, userId: string, tokenId: string) =>
  rpcOne("list_api_tokens", { user_id: userId, token_id: tokenId });

const OfToken = z.object({ id: Id });

/** GET refill/tokens/{id} → list_api_tokens() */
export const getToken = (deps: Deps) => async (request: Request, params: Params) => {
  const { userId } = await deps.verify(request, "user");
  const { id } = parse(OfToken, params);
  return json(await readToken(deps, userId, id));
};

const Name = text(1, 100);

const fields = { name: Name, operation_id: OperationId.optional() };

const NewToken = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("product"), product_id: Id, ...fields }),
  z.strictObject({ kind: z.literal("master"), ...fields }),
], {
  error: ({ code }) => code === "invalid_union" ? "must be product or master" : undefined,
});

/** POST refill/tokens → create_api_token(), list_api_tokens(): with the key, in clear this once */
export const createToken = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  const { operation_id, ...body } = await readJson(request, NewToken);
  const { token_id, api_key, replayed } = await deps.rpcOne("create_api_token", {
    user_id: userId,
    ...body,
    operation_id: operationId(request, operation_id),
  });
  deliverSoon(deps, request);
  return json({ ...await readToken(deps, userId, token_id), key: api_key, replayed });
};

const Rename = z.strictObject({ name: Name });

/** PATCH refill/tokens/{id} → rename_api_token(), list_api_tokens() */
export const renameToken = (deps: Deps) => async (request: Request, params: Params) => {
  const { userId } = await deps.verify(request, "user");
  const { id } = parse(OfToken, params);
  const { name } = await readJson(request, Rename);
  await deps.rpcOne("rename_api_token", { user_id: userId, token_id: id, name });
  deliverSoon(deps, request);
  return json(await readToken(deps, userId, id));
};

/** DELETE refill/tokens/{id} → revoke_api_token(), list_api_tokens(): revoked for ever, and kept with its credits */
export const revokeToken = (deps: Deps) => async (request: Request, params: Params) => {
  const { userId } = await deps.verify(request, "user");
  const { id } = parse(OfToken, params);
  await deps.rpcOne("revoke_api_token", { user_id: userId, token_id: id });
  deliverSoon(deps, request);
  return json(await readToken(deps, userId, id));
};
