-- How an API key is stored and found.
--
-- Called by  create_api_token, consume_api_credits

create or replace function private.hash_api_key(api_key text)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
begin
  return sha256(convert_to(api_key, 'UTF8'));
end;
$$;

comment on function private.hash_api_key is 'The hash under which an API key is stored.';
revoke execute on function private.hash_api_key from public;
