-- check_tokens answers whether a user could spend an amount, and reserves nothing.

begin;

select plan(17);

select pg_temp.new_user('ann', 100);
select pg_temp.new_user('ben');

select is(
  pg_temp.answer(format('select allowed, have, need from check_tokens(pg_temp.id(%L), %s)', c.name, c.amount)),
  c.answer,
  format('check_tokens: %s', c.what)
)
from (
  values
    ('less than the user has', 'ann', 99, '(t,100,99)'),
    ('all that the user has', 'ann', 100, '(t,100,100)'),
    ('more than the user has', 'ann', 101, '(f,100,101)'),
    ('a user with nothing', 'ben', 1, '(f,0,1)'),
    ('the largest amount', 'ann', 9000000000000000, '(f,100,9000000000000000)')
) c (what, name, amount, answer);
select pg_temp.changes_nothing($$select check_tokens(pg_temp.id('ann'), 100)$$, 'check_tokens changes nothing');

select reserve_tokens(pg_temp.id('ann'), 30, 'hold');
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 71)$$),
  '(f,70)',
  'held tokens cannot be spent'
);
update token_holds set expires_at = now() where operation_id = 'hold';
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 71)$$),
  '(t,100)',
  'expired holds hold nothing, swept or not'
);
select settle_tokens(pg_temp.id('ann'), 'hold', 110);
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 1)$$),
  '(f,-10)',
  'debt is shown'
);

select is(
  pg_temp.answer(format('select check_tokens(pg_temp.id(''ann''), %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('check_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select check_tokens(pg_temp.id('nobody'), 1)$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'check_tokens refuses an unknown user'
);

select is(
  pg_temp.answer($$select check_tokens(pg_temp.id('ann'), 1)$$, c.role, 'ann'),
  '42501 permission denied for function check_tokens',
  format('check_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select need from check_tokens(pg_temp.id('ann'), 1)$$, 'service_role'),
  '(1)',
  'check_tokens is open to service_role'
);

select * from finish();

rollback;
