-- handle_stripe_event stores each event once and does its effect once: what was offered is granted when it is paid,
-- never more; what cannot be done waits for the operator; a failure leaves the event and nothing else. Checkout
-- sessions are tried here in every way; refunds, disputes, invoices and subscriptions have their own files.

begin;

select plan(96);

insert into token_packages (id, name, tokens, bonus_tokens, price_cents)
values (pg_temp.id('package'), 'Small', 500, 50, 500);

create function pg_temp.complete(
  id text, metadata jsonb, changes jsonb default '{}', type text default 'checkout.session.completed'
)
returns text
language sql
as $$select pg_temp.send('evt_' || id, type, pg_temp.session('cs_' || id, 'pi_' || id, metadata, changes))$$;

-- A package

select pg_temp.new_user('ann', 7);
select is(
  pg_temp.answer(format(
    'select * from handle_stripe_event(%L)',
    pg_temp.event('evt_a', 'checkout.session.completed', pg_temp.session('cs_a', 'pi_a', pg_temp.offer('ann', jsonb_build_object(
      'kind', 'package', 'package_id', pg_temp.id('package'), 'tokens', '550', 'amount_cents', '500'
    ))), 1790000000)
  ), 'service_role'),
  format('(applied,,%s,)', pg_temp.id('ann')),
  'a paid checkout session is applied'
);
select is(
  pg_temp.journal('ann', 1),
  'purchase purchased 550 = 557/557 stripe:pi_a pi_a stripe',
  'everything it grants, bonus included, is one journal row of tokens_purchased'
);
select is(
  pg_temp.answer($$
    select
      user_id = pg_temp.id('ann') as ann, kind, description, package_id = pg_temp.id('package') as small, amount_cents,
      currency,
      refunded_cents, disputed_cents, tokens_granted, tokens_clawed_back, usd_granted, stripe_id,
      stripe_checkout_session_id,
      stripe_payment_intent_id, stripe_invoice_id, paid_at at time zone 'UTC' as paid_at
    from purchases
  $$),
  '(t,package,Small,t,500,eur,0,0,550,0,0.0000000000,pi_a,cs_a,pi_a,,"2026-09-21 14:13:20")',
  'the purchase says what was paid and granted'
);
select results_eq(
  $$
    select t.description, t.metadata ->> 'purchase_id' = p.id::text
    from token_transactions t
    join purchases p on p.stripe_id = t.reference
  $$,
  $$values ('Small', true)$$,
  'and the journal row leads to it'
);
select is(
  pg_temp.answer($$
    select
      id, type, livemode, object_id, payment_intent_id, invoice_id, subscription_id,
      customer_id = 'cus_' || md5(pg_temp.id('ann')::text) as customer, user_id = pg_temp.id('ann') as ann, outcome,
      waits_for,
      attention, error, occurred_at at time zone 'UTC' as occurred_at,
      payload #>> '{data,object,payment_status}' as payment_status
    from private.stripe_events
  $$),
  '(evt_a,checkout.session.completed,f,cs_a,pi_a,,,t,t,applied,,,,"2026-09-21 14:13:20",paid)',
  'the event is stored as it came, with what it is found by'
);
select results_eq(
  'select stripe_customer_id from private.stripe_customers where user_id = pg_temp.id(''ann'')',
  'select ''cus_'' || md5(pg_temp.id(''ann'')::text)',
  'the customer is remembered'
);

-- Once

select is(
  pg_temp.complete('a', pg_temp.offer('ann', '{"kind": "package", "tokens": "550", "amount_cents": "500"}')),
  'duplicate',
  'the same event again is a duplicate'
);
select is(
  pg_temp.send('evt_a2', 'checkout.session.completed', pg_temp.session('cs_a', 'pi_a', pg_temp.offer('ann'))),
  'applied',
  'another event of the same payment is applied'
);
select is(pg_temp.remaining('ann'), 557::bigint, 'neither grants anything');

-- What is sold

