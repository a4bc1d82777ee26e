// Generated from sql/errors/ by `npm run db:types`. Do not edit.

/** Every error code with its HTTP status and meaning. */
export const errorCodes = {
  balance_limit_exceeded: {
    status: 400,
    meaning:
      "The balance would exceed 9000000000000000 tokens or credits, the largest that JSON carries exactly, or 9000000000 US dollars.",
  },
  invalid_amount: {
    status: 400,
    meaning: "The amount is not a whole number of tokens from 1 to 9000000000000000.",
  },
  invalid_request: {
    status: 400,
    meaning:
      "The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.",
  },
  invalid_signature: {
    status: 400,
    meaning: "The webhook's signature is missing, wrong or too old.",
  },
  livemode_mismatch: {
    status: 400,
    meaning: "The event is of Stripe's test mode and this is live, or the reverse.",
  },
  refill_too_small: {
    status: 400,
    meaning: "The amount does not pay for the fee and one credit.",
  },
  unauthorized: {
    status: 401,
    meaning: "The credentials are missing, malformed, expired or not signed by this project.",
  },
  forbidden: {
    status: 403,
    meaning: "The caller is known but may not do this.",
  },
  insufficient_credits: {
    status: 403,
    meaning: "The API token has fewer credits than are to be spent.",
  },
  insufficient_tokens: {
    status: 403,
    meaning: "The user has fewer tokens than the operation needs.",
  },
  insufficient_usd: {
    status: 403,
    meaning: "The user's USD balance is smaller than the refill costs.",
  },
  journal_append_only: {
    status: 403,
    meaning: "Journal rows are written by operations only, and are never changed or deleted.",
  },
  api_token_not_found: {
    status: 404,
    meaning: "There is no such API token, or it is somebody else's.",
  },
  charge_not_found: {
    status: 404,
    meaning: "The user has no charge with this operation_id.",
  },
  code_not_found: {
    status: 404,
    meaning: "There is no such access code.",
  },
  delivery_not_found: {
    status: 404,
    meaning: "There is no such row in the outbox.",
  },
  hold_not_found: {
    status: 404,
    meaning: "The user has no hold with this operation_id.",
  },
  model_not_found: {
    status: 404,
    meaning: "There is no such model on offer.",
  },
  not_found: {
    status: 404,
    meaning: "There is no such route.",
  },
  notice_not_found: {
    status: 404,
    meaning: "The user has no such notice.",
  },
  package_not_found: {
    status: 404,
    meaning: "There is no such package for sale.",
  },
  plan_not_found: {
    status: 404,
    meaning: "There is no such plan on offer.",
  },
  product_not_found: {
    status: 404,
    meaning: "There is no such product on offer.",
  },
  run_not_found: {
    status: 404,
    meaning: "There is no such run, it is not kept any more, or it is somebody else's.",
  },
  stripe_event_not_found: {
    status: 404,
    meaning: "There is no such event of Stripe's.",
  },
  user_not_found: {
    status: 404,
    meaning: "There is no such user.",
  },
  method_not_allowed: {
    status: 405,
    meaning: "The route exists, but not for this method.",
  },
  already_subscribed: {
    status: 409,
    meaning: "The user has a subscription already.",
  },
  api_token_revoked: {
    status: 409,
    meaning: "The API token is revoked.",
  },
  code_already_used: {
    status: 409,
    meaning: "The access code is used up, or this user has used it.",
  },
  derived_column: {
    status: 409,
    meaning: "The column is kept by Scrip from other rows; change those instead.",
  },
  hold_not_active: {
    status: 409,
    meaning: "The hold has ended in another way: it is settled or released.",
  },
  model_unavailable: {
    status: 409,
    meaning: "The model cannot be run at the moment: it has no price.",
  },
  operation_id_reused: {
    status: 409,
    meaning: "This operation_id was used before with other arguments.",
  },
  operation_in_progress: {
    status: 409,
    meaning: "The operation of this operation_id is still under way.",
  },
  payment_method_required: {
    status: 409,
    meaning: "There is no saved card that can be charged.",
  },
  product_unavailable: {
    status: 409,
    meaning: "The token's product is not on offer any more, or has no valid rate.",
  },
  refund_exceeds_charge: {
    status: 409,
    meaning: "The refund is more than what is left of the charge.",
  },
  too_many_api_tokens: {
    status: 409,
    meaning:
      "The user has as many API tokens that are active or were made within a day as are allowed.",
  },
  code_expired: {
    status: 410,
    meaning: "The access code has expired.",
  },
  rate_limited: {
    status: 429,
    meaning: "Too many attempts; Retry-After says in how many seconds to try again.",
  },
  internal_error: {
    status: 500,
    meaning: "Scrip failed; the log has the cause under the request id.",
  },
  provider_failed: {
    status: 502,
    meaning: "Stripe or another provider failed or refused; the message says why.",
  },
  service_unavailable: {
    status: 503,
    meaning:
      "The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.",
  },
} as const;
