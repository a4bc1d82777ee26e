import { isIP } from "node:net";
import { z } from "zod";
import { failureToError } from "../_shared/database.ts";
import type { Deps } from "../_shared/deps.ts";
import { must, OperationId } from "../_shared/fields.ts";
import { json, operationId, readJson, type Routes } from "../_shared/http.ts";

const Code = z.string(must("text"))
  .overwrite((code) => code.replace(/[\s-]/g, ""))
  .regex(/^[0-9A-Za-z]{16}$/, "must have 16 letters and digits");

const Activation = z.strictObject({ code: Code, operation_id: OperationId.optional() });

/**
 * The client's address as it was first stated. Clients can invent it, so the limit on wrong codes
 * of an address is a second line of defence: the one of a user comes first.
 */
function addressOf(request: Request): string | undefined {
  const [first = ""] = (request.headers.get("x-forwarded-for") ?? "").split(",");
  return isIP(first.trim()) ? first.trim() : undefined;
}

/** POST verify-and-activate-code → activate_access_code() */
const verifyAndActivateCode = ({ verify, rpcOne }: Deps) => async (request: Request) => {
  const { userId, actor } = await verify(request, "user");
  const { code, operation_id } = await readJson(request, Activation);
  const activation = await rpcOne("activate_access_code", {
    user_id: userId,
    code,
    operation_id: operationId(request, operation_id, crypto.randomUUID()),
    address: addressOf(request),
    actor,
  });
  if (activation.failure !== null) throw failureToError(activation.failure);
  const { tokens_granted, remaining, replayed } = activation;
  return json({ tokens_granted, balance: remaining, replayed });
};

/** The routes of verify-and-activate-code. */
export const routes: Routes = { "POST /": verifyAndActivateCode };
