-- Opens an operation: checks its arguments, takes the user's queue, and finds the result of an earlier call with the
-- same operation_id.
--
-- Called by  add_tokens, refund_tokens, activate_access_code
-- Returns    the journal row of the first call; all null when this is the first. A null amount matches any.
-- Raises     invalid_request, invalid_amount, operation_id_reused

create or replace function private.claim_operation(
  user_id uuid,
  operation_id text,
  type public.token_transaction_type,
  amount bigint,
  reference text,
  description text,
  metadata jsonb
)
returns public.token_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_first public.token_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);

  select t.* into v_first
  from public.token_transactions t
  where t.user_id = claim_operation.user_id and t.operation_id = claim_operation.operation_id;
  if found then
    if v_first.type <> claim_operation.type
      or v_first.amount <> claim_operation.amount
      or v_first.reference is distinct from claim_operation.reference
      or v_first.description is distinct from claim_operation.description
      or v_first.metadata <> coalesce(claim_operation.metadata, '{}')
    then
      perform private.raise_operation_id_reused(operation_id);
    end if;
  elsif exists (
    select 1 from public.token_holds h
    where h.user_id = claim_operation.user_id and h.operation_id = claim_operation.operation_id
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return v_first;
end;
$$;

comment on function private.claim_operation is 'Takes the user''s queue and finds the first result of an operation_id.';
revoke execute on function private.claim_operation from public;
