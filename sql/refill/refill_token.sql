-- Spends US dollars of a user's balance on credits of an API token of theirs, at most once per operation_id, never
-- below zero. One transaction: the row of the USD journal, the credits and their journal, the refill, and what the HUB
-- is to hear, so that the HUB being down fails nothing.
--
-- Locks: the user's queue, the token, the USD balance.
--
-- Called by  functions/refill
-- Returns    money as decimal strings, since JSON numbers are floats; credits and usd_balance as they were afterwards
-- Raises     invalid_request, api_token_not_found, api_token_revoked, product_unavailable, refill_too_small,
--            balance_limit_exceeded, insufficient_usd, operation_id_reused

create or replace function public.refill_token(
  user_id uuid,
  token_id uuid,
  mode text,
  amount text,
  operation_id text,
  actor text default null
)
returns table (
  refill_id uuid,
  credits_added bigint,
  usd_spent text,
  fee text,
  rate text,
  credits bigint,
  usd_balance text,
  replayed boolean
)
language plpgsql
volatile
security definer -- callers hold no DML on balances and journals; this is the door
set search_path = ''
as $$
declare
  v_amount numeric := private.parse_refill_amount(mode, amount);
  v_request jsonb := jsonb_build_object('mode', mode, 'amount', trim_scale(v_amount)::text);
  v_paid public.usd_transactions;
  v_refill public.refill_transactions;
  v_quote record;
begin
  v_paid := private.claim_usd_operation(user_id, operation_id, 'refill', null, token_id::text, null, v_request);
  replayed := v_paid.id is not null;
  if replayed then
    select r.* into v_refill
    from public.refill_transactions r
    where r.user_id = refill_token.user_id and r.operation_id = refill_token.operation_id;
  else
    perform from public.api_tokens t
    where t.user_id = refill_token.user_id and t.id = refill_token.token_id
    for no key update;
    perform from public.usd_balances b where b.user_id = refill_token.user_id for no key update;
    select q.* into v_quote from private.refill_quote(user_id, token_id, mode, v_amount) q;
    v_paid := private.post_usd(
      user_id, 'refill', -v_quote.usd_spent, operation_id, token_id::text, null, v_request, actor
    );
    v_refill := private.post_refill(
      v_paid, token_id, mode::public.refill_mode, v_quote.credits_added::bigint, v_quote.fee, v_quote.rate
    );
  end if;

  refill_id := v_refill.id;
  credits_added := v_refill.credits_added;
  usd_spent := private.usd_text(v_refill.usd_spent);
  fee := private.usd_text(v_refill.fee);
  rate := private.usd_text(v_refill.rate);
  credits := v_refill.credits_after;
  usd_balance := private.usd_text(v_refill.usd_balance_after);
  return next;
end;
$$;

comment on function public.refill_token is 'Spends US dollars on credits of an API token, at most once per operation_id.';
revoke execute on function public.refill_token from public, anon, authenticated;
grant execute on function public.refill_token to service_role;
