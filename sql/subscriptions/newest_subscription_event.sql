-- The newest of a subscription's events. Those of the same second are told apart by their type, and by previous_attributes,
-- which name what was so before: an event whose state another one changed is the older, and so is, of two that undo each
-- other, the one that changed what was so the second before.
--
-- Called by  settle_subscription
-- Returns    all null when there is none

create or replace function private.newest_subscription_event(stripe_subscription_id text)
returns private.stripe_events
language plpgsql
stable
set search_path = ''
as $$
declare
  v_event private.stripe_events;
begin
  select e.* into v_event
  from private.stripe_events e
  where e.subscription_id = stripe_subscription_id
    and e.type in ('customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted')
  order by
    e.occurred_at desc,
    case e.type when 'customer.subscription.deleted' then 3 when 'customer.subscription.updated' then 2 else 1 end desc,
    exists (
      select 1 from private.stripe_events later
      where later.subscription_id = e.subscription_id
        and later.occurred_at = e.occurred_at
        and later.type = 'customer.subscription.updated'
        and later.id <> e.id
        and e.payload #> '{data,object}' @> (later.payload #> '{data,previous_attributes}')
    ),
    (
      select earlier.payload #> '{data,object}' @> (e.payload #> '{data,previous_attributes}')
      from private.stripe_events earlier
      where earlier.subscription_id = e.subscription_id
        and earlier.type in ('customer.subscription.created', 'customer.subscription.updated')
        and earlier.occurred_at < e.occurred_at
      order by earlier.occurred_at desc
      limit 1
    ) nulls first,
    e.id desc
  limit 1;
  return v_event;
end;
$$;

comment on function private.newest_subscription_event is 'The newest of a subscription''s events.';
revoke execute on function private.newest_subscription_event from public;
