-- What the tests share: the runner loads this into the session of each file, where it lives in pg_temp.

create function pg_temp.id(name text)
returns uuid
language sql
as $$select md5(name)::uuid$$;

-- Signs up a user with a confirmed address, and gives tokens.
create function pg_temp.new_user(name text, tokens bigint default null)
returns void
language plpgsql
as $$
begin
  insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id(name), name || '@example.com', now());
  if tokens is not null then
    perform public.add_tokens(pg_temp.id(name), tokens, 'add', 'seed');
  end if;
end;
$$;

-- What a statement answers: its rows, or why it is refused. With a role, it runs as that role, with the user's JWT.
create function pg_temp.answer(statement text, role text default 'none', name text default null)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
begin
  if name is not null then
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id(name), 'role', role)::text, true);
  end if;
  perform set_config('role', role, true);
  if statement ~* '^\s*select|\mreturning\M' then
    execute format('with a as (%s) select string_agg(a::text, '' '') from a', statement) into v_answer;
    v_answer := coalesce(v_answer, 'no rows');
  else
    execute statement;
    get diagnostics v_answer = row_count;
  end if;
  perform set_config('role', 'none', true);
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
exception
  when sqlstate 'PGRST' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', v_detail::jsonb ->> 'status', sqlerrm::jsonb ->> 'code', sqlerrm::jsonb ->> 'message');
  when others then
    return concat_ws(' ', sqlstate, sqlerrm);
end;
$$;

-- A user's journal: type account amount = balance_after/remaining_after operation_id reference actor; …
create function pg_temp.journal(name text, after_seq bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s/%s %s %s %s', t.type, t.account, t.amount, t.balance_after, t.remaining_after,
      coalesce(t.operation_id, '-'), coalesce(t.reference, '-'), t.actor
    ),
    '; ' order by t.seq
  )
  from public.token_transactions t
  where t.user_id = pg_temp.id(journal.name) and t.seq > after_seq
$$;

create function pg_temp.balance(name text)
returns text
language sql
as $$
  select format('total %s, used %s, reserved %s, remaining %s', b.total, b.used, b.reserved, b.remaining)
  from public.get_token_balance(pg_temp.id(balance.name)) b
$$;

-- Of everything that an operation may change.
create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from public.token_transactions t),
    (select jsonb_agg(u order by u.user_id) from public.user_tokens u),
    (select jsonb_agg(s order by s.id) from public.subscribers s),
    (select jsonb_agg(r order by r.id) from public.token_requests r),
    (select jsonb_agg(h order by h.id) from public.token_holds h),
    (select jsonb_agg(c order by c.id) from public.access_codes c),
    (select jsonb_agg(v order by v.user_id, v.access_code_id) from public.access_code_activations v),
    (select jsonb_agg(b order by b.user_id) from public.usd_balances b),
    (select jsonb_agg(d order by d.user_id, d.seq) from public.usd_transactions d),
    (select jsonb_agg(p order by p.user_id, p.id) from public.purchases p),
    (select jsonb_agg(n order by n.user_id, n.id) from public.subscriptions n),
    (select jsonb_agg(a order by a.user_id) from public.auto_top_ups a),
    (select jsonb_agg(k order by k.user_id, k.id) from public.api_tokens k),
    (select jsonb_agg(y order by y.key_hash) from private.api_keys y),
    (select jsonb_agg(e order by e.user_id, e.token_id, e.version) from public.api_token_transactions e),
    (select jsonb_agg(f order by f.user_id, f.id) from public.refill_transactions f),
    (select jsonb_agg(x order by x.seq) from private.outbox x),
    (select jsonb_agg(i order by i.user_id, i.id) from public.notices i),
    (select jsonb_agg(m order by m.id) from public.model_prices m),
    (select jsonb_agg(w order by w.day) from public.currency_rates w),
    (select jsonb_agg(j order by j.user_id, j.id) from public.runs j),
    (select jsonb_agg(g order by g.user_id, g.occurred_at, g.id) from public.usage_events g),
    (select jsonb_agg(z order by z.user_id, z.day, z.service, z.model, z.operation) from public.usage_daily z),
    (select jsonb_agg(q order by q.user_id, q.operation_id) from private.usage_operations q)
  ))
