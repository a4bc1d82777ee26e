-- Brings what was clawed back of a purchase in line with what is refunded and disputed of it, by one journal row for the
-- difference: taken when more is reversed, given back when less. The share is of the whole, rounded down, so
-- that a full refund in any number of parts takes exactly what was granted.
--
-- Called by  record_stripe_purchase, apply_reversal, which hold the locks of the payment
-- Returns    the user, or null when there is no such purchase

create or replace function private.settle_purchase(stripe_id text, event_id text)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_purchase public.purchases;
  v_payments text[];
  v_reversed record;
  v_share numeric;
  v_tokens bigint;
  v_usd numeric;
begin
  select p.* into v_purchase from public.purchases p where p.stripe_id = settle_purchase.stripe_id;
  if not found then
    return null;
  end if;
  perform private.lock_account(v_purchase.user_id); -- another purchase's event may change this one: see move_bonus
  select p.* into v_purchase
  from public.purchases p
  where p.user_id = v_purchase.user_id and p.id = v_purchase.id;
  v_payments := array(
    select e.payment_intent_id
    from private.stripe_events e
    where e.invoice_id = v_purchase.stripe_invoice_id and e.payment_intent_id is not null
    union
    select v_purchase.stripe_payment_intent_id
  );
  update private.stripe_events e
  set outcome = 'applied', waits_for = null, user_id = v_purchase.user_id
  where e.waits_for = any (v_payments || array[v_purchase.stripe_id, v_purchase.stripe_checkout_session_id]);

  select r.* into v_reversed from private.stripe_reversals(v_payments) r;
  v_share := least(v_reversed.refunded_cents + v_reversed.disputed_cents, v_purchase.amount_cents);
  v_tokens := coalesce(floor(v_purchase.tokens_granted * v_share / nullif(v_purchase.amount_cents, 0)), 0);
  v_usd := coalesce(trunc(v_purchase.usd_granted * v_share / nullif(v_purchase.amount_cents, 0), 10), 0);
  if (v_reversed.refunded_cents, v_reversed.disputed_cents, v_tokens, v_usd) = (
    v_purchase.refunded_cents, v_purchase.disputed_cents, v_purchase.tokens_clawed_back, v_purchase.usd_clawed_back
  ) then
    return v_purchase.user_id;
  end if;

  if not private.claw_back_tokens(v_purchase, v_tokens - v_purchase.tokens_clawed_back, event_id)
    and exists (select 1 from auth.users u where u.id = v_purchase.user_id) -- the row alone is deleted, by hand
  then
    v_tokens := v_purchase.tokens_clawed_back;
  end if;
  if v_purchase.kind = 'top_up' and v_tokens > v_purchase.tokens_clawed_back then
    update public.auto_top_ups a
    set enabled = false, stopped_reason = 'A payment was refunded or disputed', stopped_at = now()
    where a.user_id = v_purchase.user_id and a.enabled;
  end if;
  if v_usd <> v_purchase.usd_clawed_back
    and exists (select 1 from auth.users u where u.id = v_purchase.user_id)
  then
    perform private.post_usd(
      v_purchase.user_id, 'clawback', v_purchase.usd_clawed_back - v_usd, format('stripe:%s:%s', event_id, v_usd),
      v_purchase.stripe_id, v_purchase.description, jsonb_build_object('purchase_id', v_purchase.id), 'stripe'
    );
  end if;
  perform set_config('scrip.posting', 'on', true);
  update public.purchases p
  set
    refunded_cents = v_reversed.refunded_cents,
    disputed_cents = v_reversed.disputed_cents,
    tokens_clawed_back = v_tokens,
    usd_clawed_back = v_usd
  where p.user_id = v_purchase.user_id and p.id = v_purchase.id;
  perform set_config('scrip.posting', '', true);
  return v_purchase.user_id;
end;
$$;

comment on function private.settle_purchase is 'Brings what was clawed back of a purchase in line with its refunds and disputes.';
revoke execute on function private.settle_purchase from public;
