-- The subscription that counts for a user, and its plan in force: what is billed next or, until the end of the period,
-- the dearer plan that is paid for (so a downgrade takes effect at the end of the period, an upgrade at once). A failed
-- payment leaves it in force for the days of grace. Of several, the dearest plan counts.
--
-- Called by  charge_multiplier, get_subscription, quote_checkout, change_subscription
-- Returns    one row, or none

create or replace function private.current_subscription(user_id uuid)
returns table (subscription public.subscriptions, plan public.subscription_plans)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select s, p
  from public.subscriptions s
  join public.subscription_plans billed on billed.tier = s.tier
  join public.subscription_plans p
    on p.tier = s.tier
      or s.stripe_subscription_id is not null
        and p.monthly_cost > billed.monthly_cost
        and exists (
          select 1 from public.purchases paid
          where paid.user_id = s.user_id
            and paid.stripe_subscription_id = s.stripe_subscription_id
            and paid.tier = p.tier
            and paid.period_end > now()
            and (paid.amount_cents = 0 or paid.refunded_cents + paid.disputed_cents < paid.amount_cents)
        )
  where s.user_id = current_subscription.user_id
    and case s.status
      when 'trialing' then true
      when 'active' then s.stripe_subscription_id is not null or s.current_period_end > now()
      when 'past_due' then s.past_due_since + make_interval(
        days => coalesce((select o.past_due_grace_days from public.settings o), 7)
      ) > now()
    end
  order by p.monthly_cost desc, s.created_at
  limit 1;
end;
$$;

comment on function private.current_subscription is 'The subscription that counts for a user, and its plan in force.';
revoke execute on function private.current_subscription from public;