$$;

-- A test that a statement, refused or not, changes nothing.
create function pg_temp.changes_nothing(statement text, description text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
begin
  perform pg_temp.answer(statement);
  return extensions.is(pg_temp.fingerprint(), v_before, description);
end;
$$;

-- API tokens. The tests call a token by its first name, which each of a user's has to itself.

-- Creates one, of a product if one is named, and answers its key.
create function pg_temp.new_api_token(owner text, name text, product text default null)
returns text
language sql
as $$
  select c.api_key
  from public.create_api_token(
    pg_temp.id(owner), case when product is null then 'master' else 'product' end, name, 'create ' || name,
    pg_temp.id(product)
  ) c
$$;

create function pg_temp.api_token(owner text, name text)
returns uuid
language sql
as $$
  select k.token_id
  from private.api_keys k
  where k.user_id = pg_temp.id(owner) and k.operation_id = 'create ' || api_token.name
$$;

create function pg_temp.refill(owner text, name text, mode text, amount text, operation_id text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select credits_added, usd_spent, fee, rate, credits, usd_balance, replayed from refill_token(%L, %L, %L, %L, %L)',
    pg_temp.id(owner), pg_temp.api_token(owner, refill.name), mode, amount, operation_id
  ))
$$;

-- A token's journal: version type amount = credits_after operation_id actor; …
create function pg_temp.credits_journal(token_id uuid, after_version bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s %s %s', t.version, t.type, t.amount, t.credits_after, coalesce(t.operation_id, '-'), t.actor
    ),
    '; ' order by t.user_id, t.version
  )
  from public.api_token_transactions t
  where t.token_id = credits_journal.token_id and t.version > after_version
$$;

-- What the HUB is to hear of a token: event version status credits name; …
create function pg_temp.told_hub(token_id uuid, after_seq bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s %s %s', replace(o.event, 'api_token.', ''), o.payload #>> '{token,version}',
      o.payload #>> '{token,status}', o.payload #>> '{token,credits}', o.payload #>> '{token,name}'
    ),
    '; ' order by o.seq
  )
  from private.outbox o
  where o.destination = 'hub' and o.subject = told_hub.token_id and o.seq > after_seq
$$;

-- Stripe. What follows builds events and their objects with the fields that Stripe's API sends (version basil and later);
-- in_old_shape() moves what the versions before had elsewhere. The last argument replaces fields.

-- A moment as Stripe tells it; those of a transaction are the same.
create function pg_temp.epoch(after interval default '0')
returns bigint
language sql
as $$select extract(epoch from date_trunc('second', now()) + after)::bigint$$;

create function pg_temp.event(id text, type text, object jsonb, created bigint, previous jsonb default null)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'event',
    'api_version', '2026-10-28.endive',
    'created', created,
    'data', jsonb_build_object('object', object)
      || case when previous is null then '{}' else jsonb_build_object('previous_attributes', previous) end,
    'livemode', false,
    'pending_webhooks', 1,
    'request', '{"id": null, "idempotency_key": null}'::jsonb,
    'type', type
  )
$$;

-- Sends an event to the webhook's function: outcome, what the operator reads, and the user.
create function pg_temp.send(event jsonb)
returns text
language sql
as $$
  select concat_ws(' | ', h.outcome, h.attention, 'error: ' || h.error)
  from public.handle_stripe_event(event) h
$$;

create function pg_temp.send(
  id text, type text, object jsonb, created bigint default 1790000000, previous jsonb default null
)
returns text
language sql
as $$select pg_temp.send(pg_temp.event(id, type, object, created, previous))$$;

-- The metadata that create-checkout writes, with an offer of 1,000 tokens for 10.00 EUR if nothing else is said.
create function pg_temp.offer(name text, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'kind', 'tokens', 'user_id', pg_temp.id(name), 'tokens', '1000', 'amount_cents', '1000', 'currency', 'eur'
  ) || changes)
$$;