select pg_temp.new_user('ben');
select is(
  concat_ws(', ', pg_temp.complete(c.id, pg_temp.offer('ben', c.metadata), c.changes), pg_temp.purchase('pi_' || c.id)),
  c.result,
  c.what
)
from (
  values
    ('b1', '{}'::jsonb, '{}'::jsonb, 'applied, tokens paid 1000/0/0 tokens 1000/0 usd 0/', 'tokens for an amount'),
    (
      'b2', '{"kind": "usd_deposit", "tokens": null, "usd": "25.01", "amount_cents": "2501", "currency": "usd"}', '{}',
      'applied, usd_deposit paid 2501/0/0 tokens 0/0 usd 25.01/', 'a USD deposit'
    ),
    (
      'b3',
      jsonb_build_object('kind', 'package', 'tokens', null, 'amount_cents', null, 'currency', null, 'package_id', pg_temp.id('package')),
      '{"amount_subtotal": 500, "amount_total": 500, "currency": "eur"}',
      'applied, package paid 500/0/0 tokens 550/0 usd 0/',
      'a package whose offer the metadata does not say gives what it says now'
    ),
    (
      'b4',
      jsonb_build_object('kind', 'package', 'tokens', '700', 'amount_cents', '600', 'package_id', pg_temp.id('package')),
      '{}',
      'applied, package paid 600/0/0 tokens 700/0 usd 0/',
      'what was offered counts, though the package has changed since'
    ),
    (
      'b5', jsonb_build_object('kind', 'package', 'package_id', pg_temp.id('package deleted since')), '{}',
      'applied, package paid 1000/0/0 tokens 1000/0 usd 0/', 'or is gone'
    ),
    (
      'b6', '{}',
      '{"amount_total": 400, "total_details": {"amount_discount": 600, "amount_shipping": 0, "amount_tax": 0}}',
      'applied, tokens paid 400/0/0 tokens 1000/0 usd 0/', 'a promotion code lessens the price, not what is granted'
    ),
    (
      'b7', '{}',
      '{"amount_total": 1200, "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 200}}',
      'applied, tokens paid 1200/0/0 tokens 1000/0 usd 0/', 'tax on top grants nothing more'
    ),
    (
      'b8', '{}', '{"amount_subtotal": 399, "amount_total": 399}',
      'applied | Amount 399 differs from the price 1000, tokens paid 399/0/0 tokens 399/0 usd 0/',
      'a subtotal of less than the offer grants its share, and is shown to the operator'
    ),
    (
      'b9', '{"tokens": "1001", "amount_cents": "999"}', '{"amount_subtotal": 500, "amount_total": 500}',
      'applied | Amount 500 differs from the price 999, tokens paid 500/0/0 tokens 501/0 usd 0/', 'rounded down'
    ),
    (
      'b10', '{}', '{"amount_subtotal": 5000, "amount_total": 5000}',
      'applied | Amount 5000 differs from the price 1000, tokens paid 5000/0/0 tokens 1000/0 usd 0/',
      'a subtotal of more grants what was offered, never more, and is shown to the operator'
    ),
    (
      'b11', '{"kind": "usd_deposit", "tokens": "5", "usd": "999.00", "amount_cents": "1000", "currency": "usd"}',
      '{"amount_subtotal": 333, "amount_total": 333}',
      'applied | Amount 333 differs from the price 1000, usd_deposit paid 333/0/0 tokens 0/0 usd 3.33/',
      'a deposit is worth what was paid for it'
    ),
    (
      'b12', '{}',
      '{"customer": {"id": "cus_expanded", "object": "customer"}, "payment_intent": {"id": "pi_b12", "object": "payment_intent"}}',
      'applied, tokens paid 1000/0/0 tokens 1000/0 usd 0/', 'objects that are expanded are read by their ids'
    )
) c (id, metadata, changes, result, what);

select is(
  pg_temp.complete('free', pg_temp.offer('ben'), '{"amount_total": 0, "payment_intent": null, "payment_status": "no_payment_required"}'),
  'applied',
  'a session that a promotion code made free is applied'
);
select is(
  pg_temp.purchase('cs_free'), 'tokens paid 0/0/0 tokens 1000/0 usd 0/',
  'and grants everything; the session stands for the payment'
);
select is(
  pg_temp.send('evt_free2', 'checkout.session.completed', pg_temp.session(
    'cs_free', null, pg_temp.offer('ben'), '{"amount_total": 0, "payment_status": "no_payment_required"}'
  )),
  'applied',
  'another event of it is applied'
);
select is(
  (select count(*) from purchases where stripe_checkout_session_id = 'cs_free'), 1::bigint, 'and grants nothing more'
);
select is(
  pg_temp.answer('select usd_balance from get_usd_balance(pg_temp.id(''ben''))'), '(28.34)',
  'deposits are in the USD balance'
);

-- Refunds of USD deposits, exact

