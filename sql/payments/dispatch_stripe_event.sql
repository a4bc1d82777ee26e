-- Which events Scrip handles, and by what. All others are stored and ignored.
--
-- Called by  apply_stripe_event

create or replace function private.dispatch_stripe_event(event private.stripe_events)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case
    when event.type in (
      'checkout.session.completed', 'checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed'
    ) then private.apply_checkout_session(event)
    when event.type in ('payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled')
      then private.apply_payment_intent(event)
    when event.type = 'invoice.paid' then private.apply_waiting_invoices(event, private.apply_invoice(event))
    when event.type in (
      'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted',
      'invoice.payment_failed'
    ) then private.apply_waiting_invoices(event, private.settle_subscription(event.subscription_id))
    when event.type in (
      'refund.created', 'refund.updated', 'refund.failed', 'charge.refunded', 'charge.refund.updated',
      'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed',
      'charge.dispute.funds_withdrawn', 'charge.dispute.funds_reinstated', 'invoice_payment.paid'
    ) then private.apply_reversal(event)
    else private.effect('ignored')
  end;
end;
$$;

comment on function private.dispatch_stripe_event is 'Which events of Stripe''s Scrip handles, and by what.';
revoke execute on function private.dispatch_stripe_event from public;
