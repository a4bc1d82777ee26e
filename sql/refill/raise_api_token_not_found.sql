-- Raises     api_token_not_found

create or replace function private.raise_api_token_not_found(token_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error(
    'api_token_not_found', format('There is no API token %s', coalesce(token_id::text, 'without an id'))
  );
end;
$$;

comment on function private.raise_api_token_not_found is 'Says that the user has no such API token.';
revoke execute on function private.raise_api_token_not_found from public;
