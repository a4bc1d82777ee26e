-- Journals one balance column that was edited by hand.
--
-- Called by  journal_user_tokens, journal_subscriber, journal_token_request

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
begin
  if user_id is null or amount = 0 then
    return;
  end if;
  perform private.write_transaction(user_id, type, account, amount, reference => journal_edit.reference);
end;
$$;

comment on function private.journal_edit is 'Journals one balance column that was edited by hand.';
revoke execute on function private.journal_edit from public;
