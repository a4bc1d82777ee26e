-- Stores an event of Stripe's and does its whole effect, in one transaction, once. A duplicate that comes at the same time
-- waits for the first to commit. An event whose handling fails is stored with the reason and nothing else done; the same
-- event again tries again.
--
-- Called by  functions/stripe-webhook, which has checked the signature
-- Returns    outcome: applied, duplicate, waiting (for another event or for the operator), ignored, failed
-- Raises     invalid_request

create or replace function public.handle_stripe_event(event jsonb)
returns table (outcome text, attention text, user_id uuid, error text)
language plpgsql
volatile
security definer -- callers hold no DML on purchases, subscriptions or balances; this is the door
set search_path = ''
as $$
declare
  v_event private.stripe_events := private.parse_stripe_event(event);
begin
  insert into private.stripe_events (
    id, type, livemode, object_id, payment_intent_id, invoice_id, subscription_id, customer_id, user_id, payload,
    occurred_at
  )
  values (
    v_event.id, v_event.type, v_event.livemode, v_event.object_id, v_event.payment_intent_id, v_event.invoice_id,
    v_event.subscription_id, v_event.customer_id, v_event.user_id, v_event.payload, v_event.occurred_at
  )
  on conflict (id) do nothing;
  if not found then
    select e.* into v_event from private.stripe_events e where e.id = v_event.id;
    if v_event.outcome <> 'failed' then
      return query select 'duplicate', v_event.attention, v_event.user_id, null::text;
      return;
    end if;
  end if;
  return query select * from private.apply_stripe_event(v_event);
end;
$$;

comment on function public.handle_stripe_event is 'Stores an event of Stripe''s and does its effect, once.';
revoke execute on function public.handle_stripe_event from public, anon, authenticated;
grant execute on function public.handle_stripe_event to service_role;
