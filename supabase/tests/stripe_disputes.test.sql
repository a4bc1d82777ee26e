-- A dispute takes back its share of what a payment granted once funds are withdrawn, and gives it back when they are
-- reinstated or it is won, in whatever order its events come. Inquiries take nothing.

begin;

select plan(32);

create function pg_temp.buy(name text, payment text)
returns text
language sql
as $$
  select pg_temp.send(
    'evt_buy_' || payment, 'checkout.session.completed',
    pg_temp.session('cs_' || payment, 'pi_' || payment, pg_temp.offer(name))
  )
$$;

create function pg_temp.taken(payment text)
returns bigint
language sql
as $$select p.tokens_clawed_back from public.purchases p where p.stripe_id = 'pi_' || payment$$;

select pg_temp.new_user('ann');

-- Each event alone, and twice

select is(
  concat_ws(
    ', ', pg_temp.buy('ann', c.name),
    pg_temp.send('evt_' || c.name, 'charge.dispute.' || c.type, pg_temp.dispute('dp_' || c.name, 'pi_' || c.name, c.amount, c.status, c.changes)),
    pg_temp.send('evt_' || c.name, 'charge.dispute.' || c.type, pg_temp.dispute('dp_' || c.name, 'pi_' || c.name, c.amount, c.status, c.changes)),
    pg_temp.taken(c.name)
  ),
  'applied, applied, duplicate, ' || c.taken,
  c.what
)
from (
  values
    (
      'created', 'created', 1000, 'needs_response', '{}'::jsonb, 0, 'a dispute takes nothing before funds are withdrawn'
    ),
    (
      'withdrawn_in', 'created', 1000, 'needs_response',
      '{"balance_transactions": [{"id": "txn_1", "object": "balance_transaction", "amount": -1000, "fee": 2000, "net": -3000, "type": "adjustment"}]}',
      1000, 'unless it says itself that they are'
    ),
    ('withdrawn', 'funds_withdrawn', 1000, 'needs_response', '{}', 1000, 'funds withdrawn take what was granted'),
    ('part', 'funds_withdrawn', 333, 'needs_response', '{}', 333, 'a dispute of a part takes its share'),
    ('more', 'funds_withdrawn', 5000, 'needs_response', '{}', 1000, 'a dispute of more takes what was granted'),
    ('inquiry', 'created', 1000, 'warning_needs_response', '{}', 0, 'an inquiry takes nothing'),
    ('inquiry_over', 'closed', 1000, 'warning_closed', '{}', 0, 'nor does one that is closed'),
    ('review', 'updated', 1000, 'under_review', '{}', 0, 'nor does evidence under review'),
    (
      'lost', 'closed', 1000, 'lost', '{}', 1000,
      'a dispute that is lost takes what was granted, though nothing else came'
    ),
    ('won', 'closed', 1000, 'won', '{}', 0, 'one that is won takes nothing'),
    ('reinstated', 'funds_reinstated', 1000, 'under_review', '{}', 0, 'nor does one whose funds are reinstated')
) c (name, type, amount, status, changes, taken, what);

-- Withdrawn, and what follows, in both orders

create function pg_temp.follows(payment text, type text, status text, late boolean)
returns text
language plpgsql
as $$
declare
  v_withdrawn jsonb := pg_temp.event(
    'evt_w_' || payment, 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_' || payment, 'pi_' || payment, 400),
    1790000001
  );
  v_end jsonb := pg_temp.event(
    'evt_e_' || payment, type, pg_temp.dispute('dp_' || payment, 'pi_' || payment, 400, status), 1790000002
  );
begin
  perform pg_temp.buy('ann', payment);
  perform pg_temp.send(case when late then v_end else v_withdrawn end);
  perform pg_temp.send(case when late then v_withdrawn else v_end end);
  return pg_temp.purchase('pi_' || payment);
end;
$$;

