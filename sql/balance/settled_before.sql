-- Answers for a hold that cannot be settled now: with the first result when it was settled with the same amount.
--
-- Called by  settle_tokens
-- Raises     hold_not_found, hold_not_active, operation_id_reused

create or replace function private.settled_before(user_id uuid, operation_id text, amount bigint)
returns table (transaction_id uuid, charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_hold public.token_holds;
begin
  select h.* into v_hold
  from public.token_holds h
  where h.user_id = settled_before.user_id and h.operation_id = settled_before.operation_id;
  if not found then
    perform private.raise_error('hold_not_found', format('The user has no hold %s', operation_id));
  elsif v_hold.status = 'released' then
    perform private.raise_error('hold_not_active', format('The hold %s is released', operation_id));
  elsif v_hold.settled_amount <> amount then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return query
  select t.id, -t.amount, t.remaining_after, t.remaining_after < 0, true
  from public.token_transactions t
  where t.user_id = settled_before.user_id and t.operation_id = settled_before.operation_id;
end;
$$;

comment on function private.settled_before is 'The first result of a settled hold, or why it cannot be settled.';
revoke execute on function private.settled_before from public;
