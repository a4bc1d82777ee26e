-- Handles a stored event again, once what kept it waiting is mended. Handling is a function of what is stored, so that
-- an event that was applied already changes nothing.
--
-- Called by  functions/admin
-- Returns    outcome: applied, waiting, ignored, failed
-- Raises     stripe_event_not_found

create or replace function public.replay_stripe_event(event_id text)
returns table (outcome text, attention text, user_id uuid, error text)
language plpgsql
volatile
security definer -- callers hold no DML on purchases, subscriptions or balances; this is the door
set search_path = ''
as $$
declare
  v_event private.stripe_events;
begin
  select e.* into v_event from private.stripe_events e where e.id = event_id;
  if not found then
    perform private.raise_error('stripe_event_not_found', format('There is no event %s', event_id));
  end if;
  return query select * from private.apply_stripe_event(v_event);
end;
$$;

comment on function public.replay_stripe_event is 'Handles a stored event of Stripe''s again.';
revoke execute on function public.replay_stripe_event from public, anon, authenticated;
grant execute on function public.replay_stripe_event to service_role;
