-- Refunds take back their share of what a payment granted, rounded down on the whole: a full refund in any number of
-- parts takes exactly what was granted. A refund that fails gives back; what a charge tells of refunds counts until
-- their own events come; debt is shown, stops spending, and is paid by the next grant. The ledger verifies after each
-- case.

begin;

select plan(73);

-- Buys: a payment of so many cents for so many tokens.
create function pg_temp.buy(name text, payment text, tokens bigint, cents bigint)
returns text
language sql
as $$
  select pg_temp.send(
    'evt_buy_' || payment, 'checkout.session.completed',
    pg_temp.session(
      'cs_' || payment, 'pi_' || payment,
      pg_temp.offer(name, jsonb_build_object('tokens', tokens::text, 'amount_cents', cents::text))
    )
  )
$$;

create function pg_temp.give_back(id text, payment text, cents bigint, status text default 'succeeded')
returns text
language sql
as $$
  select pg_temp.send(
    format('evt_%s_%s', id, status),
    'refund.' || case status when 'failed' then 'failed' when 'canceled' then 'updated' else 'created' end,
    pg_temp.refund(id, 'pi_' || payment, cents, status)
  )
$$;

-- One refund

select pg_temp.new_user('ann');
select is(pg_temp.buy('ann', 'a', 1001, 999), 'applied', '(a purchase)');
select is(pg_temp.give_back('re_a1', 'a', 333), 'applied', 'a refund is applied');
select is(pg_temp.purchase('pi_a'), 'tokens paid 999/333/0 tokens 1001/333 usd 0/', 'it takes its share, rounded down');
select is(
  pg_temp.journal('ann', 1),
  'clawback purchased -333 = 668/668 stripe:evt_re_a1_succeeded:333 pi_a stripe',
  'by one journal row'
);
select results_eq(
  $$
    select t.description, t.metadata ->> 'purchase_id' = p.id::text
    from token_transactions t
    join purchases p on p.stripe_id = 'pi_a'
    where t.user_id = pg_temp.id('ann') and t.type = 'clawback'
  $$,
  $$values ('1001 tokens', true)$$,
  'which names the purchase'
);
select is(pg_temp.give_back('re_a1', 'a', 333), 'duplicate', 'the same event again is a duplicate');
select is(
  pg_temp.send('evt_re_a1_again', 'refund.updated', pg_temp.refund('re_a1', 'pi_a', 333)),
  'applied',
  'another event of the refund is applied'
);
select is(pg_temp.remaining('ann'), 668::bigint, 'neither takes anything more');
select results_eq(
  $$select outcome, attention from replay_stripe_event('evt_re_a1_succeeded')$$,
  $$values ('applied', null)$$,
  'nor does a replay say otherwise'
);
select is(pg_temp.remaining('ann'), 668::bigint, 'nor does it take more');
select is(pg_temp.give_back('re_a2', 'a', 666), 'applied', 'the rest is refunded');
select is(pg_temp.purchase('pi_a'), 'tokens paid 999/999/0 tokens 1001/1001 usd 0/', 'all that was granted is taken');
select is(pg_temp.balance('ann'), 'total 0, used 0, reserved 0, remaining 0', 'nothing is left, nothing is owed');

-- Full refunds in parts: each part in turn takes no more than its share, all of them everything

create function pg_temp.refund_in_parts(tokens bigint, cents bigint, parts integer)
returns text
language plpgsql
as $$
declare
  v_payment text := format('%s_%s_%s', tokens, cents, parts);
  v_off bigint := 0;
  v_sum bigint := 0;
  v_part bigint;
begin
  perform pg_temp.buy('parts', v_payment, tokens, cents);
  for v_number in 1..parts loop
    v_part := cents * v_number / parts - v_sum;
    v_sum := v_sum + v_part;
    perform pg_temp.give_back(format('re_%s_%s', v_payment, v_number), v_payment, v_part);
    v_off := v_off + abs(div(tokens::numeric * v_sum, cents) - (
      select p.tokens_clawed_back from public.purchases p where p.stripe_id = 'pi_' || v_payment
    ));
  end loop;
  return format('%s off on the way, remaining %s', v_off, pg_temp.remaining('parts'));
end;
$$;

