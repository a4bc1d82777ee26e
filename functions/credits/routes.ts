import type { Routes } from "../_shared/http.ts";
import { balance, calculate, check } from "./balance.ts";
import { add, charge, chargeBatch, refund } from "./charge.ts";
import { release, reserve, settle } from "./hold.ts";
import { consume } from "./tokens.ts";

/** The routes of credits: for other backends, by a secret key. */
export const routes: Routes = {
  "GET /check/:user_id": check,
  "GET /balance/:user_id": balance,
  "POST /calculate": calculate,
  "POST /charge": charge,
  "POST /charge-batch": chargeBatch,
  "POST /add": add,
  "POST /refund": refund,
  "POST /reserve": reserve,
  "POST /settle": settle,
  "POST /release": release,
  "POST /tokens/consume": consume,
};
