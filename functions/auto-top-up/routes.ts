import type { Routes } from "../_shared/http.ts";
import { run } from "./run.ts";
import { getSettings, putSettings } from "./settings.ts";

/** The routes of auto-top-up: a user's own settings, and by a secret key the run that pays what is due. */
export const routes: Routes = {
  "GET /": getSettings,
  "PUT /": putSettings,
  "POST /run": run,
};
