-- Since when a subscription is past due, and when its payments failed and succeeded last, from all of its events.
--
-- Called by  settle_subscription

create or replace function private.subscription_history(stripe_subscription_id text)
returns table (past_due_since timestamptz, failed_at timestamptz, paid_at timestamptz)
language sql
stable
set search_path = ''
as $$
  with events as (
    select e.type, e.occurred_at, e.payload #>> '{data,object,status}' as status
    from private.stripe_events e
    where e.subscription_id = stripe_subscription_id
  ),
  fine as (
    select max(e.occurred_at) as until
    from events e
    where e.type like 'customer.subscription.%' and e.status <> 'past_due'
  )
  select
    min(e.occurred_at) filter (
      where e.type like 'customer.subscription.%'
        and e.status = 'past_due'
        and e.occurred_at >= coalesce(f.until, '-infinity')
    ),
    max(e.occurred_at) filter (where e.type = 'invoice.payment_failed'),
    max(e.occurred_at) filter (where e.type = 'invoice.paid')
  from events e
  cross join fine f
$$;

comment on function private.subscription_history is 'When a subscription''s payments failed and succeeded.';
revoke execute on function private.subscription_history from public;
