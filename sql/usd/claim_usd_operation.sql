-- Opens an operation on a USD balance: checks its arguments, takes the user's queue, and finds the result of an earlier
-- call with the same operation_id. The ids of the tokens' journal are others.
--
-- Called by  deposit_usd, refill_token
-- Returns    the journal row of the first call; all null when this is the first. A null amount matches any.
-- Raises     invalid_request, operation_id_reused

create or replace function private.claim_usd_operation(
  user_id uuid,
  operation_id text,
  type public.usd_transaction_type,
  amount numeric,
  reference text,
  description text,
  metadata jsonb
)
returns public.usd_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_first public.usd_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);

  select t.* into v_first
  from public.usd_transactions t
  where t.user_id = claim_usd_operation.user_id and t.operation_id = claim_usd_operation.operation_id;
  if found and (
    v_first.type <> claim_usd_operation.type
    or v_first.amount <> claim_usd_operation.amount
    or v_first.reference is distinct from claim_usd_operation.reference
    or v_first.description is distinct from claim_usd_operation.description
    or v_first.metadata <> coalesce(claim_usd_operation.metadata, '{}')
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return v_first;
end;
$$;

comment on function private.claim_usd_operation is 'Takes the user''s queue and finds the first result of an operation_id.';
revoke execute on function private.claim_usd_operation from public;
