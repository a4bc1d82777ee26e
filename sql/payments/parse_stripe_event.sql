-- Reads from an event what Scrip finds it by: its object, payment, invoice, subscription, customer and user. Stripe moved
-- some of these in 2025 (API version basil); both shapes are read.
--
-- Called by  handle_stripe_event
-- Raises     invalid_request

create or replace function private.parse_stripe_event(event jsonb)
returns private.stripe_events
language plpgsql
stable
set search_path = ''
as $$
declare
  v_object jsonb := event #> '{data,object}';
  v_kind text := event #>> '{data,object,object}';
  v_row private.stripe_events;
begin
  if (
    event ->> 'object' = 'event'
    and length(event ->> 'id') between 1 and 255
    and length(event ->> 'type') between 1 and 255
    and jsonb_typeof(event -> 'created') = 'number'
    and event ->> 'created' ~ '^[0-9]{1,11}$'
    and jsonb_typeof(event -> 'livemode') = 'boolean'
    and jsonb_typeof(v_object) = 'object'
  ) is not true then
    perform private.raise_error('invalid_request', 'The body is not an event of Stripe''s');
  end if;
  v_row.id := event ->> 'id';
  v_row.type := event ->> 'type';
  v_row.livemode := event -> 'livemode';
  v_row.payload := event;
  v_row.occurred_at := to_timestamp((event ->> 'created')::bigint);
  v_row.object_id := v_object ->> 'id';
  v_row.payment_intent_id := case v_kind
    when 'payment_intent' then v_object ->> 'id'
    when 'invoice_payment' then private.stripe_id(v_object #> '{payment,payment_intent}')
    else private.stripe_id(v_object -> 'payment_intent')
  end;
  v_row.invoice_id := case v_kind when 'invoice' then v_object ->> 'id' else private.stripe_id(v_object -> 'invoice') end;
  v_row.subscription_id := case v_kind
    when 'subscription' then v_object ->> 'id'
    else coalesce(
      private.stripe_id(v_object #> '{parent,subscription_details,subscription}'),
      private.stripe_id(v_object -> 'subscription')
    )
  end;
  v_row.customer_id := case v_kind
    when 'customer' then v_object ->> 'id'
    else private.stripe_id(v_object -> 'customer')
  end;
  v_row.user_id := private.find_stripe_user(private.stripe_metadata(v_object), v_row.customer_id);
  return v_row;
end;
$$;

comment on function private.parse_stripe_event is 'Reads from an event what Scrip finds it by.';
revoke execute on function private.parse_stripe_event from public;
