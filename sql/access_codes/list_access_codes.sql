-- The codes, newest first, without the codes themselves.
--
-- Called by  functions/admin, with the created_at and id of the last one seen to go on from there

create or replace function public.list_access_codes(
  page_size integer default 50,
  before_created_at timestamptz default null,
  before_id uuid default null
)
returns table (
  id uuid,
  code_hint text,
  tokens_to_grant bigint,
  on_top boolean,
  max_uses integer,
  uses integer,
  email text,
  note text,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_by text,
  created_at timestamptz
)
language sql
stable
security definer -- access_codes is closed to all API roles
set search_path = ''
as $$
  select
    a.id, a.code_hint, a.tokens_to_grant, a.on_top, a.max_uses, a.uses, a.email, a.note, a.expires_at, a.revoked_at,
    a.created_by, a.created_at
  from public.access_codes a
  where before_created_at is null or (a.created_at, a.id) < (before_created_at, before_id)
  order by a.created_at desc, a.id desc
  limit page_size
$$;

comment on function public.list_access_codes is 'The access codes, newest first.';
revoke execute on function public.list_access_codes from public, anon, authenticated;
grant execute on function public.list_access_codes to service_role;
