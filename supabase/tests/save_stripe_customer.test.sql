-- save_stripe_customer remembers which customer of Stripe's a user is: the first one stays, and is no other user's.

begin;

select plan(9);

select pg_temp.new_user('ann'), pg_temp.new_user('ben');

create function pg_temp.saved(name text, customer text, role text default 'none')
returns text
language sql
as $$
  select pg_temp.answer(
    format('select customer_id from save_stripe_customer(%L, %L)', pg_temp.id(saved.name), saved.customer), saved.role
  )
$$;

select is(pg_temp.saved('ann', 'cus_1'), '(cus_1)', 'a user''s customer is saved');
select is(pg_temp.saved('ann', 'cus_1'), '(cus_1)', 'the same again is the same');
select is(pg_temp.saved('ann', 'cus_2'), '(cus_1)', 'the first one stays');
select is(pg_temp.saved('ben', 'cus_1'), 'no rows', 'another user''s customer is nobody else''s');
select is(pg_temp.saved('ben', 'cus_3'), '(cus_3)', 'nor does it take the place of one''s own');
select is(
  pg_temp.saved('nobody', 'cus_4'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'an unknown user is refused'
);
select is(
  pg_temp.answer('select save_stripe_customer(pg_temp.id(''ann''), ''cus_1'')', c.role, 'ann'),
  '42501 permission denied for function save_stripe_customer',
  format('save_stripe_customer is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(pg_temp.saved('ann', 'cus_1', 'service_role'), '(cus_1)', 'save_stripe_customer is open to service_role');

select * from finish();

rollback;
