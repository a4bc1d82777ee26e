-- Adds the credits that were paid for to a token, with the rows of its journal and of the refill, and tells the HUB.
--
-- Called by  refill_token, which has checked all and holds the token

create or replace function private.post_refill(
  paid public.usd_transactions,
  token_id uuid,
  mode public.refill_mode,
  credits_added bigint,
  fee numeric,
  rate numeric
)
returns public.refill_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_token public.api_tokens;
  v_refill public.refill_transactions;
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set credits = t.credits + post_refill.credits_added, version = t.version + 1
  where t.user_id = paid.user_id and t.id = post_refill.token_id
  returning t.* into v_token;
  with refilled as (
    insert into public.refill_transactions as r (
      user_id, id, token_id, version, mode, credits_added, usd_spent, fee, rate, credits_after, usd_balance_after,
      product_id, operation_id
    )
    values (
      paid.user_id, gen_random_uuid(), v_token.id, v_token.version, mode, credits_added, -paid.amount, fee, rate,
      v_token.credits, paid.balance_after, v_token.product_id, paid.operation_id
    )
    returning r.*
  ),
  journalled as (
    insert into public.api_token_transactions (
      user_id, token_id, version, type, amount, credits_after, reference, actor
    )
    select r.user_id, r.token_id, r.version, 'refill', r.credits_added, r.credits_after, r.id::text, paid.actor
    from refilled r
  )
  select r.* into v_refill from refilled r;
  perform set_config('scrip.posting', '', true);

  perform private.tell_hub(
    v_token,
    'refilled',
    jsonb_build_object(
      'refill_id', v_refill.id,
      'mode', mode,
      'credits_added', credits_added,
      'usd_spent', private.usd_text(v_refill.usd_spent),
      'fee', private.usd_text(fee),
      'rate', private.usd_text(rate)
    )
  );
  return v_refill;
end;
$$;

comment on function private.post_refill is 'Adds the credits that were paid for to a token, with their rows, and tells the HUB.';
revoke execute on function private.post_refill from public;
