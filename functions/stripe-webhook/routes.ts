import Stripe from "stripe";
import { z } from "zod";
import type { Json } from "../_shared/database.types.ts";
import type { Deps } from "../_shared/deps.ts";
import { scripError } from "../_shared/errors.ts";
import { text } from "../_shared/fields.ts";
import { alertOperator, json, noteSubject, parse, readText, type Routes } from "../_shared/http.ts";
import { notConfigured } from "../_shared/stripe.ts";

const MAX_BYTES = 1_048_576;
const TOLERANCE_SECONDS = 300;

/** Stripe's events with the object they are about; those that only name it ("thin" ones) are none. */
const Event = z.looseObject({
  id: text(1, 255),
  object: z.literal("event"),
  type: text(1, 255),
  created: z.int(),
  livemode: z.boolean(),
  data: z.looseObject({ object: z.looseObject({ object: text(1, 255) }) }),
});

const provider = Stripe.createSubtleCryptoProvider();

/** Whether one of the secrets signed this body, lately. */
async function isSigned(body: string, header: string, secrets: string[]): Promise<boolean> {
  const { signature } = Stripe.webhooks;
  const checks = secrets.map(async (secret) =>
    await signature?.verifyHeaderAsync(body, header, secret, TOLERANCE_SECONDS, provider) === true
  );
  const results = await Promise.allSettled(checks);
  // However a check fails, it has not succeeded: malformed headers make Stripe's library stumble.
  return results.some((result) => result.status === "fulfilled" && result.value);
}

// What Postgres cannot store, in a name that somebody typed, must not keep a payment from being credited.
const storable = (_key: string, value: unknown) =>
  typeof value === "string" ? value.replaceAll("\0", "\uFFFD").toWellFormed() : value;

function parseJson(body: string): Json {
  try {
    return JSON.parse(body, storable);
  } catch {
    throw scripError("invalid_request", "body: must be JSON");
  }
}

/** POST stripe-webhook → handle_stripe_event(): the event as it came, once its signature is checked */
const stripeWebhook = ({ rpcOne, stripe }: Deps) => async (request: Request) => {
  const { webhookSecrets, livemode } = stripe;
  if (webhookSecrets.length === 0) throw notConfigured("STRIPE_WEBHOOK_SECRET");
  const body = await readText(request, MAX_BYTES);
  const header = request.headers.get("stripe-signature") ?? "";
  if (!await isSigned(body, header, webhookSecrets)) {
    throw scripError("invalid_signature", "The signature is missing, wrong or too old");
  }
  const event = parseJson(body);
  const { id, livemode: isLive } = parse(Event, event);
  if (isLive !== livemode) {
    const [mode, key] = isLive ? ["live", "a test"] : ["test", "a live"];
    throw scripError("livemode_mismatch", `The event is of ${mode} mode, and the key ${key} one`);
  }
  const handled = noteSubject(request, await rpcOne("handle_stripe_event", { event }));
  const { outcome, attention, error } = handled;
  if (attention) alertOperator(request, `Event ${id} needs attention: ${attention}`);
  if (outcome === "failed") {
    throw scripError("internal_error", "The event is kept, but could not be handled", {
      cause: `Event ${id}: ${error}`,
    });
  }
  return json({ received: true, outcome });
};

/** The routes of stripe-webhook: for Stripe, by its signature. */
export const routes: Routes = { "POST /": stripeWebhook };
