-- The plans on offer, the cheapest first. Money is a decimal string.
--
-- Called by  functions/subscription

create or replace function public.list_subscription_plans()
returns table (
  tier text,
  name text,
  description text,
  monthly_cost text,
  currency text,
  fixed_cost text,
  credits_included bigint,
  bonus_credits bigint,
  multiplier text,
  purchase_rate text
)
language sql
stable
security invoker
set search_path = ''
as $$
  select
    p.tier, p.name, p.description, p.monthly_cost::text, p.currency, p.fixed_cost::text, p.credits_included,
    p.bonus_credits, trim_scale(p.multiplier)::text, trim_scale(p.purchase_rate)::text
  from public.subscription_plans p
  where p.active
  order by p.monthly_cost, p.tier
$$;

comment on function public.list_subscription_plans is 'The plans on offer, the cheapest first.';
revoke execute on function public.list_subscription_plans from public, anon, authenticated;
grant execute on function public.list_subscription_plans to service_role;
