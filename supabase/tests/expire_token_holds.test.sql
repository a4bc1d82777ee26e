-- expire_token_holds ends holds past their expiry, of users who don't come back too, and no others. Time stands still
-- in a transaction, so holds are made to expire by moving expires_at into the past.

begin;

select plan(13);

select pg_temp.new_user(name, 100) from unnest(array['ann', 'ben', 'cat']) name;
select reserve_tokens(pg_temp.id('ann'), 10, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');
select reserve_tokens(pg_temp.id('ann'), 30, 'live');
select reserve_tokens(pg_temp.id('ben'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('cat'), 50, 'live');

select is(expire_token_holds(), 0::bigint, 'expire_token_holds leaves live holds alone');

update token_holds set expires_at = now() - interval '1 second' where operation_id <> 'live';
select is(expire_token_holds(), 3::bigint, 'expire_token_holds answers how many holds it ended');
select results_eq(
  $$
    select pg_temp.balance(name), u.tokens_reserved
    from unnest(array['ann', 'ben', 'cat']) name
    join user_tokens u on u.user_id = pg_temp.id(name)
    order by name
  $$,
  $$
    values
      ('total 100, used 0, reserved 30, remaining 70', 30::bigint),
      ('total 100, used 0, reserved 0, remaining 100', 0),
      ('total 100, used 0, reserved 50, remaining 50', 50)
  $$,
  'the tokens of expired holds are free'
);
select results_eq(
  'select operation_id, status::text, ended_at from token_holds order by user_id = pg_temp.id(''ann''), status, operation_id',
  $$
    values
      ('live', 'active', null), ('hold-1', 'expired', now()),
      ('live', 'active', null), ('hold-1', 'expired', now()), ('hold-2', 'expired', now())
  $$,
  'the holds are expired'
);
select is(
  (select array_agg(holds_expire_at = 'infinity' order by holds_expire_at) from user_tokens),
  array[false, false, true],
  'what is left is due when the next hold expires'
);
select pg_temp.changes_nothing('select expire_token_holds()', 'expire_token_holds finds nothing twice');
select is(
  (select count(*) from token_transactions where operation_id <> 'seed'),
  0::bigint,
  'an expired hold is no journal row'
);

select reserve_tokens(pg_temp.id('ben'), 1, 'hold-2');
select reserve_tokens(pg_temp.id('cat'), 1, 'hold-2');
update token_holds set expires_at = now() - interval '2 seconds'
where user_id = pg_temp.id('cat') and operation_id = 'hold-2';
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('ben') and operation_id = 'hold-2';
select is(expire_token_holds(1), 1::bigint, 'expire_token_holds does no more than it is told at once');
select is(expire_token_holds(), 1::bigint, 'the rest is for the next run');

select is(
  pg_temp.answer('select expire_token_holds()', c.role, 'ann'),
  '42501 permission denied for function expire_token_holds',
  format('expire_token_holds is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select expire_token_holds()', 'service_role'),
  '(0)',
  'expire_token_holds is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
