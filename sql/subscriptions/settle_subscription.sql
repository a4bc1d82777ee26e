-- Brings a subscription in line with the newest of its events. What arrives late changes nothing.
--
-- Called by  dispatch_stripe_event, apply_invoice

create or replace function private.settle_subscription(stripe_subscription_id text)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_event private.stripe_events;
  v_object jsonb;
  v_item jsonb;
  v_tier text;
  v_user_id uuid;
  v_period_start timestamptz;
  v_period_end timestamptz;
begin
  if stripe_subscription_id is null then
    return private.effect('ignored');
  end if;
  v_event := private.newest_subscription_event(stripe_subscription_id);
  if v_event.id is null then
    return private.effect('waiting', waits_for => stripe_subscription_id);
  end if;
  v_object := v_event.payload #> '{data,object}';

  select i.item, p.tier into v_item, v_tier
  from jsonb_path_query(v_object, 'lax $.items.data[*]') i (item)
  left join public.subscription_plans p
    on p.stripe_product_id = private.stripe_id(i.item #> '{price,product}')
  order by p.tier is null
  limit 1;
  if v_tier is null and v_object #>> '{metadata,kind}' is null then
    return private.effect('ignored');
  elsif v_tier is null then
    select p.tier into v_tier from public.subscription_plans p where p.tier = v_object #>> '{metadata,tier}';
  end if;
  v_user_id := coalesce(private.find_stripe_user(v_object -> 'metadata', v_event.customer_id), (
    select s.user_id -- a deleted user's subscription ends as well
    from public.subscriptions s
    where s.stripe_subscription_id = settle_subscription.stripe_subscription_id
    limit 1
  ));
  if v_user_id is null then
    return private.effect('waiting', attention => format(
      'Unknown user %s: of subscription %s', coalesce(v_object #>> '{metadata,user_id}', 'none'), v_event.object_id
    ));
  elsif v_tier is null then
    return private.effect('waiting', v_user_id, attention => format('Unknown plan: of subscription %s', v_event.object_id));
  end if;

  v_period_start := to_timestamp(
    coalesce(v_item ->> 'current_period_start', v_object ->> 'current_period_start')::bigint
  );
  v_period_end := to_timestamp(coalesce(v_item ->> 'current_period_end', v_object ->> 'current_period_end')::bigint);
  insert into public.subscriptions as s (
    user_id, tier, status, current_period_start, current_period_end, cancel_at_period_end, past_due_since,
    payment_failed_at, stripe_subscription_id, stripe_item_id
  )
  select
    v_user_id, v_tier, v_object ->> 'status', v_period_start, v_period_end,
    coalesce((v_object ->> 'cancel_at_period_end')::boolean, false)
      or coalesce(to_timestamp((v_object ->> 'cancel_at')::bigint) <= v_period_end, false),
    case when v_object ->> 'status' = 'past_due' then h.past_due_since end,
    case when h.failed_at > coalesce(h.paid_at, '-infinity') then h.failed_at end,
    settle_subscription.stripe_subscription_id, v_item ->> 'id'
  from private.subscription_history(settle_subscription.stripe_subscription_id) h
  on conflict on constraint subscriptions_stripe_subscription_id_key do update
  set
    tier = excluded.tier,
    status = excluded.status,
    current_period_start = excluded.current_period_start,
    current_period_end = excluded.current_period_end,
    cancel_at_period_end = excluded.cancel_at_period_end,
    past_due_since = excluded.past_due_since,
    payment_failed_at = excluded.payment_failed_at,
    stripe_item_id = excluded.stripe_item_id;
  update private.stripe_events e
  set outcome = 'applied', waits_for = null, user_id = v_user_id
  where e.waits_for = settle_subscription.stripe_subscription_id and e.type <> 'invoice.paid'; -- see apply_waiting_invoices
  -- The subscription may have been another user's: whoever has it now has it alone.
  update public.subscriptions s
  set status = 'canceled'
  where s.stripe_subscription_id = settle_subscription.stripe_subscription_id
    and s.user_id <> v_user_id
    and s.status <> 'canceled';

  return private.effect('applied', v_user_id, attention => case
    when v_object ->> 'status' in ('active', 'trialing', 'past_due') and exists (
      select 1 from public.subscriptions s
      where s.user_id = v_user_id
        and s.status in ('active', 'trialing', 'past_due')
        and s.stripe_subscription_id <> settle_subscription.stripe_subscription_id
    ) then format('User %s pays for two subscriptions', v_user_id)
    when v_object ->> 'status' in ('active', 'trialing', 'past_due') and not exists (
      select 1 from public.user_tokens u where u.user_id = v_user_id
    ) then format('User %s is deleted: cancel the subscription at Stripe', v_user_id)
  end);
end;
$$;

comment on function private.settle_subscription is 'Brings a subscription in line with the newest of its events.';
revoke execute on function private.settle_subscription from public;
