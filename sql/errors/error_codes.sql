-- The registry of every error that Scrip answers with: SQL and the edge functions both raise only these.
--
-- Called by  private.error_body, the generator of functions/_shared/error_codes.ts, the test of docs/errors.md

create or replace function private.error_codes()
returns table (code text, http_status integer, meaning text)
language sql
immutable
set search_path = ''
as $$
  values
    ('invalid_request', 400, 'The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.'),
    ('invalid_amount', 400, 'The amount is not a whole number of tokens from 1 to 9000000000000000.'),
    ('balance_limit_exceeded', 400, 'The balance would exceed 9000000000000000 tokens or credits, the largest that JSON carries exactly, or 9000000000 US dollars.'),
    ('invalid_signature', 400, 'The webhook''s signature is missing, wrong or too old.'),
    ('livemode_mismatch', 400, 'The event is of Stripe''s test mode and this is live, or the reverse.'),
    ('refill_too_small', 400, 'The amount does not pay for the fee and one credit.'),
    ('unauthorized', 401, 'The credentials are missing, malformed, expired or not signed by this project.'),
    ('insufficient_tokens', 403, 'The user has fewer tokens than the operation needs.'),
    ('insufficient_usd', 403, 'The user''s USD balance is smaller than the refill costs.'),
    ('insufficient_credits', 403, 'The API token has fewer credits than are to be spent.'),
    ('forbidden', 403, 'The caller is known but may not do this.'),
    ('journal_append_only', 403, 'Journal rows are written by operations only, and are never changed or deleted.'),
    ('not_found', 404, 'There is no such route.'),
    ('user_not_found', 404, 'There is no such user.'),
    ('charge_not_found', 404, 'The user has no charge with this operation_id.'),
    ('hold_not_found', 404, 'The user has no hold with this operation_id.'),
    ('code_not_found', 404, 'There is no such access code.'),
    ('package_not_found', 404, 'There is no such package for sale.'),
    ('plan_not_found', 404, 'There is no such plan on offer.'),
    ('api_token_not_found', 404, 'There is no such API token, or it is somebody else''s.'),
    ('product_not_found', 404, 'There is no such product on offer.'),
    ('notice_not_found', 404, 'The user has no such notice.'),
    ('stripe_event_not_found', 404, 'There is no such event of Stripe''s.'),
    ('delivery_not_found', 404, 'There is no such row in the outbox.'),
    ('model_not_found', 404, 'There is no such model on offer.'),
    ('run_not_found', 404, 'There is no such run, it is not kept any more, or it is somebody else''s.'),
    ('method_not_allowed', 405, 'The route exists, but not for this method.'),
    ('operation_id_reused', 409, 'This operation_id was used before with other arguments.'),
    ('operation_in_progress', 409, 'The operation of this operation_id is still under way.'),
    ('hold_not_active', 409, 'The hold has ended in another way: it is settled or released.'),
    ('refund_exceeds_charge', 409, 'The refund is more than what is left of the charge.'),
    ('derived_column', 409, 'The column is kept by Scrip from other rows; change those instead.'),
    ('code_already_used', 409, 'The access code is used up, or this user has used it.'),
    ('already_subscribed', 409, 'The user has a subscription already.'),
    ('payment_method_required', 409, 'There is no saved card that can be charged.'),
    ('api_token_revoked', 409, 'The API token is revoked.'),
    ('product_unavailable', 409, 'The token''s product is not on offer any more, or has no valid rate.'),
    ('model_unavailable', 409, 'The model cannot be run at the moment: it has no price.'),
    ('too_many_api_tokens', 409, 'The user has as many API tokens that are active or were made within a day as are allowed.'),
    ('code_expired', 410, 'The access code has expired.'),
    ('rate_limited', 429, 'Too many attempts; Retry-After says in how many seconds to try again.'),
    ('internal_error', 500, 'Scrip failed; the log has the cause under the request id.'),
    ('provider_failed', 502, 'Stripe or another provider failed or refused; the message says why.'),
    ('service_unavailable', 503, 'The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.')
$$;

comment on function private.error_codes is 'Every error code with its HTTP status and meaning.';
revoke execute on function private.error_codes from public;
