import type { Deps } from "../_shared/deps.ts";
import { json } from "../_shared/http.ts";

/** GET run-model/models → list_ai_models(): for anyone */
export const listModels = ({ rpc }: Deps) => async () =>
  json({ data: await rpc("list_ai_models", {}) });