create function pg_temp.session(id text, payment_intent text, metadata jsonb, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'checkout.session',
    'adaptive_pricing', '{"enabled": false}'::jsonb,
    'after_expiration', null,
    'allow_promotion_codes', true,
    'amount_subtotal', (metadata ->> 'amount_cents')::bigint,
    'amount_total', (metadata ->> 'amount_cents')::bigint,
    'automatic_tax', '{"enabled": false, "liability": null, "provider": null, "status": null}'::jsonb,
    'billing_address_collection', null,
    'cancel_url', 'https://app.example.com/?checkout=cancelled',
    'client_reference_id', metadata ->> 'user_id',
    'client_secret', null
  ) || jsonb_build_object(
    'collected_information', null,
    'consent', null,
    'consent_collection', null,
    'created', 1789999900,
    'currency', metadata ->> 'currency',
    'currency_conversion', null,
    'custom_fields', '[]'::jsonb,
    'custom_text', '{"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null}'::jsonb,
    'customer', 'cus_' || md5(metadata ->> 'user_id'),
    'customer_creation', null,
    'customer_details', '{"address": null, "email": "ann@example.com", "name": "Ann", "phone": null, "tax_exempt": "none", "tax_ids": []}'::jsonb,
    'customer_email', null,
    'discounts', '[]'::jsonb,
    'expires_at', 1790086300,
    'invoice', null,
    'invoice_creation', '{"enabled": false, "invoice_data": {"metadata": {}}}'::jsonb
  ) || jsonb_build_object(
    'livemode', false,
    'locale', null,
    'metadata', metadata,
    'mode', 'payment',
    'origin_context', null,
    'payment_intent', payment_intent,
    'payment_link', null,
    'payment_method_collection', 'if_required',
    'payment_method_configuration_details', null,
    'payment_method_options', '{"card": {"request_three_d_secure": "automatic"}}'::jsonb,
    'payment_method_types', '["card"]'::jsonb,
    'payment_status', 'paid',
    'permissions', null,
    'phone_number_collection', '{"enabled": false}'::jsonb,
    'recovered_from', null
  ) || jsonb_build_object(
    'saved_payment_method_options', null,
    'setup_intent', null,
    'shipping_address_collection', null,
    'shipping_cost', null,
    'shipping_options', '[]'::jsonb,
    'status', 'complete',
    'submit_type', null,
    'subscription', null,
    'success_url', 'https://app.example.com/?checkout=success',
    'total_details', '{"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}'::jsonb,
    'ui_mode', 'hosted',
    'url', null,
    'wallet_options', null
  ) || changes
$$;

create function pg_temp.payment_intent(id text, metadata jsonb, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'payment_intent',
    'amount', (metadata ->> 'amount_cents')::bigint,
    'amount_capturable', 0,
    'amount_details', '{"tip": {}}'::jsonb,
    'amount_received', (metadata ->> 'amount_cents')::bigint,
    'application', null,
    'application_fee_amount', null,
    'automatic_payment_methods', null,
    'canceled_at', null,
    'cancellation_reason', null,
    'capture_method', 'automatic_async',
    'client_secret', id || '_secret_x',
    'confirmation_method', 'automatic',
    'created', 1789999990,
    'currency', metadata ->> 'currency',
    'customer', 'cus_' || md5(metadata ->> 'user_id'),
    'description', null
  ) || jsonb_build_object(
    'excluded_payment_method_types', null,
    'last_payment_error', null,
    'latest_charge', 'ch_' || id,
    'livemode', false,
    'metadata', metadata,
    'next_action', null,
    'on_behalf_of', null,
    'payment_method', 'pm_1',
    'payment_method_configuration_details', null,
    'payment_method_options', '{"card": {"request_three_d_secure": "automatic"}}'::jsonb,
    'payment_method_types', '["card"]'::jsonb,
    'processing', null,
    'receipt_email', null,
    'setup_future_usage', null,
    'shipping', null,
    'statement_descriptor', null,
    'statement_descriptor_suffix', null,
    'status', 'succeeded',
    'transfer_data', null,
    'transfer_group', null
  ) || changes
$$;