select pg_temp.new_user('parts', 7);
select is(
  pg_temp.refund_in_parts(c.tokens, c.cents, c.parts),
  '0 off on the way, remaining 7',
  format('%s tokens for %s cents, refunded in %s parts', c.tokens, c.cents, c.parts)
)
from (
  values (1::bigint, 100::bigint, 3), (1, 99999999, 2), (7, 50, 50), (100, 333, 7), (1001, 999, 9), (999999999999, 99999999, 13),
    (1000000000000, 51, 51), (3, 1000, 1)
) c (tokens, cents, parts);

-- A refund that fails, or is cancelled, is undone for good, whatever comes late

select pg_temp.new_user('ben');
select pg_temp.buy('ben', f.status, 100, 100), pg_temp.give_back('re_' || f.status, f.status, 40)
from (values ('failed'), ('canceled')) f (status);
select is(pg_temp.remaining('ben'), 120::bigint, '(two refunds of 40)');
select is(
  pg_temp.send(
    'evt_' || f.status, f.type, pg_temp.refund('re_' || f.status, 'pi_' || f.status, 40, f.status), 1790000100
  ),
  'applied',
  format('a refund that is %s after it had succeeded is applied', f.status)
)
from (values ('failed', 'refund.failed'), ('canceled', 'charge.refund.updated')) f (status, type);
select is(
  pg_temp.purchase('pi_' || f.status), 'tokens paid 100/0/0 tokens 100/0 usd 0/',
  format('once %s, it gives back what it took', f.status)
)
from (values ('failed'), ('canceled')) f (status);
select is(
  pg_temp.send('evt_stale', 'refund.updated', pg_temp.refund('re_failed', 'pi_failed', 40), 1790000200),
  'applied',
  'a state of the refund that comes late is applied'
);
select is(pg_temp.balance('ben'), 'total 200, used 0, reserved 0, remaining 200', 'and takes nothing');
select is(pg_temp.give_back('re_again', 'failed', 100), 'applied', 'another refund of the whole');
select is(pg_temp.purchase('pi_failed'), 'tokens paid 100/100/0 tokens 100/100 usd 0/', 'takes the whole');
select is(pg_temp.give_back('re_pending', 'canceled', 30, 'pending'), 'applied', 'a refund under way');
select is(pg_temp.purchase('pi_canceled'), 'tokens paid 100/30/0 tokens 100/30 usd 0/', 'takes its share at once');

-- What a charge tells

select pg_temp.new_user('cat');
select pg_temp.buy('cat', c.payment, 1000, 1000) from (values ('c1'), ('c2'), ('c3'), ('c4')) c (payment);

select is(
  pg_temp.send('evt_c1', 'charge.refunded', pg_temp.charge('pi_c1', 1000, 300)),
  'applied',
  'a charge that tells of refunds'
);
select is(
  pg_temp.purchase('pi_c1'), 'tokens paid 1000/300/0 tokens 1000/300 usd 0/', 'counts without their own events'
);
select pg_temp.give_back('re_c1', 'c1', 300);
select is(
  pg_temp.purchase('pi_c1'), 'tokens paid 1000/300/0 tokens 1000/300 usd 0/', 'and once only, when these come'
);
select pg_temp.send('evt_c1b', 'charge.refunded', pg_temp.charge('pi_c1', 1000, 500), 1790000100);
select is(
  pg_temp.purchase('pi_c1'),
  'tokens paid 1000/500/0 tokens 1000/500 usd 0/',
  'a charge counts for what it tells beyond the refunds that are known'
);
select pg_temp.send(
  'evt_c1c', 'refund.created', pg_temp.refund('re_c1c', 'pi_c1', 100, 'succeeded', '{"created": 1790000200}'),
  1790000200
);
select is(
  pg_temp.purchase('pi_c1'),
  'tokens paid 1000/600/0 tokens 1000/600 usd 0/',
  'a refund made after what the charge tells counts on top'
);
select pg_temp.send(
  'evt_c1d', 'refund.created', pg_temp.refund('re_c1b', 'pi_c1', 200, 'succeeded', '{"created": 1790000100}'),
  1790000100
);
select is(
  pg_temp.purchase('pi_c1'),
  'tokens paid 1000/600/0 tokens 1000/600 usd 0/',
  'one that the charge had told of does not count again'
);

