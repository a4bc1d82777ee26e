-- Balances can be edited and deleted row by row, which is journalled; TRUNCATE would bypass that.
--
-- Called by  triggers of user_tokens, subscribers, token_requests, token_holds
-- Raises     forbidden

create or replace function private.refuse_truncate()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever truncates must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'forbidden', format('%I cannot be truncated: balances depend on it', tg_table_name), hint => 'Delete rows instead.'
  );
  return null;
end;
$$;

comment on function private.refuse_truncate is 'Refuses TRUNCATE of a table that balances depend on.';
revoke execute on function private.refuse_truncate from public;
