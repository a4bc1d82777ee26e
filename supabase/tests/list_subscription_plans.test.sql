-- list_subscription_plans lists the plans on offer, the cheapest first; money and rates are decimal strings.

begin;

select plan(5);

select pg_temp.new_plans();
insert into subscription_plans (tier, name, description, monthly_cost, currency, fixed_cost, credits_included, multiplier, active)
values ('trial', 'Trial', 'A taste', 0.5, 'usd', 0.1, 0, 1.2345, true), ('gone', 'Gone', null, 1, 'eur', 0, 1, 1, false);

select results_eq(
  'select * from list_subscription_plans()',
  $$
    values
      ('trial', 'Trial', 'A taste', '0.50', 'usd', '0.10', 0::bigint, 0::bigint, '1.2345', '1'),
      ('basic', 'Basic', null, '9.00', 'eur', '0.00', 1000, 100, '1', '1'),
      ('standard', 'Standard', null, '29.00', 'eur', '0.00', 4000, 500, '0.9', '1.1'),
      ('premium', 'Premium', null, '99.00', 'eur', '0.00', 15000, 2000, '0.8', '1.25')
  $$,
  'list_subscription_plans lists what is on offer, the cheapest first'
);
update subscription_plans set active = false;
select is_empty('select * from list_subscription_plans()', 'without any on offer it lists none');

select is(
  pg_temp.answer('select list_subscription_plans()', c.role),
  '42501 permission denied for function list_subscription_plans',
  format('list_subscription_plans is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
update subscription_plans set active = true where tier = 'basic';
select is(
  pg_temp.answer('select tier from list_subscription_plans()', 'service_role'), '(basic)',
  'list_subscription_plans is open to service_role'
);

select * from finish();

rollback;
