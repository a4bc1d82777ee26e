-- Changes a user's plan, at most once per operation_id. An upgrade takes effect at once, and grants the difference of the
-- credits for the rest of the period, rounded down; a downgrade takes effect with the next period. Of a subscription at
-- Stripe nothing is changed here: the answer says what to ask of Stripe, whose events then do the effect; once
-- Stripe's idempotency keys are too old to repeat the request safely, a replay asks for nothing. Any other plan is
-- taken to be paid for by other means: it lasts a month, and calling this again after its end is the next month.
--
-- Called by  functions/subscription
-- Returns    action: started, upgraded, scheduled, unchanged; or stripe_upgrade, stripe_downgrade
-- Raises     invalid_request, user_not_found, plan_not_found, operation_id_reused, balance_limit_exceeded

create or replace function public.change_subscription(
  user_id uuid,
  tier text,
  operation_id text,
  actor text default null
)
returns table (
  action text,
  effective_at timestamptz,
  tokens_granted bigint,
  remaining bigint,
  replayed boolean,
  stripe_subscription_id text,
  stripe_item_id text,
  stripe_product_id text,
  product_name text,
  amount_cents bigint,
  currency text
)
language plpgsql
volatile
security definer -- callers hold no DML on subscriptions, balances or the journal; this is the door
set search_path = ''
as $$
declare
  v_first private.subscription_changes;
  v_plan public.subscription_plans;
  v_change record;
  v_row public.token_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);
  select p.* into v_plan from public.subscription_plans p where p.tier = change_subscription.tier;
  select c.action, c.effective_at, c.tokens_granted, (c.subscription).* into v_change
  from private.plan_change(change_subscription.user_id, v_plan) c;
  stripe_subscription_id := v_change.stripe_subscription_id;
  stripe_item_id := v_change.stripe_item_id;
  stripe_product_id := v_plan.stripe_product_id;
  product_name := v_plan.name;
  amount_cents := v_plan.monthly_cost * private.minor_units(v_plan.currency);
  currency := v_plan.currency;

  select c.* into v_first
  from private.subscription_changes c
  where c.user_id = change_subscription.user_id and c.operation_id = change_subscription.operation_id;
  if found then
    if v_first.tier <> change_subscription.tier then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    action := case
      when not starts_with(v_first.action, 'stripe_') then v_first.action
      when v_first.created_at > now() - interval '23 hours' and stripe_subscription_id is not null then v_first.action
      when v_change.tier is distinct from v_first.tier then 'unchanged'
      when v_first.action = 'stripe_upgrade' then 'upgraded'
      else 'scheduled'
    end;
    effective_at := v_first.effective_at;
    tokens_granted := v_first.tokens_granted;
    remaining := v_first.remaining;
    replayed := true;
    return next;
    return;
  end if;
  v_row := private.claim_operation(user_id, operation_id, 'subscription', null, null, null, null);
  if v_row.id is not null then -- another operation's
    perform private.raise_operation_id_reused(operation_id);
  end if;
  if v_plan.active is not true then
    perform private.raise_error('plan_not_found', format('There is no plan %s on offer', coalesce(tier, 'without a name')));
  elsif not exists (select 1 from public.user_tokens u where u.user_id = change_subscription.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;

  action := v_change.action;
  effective_at := v_change.effective_at;
  tokens_granted := v_change.tokens_granted;
  if not starts_with(action, 'stripe_') then
    perform private.keep_subscription(user_id, tier, action);
  end if;
  if tokens_granted > 0 then
    perform private.grant_tokens(user_id, 'purchased', tokens_granted);
    v_row := private.write_transaction(
      user_id, 'subscription', 'purchased', tokens_granted, operation_id, null, v_plan.name, null, actor
    );
  end if;
  select b.remaining into remaining from public.get_token_balance(change_subscription.user_id) b;
  replayed := false;
  insert into private.subscription_changes (
    user_id, operation_id, tier, action, effective_at, tokens_granted, remaining, actor
  )
  values (
    change_subscription.user_id, change_subscription.operation_id, change_subscription.tier,
    change_subscription.action, change_subscription.effective_at, change_subscription.tokens_granted,
    change_subscription.remaining, coalesce(change_subscription.actor, session_user)
  );
  return next;
end;
$$;

comment on function public.change_subscription is 'Changes a user''s plan, at most once per operation_id.';
revoke execute on function public.change_subscription from public, anon, authenticated;
grant execute on function public.change_subscription to service_role;
