-- The journal only grows, and only by operations.
--
-- Called by  triggers of token_transactions, usd_transactions, api_token_transactions, refill_transactions
-- Raises     journal_append_only

create or replace function private.refuse_journal_change()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on the journal is refused: it is append-only', initcap(tg_op)),
    hint => 'Correct a balance with an operation, or by editing the row that has it, such as user_tokens: either is journalled.'
  );
  return null;
end;
$$;

comment on function private.refuse_journal_change is 'Refuses every change of the journal but what operations append.';
revoke execute on function private.refuse_journal_change from public;
