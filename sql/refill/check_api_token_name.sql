-- Raises     invalid_request

create or replace function private.check_api_token_name(name text)
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  if (length(name) between 1 and 100) is not true then
    perform private.raise_error('invalid_request', 'name must have 1 to 100 characters');
  end if;
end;
$$;

comment on function private.check_api_token_name is 'Refuses names that API tokens cannot have.';
revoke execute on function private.check_api_token_name from public;
