-- A user's auto top-up: what is set, what was spent this month, and why it stopped.
--
-- Called by  functions/auto-top-up, set_auto_top_up
-- Returns    one row; enabled is false and the rest null when the user never set it

create or replace function public.get_auto_top_up(user_id uuid)
returns table (
  enabled boolean,
  threshold bigint,
  package_id uuid,
  monthly_cap_cents bigint,
  currency text,
  spent_cents bigint,
  in_flight boolean,
  stopped_reason text,
  stopped_at timestamptz
)
language sql
stable
security definer -- top_ups is private
set search_path = ''
as $$
  select
    coalesce(a.enabled, false), a.threshold, a.package_id, a.monthly_cap_cents, a.currency,
    private.top_up_spent_cents(get_auto_top_up.user_id, a.currency),
    exists (select 1 from private.top_ups t where t.user_id = get_auto_top_up.user_id and t.status = 'in_flight'),
    a.stopped_reason, a.stopped_at
  from (select 1) one
  left join public.auto_top_ups a on a.user_id = get_auto_top_up.user_id
$$;

comment on function public.get_auto_top_up is 'A user''s auto top-up: what is set, spent, and why it stopped.';
revoke execute on function public.get_auto_top_up from public, anon, authenticated;
grant execute on function public.get_auto_top_up to service_role;
