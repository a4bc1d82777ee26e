-- Writes a change of a plan that is not paid for through Stripe.
--
-- Called by  change_subscription, which holds the user's queue

create or replace function private.keep_subscription(user_id uuid, tier text, action text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if action = 'started' then
    insert into public.subscriptions (user_id, tier, status, current_period_start, current_period_end)
    values (keep_subscription.user_id, keep_subscription.tier, 'active', now(), now() + interval '1 month')
    on conflict on constraint subscriptions_stripe_subscription_id_key do update
    set
      tier = excluded.tier,
      next_tier = null,
      status = excluded.status,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end;
  else
    update public.subscriptions s
    set
      tier = case action when 'upgraded' then keep_subscription.tier else s.tier end,
      next_tier = case action when 'scheduled' then keep_subscription.tier end
    where s.user_id = keep_subscription.user_id and s.stripe_subscription_id is null;
  end if;
end;
$$;

comment on function private.keep_subscription is 'Writes a change of a plan that is not paid for through Stripe.';
revoke execute on function private.keep_subscription from public;