select pg_temp.new_user('usd');
select pg_temp.complete(
  'u', pg_temp.offer('usd', '{"kind": "usd_deposit", "tokens": null, "amount_cents": "1000", "currency": "usd"}'),
  '{"amount_total": 997}'
);
select pg_temp.send('evt_u1', 'refund.created', pg_temp.refund('re_u1', 'pi_u', 331));
select is(
  pg_temp.purchase('pi_u'),
  'usd_deposit paid 997/331/0 tokens 0/0 usd 10/3.3199598796',
  'a refund takes its share of a deposit, to ten decimals, rounded down'
);
select pg_temp.send('evt_u2', 'refund.created', pg_temp.refund('re_u2', 'pi_u', 333));
select pg_temp.send('evt_u3', 'refund.created', pg_temp.refund('re_u3', 'pi_u', 333));
select is(
  pg_temp.answer('select usd_balance from get_usd_balance(pg_temp.id(''usd''))'), '(0.00)',
  'refunds of the whole take exactly all'
);
select pg_temp.send('evt_u4', 'refund.failed', pg_temp.refund('re_u3', 'pi_u', 333, 'failed'));
select is(
  pg_temp.purchase('pi_u'), 'usd_deposit paid 997/664/0 tokens 0/0 usd 10/6.6599799398',
  'one that fails gives its share back'
);
select is(
  pg_temp.answer('select usd_balance from get_usd_balance(pg_temp.id(''usd''))'), '(3.3400200602)',
  'to the last decimal'
);

-- Payments that come later

create function pg_temp.later(name text, types text[])
returns text
language plpgsql
as $$
declare
  v_type text;
  v_outcomes text[];
begin
  perform pg_temp.new_user(name);
  foreach v_type in array types loop
    v_outcomes := v_outcomes || pg_temp.send(
      'evt_' || name || v_type, 'checkout.session.' || v_type,
      pg_temp.session('cs_' || name, 'pi_' || name, pg_temp.offer(name), case v_type
        when 'async_payment_succeeded' then '{}'::jsonb
        else '{"payment_status": "unpaid"}'
      end)
    );
  end loop;
  return format(
    '%s; %s; %s', array_to_string(v_outcomes, ', '), pg_temp.remaining(name),
    (
      select string_agg(e.outcome || coalesce(e.waits_for, ''), ', ' order by e.type)
      from private.stripe_events e
      where e.object_id = 'cs_' || name
    )
  );
end;
$$;

select is(pg_temp.later('late' || row_number() over (), c.types), c.result, c.what)
from (
  values
    ('{completed}'::text[], 'waiting; 0; waitingcs_late1', 'an unpaid session grants nothing yet, and waits'),
    (
      '{completed,async_payment_succeeded}', 'waiting, applied; 1000; applied, applied', 'it is granted once it is paid'
    ),
    (
      '{async_payment_succeeded,completed}', 'applied, applied; 1000; applied, applied',
      'also when the payment comes first'
    ),
    (
      '{completed,async_payment_failed}', 'waiting, applied; 0; applied, ignored',
      'it grants nothing when the payment fails'
    ),
    ('{async_payment_failed,completed}', 'applied, applied; 0; applied, applied', 'also when the failure comes first')
) c (types, result, what);

-- Not Scrip's

select is(
  pg_temp.send('evt_' || md5(c.what), c.type, c.object), 'ignored', c.what
)
from (
  values
    (
      'checkout.session.completed',
      pg_temp.session('cs_f1', 'pi_f1', '{}', '{"amount_subtotal": 1, "amount_total": 1, "currency": "eur"}'),
      'the checkout session of another shop is ignored'
    ),
    (
      'checkout.session.completed',
      pg_temp.session('cs_f2', null, pg_temp.offer('ann'), '{"mode": "setup", "payment_status": "no_payment_required"}'),
      'a session that saves a card is ignored'
    ),
    (
      'payment_intent.succeeded', pg_temp.payment_intent('pi_f3', pg_temp.offer('ann')),
      'a payment of a checkout is granted by its session alone'
    ),
    ('payment_intent.payment_failed', pg_temp.payment_intent('pi_f4', '{}'), 'another''s failed payment is ignored'),
    (
      'customer.created', jsonb_build_object('id', 'cus_f', 'object', 'customer'),
      'what Scrip has no use for is ignored'
    ),
    (
      'checkout.session.expired', pg_temp.session('cs_f5', null, pg_temp.offer('ann')),
      'a session that expired is ignored'
    )
) c (type, object, what);
select is(
  (
    select count(*) from private.stripe_events where outcome = 'ignored' and attention is null and object_id like any ('{cs_f_,pi_f_,cus_f}')
  ),
  6::bigint,
  'all of this is stored'
);
select is(
  pg_temp.complete('plan', pg_temp.offer('ann', '{"kind": "plan", "tier": "basic"}'), '{"mode": "subscription", "subscription": "sub_1", "payment_intent": null}'),
  'applied',
  'a session that began a subscription is applied'
);
select is(pg_temp.remaining('ann'), 557::bigint, 'and grants nothing: its invoice does');

