import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { json, readJson, type Routes } from "../_shared/http.ts";

/** POST fx-sync → the European Central Bank's daily file, set_currency_rate() */
const sync = (deps: Deps) => async (request: Request) => {
  await deps.verify(request, "secret");
  await readJson(request, z.strictObject({}), { empty: {} });
  const { day, usd_per_eur } = await deps.ecb.latest();
  const { rate_day, rate, outcome } = await deps.rpcOne("set_currency_rate", {
    day,
    usd_per_eur,
    source: "ecb",
  });
  return json({ day: rate_day, usd_eur: rate, outcome });
};

/** The routes of fx-sync: by a secret key, every hour. */
export const routes: Routes = { "POST /": sync };