create function pg_temp.charge(payment_intent text, amount bigint, amount_refunded bigint, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', 'ch_' || payment_intent,
    'object', 'charge',
    'amount', amount,
    'amount_captured', amount,
    'amount_refunded', amount_refunded,
    'application', null,
    'application_fee', null,
    'application_fee_amount', null,
    'balance_transaction', 'txn_' || payment_intent,
    'billing_details', '{"address": {"country": "AT"}, "email": null, "name": null, "phone": null, "tax_id": null}'::jsonb,
    'calculated_statement_descriptor', 'SCRIP',
    'captured', true,
    'created', 1789999995,
    'currency', 'eur',
    'customer', 'cus_1',
    'description', null,
    'disputed', false
  ) || jsonb_build_object(
    'failure_balance_transaction', null,
    'failure_code', null,
    'failure_message', null,
    'fraud_details', '{}'::jsonb,
    'livemode', false,
    'metadata', '{}'::jsonb,
    'on_behalf_of', null,
    'outcome', '{"network_status": "approved_by_network", "risk_level": "normal", "type": "authorized"}'::jsonb,
    'paid', true,
    'payment_intent', payment_intent,
    'payment_method', 'pm_1',
    'payment_method_details', '{"type": "card", "card": {"brand": "visa", "last4": "4242"}}'::jsonb,
    'receipt_email', null,
    'receipt_number', null,
    'receipt_url', 'https://pay.example.com/receipt',
    'refunded', amount_refunded = amount,
    'review', null,
    'shipping', null,
    'source', null,
    'source_transfer', null,
    'statement_descriptor', null,
    'status', 'succeeded',
    'transfer_data', null,
    'transfer_group', null
  ) || changes
$$;

create function pg_temp.refund(
  id text, payment_intent text, amount bigint, status text default 'succeeded', changes jsonb default '{}'
)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'refund',
    'amount', amount,
    'balance_transaction', 'txn_' || id,
    'charge', 'ch_' || payment_intent,
    'created', 1790000000,
    'currency', 'eur',
    'destination_details', '{"card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}, "type": "card"}'::jsonb,
    'metadata', '{}'::jsonb,
    'payment_intent', payment_intent,
    'reason', 'requested_by_customer',
    'receipt_number', null,
    'source_transfer_reversal', null,
    'status', status,
    'transfer_reversal', null
  ) || changes
$$;

create function pg_temp.dispute(
  id text, payment_intent text, amount bigint, status text default 'needs_response', changes jsonb default '{}'
)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'dispute',
    'amount', amount,
    'balance_transactions', '[]'::jsonb,
    'charge', 'ch_' || payment_intent,
    'created', 1790000000,
    'currency', 'eur',
    'enhanced_eligibility_types', '[]'::jsonb,
    'evidence', '{"access_activity_log": null, "customer_communication": null, "uncategorized_text": null}'::jsonb,
    'evidence_details', '{"due_by": 1790600000, "has_evidence": false, "past_due": false, "submission_count": 0}'::jsonb,
    'is_charge_refundable', false,
    'livemode', false,
    'metadata', '{}'::jsonb,
    'payment_intent', payment_intent,
    'payment_method_details', '{"card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"}, "type": "card"}'::jsonb,
    'reason', 'fraudulent',
    'status', status
  ) || changes
$$;

