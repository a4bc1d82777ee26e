-- Appends one row to a user's journal and moves its head, after a balance column has changed. The charges write theirs
-- inline, in the same way.
--
-- Called by  add_tokens, refund_tokens, activate_access_code and, by journal_edit, the triggers on edits by hand

create or replace function private.write_transaction(
  user_id uuid,
  type public.token_transaction_type,
  account public.token_account,
  amount bigint,
  operation_id text default null,
  reference text default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns public.token_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_row public.token_transactions;
begin
  perform private.sweep_holds(user_id);
  if not exists (select 1 from public.user_tokens u where u.user_id = write_transaction.user_id) then
    perform private.lock_user(user_id); -- there is no row to wait for
  end if;
  perform set_config('scrip.posting', 'on', true);
  with head as (
    update public.user_tokens u
    set
      journal_seq = u.journal_seq + 1,
      journal_balance = u.journal_balance + write_transaction.amount
    where u.user_id = write_transaction.user_id
    returning u.journal_seq as seq, u.journal_balance as balance, u.journal_balance - u.tokens_reserved as remaining
  ),
  orphan as ( -- the user's row is deleted: what is left is in the journal alone
    select
      coalesce(last.seq, 0) + 1 as seq,
      coalesce(last.balance_after, 0) + write_transaction.amount as balance,
      0::bigint as remaining
    from (select 1) one
    left join lateral (
      select t.seq, t.balance_after
      from public.token_transactions t
      where t.user_id = write_transaction.user_id
      order by t.seq desc
      limit 1
    ) last on true
    where not exists (select 1 from head)
  )
  insert into public.token_transactions as t (
    user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, reference, description, metadata,
    actor
  )
  select
    write_transaction.user_id, h.seq, write_transaction.type, write_transaction.account, write_transaction.amount,
    h.balance, h.remaining, write_transaction.operation_id, write_transaction.reference, write_transaction.description,
    coalesce(write_transaction.metadata, '{}'),
    coalesce(write_transaction.actor, nullif(current_setting('role'), 'none'), session_user)
  from (select * from head union all select * from orphan) h
  returning t.* into v_row;
  perform set_config('scrip.posting', '', true);
  return v_row;
end;
$$;

comment on function private.write_transaction is 'Appends one row to a user''s journal.';
revoke execute on function private.write_transaction from public;
