import type { Routes } from "../_shared/http.ts";
import { listModels } from "./models.ts";
import { runModel } from "./run.ts";
import { cancelRun, getRun } from "./runs.ts";

/** The routes of run-model: models of the catalogue, run for tokens. */
export const routes: Routes = {
  "POST /": runModel,
  "GET /models": listModels,
  "GET /:run_id": getRun,
  "POST /:run_id/cancel": cancelRun,
};
