-- Takes tokens from a user, at most once per operation_id, never below zero.
--
-- Called by  functions/credits, charge_tokens_batch
-- Raises     invalid_request, invalid_amount, user_not_found, insufficient_tokens, operation_id_reused

create or replace function public.charge_tokens(
  user_id uuid,
  amount bigint,
  operation_id text,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, charged bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
    and not starts_with(operation_id, 'stripe:')
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    t.id,
    t.remaining_after,
    t.type = 'charge'
      and t.amount = -charge_tokens.amount
      and t.reference is null
      and t.description is not distinct from charge_tokens.description
      and t.metadata = coalesce(charge_tokens.metadata, '{}')
  into transaction_id, remaining, v_same
  from public.token_transactions t
  where t.user_id = charge_tokens.user_id and t.operation_id = charge_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    charged := amount;
    replayed := true;
    return next;
    return;
  end if;

  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with spent as (
      update public.user_tokens u
      set
        tokens_used = u.tokens_used + charge_tokens.amount,
        journal_seq = u.journal_seq + 1,
        journal_balance = u.journal_balance - charge_tokens.amount
      where u.user_id = charge_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= charge_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_holds h
          where h.user_id = charge_tokens.user_id and h.operation_id = charge_tokens.operation_id
        )
      returning u.journal_seq, u.journal_balance, u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, description, metadata, actor
    )
    select
      charge_tokens.user_id, s.journal_seq, 'charge', 'used', -charge_tokens.amount, s.journal_balance, s.remaining,
      charge_tokens.operation_id, charge_tokens.description, coalesce(charge_tokens.metadata, '{}'),
      coalesce(charge_tokens.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.id, t.remaining_after into transaction_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  charged := amount;
  replayed := false;
  return next;
end;
$$;

comment on function public.charge_tokens is 'Takes tokens from a user, at most once per operation_id, never below zero.';
revoke execute on function public.charge_tokens from public, anon, authenticated;
grant execute on function public.charge_tokens to service_role;
