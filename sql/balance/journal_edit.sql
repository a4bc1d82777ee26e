-- Journals one balance column that was edited by hand.
--
-- Called by  journal_user_tokens, journal_subscriber, journal_token_request
-- Raises     balance_limit_exceeded

create or replace function private.journal_edit(
  user_id uuid,
  type public.token_transaction_type,
  account public.token_account,
  amount bigint,
  reference text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_row public.token_transactions;
begin
  if user_id is null or amount = 0 then
    return;
  end if;
  v_row := private.write_transaction(user_id, type, account, amount, reference => journal_edit.reference);
  if amount > 0 and v_row.balance_after > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded',
      format('The balance would be %s tokens, at most 9000000000000000', v_row.balance_after)
    );
  end if;
end;
$$;

comment on function private.journal_edit is 'Journals one balance column that was edited by hand.';
revoke execute on function private.journal_edit from public;
