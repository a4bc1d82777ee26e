-- get_subscription tells the plan in force and its period, or that there is none. What the plan in force is, is proved
-- in stripe_subscriptions and change_subscription.

begin;

select plan(9);

select pg_temp.new_plans();
select pg_temp.new_user('ann'), pg_temp.new_user('ben');
select pg_temp.send('evt_1', 'customer.subscription.created', pg_temp.subscription(
  'sub_1', 'ann', 'standard', 'active', pg_temp.epoch('-10 days'), pg_temp.epoch('20 days'),
  '{"cancel_at_period_end": true}'
));
select save_stripe_customer(pg_temp.id('ann'), 'cus_ann');

select results_eq(
  'select * from get_subscription(pg_temp.id(''ann''))',
  $$
    values (
      'standard', null::text, 'active', date_trunc('second', now()) - interval '10 days',
      date_trunc('second', now()) + interval '20 days', true, '0.9', '1.1', 4000::bigint, 'cus_ann', 'ann@example.com'
    )
  $$,
  'get_subscription answers the plan, its period and what it gives, as decimal strings'
);
select results_eq(
  'select * from get_subscription(pg_temp.id(''ben''))',
  $$
    values (
      null::text, null::text, 'none', null::timestamptz, null::timestamptz, false, '1', '1', 0::bigint, null::text,
      'ben@example.com'
    )
  $$,
  'without a plan, it says none'
);
select change_subscription(pg_temp.id('ben'), 'basic', 'start');
update subscriptions set current_period_start = now() - interval '1 month',
current_period_end = now() where user_id = pg_temp.id('ben');
select is(
  pg_temp.answer($$
    select tier, status, current_period_end = now() as ended, multiplier, credits_included from get_subscription(pg_temp.id('ben'))
  $$),
  '(,canceled,t,1,0)',
  'of a plan that ended, it says how and when'
);
update subscription_plans set active = false where tier = 'standard';
select is(
  pg_temp.answer('select tier from get_subscription(pg_temp.id(''ann''))'), '(standard)',
  'a plan no longer on offer stays in force for those who have it'
);

select is(
  pg_temp.answer('select get_subscription(pg_temp.id(''nobody''))'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'get_subscription refuses an unknown user'
);
select is(
  pg_temp.answer('select get_subscription(null)'), '404 user_not_found There is no user ', 'and no user'
);
select is(
  pg_temp.answer('select get_subscription(pg_temp.id(''ann''))', c.role, 'ann'),
  '42501 permission denied for function get_subscription',
  format('get_subscription is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select status from get_subscription(%L)', pg_temp.id('ann')), 'service_role'),
  '(active)',
  'get_subscription is open to service_role'
);

select * from finish();

rollback;
