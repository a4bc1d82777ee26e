-- explain_balance lists every grant and correction in order, then what is used and held; its last running_total is
-- what remains. Users see their own only.

begin;

select plan(9);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben', 10);

select results_eq(
  'select line, source, amount, running_total from explain_balance(pg_temp.id(''ann''))',
  $$values (1::bigint, 'used', 0::bigint, 0::bigint), (2, 'reserved', 0, 0)$$,
  'a new user has nothing, line by line'
);

select add_tokens(pg_temp.id('ann'), 2500, 'purchase', 'add-1', 'cs_1', 'a package');
select charge_tokens(pg_temp.id('ann'), 70, 'charge-1');
select charge_tokens(pg_temp.id('ann'), 30, 'charge-2');
select refund_tokens(pg_temp.id('ann'), 'refund-1', 'charge-1', 20);
select add_tokens(pg_temp.id('ann'), 200, 'referral', 'add-2', 'ben');
update user_tokens set tokens_purchased = 2400, tokens_used = 90 where user_id = pg_temp.id('ann');
insert into token_requests (user_id, id, amount, status)
values (pg_temp.id('ann'), pg_temp.id('request'), 5, 'approved');
select reserve_tokens(pg_temp.id('ann'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 10, 'hold-2');
update token_holds set expires_at = now() where operation_id = 'hold-2';

select results_eq(
  $$
    select line, source, amount, running_total, description, reference, operation_id
    from explain_balance(pg_temp.id('ann'))
  $$,
  $$
    values
      (1::bigint, 'purchase', 2500::bigint, 2500::bigint, 'a package', 'cs_1', 'add-1'),
      (2, 'referral', 200, 2700, null, 'ben', 'add-2'),
      (3, 'adjustment', -100, 2600, null, null, null),
      (4, 'request', 5, 2605, null, pg_temp.id('request')::text, null),
      (5, 'used', -90, 2515, 'Charged, less refunds', null, null),
      (6, 'reserved', -40, 2475, 'Held for work under way', null, null)
  $$,
  'explain_balance lists grants and corrections, then what is used and held'
);
select is(
  (select running_total from explain_balance(pg_temp.id('ann')) order by line desc limit 1),
  (select remaining from get_token_balance(pg_temp.id('ann'))),
  'the last line is what remains'
);
select results_eq(
  'select created_at from explain_balance(pg_temp.id(''ann'')) where created_at is not null order by line',
  $$
    select created_at from token_transactions where user_id = pg_temp.id('ann') and account <> 'used' order by seq
  $$,
  'the lines say when'
);
select is_empty('select * from explain_balance(pg_temp.id(''nobody''))', 'an unknown user has no lines');

select is(
  pg_temp.answer('select source, running_total from explain_balance(pg_temp.id(''ben''))', 'authenticated', 'ben'),
  '(add,10) (used,10) (reserved,10)',
  'users see their own lines'
);
select is(
  pg_temp.answer('select * from explain_balance(pg_temp.id(''ann''))', 'authenticated', 'ben'),
  'no rows',
  'users do not see another user''s lines'
);
select is(
  pg_temp.answer('select * from explain_balance(pg_temp.id(''ann''))', 'anon'),
  '42501 permission denied for function explain_balance',
  'explain_balance is closed to anon'
);
select is(
  pg_temp.answer('select count(*) from explain_balance(pg_temp.id(''ann''))', 'service_role'),
  '(6)',
  'explain_balance is open to service_role'
);

select * from finish();

rollback;
