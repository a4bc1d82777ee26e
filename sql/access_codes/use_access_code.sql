-- Takes one use of a code for a user, or says why not.
--
-- Called by  activate_access_code
-- Raises     code_not_found, code_already_used, code_expired, forbidden

create or replace function private.use_access_code(access_code_id uuid, user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_code public.access_codes;
begin
  select a.* into v_code from public.access_codes a where a.id = use_access_code.access_code_id for update;
  if v_code.revoked_at is not null then
    perform private.raise_error('code_not_found', 'There is no such access code');
  end if;
  if exists (
    select 1 from public.access_code_activations c
    where c.user_id = use_access_code.user_id and c.access_code_id = use_access_code.access_code_id
  ) then
    perform private.raise_error('code_already_used', 'You have already used this access code');
  end if;
  if v_code.email is not null and not exists (
    select 1 from auth.users u
    where u.id = use_access_code.user_id
      and lower(u.email) = lower(v_code.email)
      and u.email_confirmed_at is not null
  ) then
    perform private.raise_error('forbidden', 'This access code is for another e-mail address');
  end if;
  if v_code.expires_at <= now() then
    perform private.raise_error(
      'code_expired',
      format(
        'This access code expired at %s', to_char(v_code.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      )
    );
  end if;
  if v_code.uses >= v_code.max_uses then
    perform private.raise_error('code_already_used', 'This access code is used up');
  end if;
  update public.access_codes a set uses = a.uses + 1 where a.id = use_access_code.access_code_id;
end;
$$;

comment on function private.use_access_code is 'Takes one use of an access code for a user.';
revoke execute on function private.use_access_code from public;