select pg_temp.send(
  'evt_c2', 'charge.refunded',
  pg_temp.charge('pi_c2', 1000, 700, jsonb_build_object('refunds', jsonb_build_object('object', 'list', 'data', jsonb_build_array(
    pg_temp.refund('re_c2a', 'pi_c2', 300), pg_temp.refund('re_c2b', 'pi_c2', 400)
  ))))
);
select is(
  pg_temp.purchase('pi_c2'),
  'tokens paid 1000/700/0 tokens 1000/700 usd 0/',
  'refunds that a charge holds, as old API versions send them, count'
);
select pg_temp.give_back('re_c2a', 'c2', 300), pg_temp.give_back('re_c2b', 'c2', 400);
select is(pg_temp.purchase('pi_c2'), 'tokens paid 1000/700/0 tokens 1000/700 usd 0/', 'and once only');
select pg_temp.give_back('re_c2b', 'c2', 400, 'failed');
select is(
  pg_temp.purchase('pi_c2'), 'tokens paid 1000/300/0 tokens 1000/300 usd 0/',
  'one of them that fails gives back its part'
);

select pg_temp.buy('cat', 'c6', 1000, 1000);
select pg_temp.give_back('re_c6a', 'c6', 300, 'failed');
select pg_temp.send(
  'evt_c6', 'charge.refunded',
  pg_temp.charge('pi_c6', 1000, 400, jsonb_build_object('refunds', jsonb_build_object(
    'object', 'list', 'data', jsonb_build_array(
      pg_temp.refund('re_c6a', 'pi_c6', 300, 'failed'), pg_temp.refund('re_c6b', 'pi_c6', 400)
    )
  )))
);
select is(
  pg_temp.purchase('pi_c6'),
  'tokens paid 1000/400/0 tokens 1000/400 usd 0/',
  'they are told apart from those that have failed'
);

select pg_temp.give_back('re_c3', 'c3', 250, 'failed');
select pg_temp.send('evt_c3', 'charge.refunded', pg_temp.charge('pi_c3', 1000, 250));
select is(
  pg_temp.purchase('pi_c3'), 'tokens paid 1000/0/0 tokens 1000/0 usd 0/',
  'a charge that comes after its refund failed takes nothing'
);
select pg_temp.send(
  'evt_c4', 'charge.refunded', pg_temp.charge('pi_c4', 1000, 1000, '{"refunds": {"object": "list", "data": []}}')
);
select is(
  pg_temp.purchase('pi_c4'), 'tokens paid 1000/1000/0 tokens 1000/1000 usd 0/',
  'a charge with an empty list of refunds counts whole'
);

select pg_temp.buy('cat', 'c7', 1000, 1000);
select pg_temp.give_back('re_c7', 'c7', 300, 'failed');
select pg_temp.send('evt_c7', 'charge.refunded', pg_temp.charge('pi_c7', 1000, 400), 1790000900);
select is(
  pg_temp.purchase('pi_c7'),
  'tokens paid 1000/400/0 tokens 1000/400 usd 0/',
  'a refund that had failed before a charge tells of others is not among them'
);

-- Never beyond what was granted

select pg_temp.buy('cat', 'c5', 1000, 1000);
select pg_temp.give_back('re_c5', 'c5', 800);
select pg_temp.send('evt_c5', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_c5', 'pi_c5', 1000));
select is(
  pg_temp.purchase('pi_c5'),
  'tokens paid 1000/800/1000 tokens 1000/1000 usd 0/',
  'a refund and a dispute of the whole together take what was granted, never more'
);
select pg_temp.send('evt_c5b', 'charge.dispute.closed', pg_temp.dispute('dp_c5', 'pi_c5', 1000, 'won'));
select is(
  pg_temp.purchase('pi_c5'), 'tokens paid 1000/800/0 tokens 1000/800 usd 0/', 'the dispute won, the refund still counts'
);

-- Debt

select pg_temp.new_user('dan');
select pg_temp.buy('dan', 'd1', 100, 100);
select charge_tokens(pg_temp.id('dan'), 70, 'spent');
select pg_temp.give_back('re_d1', 'd1', 100);
select is(
  pg_temp.balance('dan'),
  'total 0, used 70, reserved 0, remaining -70',
  'what was spent already is owed: remaining is negative'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('dan'), 1, 'more')$$),
  '403 insufficient_tokens Insufficient tokens: you have -70, need 1',
  'spending stops'
);
select pg_temp.buy('dan', 'd2', 100, 100);
select is(pg_temp.remaining('dan'), 30::bigint, 'the next grant pays the debt');

-- Tokens that an admin took by hand before