-- A subscription to a plan at the price that it costs now.
create function pg_temp.subscription(
  id text, name text, tier text, status text, period_start bigint, period_end bigint, changes jsonb default '{}'
)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', id,
    'object', 'subscription',
    'application', null,
    'application_fee_percent', null,
    'automatic_tax', '{"disabled_reason": null, "enabled": false, "liability": null}'::jsonb,
    'billing_cycle_anchor', period_start,
    'billing_mode', '{"type": "flexible"}'::jsonb,
    'billing_thresholds', null,
    'cancel_at', null,
    'cancel_at_period_end', false,
    'canceled_at', null,
    'cancellation_details', '{"comment": null, "feedback": null, "reason": null}'::jsonb,
    'collection_method', 'charge_automatically',
    'created', period_start,
    'currency', p.currency,
    'customer', 'cus_' || md5(pg_temp.id(subscription.name)::text),
    'days_until_due', null,
    'default_payment_method', 'pm_1',
    'default_source', null,
    'default_tax_rates', '[]'::jsonb,
    'description', null,
    'discounts', '[]'::jsonb,
    'ended_at', null
  ) || jsonb_build_object(
    'items', jsonb_build_object(
      'object', 'list',
      'data', jsonb_build_array(jsonb_build_object(
        'id', 'si_' || id,
        'object', 'subscription_item',
        'billing_thresholds', null,
        'created', period_start,
        'current_period_end', period_end,
        'current_period_start', period_start,
        'discounts', '[]'::jsonb,
        'metadata', '{}'::jsonb,
        'price', jsonb_build_object(
          'id', 'price_' || p.tier, 'object', 'price', 'active', true, 'billing_scheme', 'per_unit',
          'currency', p.currency, 'livemode', false, 'metadata', '{}'::jsonb, 'nickname', null,
          'product', p.stripe_product_id,
          'recurring', '{"interval": "month", "interval_count": 1, "usage_type": "licensed"}'::jsonb,
          'tax_behavior', 'unspecified', 'type', 'recurring', 'unit_amount', (p.monthly_cost * 100)::bigint,
          'unit_amount_decimal', (p.monthly_cost * 100)::bigint::text
        ),
        'quantity', 1,
        'subscription', id,
        'tax_rates', '[]'::jsonb
      )),
      'has_more', false,
      'total_count', 1,
      'url', '/v1/subscription_items?subscription=' || id
    ),
    'latest_invoice', 'in_' || id,
    'livemode', false,
    'metadata', jsonb_build_object(
      'kind', 'plan', 'user_id', pg_temp.id(subscription.name), 'tier', p.tier, 'currency', p.currency,
      'amount_cents', (p.monthly_cost * 100)::bigint::text
    ),
    'next_pending_invoice_item_invoice', null,
    'on_behalf_of', null,
    'pause_collection', null,
    'payment_settings', '{"payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off"}'::jsonb,
    'pending_setup_intent', null,
    'pending_update', null,
    'schedule', null,
    'start_date', period_start,
    'status', status,
    'test_clock', null,
    'transfer_data', null,
    'trial_end', null,
    'trial_settings', '{"end_behavior": {"missing_payment_method": "create_invoice"}}'::jsonb,
    'trial_start', null
  ) || changes
  from public.subscription_plans p
  where p.tier = subscription.tier
$$;

create function pg_temp.invoice_line(
  tier text, amount bigint, period_start bigint, period_end bigint, proration boolean default false
)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', 'il_' || md5(concat(tier, amount, period_start)),
    'object', 'line_item',
    'amount', amount,
    'currency', 'eur',
    'description', '1 × ' || tier,
    'discount_amounts', '[]'::jsonb,
    'discountable', not proration,
    'discounts', '[]'::jsonb,
    'invoice', 'in_1',
    'livemode', false,
    'metadata', '{}'::jsonb,
    'parent', jsonb_build_object(
      'invoice_item_details', null,
      'subscription_item_details', jsonb_build_object(
        'invoice_item', null, 'proration', proration, 'proration_details', '{"credited_items": null}'::jsonb,
        'subscription', 'sub_1', 'subscription_item', 'si_1'
      ),
      'type', 'subscription_item_details'
    ),
    'period', jsonb_build_object('end', period_end, 'start', period_start),
    'pretax_credit_amounts', '[]'::jsonb,
    'pricing', jsonb_build_object(
      'price_details', jsonb_build_object('price', 'price_' || tier, 'product', 'scrip_plan_' || tier),
      'type', 'price_details', 'unit_amount_decimal', amount::text
    ),
    'quantity', 1,
    'taxes', '[]'::jsonb
  )
$$;

