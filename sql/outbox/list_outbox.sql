-- The rows of the outbox that are in one status, the last written first.
--
-- Called by  functions/admin

create or replace function public.list_outbox(
  page_size integer,
  in_status text default 'dead',
  before_created_at timestamptz default null,
  before_id uuid default null
)
returns table (
  id uuid,
  destination text,
  event text,
  subject uuid,
  status text,
  attempts integer,
  error text,
  due_at timestamptz,
  created_at timestamptz,
  finished_at timestamptz,
  payload jsonb
)
language plpgsql
stable
security definer -- outbox is private
set search_path = ''
as $$
declare
  v_status private.outbox_status := in_status; -- as a constant of its type, it finds the index
begin
  return query
    select
      o.id, o.destination, o.event, o.subject, o.status::text, o.attempts, o.error, o.due_at, o.created_at,
      o.finished_at, o.payload
    from private.outbox o
    where o.status = v_status
      and (before_created_at is null or (o.created_at, o.id) < (before_created_at, before_id))
    order by o.created_at desc, o.id desc
    limit page_size;
end;
$$;

comment on function public.list_outbox is 'The rows of the outbox that are in one status, the last written first.';
revoke execute on function public.list_outbox from public, anon, authenticated;
grant execute on function public.list_outbox to service_role;
