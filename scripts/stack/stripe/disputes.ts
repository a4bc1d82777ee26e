/** Disputes. */
import { z } from "zod";
import { invalidRequest } from "./errors.ts";
import { emit } from "./events.ts";
import { newId } from "./ids.ts";
import { paginate } from "./lists.ts";
import { text } from "./params.ts";
import { listParams, noParams, route } from "./route.ts";
import type { Charge, Dispute } from "./wire.ts";
import { find, type World } from "./world.ts";

const FEE = 1500;
const DAY_SECONDS = 86_400;

/** How a dispute begins. */
export const DisputeCharge = z.strictObject({
  amount: z.int().positive().optional(),
  reason: z.enum(["fraudulent", "product_not_received", "duplicate", "general"]).default(
    "fraudulent",
  ),
  /** Whether the bank only asks, and takes no money yet. */
  inquiry: z.boolean().default(false),
});

const NO_EVIDENCE: Dispute["evidence"] = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};

function balanceTransaction(
  world: World,
  dispute: Dispute,
  sign: 1 | -1,
): Dispute["balance_transactions"][number] {
  const amount = sign * dispute.amount;
  const fee = sign === -1 ? FEE : 0;
  const kind = sign === -1 ? "Chargeback withdrawal" : "Chargeback reversal";
  return {
    id: newId("txn"),
    object: "balance_transaction",
    amount,
    available_on: world.now() + 2 * DAY_SECONDS,
    balance_type: "payments",
    created: world.now(),
    currency: dispute.currency,
    description: `${kind} for ${dispute.charge}`,
    exchange_rate: null,
    fee,
    fee_details: fee === 0 ? [] : [{
      amount: fee,
      application: null,
      currency: dispute.currency,
      description: "Dispute fee",
      type: "stripe_fee",
    }],
    net: amount - fee,
    reporting_category: sign === -1 ? "dispute" : "dispute_reversal",
    source: dispute.id,
    status: "pending",
    type: "adjustment",
  };
}

/** The customer's bank disputes a charge, and takes its money back. */
export function openDispute(
  world: World,
  chargeId: string,
  asked: z.output<typeof DisputeCharge>,
): Dispute {
  const before = find(world, "charge", chargeId);
  if (before.status !== "succeeded" || before.disputed) {
    throw invalidRequest(`The charge ${chargeId} cannot be disputed now`);
  }
  if (asked.amount !== undefined && asked.amount > before.amount) {
    throw invalidRequest(`Cannot dispute ${asked.amount} of a charge of ${before.amount}`);
  }
  const status = asked.inquiry ? "warning_needs_response" : "needs_response";
  const created: Dispute = {
    id: newId("du"),
    object: "dispute",
    amount: asked.amount ?? before.amount,
    balance_transactions: [],
    charge: before.id,
    created: world.now(),
    currency: before.currency,
    enhanced_eligibility_types: [],
    evidence: NO_EVIDENCE,
    evidence_details: {
      due_by: world.now() + 9 * DAY_SECONDS,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: "not_submitted",
    },
    intended_submission_method: null,
    is_charge_refundable: asked.inquiry,
    livemode: false,
    metadata: {},
    network_reason_code: "10.4",
    payment_intent: before.payment_intent,
    payment_method_details: {
      card: {
        brand: "visa",
        case_type: asked.inquiry ? "inquiry" : "chargeback",
        network: "visa",
        network_reason_code: "10.4",
      },
      type: "card",
    },
    reason: asked.reason,
    status,
  };
  // An inquiry leaves the charge refundable.
  const charge: Charge = { ...before, disputed: !asked.inquiry };
  world.store.put("dispute", created);
  world.store.put("charge", charge);
  emit(world, "charge.dispute.created", created);
  if (asked.inquiry) return created;
  const dispute: Dispute = {
    ...created,
    balance_transactions: [balanceTransaction(world, created, -1)],
  };
  world.store.put("dispute", dispute);
  emit(world, "charge.dispute.funds_withdrawn", dispute);
  emit(world, "charge.updated", charge, before);
  return dispute;
}

/** The bank decides. */
export function closeDispute(world: World, id: string, won: boolean): Dispute {
  const before = find(world, "dispute", id);
  const inquiry = before.status === "warning_needs_response";
  if (before.status !== "needs_response" && !inquiry) {
    throw invalidRequest(`The dispute ${id} has ended: it is ${before.status}`);
  }
  const dispute: Dispute = {
    ...before,
    balance_transactions: won && !inquiry
      ? [...before.balance_transactions, balanceTransaction(world, before, 1)]
      : before.balance_transactions,
    status: inquiry ? "warning_closed" : won ? "won" : "lost",
  };
  world.store.put("dispute", dispute);
  emit(world, "charge.dispute.closed", dispute);
  if (won && !inquiry) emit(world, "charge.dispute.funds_reinstated", dispute);
  return dispute;
}

/** The calls about disputes. */
export const disputeRoutes = [
  route("GET", "/v1/disputes/:id", noParams, (world, _, id) => find(world, "dispute", id)),
  route(
    "GET",
    "/v1/disputes",
    listParams({ charge: text().optional(), payment_intent: text().optional() }),
    (world, asked) => {
      const all = world.store.all("dispute").filter((dispute) =>
        (asked.charge === undefined || dispute.charge === asked.charge) &&
        (asked.payment_intent === undefined || dispute.payment_intent === asked.payment_intent)
      );
      return paginate("/v1/disputes", all, asked);
    },
  ),
];
