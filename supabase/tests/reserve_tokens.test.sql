-- reserve_tokens sets tokens aside at most once per operation_id and never below zero; a hold counts until it expires.
-- Time stands still in a transaction, so holds are made to expire by moving expires_at into the past.

begin;

select plan(45);

select pg_temp.new_user('ann', 100);

-- Success

select is(
  pg_temp.answer($$
    select held, expires_at - now(), remaining, replayed
    from reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}')
  $$),
  '(30,00:01:00,70,f)',
  'reserve_tokens answers what it holds, until when, and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 0, reserved 30, remaining 70', 'a hold lowers what remains at once');
select is(pg_temp.journal('ann', 1), null, 'a hold is no journal row');
select results_eq(
  $$
    select amount, status::text, ttl_seconds, description, metadata, settled_amount, ended_at, id = r.hold_id
    from token_holds, reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}') r
    where user_id = pg_temp.id('ann')
  $$,
  $$
    values (30::bigint, 'active', 60, 'a run', '{"model": "demo"}'::jsonb, null::bigint, null::timestamptz, true)
  $$,
  'the hold keeps the caller''s words and data'
);
select is(
  pg_temp.answer($$
    select held, expires_at - now(), remaining from reserve_tokens(pg_temp.id('ann'), 70, 'hold-2')
  $$),
  '(70,00:15:00,0)',
  'reserve_tokens holds the last token, for 15 minutes unless told'
);

-- Replay

select is(
  pg_temp.answer($$
    select held, expires_at - now(), remaining, replayed
    from reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}')
  $$),
  '(30,00:01:00,70,t)',
  'reserve_tokens answers a replay as the first time'
);
select pg_temp.changes_nothing(
  $$select reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}')$$,
  'a replayed hold changes nothing'
);
select release_tokens(pg_temp.id('ann'), 'hold-2');
select is(
  pg_temp.answer($$select held, remaining, replayed from reserve_tokens(pg_temp.id('ann'), 70, 'hold-2')$$),
  '(70,0,t)',
  'reserve_tokens answers a replay when the hold is released'
);
select pg_temp.changes_nothing(
  $$select reserve_tokens(pg_temp.id('ann'), 70, 'hold-2')$$,
  'and does not hold anew'
);
select settle_tokens(pg_temp.id('ann'), 'hold-1', 20);
select is(
  pg_temp.answer($$
    select held, remaining, replayed
    from reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}')
  $$),
  '(30,70,t)',
  'reserve_tokens answers a replay when the hold is settled'
);

-- Conflict

select is(
  pg_temp.answer(format('select reserve_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id hold-1 was used before with other arguments',
  format('reserve_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$31, 'hold-1', 60, 'a run', '{"model": "demo"}'$$),
    ('ttl_seconds', $$30, 'hold-1', 61, 'a run', '{"model": "demo"}'$$),
    ('description', $$30, 'hold-1', 60, 'another', '{"model": "demo"}'$$),
    ('description, none', $$30, 'hold-1', 60, null, '{"model": "demo"}'$$),
    ('metadata', $$30, 'hold-1', 60, 'a run', '{"model": "other"}'$$),
    ('metadata, none', $$30, 'hold-1', 60, 'a run'$$)
) c (what, arguments);

select charge_tokens(pg_temp.id('ann'), 10, 'charge');
select refund_tokens(pg_temp.id('ann'), 'refund', 'charge');
select is(
  pg_temp.answer(format('select reserve_tokens(pg_temp.id(''ann''), %s, %L)', o.amount, o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('reserve_tokens refuses the operation_id of a %s', o.what)
)
from (
  values ('grant', 10, 'seed'), ('charge', 10, 'charge'), ('refund', 10, 'refund'),
    ('charge, also beyond the balance', 1000, 'charge')
) o (what, amount, operation_id);

-- Refusals

select is(
  pg_temp.answer($$select reserve_tokens(pg_temp.id('ann'), 81, 'too much')$$),
  '403 insufficient_tokens Insufficient tokens: you have 80, need 81',
  'reserve_tokens refuses to overdraw'
);
select pg_temp.changes_nothing(
  $$select reserve_tokens(pg_temp.id('ann'), 81, 'too much')$$,
  'a refused hold changes nothing'
);
select is(
  pg_temp.answer($$select reserve_tokens(pg_temp.id('nobody'), 1, 'hold')$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'reserve_tokens refuses an unknown user'
);
select is(
  pg_temp.answer(format('select reserve_tokens(pg_temp.id(''ann''), %s, ''bounds'')', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('reserve_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer(format('select reserve_tokens(pg_temp.id(''ann''), 1, ''bounds'', %s)', t.ttl_seconds)),
  format('400 invalid_request ttl_seconds must be from 1 to 86400, got %s', t.shown),
  format('reserve_tokens refuses a ttl of %s seconds', t.ttl_seconds)
)
from (values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('86401', '86401')) t (ttl_seconds, shown);
select is(
  pg_temp.answer($$select reserve_tokens(null, 1, 'bounds')$$),
  '400 invalid_request user_id is missing',
  'reserve_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select reserve_tokens(pg_temp.id(''ann''), 1, %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('reserve_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select pg_temp.new_user('max', 9000000000000000);
select is(
  pg_temp.answer($$
    select held, expires_at - now(), remaining
    from reserve_tokens(pg_temp.id('max'), 9000000000000000, 'all', 86400)
  $$),
  '(9000000000000000,"1 day",0)',
  'reserve_tokens holds 9000000000000000 tokens, for 24 hours'
);

-- Expiry

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 80, 'hold-1', 60);
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-2', 600);
update token_holds set expires_at = now() where user_id = pg_temp.id('eve') and operation_id = 'hold-1';
select is(
  pg_temp.balance('eve'),
  'total 100, used 0, reserved 10, remaining 90',
  'a hold stops counting at the moment it expires, before it is swept'
);
select is(
  pg_temp.answer($$select reserve_tokens(pg_temp.id('eve'), 91, 'hold-3')$$),
  '403 insufficient_tokens Insufficient tokens: you have 90, need 91',
  'reserve_tokens counts live holds and no expired ones'
);
select is(
  pg_temp.answer($$select held, remaining from reserve_tokens(pg_temp.id('eve'), 90, 'hold-3')$$),
  '(90,0)',
  'reserve_tokens sweeps expired holds when it needs their tokens'
);
select is(
  pg_temp.answer($$select held, remaining, replayed from reserve_tokens(pg_temp.id('eve'), 80, 'hold-1', 60)$$),
  '(80,20,t)',
  'reserve_tokens answers a replay when the hold has expired'
);

-- Callers

select is(
  pg_temp.answer($$select reserve_tokens(pg_temp.id('ann'), 1, 'role')$$, c.role, 'ann'),
  '42501 permission denied for function reserve_tokens',
  format('reserve_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select held from reserve_tokens(pg_temp.id('ann'), 1, 'role')$$, 'service_role'),
  '(1)',
  'reserve_tokens is open to service_role'
);
select is(
  pg_temp.answer('select operation_id from token_holds order by operation_id', 'authenticated', 'ann'),
  '(hold-1) (hold-2) (role)',
  'users see their own holds only'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
