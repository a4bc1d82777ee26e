import type { Routes } from "../_shared/http.ts";
import { exportCalls, listCalls } from "./calls.ts";
import { getUsage } from "./summary.ts";
import { track } from "./track.ts";

/** The routes of usage: users read their own, other backends write by a secret key. */
export const routes: Routes = {
  "GET /": getUsage,
  "GET /history": listCalls,
  "GET /export": exportCalls,
  "POST /": track,
};