-- A paid invoice of a subscription. The subscription's metadata are those that it was begun with.
create function pg_temp.invoice(
  id text, subscription text, name text, tier text, lines jsonb, changes jsonb default '{}', metadata jsonb default '{}'
)
returns jsonb
language sql
as $$
  with total as (select greatest(sum((l ->> 'amount')::bigint), 0)::bigint as cents from jsonb_array_elements(lines) l)
  select jsonb_build_object(
    'id', id,
    'object', 'invoice',
    'account_country', 'AT',
    'account_name', 'Scrip',
    'amount_due', t.cents,
    'amount_overpaid', 0,
    'amount_paid', t.cents,
    'amount_remaining', 0,
    'amount_shipping', 0,
    'application', null,
    'attempt_count', 1,
    'attempted', true,
    'auto_advance', false,
    'automatic_tax', '{"enabled": false, "status": null}'::jsonb,
    'billing_reason', 'subscription_cycle',
    'collection_method', 'charge_automatically',
    'created', 1790000000,
    'currency', 'eur',
    'custom_fields', null,
    'customer', 'cus_' || md5(pg_temp.id(invoice.name)::text),
    'customer_email', invoice.name || '@example.com',
    'default_payment_method', null,
    'discounts', '[]'::jsonb,
    'due_date', null
  ) || jsonb_build_object(
    'effective_at', 1790000000,
    'ending_balance', 0,
    'footer', null,
    'hosted_invoice_url', 'https://invoice.example.com/i/1',
    'lines', jsonb_build_object(
      'object', 'list', 'data', lines, 'has_more', false, 'total_count', jsonb_array_length(lines),
      'url', format('/v1/invoices/%s/lines', id)
    ),
    'livemode', false,
    'metadata', '{}'::jsonb,
    'number', 'A-0001',
    'parent', jsonb_build_object(
      'quote_details', null,
      'subscription_details', jsonb_build_object(
        'metadata', jsonb_strip_nulls(jsonb_build_object(
          'kind', 'plan', 'user_id', pg_temp.id(invoice.name), 'tier', p.tier, 'currency', p.currency,
          'amount_cents', (p.monthly_cost * 100)::bigint::text
        ) || metadata),
        'subscription', subscription
      ),
      'type', 'subscription_details'
    ),
    'period_end', 1790000000,
    'period_start', 1787408000,
    'post_payment_credit_notes_amount', 0,
    'pre_payment_credit_notes_amount', 0,
    'starting_balance', 0,
    'status', 'paid',
    'status_transitions', '{"finalized_at": 1790000000, "marked_uncollectible_at": null, "paid_at": 1790000000, "voided_at": null}'::jsonb,
    'subtotal', t.cents,
    'total', t.cents,
    'total_discount_amounts', '[]'::jsonb,
    'total_taxes', '[]'::jsonb
  ) || changes
  from total t, public.subscription_plans p
  where p.tier = invoice.tier
$$;

-- Which payment paid an invoice: the versions from basil on tell it by this object alone.
create function pg_temp.invoice_payment(invoice text, payment_intent text, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'id', 'inpay_' || invoice,
    'object', 'invoice_payment',
    'amount_paid', 900,
    'amount_requested', 900,
    'created', 1790000000,
    'currency', 'eur',
    'invoice', invoice,
    'is_default', true,
    'livemode', false,
    'payment', jsonb_build_object('payment_intent', payment_intent, 'type', 'payment_intent'),
    'status', 'paid',
    'status_transitions', '{"canceled_at": null, "paid_at": 1790000000}'::jsonb
  ) || changes
$$;

