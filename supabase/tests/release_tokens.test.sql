-- release_tokens ends a hold without charging; releasing what has ended unused changes nothing. Each answer, the
-- balance and the tables are compared with what they must be.

begin;

select plan(22);

select pg_temp.new_user('ann', 100);
select reserve_tokens(pg_temp.id('ann'), 30, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');

-- Success

select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,f)',
  'release_tokens answers what it freed and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 0, reserved 20, remaining 80', 'other holds stay');
select is(pg_temp.journal('ann', 1), null, 'a release is no journal row');
select results_eq(
  $$select status::text, settled_amount, ended_at from token_holds where operation_id = 'hold-1'$$,
  $$values ('released', null::bigint, now())$$,
  'the hold is released'
);

-- Replay

select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,t)',
  'release_tokens answers a replay as the first time'
);
select pg_temp.changes_nothing(
  $$select release_tokens(pg_temp.id('ann'), 'hold-1')$$,
  'a replayed release changes nothing'
);

select charge_tokens(pg_temp.id('ann'), 1, 'charge');
select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,t)',
  'a replay answers the first result even when the balance has moved on'
);
select refund_tokens(pg_temp.id('ann'), 'refund', 'charge');

-- Conflict

select settle_tokens(pg_temp.id('ann'), 'hold-2', 5);
select is(
  pg_temp.answer($$select release_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '409 hold_not_active The hold hold-2 is settled',
  'release_tokens refuses a settled hold'
);
select pg_temp.changes_nothing(
  $$select release_tokens(pg_temp.id('ann'), 'hold-2')$$,
  'a refused release changes nothing'
);

-- Expiry

select reserve_tokens(pg_temp.id('ann'), 40, 'hold-3');
update token_holds set expires_at = now() - interval '1 second' where operation_id = 'hold-3';
select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-3')$$),
  '(40,95,f)',
  'release_tokens of an expired hold has nothing left to give back'
);
select is(
  pg_temp.balance('ann'),
  'total 100, used 5, reserved 0, remaining 95',
  'an expired hold gives its tokens back once'
);

-- Refusals

select is(
  pg_temp.answer(format('select release_tokens(pg_temp.id(%L), %L)', h.name, h.operation_id)),
  format('404 hold_not_found The user has no hold %s', h.operation_id),
  format('release_tokens refuses %s', h.what)
)
from (
  values ('an unknown hold', 'ann', 'hold-4'), ('a grant', 'ann', 'seed'), ('another user''s hold', 'nobody', 'hold-1')
) h (what, name, operation_id);
select is(
  pg_temp.answer($$select release_tokens(null, 'hold-1')$$),
  '400 invalid_request user_id is missing',
  'release_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select release_tokens(pg_temp.id(''ann''), %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('release_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);

-- Callers

select reserve_tokens(pg_temp.id('ann'), 1, 'role');
select is(
  pg_temp.answer($$select release_tokens(pg_temp.id('ann'), 'role')$$, c.role, 'ann'),
  '42501 permission denied for function release_tokens',
  format('release_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select released from release_tokens(pg_temp.id('ann'), 'role')$$, 'service_role'),
  '(1)',
  'release_tokens is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