select is(
  pg_temp.follows(format('%s_%s', c.name, l.late), c.type, c.status, l.late),
  c.state,
  format('%s%s', c.what, case when l.late then ', also when its events come the other way round' end)
)
from (
  values
    (
      'w', 'charge.dispute.closed', 'won', 'tokens paid 1000/0/0 tokens 1000/0 usd 0/',
      'a dispute that is won gives back'
    ),
    (
      'r', 'charge.dispute.funds_reinstated', 'under_review', 'tokens paid 1000/0/0 tokens 1000/0 usd 0/',
      'funds that are reinstated give back'
    ),
    (
      'l', 'charge.dispute.closed', 'lost', 'tokens paid 1000/0/400 tokens 1000/400 usd 0/',
      'a dispute that is lost takes no more than was withdrawn'
    )
) c (name, type, status, state, what)
cross join (values (false), (true)) l (late);

-- Two disputes of one payment

select pg_temp.buy('ann', 'two');
select pg_temp.send('evt_two_1', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_two_1', 'pi_two', 300));
select pg_temp.send('evt_two_2', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_two_2', 'pi_two', 200));
select is(
  pg_temp.purchase('pi_two'), 'tokens paid 1000/0/500 tokens 1000/500 usd 0/', 'two disputes of a payment add up'
);
select pg_temp.send('evt_two_3', 'charge.dispute.closed', pg_temp.dispute('dp_two_1', 'pi_two', 300, 'won'));
select is(pg_temp.purchase('pi_two'), 'tokens paid 1000/0/200 tokens 1000/200 usd 0/', 'and are told apart');
select is(
  (
    select string_agg(t.amount::text, ' ' order by t.seq)
    from token_transactions t
    where t.user_id = pg_temp.id('ann') and t.reference = 'pi_two'
  ),
  '1000 -300 -200 300',
  'each change is a journal row'
);

-- Debt, waiting, the deleted, and what is not Scrip's

select pg_temp.new_user('ben');
select pg_temp.buy('ben', 'ben');
select charge_tokens(pg_temp.id('ben'), 600, 'spent');
select pg_temp.send('evt_ben', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_ben', 'pi_ben', 1000));
select is(pg_temp.balance('ben'), 'total 0, used 600, reserved 0, remaining -600', 'what was spent is owed');
select pg_temp.send('evt_ben_2', 'charge.dispute.closed', pg_temp.dispute('dp_ben', 'pi_ben', 1000, 'won'));
select is(pg_temp.remaining('ben'), 400::bigint, 'and owed no longer when the dispute is won');

select is(
  pg_temp.send('evt_early', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_early', 'pi_early', 250)),
  'waiting',
  'a dispute before its purchase waits'
);
select is(pg_temp.buy('ben', 'early'), 'applied', '(the purchase comes)');
select is(pg_temp.taken('early'), 250::bigint, 'and takes its share when it comes');
select is(
  (select format('%s %s', outcome, user_id = pg_temp.id('ben')) from private.stripe_events where id = 'evt_early'),
  'applied t',
  'it is marked applied, with the user'
);
select is(
  pg_temp.send('evt_none', 'charge.dispute.created', pg_temp.dispute('dp_none', 'pi_none', 1, changes => '{"payment_intent": null}')),
  'ignored',
  'the dispute of a charge without a payment intent is not Scrip''s'
);
delete from auth.users where id = pg_temp.id('ben');
select is(
  pg_temp.send('evt_gone', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_gone', 'pi_ben', 1000)),
  'applied | The user is deleted: nothing could be taken back',
  'the dispute of a deleted user''s purchase is shown to the operator'
);
select is(
  pg_temp.send('evt_gone_2', 'charge.dispute.closed', pg_temp.dispute('dp_gone', 'pi_ben', 1000, 'won')),
  'applied | The user is deleted: nothing could be taken back',
  'also when it is won'
);
select is(pg_temp.purchase('pi_ben'), 'tokens paid 1000/0/0 tokens 1000/0 usd 0/', 'and noted on the purchase');

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');
select is(
  (select count(*) from private.stripe_events where outcome = 'failed'), 0::bigint, 'no event''s handling failed'
);

select * from finish();

rollback;