-- What the operator has to mend; then the event is replayed

create function pg_temp.mended(id text, mend text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.purchase('pi_' || id);
begin
  execute mend;
  return concat_ws(
    ', ', v_before, (select concat_ws(' | ', r.outcome, r.attention) from public.replay_stripe_event('evt_' || id) r),
    pg_temp.purchase('pi_' || id)
  );
end;
$$;

select is(
  pg_temp.complete('m1', pg_temp.offer('cat')),
  format('waiting | Unknown user %s', pg_temp.id('cat')),
  'an unknown user''s purchase waits, and is shown to the operator'
);
select is(
  pg_temp.complete('m1', pg_temp.offer('cat')),
  format('duplicate | Unknown user %s', pg_temp.id('cat')),
  'sent again it is a duplicate'
);
select is(
  pg_temp.mended('m1', 'select pg_temp.new_user(''cat'')'),
  'none, applied, tokens paid 1000/0/0 tokens 1000/0 usd 0/',
  'the user there, a replay grants it'
);
select is(
  pg_temp.complete('m2', pg_temp.offer('ann', '{"user_id": "no uuid"}')),
  'waiting | Unknown user no uuid',
  'a user who cannot be waits, and is shown to the operator'
);
select is(
  pg_temp.complete('m3', pg_temp.offer('cat', jsonb_build_object(
    'kind', 'package', 'tokens', null, 'amount_cents', null, 'currency', null, 'package_id', pg_temp.id('later')
  )), '{"amount_subtotal": 800, "amount_total": 800, "currency": "eur"}'),
  format(
    'waiting | Unknown price: %s',
    jsonb_build_object('kind', 'package', 'user_id', pg_temp.id('cat'), 'package_id', pg_temp.id('later'))
  ),
  'an unknown price waits, and is shown to the operator'
);
select is(
  pg_temp.mended('m3', $$
    insert into token_packages (id, name, tokens, price_cents) values (pg_temp.id('later'), 'Later', 80, 800)
  $$),
  'none, applied, package paid 800/0/0 tokens 80/0 usd 0/',
  'the package there, a replay grants it'
);
select is(
  pg_temp.complete('m4', pg_temp.offer('cat', c.metadata)),
  format('waiting | Unknown price: %s', pg_temp.offer('cat', c.metadata)),
  'metadata that offer nothing wait'
)
from (values ('{"tokens": "0"}'::jsonb)) c (metadata);
select is(
  pg_temp.complete('m5', pg_temp.offer('cat', '{"kind": "gift"}')),
  format('waiting | Unknown price: %s', pg_temp.offer('cat', '{"kind": "gift"}')),
  'so does a kind that is unknown'
);
select is(
  pg_temp.complete('m6', pg_temp.offer('cat', '{"amount_cents": "0"}')),
  format('waiting | Unknown price: %s', pg_temp.offer('cat', '{"amount_cents": "0"}')),
  'so does an offer for nothing'
);
select is(
  pg_temp.complete('m7', pg_temp.offer('cat'), '{"currency": "usd"}'),
  'waiting | Paid in usd, offered in eur',
  'another currency than was offered waits, and is shown to the operator'
);
select is(
  pg_temp.complete('m8', pg_temp.offer('cat', '{"kind": "usd_deposit", "tokens": null}')),
  'waiting | Paid in eur, offered in usd',
  'a USD deposit in another currency waits'
);
select is(pg_temp.remaining('cat'), 1080::bigint, 'none of them has granted anything');

select is(
  pg_temp.complete('m9', pg_temp.offer('cat'), c.changes),
  format('waiting | Unknown price: %s', pg_temp.offer('cat')),
  'a session without an amount waits'
)
from (values ('{"amount_subtotal": null}'::jsonb)) c (changes);
select is(
  pg_temp.complete('m10', pg_temp.offer('cat'), '{"payment_status": null}'), 'waiting',
  'one that does not say it is paid waits'
);
select is(
  pg_temp.send('evt_m11', 'checkout.session.completed', pg_temp.session('cs_a', 'pi_a', pg_temp.offer('cat'))),
  format('applied | Granted to user %s already', pg_temp.id('ann')),
  'a payment is granted to one user; were it told of another, that is shown to the operator'
);
select is(pg_temp.remaining('cat'), 1080::bigint, 'none of them has granted anything either');

-- A handler that fails leaves the event, and nothing half done

select pg_temp.new_user('max', 9000000000000000);
select pg_temp.send('evt_max_re', 'refund.created', pg_temp.refund('re_max', 'pi_max', 100));
create temporary table before_failure as select pg_temp.fingerprint() as fingerprint;
select is(
  pg_temp.complete('max', pg_temp.offer('max')),
  'failed | Handling failed: Cannot give 1000 tokens: the total would be 9000000000001000, at most 9000000000000000 | '
    'error: Cannot give 1000 tokens: the total would be 9000000000001000, at most 9000000000000000',
  'what cannot be granted fails, with the reason'
);
select is(pg_temp.fingerprint(), (select fingerprint from before_failure), 'and changes nothing');
select results_eq(
  $$select outcome, waits_for from private.stripe_events where id = 'evt_max_re'$$,
  $$values ('waiting', 'pi_max')$$,
  'what waits for it, waits on'
);
select is(
  (select count(*) from private.stripe_customers where user_id = pg_temp.id('max')), 0::bigint,
  'not even the customer is remembered'
);
select results_eq(
  $$select outcome, error, user_id from private.stripe_events where id = 'evt_max'$$,
  $$
    values (
      'failed', 'Cannot give 1000 tokens: the total would be 9000000000001000, at most 9000000000000000',
      pg_temp.id('max')
    )
  $$,
  'but the event is stored, and says why'
);
select is(
  pg_temp.answer('delete from purchases'),
  '403 forbidden Delete on purchases is refused: it follows from Stripe''s events',
  'nor does the failure leave the guards open'
);
select is(
  left(pg_temp.complete('max', pg_temp.offer('max')), 6), 'failed', 'the same event again tries again'
);
update user_tokens set tokens_purchased = 0 where user_id = pg_temp.id('max');
select is(
  pg_temp.complete('max', pg_temp.offer('max')), 'applied', 'and is applied once that is possible'
);
select is(pg_temp.remaining('max'), 900::bigint, 'with the refund that waited');
select results_eq(
  $$select id, outcome, attention, error from private.stripe_events where payment_intent_id = 'pi_max' order by id$$,
  $$values ('evt_max', 'applied', null::text, null::text), ('evt_max_re', 'applied', null, null)$$,
  'and nothing needs attention any more'
);

-- Live and test mode

select is(
  pg_temp.send(pg_temp.event('evt_live', 'checkout.session.completed', pg_temp.session('cs_live', 'pi_live', pg_temp.offer('cat')), 1790000000)
    || '{"livemode": true}'),
  'applied',
  'an event of live mode is applied'
);
select results_eq(
  $$select id, livemode from private.stripe_events where id in ('evt_live', 'evt_a') order by id$$,
  $$values ('evt_a', false), ('evt_live', true)$$,
  'which mode it was is stored'
);

-- Not an event

create temporary table stored as select count(*) from private.stripe_events;
select is(
  pg_temp.answer(format('select * from handle_stripe_event(%L)', c.event)),
  '400 invalid_request The body is not an event of Stripe''s',
  format('%s is refused', c.what)
)
from (
  select v.what, v.event
  from (select pg_temp.event('evt_x', 'checkout.session.completed', pg_temp.session('cs_x', 'pi_x', pg_temp.offer('ann')), 1790000000)) e (event)
  cross join lateral (
    values
      ('nothing', null),
      ('null', 'null'::jsonb),
      ('a number', '1'),
      ('an array', '[]'),
      ('an empty object', '{}'),
      ('an object that is no event', e.event || '{"object": "customer"}'),
      ('an event without an id', e.event - 'id'),
      ('an event with an empty id', e.event || '{"id": ""}'),
      ('an event with an id of 256 characters', e.event || jsonb_build_object('id', repeat('x', 256))),
      ('an event without a type', e.event - 'type'),
      ('an event with a type of 256 characters', e.event || jsonb_build_object('type', repeat('x', 256))),
      ('an event without a moment', e.event - 'created'),
      ('an event with a moment in words', e.event || '{"created": "1790000000"}'),
      ('an event with a broken moment', e.event || '{"created": 1.5}'),
      ('an event with a moment beyond all', e.event || '{"created": 1e30}'),
      ('an event without a mode', e.event - 'livemode'),
      ('an event with a mode in words', e.event || '{"livemode": "true"}'),
      ('an event without data', e.event - 'data'),
      ('an event whose object is a word', e.event || '{"data": {"object": "cs_1"}}'),
      ('an event without an object', e.event || '{"data": {}}')
  ) v (what, event)
) c;
select results_eq('select count(*) from private.stripe_events', 'select * from stored', 'nothing of this is stored');

-- Callers

select is(
  pg_temp.answer('select handle_stripe_event(''{}'')', c.role, 'ann'),
  '42501 permission denied for function handle_stripe_event',
  format('handle_stripe_event is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');

select * from finish();

rollback;
