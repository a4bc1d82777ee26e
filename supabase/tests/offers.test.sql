-- What the operator sets: packages, plans and settings keep their bounds; everyone reads the packages and plans on
-- offer alone, nobody but the service the settings; a plan that someone has cannot be deleted.

begin;

select plan(63);

insert into token_packages (id, name, tokens, bonus_tokens, price_cents, active)
values (pg_temp.id('small'), 'Small', 500, 50, 500, true), (pg_temp.id('gone'), 'Gone', 1, 0, 50, false);
insert into subscription_plans (tier, name, monthly_cost, credits_included, active)
values ('basic', 'Basic', 9, 1000, true), ('old', 'Old', 5, 500, false);
insert into settings default values;

-- Derived

select results_eq(
  $$select tokens_granted from token_packages where id = pg_temp.id('small')$$, 'values (550::bigint)',
  'a package grants its tokens and bonus'
);
select is(
  (select stripe_product_id from subscription_plans where tier = 'basic'), 'scrip_plan_basic',
  'a plan''s product at Stripe is named for it'
);
select results_eq(
  'select base_rate, purchase_currencies, past_due_grace_days from settings',
  $$values (10000::numeric, '{eur,usd}'::text[], 7)$$,
  'settings begin with the values that count without them'
);

-- Bounds

create function pg_temp.bound(relation text, column_name text, value text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'update %s set %I = %s where %s', bound.relation, bound.column_name, bound.value,
    case bound.relation when 'token_packages' then 'name = ''Small''' when 'subscription_plans' then 'tier = ''basic''' else 'true' end
  ))
$$;

select is(
  pg_temp.bound(b.relation, b.column_name, b.value),
  format('23514 new row for relation "%s" violates check constraint "%s_%s_check"', b.relation, b.relation, b.column_name),
  format('%s.%s cannot be %s', b.relation, b.column_name, left(b.value, 20))
)
from (
  values
    ('token_packages', 'name', ''''''),
    ('token_packages', 'name', 'repeat(''x'', 201)'),
    ('token_packages', 'tokens', '0'),
    ('token_packages', 'tokens', '1000000000001'),
    ('token_packages', 'bonus_tokens', '-1'),
    ('token_packages', 'bonus_tokens', '1000000000001'),
    ('token_packages', 'price_cents', '49'),
    ('token_packages', 'price_cents', '100000000'),
    ('token_packages', 'currency', '''EUR'''),
    ('token_packages', 'currency', '''euro'''),
    ('subscription_plans', 'tier', '''Basic'''),
    ('subscription_plans', 'tier', ''''''),
    ('subscription_plans', 'tier', 'repeat(''x'', 41)'),
    ('subscription_plans', 'name', ''''''),
    ('subscription_plans', 'monthly_cost', '0.49'),
    ('subscription_plans', 'monthly_cost', '1000000'),
    ('subscription_plans', 'monthly_cost', '''NaN'''),
    ('subscription_plans', 'currency', '''EUR'''),
    ('subscription_plans', 'fixed_cost', '-0.01'),
    ('subscription_plans', 'credits_included', '-1'),
    ('subscription_plans', 'credits_included', '1000000000001'),
    ('subscription_plans', 'bonus_credits', '-1'),
    ('subscription_plans', 'bonus_credits', '1000000000001'),
    ('subscription_plans', 'multiplier', '0'),
    ('subscription_plans', 'multiplier', '1000.0001'),
    ('subscription_plans', 'multiplier', '''NaN'''),
    ('subscription_plans', 'purchase_rate', '0'),
    ('subscription_plans', 'purchase_rate', '1000.0001'),
    ('settings', 'base_rate', '0'),
    ('settings', 'base_rate', '1000000000.000001'),
    ('settings', 'base_rate', '''NaN'''),
    ('settings', 'past_due_grace_days', '-1'),
    ('settings', 'past_due_grace_days', '91'),
    ('settings', 'id', 'false')
) b (relation, column_name, value);
select is(
  pg_temp.bound(b.relation, b.column_name, b.value), '1', format('%s.%s can be %s', b.relation, b.column_name, b.value)
)
from (
  values ('token_packages', 'price_cents', '50'), ('token_packages', 'tokens', '1000000000000'), ('subscription_plans', 'monthly_cost', '0.5'),
    ('subscription_plans', 'credits_included', '0'), ('settings', 'past_due_grace_days', '0'),
    ('settings', 'past_due_grace_days', '90')
) b (relation, column_name, value);
select is(
  pg_temp.answer('insert into settings default values'),
  '23505 duplicate key value violates unique constraint "settings_pkey"', 'settings have one row'
);
select is(
  pg_temp.bound('token_packages', 'tokens_granted', '1'),
  '428C9 column "tokens_granted" can only be updated to DEFAULT', 'what a package grants is not set by hand'
);

-- Plans that are in use

select pg_temp.new_user('ann');
select change_subscription(pg_temp.id('ann'), 'basic', 'start');
select matches(
  pg_temp.answer('delete from subscription_plans where tier = ''basic'''), '^(23503|23001) ',
  'a plan that a user has cannot be deleted'
);
select is(pg_temp.answer('delete from subscription_plans where tier = ''old'''), '1', 'one that nobody has can be');
insert into subscription_plans (tier, name, monthly_cost, credits_included, active) values ('old', 'Old', 5, 500, false);
select is(
  pg_temp.answer('select stripe_product_id, tier from subscription_plans where tier = ''old'''), '(scrip_plan_old,old)',
  '(it is back)'
);

-- Reading

select is(
  pg_temp.answer(t.query, r.role, case r.role when 'authenticated' then 'ann' end), t.answers[r.position],
  format('%s: %s', r.role, t.query)
)
from (values (1, 'anon'), (2, 'authenticated'), (3, 'service_role')) r (position, role)
cross join (
  values
    ('select name from token_packages order by name', array['(Small)', '(Small)', '(Gone) (Small)']),
    ('select tier from subscription_plans order by tier', array['(basic)', '(basic)', '(basic) (old)']),
    (
      'select count(*) from settings',
      array['42501 permission denied for table settings', '42501 permission denied for table settings', '(1)']
    )
) t (query, answers);

-- Writing

select is(
  pg_temp.answer(s.statement, r.role, 'ann'), format('42501 permission denied for table %s', s.relation),
  format('%s may not: %s', r.role, s.statement)
)
from (values ('anon'), ('authenticated')) r (role)
cross join (
  values ('delete from token_packages', 'token_packages'), ('delete from subscription_plans', 'subscription_plans'), ('delete from settings', 'settings')
) s (statement, relation);

select * from finish();

rollback;
