-- Stripe's events, the last that came first; those that need attention alone, or those that don't.
--
-- Called by  functions/admin

create or replace function public.list_stripe_events(
  page_size integer,
  needs_attention boolean default null,
  before_created_at timestamptz default null,
  before_id text default null
)
returns table (
  id text,
  type text,
  outcome text,
  attention text,
  error text,
  user_id uuid,
  object_id text,
  livemode boolean,
  occurred_at timestamptz,
  created_at timestamptz
)
language sql
stable
security definer -- stripe_events is private
set search_path = ''
as $$
  select
    e.id, e.type, e.outcome, e.attention, e.error, e.user_id, e.object_id, e.livemode, e.occurred_at, e.created_at
  from private.stripe_events e
  where (needs_attention is null or (e.attention is not null) = needs_attention)
    and (before_created_at is null or (e.created_at, e.id) < (before_created_at, before_id))
  order by e.created_at desc, e.id desc
  limit page_size
$$;

comment on function public.list_stripe_events is 'Stripe''s events, the last that came first.';
revoke execute on function public.list_stripe_events from public, anon, authenticated;
grant execute on function public.list_stripe_events to service_role;
