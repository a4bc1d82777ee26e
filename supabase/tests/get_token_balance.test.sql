-- get_token_balance is the one source of the balance: total = purchased + earned + admin bonus + approved requests,
-- remaining = total - used - reserved; base_tokens and bonus_tokens are never part of it. Users see their own only.

begin;

select plan(26);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben', 10);

-- The worked examples of the design

select is(pg_temp.remaining('ann'), 0::bigint, 'a new user has 0, whatever the sign-up entitlement');
select add_tokens(pg_temp.id('ann'), 2500, 'purchase', 'package');
select is(pg_temp.remaining('ann'), 2500::bigint, '2500 purchased are 2500');
update user_tokens set tokens_purchased = 4000 where user_id = pg_temp.id('ann');
select is(pg_temp.remaining('ann'), 4000::bigint, '4000 purchased, the early-bird bonus inside, are 4000');
select add_tokens(pg_temp.id('ann'), 200, 'referral', 'referral');
select is(pg_temp.remaining('ann'), 4200::bigint, '4000 and a referral of 200 are 4200');
update subscribers set base_tokens = 70000, bonus_tokens = 80000 where user_id = pg_temp.id('ann');
select is(pg_temp.remaining('ann'), 4200::bigint, 'base_tokens and bonus_tokens are never part of a sum');

-- Every part

select add_tokens(pg_temp.id('ann'), 50, 'bonus', 'bonus');
insert into token_requests (user_id, amount, status) values
  (pg_temp.id('ann'), 7, 'approved'),
  (pg_temp.id('ann'), 3, 'approved'),
  (pg_temp.id('ann'), 1000, 'pending'),
  (pg_temp.id('ann'), 2000, 'rejected'),
  (pg_temp.id('ben'), 5, 'approved');
select charge_tokens(pg_temp.id('ann'), 60, 'charge');
select reserve_tokens(pg_temp.id('ann'), 100, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 30, 'hold-2');
select results_eq(
  'select * from get_token_balance(pg_temp.id(''ann''))',
  $$
    values (4000::bigint, 200::bigint, 50::bigint, 10::bigint, 4260::bigint, 60::bigint, 130::bigint, 4070::bigint)
  $$,
  'purchased, earned, admin_bonus, approved_requests, total, used, reserved, remaining'
);
select is(pg_temp.balance('ben'), 'total 15, used 0, reserved 0, remaining 15', 'each user by themself');

update token_holds set expires_at = now() where operation_id = 'hold-2';
select is(
  pg_temp.balance('ann'),
  'total 4260, used 60, reserved 100, remaining 4100',
  'a hold past its expiry no longer counts, though it is not swept'
);
delete from subscribers where user_id = pg_temp.id('ann');
select is(
  pg_temp.balance('ann'),
  'total 4010, used 60, reserved 100, remaining 3850',
  'a user without a subscriber has a balance too'
);
select is_empty('select * from get_token_balance(pg_temp.id(''nobody''))', 'an unknown user has no balance, not 0');
select is_empty('select * from get_token_balance(null)', 'nor has nobody');

-- Callers

select is(
  pg_temp.answer('select remaining from get_token_balance(pg_temp.id(''ben''))', 'authenticated', 'ben'),
  '(15)',
  'users see their own balance'
);
select is(
  pg_temp.answer('select remaining, reserved from get_token_balance(pg_temp.id(''ann''))', 'authenticated', 'ann'),
  '(3850,100)',
  'with what is held'
);
select is(
  pg_temp.answer('select * from get_token_balance(pg_temp.id(''ann''))', 'authenticated', 'ben'),
  'no rows',
  'users do not see another user''s balance'
);
select is(
  pg_temp.answer('select * from get_token_balance(pg_temp.id(''ann''))', 'authenticated'),
  'no rows',
  'nor does a session without a user'
);
select is(
  pg_temp.answer('select * from get_token_balance(pg_temp.id(''ann''))', 'anon'),
  '42501 permission denied for function get_token_balance',
  'get_token_balance is closed to anon'
);
select is(
  pg_temp.answer('select remaining from get_token_balance(pg_temp.id(''ann''))', 'service_role'),
  '(3850)',
  'get_token_balance is open to service_role'
);
select is(
  pg_temp.answer(format('select count(*) from %I', t.name), 'authenticated', 'ben'),
  t.own,
  format('users read their own %s only', t.name)
)
from (
  values ('user_tokens', '(1)'), ('subscribers', '(1)'), ('token_requests', '(1)'), ('token_holds', '(0)'),
    ('token_transactions', '(2)')
) t (name, own);
select is(
  pg_temp.answer(format('update %I set %s returning 1', t.name, t.change), 'authenticated', 'ben'),
  format('42501 permission denied for table %s', t.name),
  format('users do not change their own %s', t.name)
)
from (
  values ('user_tokens', 'tokens_purchased = 1000'), ('token_holds', 'amount = 1'), ('token_transactions', 'amount = 1')
) t (name, change);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
