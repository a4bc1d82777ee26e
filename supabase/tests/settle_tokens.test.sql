-- settle_tokens ends a hold by charging what was used, once: less than was held, more, or after the hold expired.
-- Each answer, the balance and the journal are compared with what they must be.

begin;

select plan(42);

select pg_temp.new_user('ann', 100);
select reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');

-- Success

select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-1', 25, 'ben')
  $$),
  '(25,55,f,f)',
  'settle_tokens below the hold charges what was used and frees the rest'
);
select is(pg_temp.balance('ann'), 'total 100, used 25, reserved 20, remaining 55', 'other holds stay');
select is(
  pg_temp.journal('ann', 1),
  format('charge used -25 = 75/55 hold-1 %s ben', (select id from token_holds where operation_id = 'hold-1')),
  'settle_tokens writes one charge, which names the hold'
);
select results_eq(
  $$
    select t.description, t.metadata, h.status::text, h.settled_amount, h.ended_at
    from token_transactions t
    join token_holds h using (user_id, operation_id)
    where operation_id = 'hold-1'
  $$,
  $$values ('a run', '{"model": "demo"}'::jsonb, 'settled', 25::bigint, now())$$,
  'the charge has the hold''s words and data, and the hold is settled'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '(20,55,f,f)',
  'settle_tokens without an amount charges the whole hold'
);

-- Replay

select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-1', 25, 'other')
  $$),
  '(25,55,f,t)',
  'settle_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select settle_tokens(pg_temp.id('ann'), 'hold-1', 25)$$,
  'a replayed settlement changes nothing'
);
select is(
  pg_temp.answer($$select charged, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '(20,t)',
  'settle_tokens answers a replay without an amount'
);
select is(
  pg_temp.answer($$select charged, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2', 20)$$),
  '(20,t)',
  'the whole hold and its amount are the same'
);

-- Conflict

select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''ann''), ''hold-1'', %s)', a.amount)),
  '409 operation_id_reused operation_id hold-1 was used before with other arguments',
  format('settle_tokens refuses to settle again with %s', a.what)
)
from (values ('another amount', '26'), ('the whole hold', 'null'), ('the amount held', '30')) a (what, amount);
select reserve_tokens(pg_temp.id('ann'), 10, 'hold-3');
select release_tokens(pg_temp.id('ann'), 'hold-3');
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''ann''), ''hold-3'', %s)', a.amount)),
  '409 hold_not_active The hold hold-3 is released',
  format('settle_tokens refuses a released hold (amount %s)', a.amount)
)
from (values ('10'), ('null')) a (amount);
select pg_temp.changes_nothing(
  $$select settle_tokens(pg_temp.id('ann'), 'hold-3')$$,
  'a refused settlement changes nothing'
);
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(%L), %L, 1)', h.name, h.operation_id)),
  format('404 hold_not_found The user has no hold %s', h.operation_id),
  format('settle_tokens refuses %s', h.what)
)
from (
  values ('an unknown hold', 'ann', 'hold-4'), ('a grant', 'ann', 'seed'), ('another user''s hold', 'nobody', 'hold-1')
) h (what, name, operation_id);

-- Above the hold

select pg_temp.new_user('dan', 100);
select reserve_tokens(pg_temp.id('dan'), 50, 'hold-1');
select reserve_tokens(pg_temp.id('dan'), 50, 'hold-2');
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-1', 60)$$),
  '(60,-10,t)',
  'settle_tokens above the hold charges what was used, even below zero, and says so'
);
select is(
  pg_temp.journal('dan', 1),
  format(
    'charge used -60 = 40/-10 hold-1 %s postgres',
    (select id from token_holds where user_id = pg_temp.id('dan') and operation_id = 'hold-1')
  ),
  'the journal shows the debt'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('dan'), 'hold-1', 60)$$),
  '(60,-10,t,t)',
  'and so does a replay'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('dan'), 1, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have -10, need 1',
  'debt stops spending'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-2', 5)$$),
  '(5,35,f)',
  'a settlement that leaves no debt is not overdrawn'
);
select reserve_tokens(pg_temp.id('dan'), 35, 'hold-3');
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-3', 35)$$),
  '(35,0,f)',
  'nor is one that takes the last token'
);

-- After the hold expired

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('eve'), 40, 'hold-2');
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-3');
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('eve') and operation_id <> 'hold-3';
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('eve'), 'hold-1')$$),
  '(40,50,f)',
  'settle_tokens charges a hold that has expired and is not swept yet'
);
select charge_tokens(pg_temp.id('eve'), 50, 'charge');
select is(
  (select status::text from token_holds where user_id = pg_temp.id('eve') and operation_id = 'hold-2'),
  'expired',
  '(the other one is swept)'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('eve'), 'hold-2', 15)$$),
  '(15,-15,t)',
  'settle_tokens charges a hold that has expired and is swept, since the work is done'
);
select is(
  pg_temp.balance('eve'),
  'total 100, used 105, reserved 10, remaining -15',
  'an expired hold gives its tokens back once'
);

-- Bounds

select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''eve''), ''hold-3'', %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.amount),
  format('settle_tokens refuses %s tokens', a.amount)
)
from (values ('0'), ('-1'), ('9000000000000001')) a (amount);
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''eve''), %s, 1)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('settle_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer($$select settle_tokens(null, 'hold-3', 1)$$),
  '400 invalid_request user_id is missing',
  'settle_tokens refuses no user'
);
select is(
  pg_temp.answer($$select settle_tokens(pg_temp.id('eve'), 'hold-3', 9000000000000000)$$),
  '400 balance_limit_exceeded Cannot charge 9000000000000000 tokens: a user may use at most 9000000000000000',
  'settle_tokens refuses what would take used beyond its bound'
);
select pg_temp.new_user('max', 1);
select reserve_tokens(pg_temp.id('max'), 1, 'hold');
select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn from settle_tokens(pg_temp.id('max'), 'hold', 9000000000000000)
  $$),
  '(9000000000000000,-8999999999999999,t)',
  'settle_tokens charges 9000000000000000 tokens'
);

-- Callers

select is(
  pg_temp.answer($$select settle_tokens(pg_temp.id('eve'), 'hold-3')$$, c.role, 'eve'),
  '42501 permission denied for function settle_tokens',
  format('settle_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select charged from settle_tokens(pg_temp.id('eve'), 'hold-3')$$, 'service_role'),
  '(10)',
  'settle_tokens is open to service_role'
);
select is(
  (select actor from token_transactions where user_id = pg_temp.id('eve') and operation_id = 'hold-3'),
  'service_role',
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
