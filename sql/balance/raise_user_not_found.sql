-- Raises     user_not_found

create or replace function private.raise_user_not_found(user_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('user_not_found', format('There is no user %s', user_id));
end;
$$;

comment on function private.raise_user_not_found is 'Refuses a user that does not exist.';
revoke execute on function private.raise_user_not_found from public;
