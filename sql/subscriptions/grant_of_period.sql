-- The credits of a paid period: once a period of a subscription, whichever invoice comes first; with the plan's bonus in the
-- first of a user's periods that are known (move_bonus corrects it when an earlier one comes). The price is what the subscription was sold for or, where its metadata is silent, what the plan costs now.
--
-- Called by  apply_invoice

create or replace function private.grant_of_period(
  user_id uuid,
  event private.stripe_events,
  plan public.subscription_plans,
  amount_cents bigint,
  period_start timestamptz,
  sold_for_cents bigint
)
returns private.period_grant
language plpgsql
stable
set search_path = ''
as $$
declare
  v_price_cents numeric := coalesce(nullif(sold_for_cents, 0), plan.monthly_cost * private.minor_units(plan.currency));
  v_bonus_credits bigint := 0;
  v_tokens bigint;
  v_other text;
begin
  select p.stripe_invoice_id into v_other
  from public.purchases p
  where p.user_id = grant_of_period.user_id
    and p.stripe_subscription_id = event.subscription_id
    and p.granted_period_start = grant_of_period.period_start
    and p.stripe_invoice_id <> event.object_id;
  if found then
    return row(0, 0, format('The period''s credits were granted by invoice %s', v_other))::private.period_grant;
  end if;
  if not exists (
    select 1 from public.purchases p
    where p.user_id = grant_of_period.user_id
      and (p.granted_period_start, p.stripe_id) < (grant_of_period.period_start, event.object_id)
  ) and not exists (
    select 1 from private.subscription_changes c
    where c.user_id = grant_of_period.user_id and c.action = 'started'
  ) then
    v_bonus_credits := plan.bonus_credits;
  end if;
  v_tokens := floor((plan.credits_included + v_bonus_credits) * least(amount_cents / v_price_cents, 1));
  return row(
    v_tokens,
    v_tokens - floor(plan.credits_included * least(amount_cents / v_price_cents, 1)),
    case when amount_cents not in (0, v_price_cents)
      then format('Amount %s differs from the price %s', amount_cents, v_price_cents)
    end
  )::private.period_grant;
end;
$$;

comment on function private.grant_of_period is 'The credits that a paid period of a plan gives.';
revoke execute on function private.grant_of_period from public;
