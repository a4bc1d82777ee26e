-- A user's notices, newest first; those not yet read alone, or those read.
--
-- Called by  functions/notices

create or replace function public.list_notices(
  user_id uuid,
  page_size integer,
  unread boolean default null,
  before_created_at timestamptz default null,
  before_id uuid default null
)
returns table (id uuid, type text, data jsonb, read_at timestamptz, created_at timestamptz)
language sql
stable
security invoker
set search_path = ''
as $$
  select n.id, n.type::text, n.data, n.read_at, n.created_at
  from public.notices n
  where n.user_id = list_notices.user_id
    and (unread is null or (n.read_at is null) = unread)
    and (before_created_at is null or (n.created_at, n.id) < (before_created_at, before_id))
  order by n.created_at desc, n.id desc
  limit page_size
$$;

comment on function public.list_notices is 'A user''s notices, newest first.';
revoke execute on function public.list_notices from public, anon, authenticated;
grant execute on function public.list_notices to service_role;