-- An invoice or a subscription as Stripe sent it before basil.
create function pg_temp.in_old_shape(object jsonb, payment_intent text default null)
returns jsonb
language sql
as $$
  select case object ->> 'object'
    when 'invoice' then object - 'parent' || jsonb_build_object(
      'subscription', object #> '{parent,subscription_details,subscription}',
      'subscription_details', (object #> '{parent,subscription_details}') - 'subscription',
      'payment_intent', payment_intent,
      'charge', 'ch_' || payment_intent,
      'paid', true,
      'lines', object -> 'lines' || jsonb_build_object('data', (
        select jsonb_agg(
          l - 'parent' - 'pricing' - 'taxes' || jsonb_build_object(
            'price', jsonb_build_object(
              'id', l #> '{pricing,price_details,price}', 'object', 'price',
              'product', l #> '{pricing,price_details,product}'
            ),
            'proration', l #> '{parent,subscription_item_details,proration}',
            'subscription', l #> '{parent,subscription_item_details,subscription}',
            'type', 'subscription'
          )
        )
        from jsonb_array_elements(object #> '{lines,data}') l
      ))
    )
    when 'subscription' then object || jsonb_build_object(
      'current_period_start', object #> '{items,data,0,current_period_start}',
      'current_period_end', object #> '{items,data,0,current_period_end}',
      'items', jsonb_set(
        object -> 'items', '{data,0}',
        (object #> '{items,data,0}') - 'current_period_start' - 'current_period_end'
      )
    )
  end
$$;

-- What a payment came to: paid/refunded/disputed, granted/clawed back, and what is noted of its events.
create function pg_temp.purchase(stripe_id text)
returns text
language sql
as $$
  select coalesce(
    (
      select concat_ws(
        ' ',
        format('%s paid %s/%s/%s', p.kind, p.amount_cents, p.refunded_cents, p.disputed_cents),
        format('tokens %s/%s', p.tokens_granted, p.tokens_clawed_back),
        format('usd %s/%s', trim_scale(p.usd_granted), trim_scale(nullif(p.usd_clawed_back, 0)))
      )
      from public.purchases p
      where p.stripe_id = purchase.stripe_id
    ),
    'none'
  )
$$;

create function pg_temp.remaining(name text)
returns bigint
language sql
as $$select b.remaining from public.get_token_balance(pg_temp.id(remaining.name)) b$$;

-- The plans that the tests subscribe to.
create function pg_temp.new_plans()
returns void
language sql
as $$
  insert into public.subscription_plans (
    tier, name, monthly_cost, credits_included, bonus_credits, multiplier, purchase_rate
  )
  values
    ('basic', 'Basic', 9.00, 1000, 100, 1, 1),
    ('standard', 'Standard', 29.00, 4000, 500, 0.9, 1.1),
    ('premium', 'Premium', 99.00, 15000, 2000, 0.8, 1.25)
$$;

-- What a user was told, in order: type data; …
create function pg_temp.notices(name text)
returns text
language sql
as $$
  select coalesce(string_agg(format('%s %s', n.type, n.data), '; ' order by n.created_at, n.id), 'none')
  from public.notices n
  where n.user_id = pg_temp.id(notices.name)
$$;

-- Models and usage

-- Sets columns of the one row of settings.
create function pg_temp.settings(changes jsonb)
returns void
language plpgsql
as $$
begin
  insert into public.settings default values on conflict do nothing;
  execute (
    select format('update public.settings set %s', string_agg(format('%I = %L', c.key, c.value), ', '))
    from jsonb_each_text(changes) c
  );
end;
$$;

-- A model of the demo provider for a token a call; the last argument replaces columns.
create function pg_temp.new_model(slug text, changes jsonb default '{}')
returns void
language sql
as $$
  insert into public.ai_models
  select (jsonb_populate_record(
    null::public.ai_models,
    jsonb_build_object(
      'slug', slug, 'name', slug, 'kind', 'text', 'provider', 'demo', 'provider_model', slug, 'price_mode', 'fixed',
      'fixed_tokens', 1, 'markup', 1, 'max_output_tokens', 4096, 'timeout_seconds', 60, 'active', true,
      'created_at', now()
    ) || changes
  )).*
$$;

-- Midnight, in UTC, of the first day of a month: of this one, or of so many before.
create function pg_temp.month(ago integer)
returns timestamptz
language sql
as $$select (date_trunc('month', now() at time zone 'UTC') - make_interval(months => ago)) at time zone 'UTC'$$;

-- Records a call of openai's, for chat.
create function pg_temp.track(
  name text,
  operation_id text,
  model text,
  arguments text default null,
  answer text default 'cost_usd, cost_eur, unpriced, tokens_charged, remaining, overdrawn, replayed'
)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select %s from track_usage(%L, %L, ''openai'', ''chat'', %L%s)', track.answer, pg_temp.id(name), operation_id, model,
    ', ' || arguments
  ))
$$;
