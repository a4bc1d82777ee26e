/** Errors in Stripe's shape. */

/** The members of the error object in an answer. */
export interface ErrorBody {
  type: "api_error" | "card_error" | "idempotency_error" | "invalid_request_error";
  message: string;
  code?: string;
  param?: string;
  decline_code?: string;
  advice_code?: string;
  charge?: string;
  payment_intent?: unknown;
  payment_method?: unknown;
  doc_url?: string;
}

/** An answer that is an error. */
export class StripeFailure extends Error {
  override name = "StripeFailure";

  /**
   * @param keeps whether what was done until then stays done, as with a payment that was declined.
   * @param executed whether Stripe had begun to execute the request, so that a replay gets the same answer.
   */
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly keeps = false,
    readonly executed = true,
  ) {
    super(body.message);
  }
}

/** A 400 about what was asked. */
export function invalidRequest(
  message: string,
  details: { code?: string; param?: string } = {},
): StripeFailure {
  return new StripeFailure(400, { type: "invalid_request_error", message, ...details });
}

/** A 400 about parameters alone. */
export function invalidParameter(
  message: string,
  details: { code?: string; param?: string } = {},
): StripeFailure {
  const body = { type: "invalid_request_error", message, ...details } as const;
  return new StripeFailure(400, body, false, false);
}

/** The thing that was named does not exist: 404 when it is in the path, 400 when a parameter names it. */
export function missing(noun: string, id: string, param?: string): StripeFailure {
  return new StripeFailure(param === undefined ? 404 : 400, {
    type: "invalid_request_error",
    code: "resource_missing",
    message: `No such ${noun}: '${id}'`,
    param: param ?? "id",
  });
}
