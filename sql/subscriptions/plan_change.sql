-- What a change to a plan comes to: another plan started, an upgrade at once with the difference of the credits for the rest
-- of the period, rounded down, a downgrade with the next period, or nothing.
--
-- Called by  change_subscription
-- Returns    one row; the subscription that counts now is null when there is none

create or replace function private.plan_change(user_id uuid, plan public.subscription_plans)
returns table (
  action text,
  effective_at timestamptz,
  tokens_granted bigint,
  subscription public.subscriptions
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_plan public.subscription_plans;
begin
  select (c.subscription).* into subscription from private.current_subscription(plan_change.user_id) c;
  select (c.plan).* into v_plan from private.current_subscription(plan_change.user_id) c;
  effective_at := now();
  tokens_granted := 0;
  if v_plan.tier is null then
    action := 'started';
    tokens_granted := plan.credits_included + case
      when exists (
        select 1 from private.subscription_changes c where c.user_id = plan_change.user_id and c.action = 'started'
        union all
        select 1 from public.purchases p where p.user_id = plan_change.user_id and p.granted_period_start is not null
      ) then 0
      else plan.bonus_credits
    end;
  elsif subscription.tier = plan.tier then
    action := 'unchanged';
  elsif plan.monthly_cost > v_plan.monthly_cost then
    action := 'upgraded';
    tokens_granted := greatest(floor(
      (plan.credits_included - v_plan.credits_included)
      * extract(epoch from subscription.current_period_end - now())
      / extract(epoch from subscription.current_period_end - subscription.current_period_start)
    ), 0);
  else
    action := 'scheduled';
    effective_at := subscription.current_period_end;
  end if;
  if subscription.stripe_subscription_id is not null and action <> 'unchanged' then
    action := case action when 'upgraded' then 'stripe_upgrade' else 'stripe_downgrade' end;
    tokens_granted := 0;
  end if;
  return next;
end;
$$;

comment on function private.plan_change is 'What a change to a plan comes to.';
revoke execute on function private.plan_change from public;
