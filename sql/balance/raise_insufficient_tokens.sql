-- Raises     insufficient_tokens

create or replace function private.raise_insufficient_tokens(have bigint, need bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('insufficient_tokens', format('Insufficient tokens: you have %s, need %s', have, need));
end;
$$;

comment on function private.raise_insufficient_tokens is 'Refuses to spend more than the user has.';
revoke execute on function private.raise_insufficient_tokens from public;
