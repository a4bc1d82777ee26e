-- charge_tokens takes tokens at most once per operation_id and never below zero. Each call's answer, the balance and
-- the journal are compared with what they must be; replays and refusals must leave every table as it was.

begin;

select plan(44);

select pg_temp.new_user('ann', 100);
select pg_temp.new_user('ben');

-- Success

select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}', 'ann')
  $$),
  '(30,70,f)',
  'charge_tokens answers what it took and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 30, reserved 0, remaining 70', 'charge_tokens raises used');
select is(
  pg_temp.journal('ann', 1),
  'charge used -30 = 70/70 charge-1 - ann',
  'charge_tokens writes one journal row'
);
select results_eq(
  $$
    select t.seq, t.description, t.metadata, t.id = c.transaction_id
    from token_transactions t, charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}') c
    where t.user_id = pg_temp.id('ann') and t.operation_id = 'charge-1'
  $$,
  $$values (2::bigint, 'a call', '{"model": "demo"}'::jsonb, true)$$,
  'the journal row keeps the caller''s words and data, and is the transaction answered'
);

-- Replay

select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}', 'someone else')
  $$),
  '(30,70,t)',
  'charge_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}')$$,
  'a replayed charge changes nothing'
);
select is(
  pg_temp.answer($$select charged, remaining, replayed from charge_tokens(pg_temp.id('ann'), 70, 'charge-2')$$),
  '(70,0,f)',
  'charge_tokens takes the last token'
);
select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}')
  $$),
  '(30,70,t)',
  'a replay answers the first result even when the balance has moved on'
);
select is(
  pg_temp.answer($$
    select replayed from charge_tokens(pg_temp.id('ann'), 70, 'charge-2', null, '{}')
  $$),
  '(t)',
  'no metadata and empty metadata are the same'
);

-- Conflict

select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id charge-1 was used before with other arguments',
  format('charge_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$31, 'charge-1', 'a call', '{"model": "demo"}'$$),
    ('description', $$30, 'charge-1', 'another', '{"model": "demo"}'$$),
    ('description, none', $$30, 'charge-1', null, '{"model": "demo"}'$$),
    ('metadata', $$30, 'charge-1', 'a call', '{"model": "other"}'$$),
    ('metadata, none', $$30, 'charge-1', 'a call'$$)
) c (what, arguments);

select pg_temp.new_user('cat', 100);
select charge_tokens(pg_temp.id('cat'), 10, 'charge');
select refund_tokens(pg_temp.id('cat'), 'refund', 'charge', 10);
select reserve_tokens(pg_temp.id('cat'), 10, 'hold');
select reserve_tokens(pg_temp.id('cat'), 10, 'settled');
select settle_tokens(pg_temp.id('cat'), 'settled');
select reserve_tokens(pg_temp.id('cat'), 10, 'released');
select release_tokens(pg_temp.id('cat'), 'released');

select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), %s, %L)', o.amount, o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('charge_tokens refuses the operation_id of a %s', o.what)
)
from (
  values ('grant', 100, 'seed'), ('refund', 10, 'refund'), ('hold', 10, 'hold'), ('settled hold', 10, 'settled'),
    ('released hold', 10, 'released'), ('hold, also beyond the balance', 1000, 'hold')
) o (what, amount, operation_id);

select is(
  pg_temp.answer($$
    select charged, replayed from charge_tokens(pg_temp.id('cat'), 10, 'charge-1')
  $$),
  '(10,f)',
  'two users may use the same operation_id'
);

-- Refusals

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('ben'), 1, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have 0, need 1',
  'charge_tokens refuses to overdraw an empty balance'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('cat'), 71, 'too much')$$),
  '403 insufficient_tokens Insufficient tokens: you have 70, need 71',
  'charge_tokens refuses to overdraw, and to take what is held'
);
select pg_temp.changes_nothing(
  $$select charge_tokens(pg_temp.id('cat'), 71, 'too much')$$,
  'a refused charge changes nothing'
);
select is(
  pg_temp.answer($$select charged, remaining from charge_tokens(pg_temp.id('cat'), 1, 'too much')$$),
  '(1,69)',
  'a refused charge does not use up its operation_id'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('nobody'), 1, 'charge')$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'charge_tokens refuses an unknown user'
);
select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), %s, ''bounds'')', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('charge_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer('select charge_tokens(null, 1, ''bounds'')'),
  '400 invalid_request user_id is missing',
  'charge_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), 1, %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('charge_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer($$select charged from charge_tokens(pg_temp.id('cat'), 1, repeat('x', 255))$$),
  '(1)',
  'charge_tokens takes an operation_id of 255 characters'
);

select pg_temp.new_user('max', 9000000000000000);
select is(
  pg_temp.answer($$
    select charged, remaining from charge_tokens(pg_temp.id('max'), 9000000000000000, 'all')
  $$),
  '(9000000000000000,0)',
  'charge_tokens takes 9000000000000000 tokens'
);

-- Holds that have expired make room

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 80, 'hold-1', 60);
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-2', 600);
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('eve') and operation_id = 'hold-1';

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('eve'), 91, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have 90, need 91',
  'charge_tokens counts live holds and no expired ones'
);
select is(
  pg_temp.answer($$select charged, remaining from charge_tokens(pg_temp.id('eve'), 90, 'charge')$$),
  '(90,0)',
  'charge_tokens sweeps expired holds when it needs their tokens'
);
select results_eq(
  $$
    select operation_id, status::text from token_holds where user_id = pg_temp.id('eve') order by operation_id
  $$,
  $$values ('hold-1', 'expired'), ('hold-2', 'active')$$,
  'the sweep ends expired holds only'
);

-- Callers

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('cat'), 1, 'role')$$, c.role, 'cat'),
  '42501 permission denied for function charge_tokens',
  format('charge_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select charged from charge_tokens(pg_temp.id('cat'), 1, 'role')$$, 'service_role', 'ann'),
  '(1)',
  'charge_tokens is open to service_role'
);
select is(
  (select array_agg(actor order by seq) from token_transactions where operation_id in ('refund', 'role')),
  array[session_user::text, 'service_role'],
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