select pg_temp.new_user('eve');
select pg_temp.buy('eve', 'e1', 100, 100);
update user_tokens set tokens_purchased = 30 where user_id = pg_temp.id('eve');
select is(pg_temp.give_back('re_e1', 'e1', 100), 'applied', 'a refund of what an admin took by hand is applied');
select is(
  pg_temp.balance('eve'), 'total 0, used 70, reserved 0, remaining -70', 'what is no longer there is counted as used'
);
select is(
  pg_temp.journal('eve', 2),
  'clawback purchased -30 = 0/0 stripe:evt_re_e1_succeeded:100 pi_e1 stripe; '
    'clawback used -70 = -70/-70 stripe:evt_re_e1_succeeded:100:used pi_e1 stripe',
  'by a journal row for each column'
);
select pg_temp.give_back('re_e1', 'e1', 100, 'failed');
select is(pg_temp.remaining('eve'), 30::bigint, 'and is given back when the refund fails');

-- Waiting

select pg_temp.new_user('fay');
select is(pg_temp.give_back('re_f1', 'f1', 40), 'waiting', 'a refund before its purchase waits');
select is(
  pg_temp.send('evt_f1', 'charge.refunded', pg_temp.charge('pi_f1', 100, 40)), 'waiting',
  'so does the charge that tells of it'
);
select is(pg_temp.buy('fay', 'f1', 100, 100), 'applied', '(the purchase comes)');
select results_eq(
  $$select outcome, waits_for, user_id from private.stripe_events where payment_intent_id = 'pi_f1'$$,
  $$
    values ('applied', null::text, pg_temp.id('fay')), ('applied', null, pg_temp.id('fay')),
      ('applied', null, pg_temp.id('fay'))
  $$,
  'both are marked applied, with the user, when it comes'
);
select is(pg_temp.remaining('fay'), 60::bigint, 'and have taken their share');
select is(
  pg_temp.send('evt_f2', 'refund.created', pg_temp.refund('re_f2', 'pi_f2', 40, changes => '{"payment_intent": null}')),
  'ignored',
  'the refund of a charge without a payment intent is not Scrip''s'
);

-- A one-time payment of which Stripe makes an invoice

create function pg_temp.invoiced(payment text, things text[])
returns text
language plpgsql
as $$
declare
  v_thing text;
begin
  foreach v_thing in array things loop
    perform case v_thing
      when 'purchase' then pg_temp.buy('gus', payment, 100, 100)
      when 'charge' then pg_temp.send(
        'evt_ch_' || payment, 'charge.refunded',
        pg_temp.charge('pi_' || payment, 100, 40, jsonb_build_object('invoice', 'in_' || payment))
      )
      when 'refund' then pg_temp.give_back('re_' || payment, payment, 40)
    end;
  end loop;
  return concat_ws('; ', pg_temp.purchase('pi_' || payment), (
    select string_agg(distinct e.outcome, ' ') from private.stripe_events e where e.payment_intent_id = 'pi_' || payment
  ));
end;
$$;

select pg_temp.new_user('gus');
select is(
  pg_temp.invoiced('g' || row_number() over (order by c.things), c.things),
  'tokens paid 100/40/0 tokens 100/40 usd 0/; applied',
  format('a payment that has an invoice as well: %s', array_to_string(c.things, ', '))
)
from (
  values ('{purchase,charge,refund}'::text[]), ('{charge,refund,purchase}'), ('{charge,purchase,refund}'),
    ('{refund,charge,purchase}'), ('{refund,purchase,charge}'), ('{purchase,refund,charge}')
) c (things);

-- The deleted

select pg_temp.new_user('hal');
select pg_temp.buy('hal', 'h1', 100, 100);
delete from user_tokens where user_id = pg_temp.id('hal');
select is(
  pg_temp.give_back('re_h1', 'h1', 100),
  'applied | The user is deleted: nothing could be taken back',
  'a refund of a user without a row of tokens is shown to the operator'
);
select is(pg_temp.purchase('pi_h1'), 'tokens paid 100/100/0 tokens 100/0 usd 0/', 'nothing is noted as taken');
select is_empty('select * from verify_ledger()', 'and the ledger verifies');
delete from auth.users where id = pg_temp.id('fay');
select is(
  pg_temp.give_back('re_f3', 'f1', 60),
  'applied | The user is deleted: nothing could be taken back',
  'the refund of a deleted user''s purchase is shown to the operator'
);
select is(
  pg_temp.purchase('pi_f1'), 'tokens paid 100/100/0 tokens 100/100 usd 0/', 'and noted on the purchase, which stays'
);

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');
select is(
  (select count(*) from private.stripe_events where outcome = 'failed'), 0::bigint, 'no event''s handling failed'
);

select * from finish();

rollback;
