-- Gives tokens to a user, at most once per operation_id. The type decides where they count: bonus as admin bonus,
-- referral as earned, all others as purchased.
--
-- Called by  functions/credits, functions/admin
-- Raises     invalid_request, invalid_amount, balance_limit_exceeded, user_not_found, operation_id_reused

create or replace function public.add_tokens(
  user_id uuid,
  amount bigint,
  type public.token_transaction_type,
  operation_id text,
  reference text default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, added bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, subscribers or the journal; this is the door
set search_path = ''
as $$
declare
  v_account public.token_account;
  v_row public.token_transactions;
begin
  perform private.check_amount(amount);
  v_account := case type
    when 'add' then 'purchased'
    when 'purchase' then 'purchased'
    when 'subscription' then 'purchased'
    when 'bonus' then 'admin_bonus'
    when 'referral' then 'earned'
  end;
  if v_account is null then
    perform private.raise_error(
      'invalid_request',
      format('type must be add, purchase, subscription, bonus or referral, got %s', coalesce(type::text, 'nothing'))
    );
  end if;
  v_row := private.claim_operation(user_id, operation_id, type, amount, reference, description, metadata);
  if v_row.id is not null then
    return query select v_row.id, v_row.amount, v_row.remaining_after, true;
    return;
  end if;

  perform private.grant_tokens(user_id, v_account, amount);
  v_row := private.write_transaction(
    user_id, type, v_account, amount, operation_id, reference, description, metadata, actor
  );
  return query select v_row.id, v_row.amount, v_row.remaining_after, false;
end;
$$;

comment on function public.add_tokens is 'Gives tokens to a user, at most once per operation_id.';
revoke execute on function public.add_tokens from public, anon, authenticated;
grant execute on function public.add_tokens to service_role;
