-- Settles the purchase that a refund, a dispute, or the link between an invoice and its payment belongs to. One that comes
-- before its purchase waits for it.
--
-- Called by  dispatch_stripe_event

create or replace function private.apply_reversal(event private.stripe_events)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_stripe_id text;
  v_user_id uuid;
begin
  v_stripe_id := coalesce(event.invoice_id, (
    select e.invoice_id
    from private.stripe_events e
    where e.payment_intent_id = event.payment_intent_id and e.invoice_id is not null
    limit 1
  ), event.payment_intent_id);
  if v_stripe_id is null then -- a charge without a payment intent is not Scrip's
    return private.effect('ignored');
  end if;
  v_user_id := private.settle_purchase(v_stripe_id, event.id);
  if v_user_id is null and event.payment_intent_id is not null then -- an invoice for a one-time payment
    v_user_id := private.settle_purchase(event.payment_intent_id, event.id);
  end if;
  if v_user_id is null then
    return private.effect('waiting', event.user_id, waits_for => coalesce(event.payment_intent_id, v_stripe_id));
  elsif not exists (select 1 from public.user_tokens u where u.user_id = v_user_id) then
    return private.effect('applied', v_user_id, attention => 'The user is deleted: nothing could be taken back');
  end if;
  return private.effect('applied', v_user_id);
end;
$$;

comment on function private.apply_reversal is 'Settles the purchase that a refund or a dispute belongs to.';
revoke execute on function private.apply_reversal from public;
