-- Revokes a code: nobody can activate it any more; what it gave stays given. Revoking it again changes nothing.
--
-- Called by  functions/admin
-- Raises     code_not_found

create or replace function public.revoke_access_code(access_code_id uuid)
returns table (id uuid, revoked_at timestamptz)
language plpgsql
volatile
security definer -- access_codes is closed to all API roles
set search_path = ''
as $$
begin
  return query
  update public.access_codes a
  set revoked_at = coalesce(a.revoked_at, now())
  where a.id = revoke_access_code.access_code_id
  returning a.id, a.revoked_at;
  if not found then
    perform private.raise_error('code_not_found', format('There is no access code %s', access_code_id));
  end if;
end;
$$;

comment on function public.revoke_access_code is 'Revokes an access code.';
revoke execute on function public.revoke_access_code from public, anon, authenticated;
grant execute on function public.revoke_access_code to service_role;
