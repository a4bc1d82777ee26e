-- Grants what an automatic top-up paid for, or stops it after a decline. Other payments are granted by their checkout
-- session or invoice.
--
-- Called by  dispatch_stripe_event

create or replace function private.apply_payment_intent(event private.stripe_events)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_intent jsonb := event.payload #> '{data,object}';
  v_metadata jsonb := v_intent -> 'metadata';
  v_user_id uuid := private.find_stripe_user(v_metadata, event.customer_id);
  v_top_up_id uuid;
  v_effect private.stripe_effect;
begin
  if v_metadata ->> 'kind' is distinct from 'top_up' then
    return private.effect('ignored');
  elsif v_user_id is null then
    return private.effect('waiting', attention => format('Unknown user %s', coalesce(v_metadata ->> 'user_id', 'none')));
  end if;
  if pg_input_is_valid(v_metadata ->> 'top_up_id', 'uuid') then
    v_top_up_id := v_metadata ->> 'top_up_id';
  end if;

  if event.type <> 'payment_intent.succeeded' then
    perform public.fail_auto_top_up(v_top_up_id, case
      when v_intent #>> '{last_payment_error,code}' = 'authentication_required'
        then 'The bank wants the payment to be confirmed by the owner of the card'
      else coalesce(v_intent #>> '{last_payment_error,message}', 'The payment did not go through')
    end);
    return private.effect('applied', v_user_id);
  end if;
  v_effect := private.grant_purchase(
    event, v_user_id, v_metadata, (v_intent ->> 'amount')::bigint, (v_intent ->> 'amount_received')::bigint,
    v_intent ->> 'currency'
  );
  if v_effect.outcome <> 'applied' then -- paid, but not credited: buying again would not help
    perform public.fail_auto_top_up(v_top_up_id, 'A payment could not be credited yet; the operator is told');
  end if;
  update private.top_ups t set status = 'succeeded', reason = null where t.id = v_top_up_id;
  return v_effect;
end;
$$;

comment on function private.apply_payment_intent is 'Grants what an automatic top-up paid for, or stops it after a decline.';
revoke execute on function private.apply_payment_intent from public;
