-- Records a paid thing and grants all that it gives, bonus included: tokens into tokens_purchased (one journal row), US
-- dollars into the USD balance. At most once a stripe_id. Refunds and disputes that came before it take their share at once.
--
-- Called by  grant_purchase, apply_invoice, for an event that holds the locks of the payment
-- Returns    what the operator has to look at, or null
-- Raises     balance_limit_exceeded

create or replace function private.record_stripe_purchase(purchase public.purchases, event_id text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_type public.token_transaction_type := case purchase.kind when 'subscription' then 'subscription' else 'purchase' end;
  v_operation_id text := 'stripe:' || purchase.stripe_id;
  v_metadata jsonb;
  v_other uuid;
  v_new boolean;
begin
  select p.user_id into v_other
  from public.purchases p
  where p.stripe_id = purchase.stripe_id and p.user_id <> purchase.user_id;
  if found then
    return format('Granted to user %s already', v_other);
  end if;
  purchase.id := gen_random_uuid();
  purchase.bonus_tokens := coalesce(purchase.bonus_tokens, 0);
  purchase.usd_granted := coalesce(purchase.usd_granted, 0);
  purchase.refunded_cents := 0;
  purchase.disputed_cents := 0;
  purchase.tokens_clawed_back := 0;
  purchase.usd_clawed_back := 0;
  purchase.created_at := now();
  v_metadata := jsonb_build_object('purchase_id', purchase.id);
  perform private.lock_account(purchase.user_id);
  perform set_config('scrip.posting', 'on', true);
  insert into public.purchases select purchase.* on conflict on constraint purchases_stripe_id_key do nothing;
  v_new := found;
  if v_new and purchase.tokens_granted > 0 then
    perform private.grant_tokens(purchase.user_id, 'purchased', purchase.tokens_granted);
    perform private.write_transaction(
      purchase.user_id, v_type, 'purchased', purchase.tokens_granted, v_operation_id, purchase.stripe_id,
      purchase.description, v_metadata, 'stripe'
    );
  elsif v_new and purchase.usd_granted > 0 then
    perform private.post_usd(
      purchase.user_id, 'deposit', purchase.usd_granted, v_operation_id, purchase.stripe_id, purchase.description,
      v_metadata, 'stripe'
    );
  end if;
  perform set_config('scrip.posting', '', true);
  if not v_new or exists ( -- of most purchases nothing else is known yet
    select 1 from private.stripe_events e
    where (e.payment_intent_id = purchase.stripe_payment_intent_id or e.invoice_id = purchase.stripe_invoice_id)
      and e.id <> event_id
      and e.outcome <> 'ignored'
  ) then
    perform private.settle_purchase(purchase.stripe_id, event_id);
  end if;
  return null;
end;
$$;

comment on function private.record_stripe_purchase is 'Records a paid thing and grants all that it gives, once.';
revoke execute on function private.record_stripe_purchase from public;
