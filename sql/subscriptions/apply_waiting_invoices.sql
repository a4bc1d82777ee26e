-- Handles the invoices again that waited to learn how long a period is, once an event has come that may tell.
--
-- Called by  dispatch_stripe_event
-- Returns    the effect as it was given

create or replace function private.apply_waiting_invoices(event private.stripe_events, effect private.stripe_effect)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_waiting private.stripe_events;
begin
  if event.waits_for is not null then -- it is one of them
    return effect;
  end if;
  for v_waiting in
    select e.* from private.stripe_events e
    where e.waits_for = event.subscription_id and e.type = 'invoice.paid' and e.id <> event.id
    order by e.occurred_at, e.id
  loop
    perform private.apply_stripe_event(v_waiting);
  end loop;
  return effect;
end;
$$;

comment on function private.apply_waiting_invoices is 'Handles invoices again that waited to learn how long a period is.';
revoke execute on function private.apply_waiting_invoices from public;
