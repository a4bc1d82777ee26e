-- get_usd_balance answers a user's USD balance as an exact decimal string, 0.00 without one. Users see their own only.

begin;

select plan(18);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');

select is(pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ann''))'), '(0.00)', 'a new user has 0.00');
select is(pg_temp.answer('select * from get_usd_balance(pg_temp.id(''nobody''))'), '(0.00)', 'so does an unknown one');
select is(pg_temp.answer('select * from get_usd_balance(null)'), '(0.00)', 'and nobody');
select deposit_usd(pg_temp.id('ann'), '25', 'deposit');
select is(pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ann''))'), '(25.00)', 'a deposit counts');
select private.post_usd(pg_temp.id('ann'), 'clawback', -1.0001, 'taken');
select is(pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ann''))'), '(23.9999)', 'what is spent does not');
select private.post_usd(pg_temp.id('ann'), 'clawback', -25, 'clawback');
select is(pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ann''))'), '(-1.0001)', 'debt is below zero');

-- It writes money as private.usd_text does

create function pg_temp.shown(usd numeric)
returns text
language plpgsql
as $$
begin
  insert into public.usd_balances (user_id, balance) values (pg_temp.id('ben'), usd)
  on conflict (user_id) do update set balance = excluded.balance;
  return (select b.usd_balance from public.get_usd_balance(pg_temp.id('ben')) b);
end;
$$;

select is(pg_temp.shown(t.usd), private.usd_text(t.usd), format('get_usd_balance and usd_text agree on %s', t.usd))
from (values (0), (7), (0.1), (-0.0000000001), (9000000000), (123.4560000000)) t (usd);

-- Callers

update usd_balances set balance = 3.5 where user_id = pg_temp.id('ben');
select is(
  pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ben''))', 'authenticated', 'ben'),
  '(3.50)',
  'users see their own USD balance'
);
select is(
  pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ann''))', 'authenticated', 'ben'),
  '(0.00)',
  'users do not see another user''s'
);
select is(
  pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ben''))', 'authenticated'),
  '(0.00)',
  'nor does a session without a user'
);
select is(
  pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ben''))', 'anon'),
  '42501 permission denied for function get_usd_balance',
  'get_usd_balance is closed to anon'
);
select is(
  pg_temp.answer('select * from get_usd_balance(pg_temp.id(''ben''))', 'service_role'),
  '(3.50)',
  'get_usd_balance is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the USD journal and the balances agree');

select * from finish();

rollback;
