-- A user's plan in force and its period. Without a plan, tier is null, the status none, or what the last subscription
-- ended with.
--
-- Called by  functions/subscription
-- Raises     user_not_found

create or replace function public.get_subscription(user_id uuid)
returns table (
  tier text,
  next_tier text,
  status text,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean,
  multiplier text,
  purchase_rate text,
  credits_included bigint,
  stripe_customer_id text,
  email text
)
language plpgsql
stable
security definer -- current_subscription, stripe_customers and auth.users are not for callers
set search_path = ''
as $$
declare
  v_current record;
begin
  if not exists (select 1 from public.user_tokens u where u.user_id = get_subscription.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  select c.stripe_customer_id into stripe_customer_id
  from private.stripe_customers c
  where c.user_id = get_subscription.user_id;
  select u.email into email from auth.users u where u.id = get_subscription.user_id;

  select
    (c.subscription).*, (c.plan).tier as plan_tier, (c.plan).multiplier, (c.plan).purchase_rate,
    (c.plan).credits_included
  into v_current
  from private.current_subscription(get_subscription.user_id) c;
  if not found then
    select s.* into v_current
    from public.subscriptions s
    where s.user_id = get_subscription.user_id
    order by s.current_period_end desc
    limit 1;
    status := case when not found then 'none' when v_current.status = 'active' then 'canceled' else v_current.status end;
    current_period_start := v_current.current_period_start;
    current_period_end := v_current.current_period_end;
    cancel_at_period_end := coalesce(v_current.cancel_at_period_end, false);
    multiplier := '1';
    purchase_rate := '1';
    credits_included := 0;
    return next;
    return;
  end if;
  tier := v_current.plan_tier;
  next_tier := coalesce(v_current.next_tier, nullif(v_current.tier, v_current.plan_tier));
  status := v_current.status;
  current_period_start := v_current.current_period_start;
  current_period_end := v_current.current_period_end;
  cancel_at_period_end := v_current.cancel_at_period_end;
  multiplier := trim_scale(v_current.multiplier);
  purchase_rate := trim_scale(v_current.purchase_rate);
  credits_included := v_current.credits_included;
  return next;
end;
$$;

comment on function public.get_subscription is 'A user''s plan in force and its period.';
revoke execute on function public.get_subscription from public, anon, authenticated;
grant execute on function public.get_subscription to service_role;
