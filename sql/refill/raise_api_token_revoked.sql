-- Raises     api_token_revoked

create or replace function private.raise_api_token_revoked(token_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('api_token_revoked', format('The API token %s is revoked', token_id));
end;
$$;

comment on function private.raise_api_token_revoked is 'Says that the API token is revoked.';
revoke execute on function private.raise_api_token_revoked from public;
