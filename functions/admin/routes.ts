import type { Routes } from "../_shared/http.ts";
import { createAccessCodes, listAccessCodes, revokeAccessCode } from "./access-codes.ts";
import { listCurrencyRates, setCurrencyRate } from "./currency-rates.ts";
import { listOutbox, replayDelivery, replayOutbox } from "./outbox.ts";
import { listPrices, setPrice } from "./prices.ts";
import { listStripeEvents, replayStripeEvent } from "./stripe-events.ts";
import { depositUsd, explain, giveBonus } from "./users.ts";

/** The routes of admin: for admins, or by a secret key. */
export const routes: Routes = {
  "GET /access-codes": listAccessCodes,
  "POST /access-codes": createAccessCodes,
  "DELETE /access-codes/:id": revokeAccessCode,
  "GET /currency-rates": listCurrencyRates,
  "PUT /currency-rates": setCurrencyRate,
  "GET /outbox": listOutbox,
  "POST /outbox/replay": replayOutbox,
  "POST /outbox/:id/replay": replayDelivery,
  "GET /prices": listPrices,
  "PUT /prices": setPrice,
  "GET /stripe-events": listStripeEvents,
  "POST /stripe-events/:id/replay": replayStripeEvent,
  "POST /users/:user_id/bonus": giveBonus,
  "POST /users/:user_id/usd-deposit": depositUsd,
  "GET /users/:user_id/explain": explain,
};
