-- Takes the locks of everything that an event is about, so that what is read afterwards is complete: of two events of one
-- payment, the second sees the first. A payment of an invoice locks the invoice as well, once the link between the
-- two has come.
--
-- Called by  apply_stripe_event

create or replace function private.lock_stripe_event(event private.stripe_events)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform private.lock_stripe_object(event.payment_intent_id);
  perform private.lock_stripe_object(event.subscription_id); -- before the invoice: see apply_waiting_invoices
  perform private.lock_stripe_object(
    coalesce(event.invoice_id, (
      select e.invoice_id
      from private.stripe_events e
      where e.payment_intent_id = event.payment_intent_id and e.invoice_id is not null
      limit 1
    ))
  );
end;
$$;

comment on function private.lock_stripe_event is 'Takes the locks of everything that an event is about.';
revoke execute on function private.lock_stripe_event from public;
