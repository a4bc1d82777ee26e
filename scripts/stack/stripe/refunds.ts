/** Refunds. */
import { z } from "zod";
import { invalidParameter, invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate } from "./lists.ts";
import { refundTooLarge } from "./money.ts";
import { integer, mergeMetadata, metadata, oneOf, text } from "./params.ts";
import { listParams, noParams, params, route } from "./route.ts";
import type { Charge, Refund } from "./wire.ts";
import { find, type World } from "./world.ts";

const Create = params({
  amount: integer(1).optional(),
  charge: text().optional(),
  metadata: metadata.optional(),
  payment_intent: text().optional(),
  reason: oneOf("duplicate", "fraudulent", "requested_by_customer").optional(),
});

function chargeOf(world: World, asked: z.output<typeof Create>): Charge {
  if (asked.charge !== undefined && asked.payment_intent !== undefined) {
    const charge = find(world, "charge", asked.charge, "charge");
    if (charge.payment_intent === asked.payment_intent) return charge;
    throw invalidRequest("The charge does not belong to the payment intent.", { param: "charge" });
  }
  if (asked.charge !== undefined) return find(world, "charge", asked.charge, "charge");
  if (asked.payment_intent === undefined) {
    throw invalidParameter(
      "One of the following params should be provided: charge or payment_intent.",
      {
        code: "parameter_missing",
        param: "payment_intent",
      },
    );
  }
  const intent = find(world, "payment_intent", asked.payment_intent, "payment_intent");
  const charge = world.store.get("charge", intent.latest_charge ?? "");
  if (charge?.captured) return charge;
  throw invalidRequest(
    `This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
    { code: "payment_intent_unexpected_state", param: "payment_intent" },
  );
}

// A dispute in one of these states has taken no money, or has given it back.
const KEEPS_MONEY = ["warning_closed", "warning_needs_response", "won"];

function checkRefund(world: World, charge: Charge, amount: number | undefined): number {
  const left = charge.amount - charge.amount_refunded;
  if (charge.status !== "succeeded") {
    throw invalidRequest(`Charge ${charge.id} has not succeeded and cannot be refunded.`, {
      code: "charge_not_refundable",
      param: "charge",
    });
  }
  if (charge.refunded) {
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, {
      code: "charge_already_refunded",
    });
  }
  const lost = world.store.all("dispute")
    .some((dispute) => dispute.charge === charge.id && !KEEPS_MONEY.includes(dispute.status));
  if (lost) {
    throw invalidRequest(`Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      code: "charge_disputed",
    });
  }
  if (amount !== undefined && amount > left) {
    throw refundTooLarge(amount, left, charge.amount_refunded === 0, charge.currency);
  }
  return amount ?? left;
}

const cardDestination = (
  type: "refund" | "reversal",
  known: boolean,
): NonNullable<Refund["destination_details"]> => ({
  card: known
    ? {
      reference: "7674901510102",
      reference_status: "available",
      reference_type: "acquirer_reference_number",
      type,
    }
    : { reference_status: "pending", reference_type: "acquirer_reference_number", type },
  type: "card",
});

function createRefund(world: World, asked: z.output<typeof Create>): Refund {
  const before = chargeOf(world, asked);
  const amount = checkRefund(world, before, asked.amount);
  const byCard = before.payment_method_details?.type === "card";
  const refund: Refund = {
    id: newId(byCard ? "re" : "pyr"),
    object: "refund",
    amount,
    balance_transaction: newId("txn"),
    charge: before.id,
    created: world.now(),
    currency: before.currency,
    customer: before.customer,
    customer_account: null,
    ...(byCard ? { destination_details: cardDestination("refund", false) } : {}),
    metadata: mergeMetadata({}, asked.metadata),
    payment_intent: before.payment_intent,
    payment_method: before.payment_method,
    ...(byCard ? {} : { pending_reason: "processing" }),
    reason: asked.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    // A bank takes its time; a card's refund counts as done at once.
    status: byCard ? "succeeded" : "pending",
    transfer_reversal: null,
  };
  const refunded = before.amount_refunded + amount;
  const charge: Charge = {
    ...before,
    amount_refunded: refunded,
    refunded: refunded === before.amount,
  };
  world.store.put("refund", refund);
  world.store.put("charge", charge);
  emit(world, "refund.created", refund);
  emit(world, "charge.refunded", charge, before);
  if (byCard) updateRefund(world, refund, { destination_details: cardDestination("refund", true) });
  return refund;
}

function updateRefund(world: World, before: Refund, change: Partial<Refund>): Refund {
  const refund: Refund = { ...before, ...change };
  world.store.put("refund", refund);
  emit(world, "refund.updated", refund, before);
  return refund;
}

/** The bank of the customer sends a refund back. */
export function failRefund(world: World, id: string): Refund {
  const before = find(world, "refund", id);
  if (before.status === "failed" || before.status === "canceled") {
    throw invalidRequest(`The refund ${id} has ended: it is ${before.status}`);
  }
  const { pending_reason: _, ...kept } = before;
  const refund: Refund = {
    ...kept,
    failure_balance_transaction: newId("txn"),
    failure_reason: "lost_or_stolen_card",
    status: "failed",
  };
  const charged = find(world, "charge", before.charge ?? "");
  const charge: Charge = {
    ...charged,
    amount_refunded: charged.amount_refunded - before.amount,
    refunded: false,
  };
  world.store.put("refund", refund);
  world.store.put("charge", charge);
  emit(world, "refund.failed", refund);
  emit(world, "refund.updated", refund, before);
  emit(world, "charge.updated", charge, charged);
  return refund;
}

/** A refund that was pending reaches the customer. */
export function succeedRefund(world: World, id: string): Refund {
  const before = find(world, "refund", id);
  if (before.status !== "pending") throw invalidRequest(`The refund ${id} is not pending`);
  const { pending_reason: _, ...kept } = before;
  const refund: Refund = { ...kept, status: "succeeded" };
  world.store.put("refund", refund);
  emit(world, "refund.updated", refund, before);
  return refund;
}

/** The calls about refunds. */
export const refundRoutes = [
  route("POST", "/v1/refunds", Create, (world, asked) => {
    return find(world, "refund", createRefund(world, asked).id);
  }),
  route("GET", "/v1/refunds/:id", noParams, (world, _, id) => find(world, "refund", id)),
  route(
    "GET",
    "/v1/refunds",
    listParams({ charge: text().optional(), payment_intent: text().optional() }),
    (world, asked) => {
      const all = world.store.all("refund").filter((refund) =>
        (asked.charge === undefined || refund.charge === asked.charge) &&
        (asked.payment_intent === undefined || refund.payment_intent === asked.payment_intent)
      );
      return paginate("/v1/refunds", all, asked);
    },
  ),
];
