-- Finds out why a user's row did not let an operation spend, and refuses it with the reason. Returns only when the
-- operation should try again: holds had expired and are swept, or an edit by hand came in between.
--
-- Called by  charge_tokens, reserve_tokens, when the id is not one of their own replays
-- Raises     user_not_found, insufficient_tokens, operation_id_reused

create or replace function private.refuse_spend(user_id uuid, amount bigint, operation_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_remaining bigint;
begin
  if exists (
    select 1 from public.token_transactions t
    where t.user_id = refuse_spend.user_id and t.operation_id = refuse_spend.operation_id
    union all
    select 1 from public.token_holds h
    where h.user_id = refuse_spend.user_id and h.operation_id = refuse_spend.operation_id
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;

  perform private.sweep_holds(user_id);
  select u.journal_balance - u.tokens_reserved into v_remaining
  from public.user_tokens u
  where u.user_id = refuse_spend.user_id;
  if not found then
    perform private.raise_user_not_found(user_id);
  elsif v_remaining < amount then
    perform private.raise_insufficient_tokens(v_remaining, amount);
  end if;
end;
$$;

comment on function private.refuse_spend is 'Refuses an operation with the reason, or makes room for it.';
revoke execute on function private.refuse_spend from public;
