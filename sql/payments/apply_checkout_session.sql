-- Grants what a paid checkout session sold: what the buyer was offered, checked against what was asked and paid. Discounts
-- by promotion codes are the operator's own and lessen nothing; a subtotal that differs from the offer is
-- noted, and grants its share, never more than the offer. Unpaid sessions wait for their payment.
--
-- Called by  dispatch_stripe_event

create or replace function private.apply_checkout_session(event private.stripe_events)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_session jsonb := event.payload #> '{data,object}';
  v_metadata jsonb := private.stripe_metadata(v_session);
  v_user_id uuid := private.find_stripe_user(v_metadata, event.customer_id);
begin
  if v_metadata ->> 'kind' is null and v_metadata ->> 'user_id' is null then
    return private.effect('ignored');
  elsif v_user_id is null then
    return private.effect('waiting', attention => format('Unknown user %s', coalesce(v_metadata ->> 'user_id', 'none')));
  elsif event.customer_id is not null then
    perform public.save_stripe_customer(v_user_id, event.customer_id);
  end if;

  if event.type = 'checkout.session.async_payment_failed' then
    update private.stripe_events e
    set outcome = 'ignored', waits_for = null
    where e.waits_for = event.object_id;
    return private.effect('applied', v_user_id);
  elsif v_session ->> 'mode' = 'subscription' then -- granted by invoice.paid
    return private.effect('applied', v_user_id);
  elsif v_session ->> 'mode' is distinct from 'payment' then
    return private.effect('ignored', v_user_id);
  elsif (v_session ->> 'payment_status' in ('paid', 'no_payment_required')) is not true then
    if exists ( -- its payment has come before it, in success or failure
      select 1 from private.stripe_events e
      where e.object_id = event.object_id
        and e.payment_intent_id = event.payment_intent_id
        and e.type in ('checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed')
    ) then
      return private.effect('applied', v_user_id);
    end if;
    return private.effect('waiting', v_user_id, waits_for => event.object_id);
  end if;
  return private.grant_purchase(
    event, v_user_id, v_metadata, (v_session ->> 'amount_subtotal')::bigint, (v_session ->> 'amount_total')::bigint,
    v_session ->> 'currency'
  );
end;
$$;

comment on function private.apply_checkout_session is 'Grants what a paid checkout session sold.';
revoke execute on function private.apply_checkout_session from public;
