import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { json, readJson, type Routes } from "../_shared/http.ts";
import { deliverDue } from "../_shared/outbox.ts";

/** POST hub-sync → claim_outbox(), a delivery each, finish_outbox() */
const sync = (deps: Deps) => async (request: Request) => {
  await deps.verify(request, "secret");
  await readJson(request, z.strictObject({}), { empty: {} });
  return json(await deliverDue(deps, request));
};

/** The routes of hub-sync: by a secret key, every minute. */
export const routes: Routes = { "POST /": sync };
