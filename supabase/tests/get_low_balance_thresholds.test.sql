-- get_low_balance_thresholds tells of each balance of one user what it has, its threshold, and whether it is low.

begin;

select plan(12);

select pg_temp.new_user('ann', 100), pg_temp.new_user('ben', 70);

create function pg_temp.told(name text)
returns text
language sql
as $$
  select pg_temp.answer(
    format(
      'select balance, name, have, threshold, low from get_low_balance_thresholds(%L)', pg_temp.id(told.name)
    ),
    'service_role'
  )
$$;

select is(
  pg_temp.told('ann'), '(tokens,,100,,f) (usd,,0.00,,f)', 'get_low_balance_thresholds answers service_role, whatever is set'
);
create temporary table tokens as
select name, token_id as id from (values ('First'), ('Second'), ('Gone')) n (name)
cross join lateral create_api_token(pg_temp.id('ann'), 'master', n.name, n.name);
select revoke_api_token(pg_temp.id('ann'), (select id from tokens where name = 'Gone'));
update api_tokens set credits = 12 where name = 'First';
select deposit_usd(pg_temp.id('ann'), '4.50', 'deposit');
select set_low_balance_threshold(pg_temp.id('ann'), 'tokens', '100'), set_low_balance_threshold(pg_temp.id('ann'), 'usd', '4.5'),
  set_low_balance_threshold(pg_temp.id('ann'), 'api_token', '12', (select id from tokens where name = 'First'));
select is(
  pg_temp.told('ann'),
  '(tokens,,100,100,f) (usd,,4.50,4.50,f) (api_token,Second,0,,f) (api_token,First,12,12,f)',
  'API tokens come last, the newest first, without those revoked; a balance at its threshold is not low'
);
select is(
  (select string_agg(t.token_id::text, ' ') from get_low_balance_thresholds(pg_temp.id('ann')) t),
  (select string_agg(id::text, ' ' order by name desc) from tokens where name <> 'Gone'),
  'with their ids'
);
select is(pg_temp.told('ben'), '(tokens,,70,,f) (usd,,0.00,,f)', 'of one user alone');
select charge_tokens(pg_temp.id('ann'), 1, 'charge');
select is(split_part(pg_temp.told('ann'), ' ', 1), '(tokens,,99,100,t)', 'below it is low');
select reserve_tokens(pg_temp.id('ben'), 60, 'hold');
select set_low_balance_threshold(pg_temp.id('ben'), 'tokens', '20'), set_low_balance_threshold(pg_temp.id('ben'), 'usd', '0.01');
select is(pg_temp.told('ben'), '(tokens,,70,20,f) (usd,,0.00,0.01,t)', 'tokens held are there until they are charged');
update usd_balances set balance = 4.4999999999 where user_id = pg_temp.id('ann');
update api_tokens set credits = 11 where name = 'First';
select is(
  pg_temp.told('ann'),
  '(tokens,,99,100,t) (usd,,4.4999999999,4.50,t) (api_token,Second,0,,f) (api_token,First,11,12,t)', 'so is each other balance'
);
select charge_tokens(pg_temp.id('ben'), 10, 'charge');
select settle_tokens(pg_temp.id('ben'), 'hold', 100);
select is(split_part(pg_temp.told('ben'), ' ', 1), '(tokens,,-40,20,t)', 'debt is low');
delete from user_tokens where user_id = pg_temp.id('ben');
select is(pg_temp.told('ben'), '(tokens,,0,,f) (usd,,0.00,0.01,t)', 'a balance that was deleted has nothing');
select is(pg_temp.told('nobody'), '(tokens,,0,,f) (usd,,0.00,,f)', 'as has nobody');

select is(
  pg_temp.answer('select get_low_balance_thresholds(pg_temp.id(''ann''))', c.role, 'ann'),
  '42501 permission denied for function get_low_balance_thresholds',
  format('get_low_balance_thresholds is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select * from finish();

rollback;
