-- Grants what a one-time payment bought: what create-checkout offered in the metadata or, where that is silent, what the
-- package says now. Asked for less than offered, it grants that share, rounded down; never more than the offer.
--
-- Called by  apply_checkout_session, apply_payment_intent

create or replace function private.grant_purchase(
  event private.stripe_events,
  user_id uuid,
  metadata jsonb,
  subtotal_cents bigint,
  paid_cents bigint,
  currency text
)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_package public.token_packages;
  v_price_cents bigint := private.metadata_amount(metadata, 'amount_cents');
  v_currency text;
  v_share numeric;
  v_attention text;
  v_purchase public.purchases;
begin
  if pg_input_is_valid(metadata ->> 'package_id', 'uuid') then
    select p.* into v_package from public.token_packages p where p.id = (metadata ->> 'package_id')::uuid;
  end if;
  v_price_cents := coalesce(v_price_cents, v_package.price_cents);
  v_purchase.tokens_granted := coalesce(private.metadata_amount(metadata, 'tokens'), v_package.tokens_granted, 0);
  v_purchase.usd_granted := 0;
  v_currency := coalesce(metadata ->> 'currency', v_package.currency);
  if metadata ->> 'kind' = 'usd_deposit' then
    v_purchase.tokens_granted := 0;
    v_purchase.usd_granted := v_price_cents / 100.0;
    v_currency := 'usd';
  end if;
  if v_price_cents is null or v_price_cents = 0 or subtotal_cents is null or paid_cents is null
    or pg_input_is_valid(metadata ->> 'kind', 'public.purchase_kind') is not true
    or v_purchase.tokens_granted = 0 and v_purchase.usd_granted = 0
  then
    return private.effect('waiting', user_id, attention => format('Unknown price: %s', metadata));
  elsif currency is distinct from v_currency then
    return private.effect('waiting', user_id, attention => format('Paid in %s, offered in %s', currency, v_currency));
  end if;

  v_share := least(subtotal_cents, v_price_cents);
  if subtotal_cents <> v_price_cents then
    v_attention := format('Amount %s differs from the price %s', subtotal_cents, v_price_cents);
  end if;
  v_purchase.user_id := user_id;
  v_purchase.kind := metadata ->> 'kind';
  v_purchase.description := coalesce(v_package.name, case v_purchase.kind
    when 'usd_deposit' then 'USD deposit' else format('%s tokens', v_purchase.tokens_granted)
  end);
  v_purchase.package_id := v_package.id;
  v_purchase.tokens_granted := floor(v_purchase.tokens_granted * v_share / v_price_cents);
  v_purchase.usd_granted := v_purchase.usd_granted * v_share / v_price_cents;
  v_purchase.amount_cents := paid_cents;
  v_purchase.currency := currency;
  v_purchase.stripe_id := coalesce(event.payment_intent_id, event.object_id);
  v_purchase.stripe_payment_intent_id := event.payment_intent_id;
  v_purchase.stripe_checkout_session_id := case when event.type like 'checkout.%' then event.object_id end;
  v_purchase.paid_at := event.occurred_at;
  v_attention := coalesce(private.record_stripe_purchase(v_purchase, event.id), v_attention);
  return private.effect('applied', user_id, attention => v_attention);
end;
$$;

comment on function private.grant_purchase is 'Grants what a one-time payment bought, never more than was offered.';
revoke execute on function private.grant_purchase from public;
