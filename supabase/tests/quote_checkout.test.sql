-- quote_checkout says what a checkout sells and asks, from the rows of packages, plans and settings; the caller says
-- what and, for tokens and deposits, for how much, never at what price.

begin;

select plan(64);

select pg_temp.new_plans();
insert into token_packages (id, name, description, tokens, bonus_tokens, price_cents, currency, active)
values
  (pg_temp.id('small'), 'Small', '550 tokens', 500, 50, 500, 'eur', true),
  (pg_temp.id('gone'), 'Gone', null, 500, 50, 500, 'eur', false);
select pg_temp.new_user('ann'), pg_temp.new_user('ben');
select save_stripe_customer(pg_temp.id('ben'), 'cus_ben');

create function pg_temp.quote(name text, arguments text)
returns text
language sql
as $$select pg_temp.answer(format('select * from quote_checkout(pg_temp.id(%L), %s)', quote.name, arguments))$$;

-- What is sold

select is(pg_temp.quote(c.name, c.arguments), c.answer, c.what)
from (
  values
    (
      'ann', $$'package', package_id => pg_temp.id('small')$$,
      '(Small,"550 tokens",500,eur,550,,,ann@example.com,)', 'a package is sold by its row, bonus included'
    ),
    (
      'ben', $$'package', package_id => pg_temp.id('small'), tier => 'basic', amount => '1', currency => 'usd'$$,
      '(Small,"550 tokens",500,eur,550,,cus_ben,ben@example.com,)',
      'whatever else is said; the customer is told where there is one'
    ),
    (
      'ann', $$'plan', tier => 'standard'$$,
      '(Standard,,2900,eur,4000,,,ann@example.com,scrip_plan_standard)', 'a plan is sold by its row'
    ),
    (
      'ann', $$'usd_deposit', amount => '25.1'$$, '("USD deposit",,2510,usd,,25.10,,ann@example.com,)',
      'a USD deposit is sold as it is'
    ),
    (
      'ann', $$'usd_deposit', amount => '100000', currency => 'eur'$$,
      '("USD deposit",,10000000,usd,,100000.00,,ann@example.com,)', 'in US dollars, whatever is said'
    ),
    (
      'ann', $$'tokens', amount => '12.34', currency => 'EUR'$$,
      '("123400 tokens",,1234,eur,123400,,,ann@example.com,)', 'tokens are sold by the base rate'
    )
) c (name, arguments, answer, what);

-- Rates

create function pg_temp.tokens_for(name text, amount text, currency text default 'eur')
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select amount_cents, tokens from quote_checkout(pg_temp.id(%L), ''tokens'', amount => %L, currency => %L)',
    tokens_for.name, tokens_for.amount, tokens_for.currency
  ))
$$;

select is(pg_temp.tokens_for('ann', '0.5'), '(50,5000)', 'without settings, one unit of money buys 10000 tokens');
insert into settings (base_rate, purchase_currencies) values (33.333333, '{eur,jpy,kwd}');
select is(pg_temp.tokens_for('ann', '10.01'), '(1001,333)', 'with settings, what they say, rounded down');
select pg_temp.send('evt_ben', 'customer.subscription.created', pg_temp.subscription(
  'sub_ben', 'ben', 'standard', 'active', pg_temp.epoch(), pg_temp.epoch('30 days')
));
select is(pg_temp.tokens_for('ben', '10.01'), '(1001,367)', 'times the plan''s purchase_rate, rounded down once');
select is(pg_temp.tokens_for('ann', '100', 'JPY'), '(100,3333)', 'yen have no smaller units');
select is(pg_temp.tokens_for('ann', '100', 'kwd'), '(100000,3333)', 'dinars have thousand');
select is(
  pg_temp.tokens_for('ann', '100.5', 'jpy'), '400 invalid_request amount 100.5 has more decimals than jpy',
  'a part of a yen cannot be paid'
);
select is(
  pg_temp.tokens_for('ann', '1', 'usd'), '400 invalid_request currency usd is not taken',
  'a currency that the settings don''t take is refused'
);
update settings set base_rate = 0.01;
select is(
  pg_temp.tokens_for('ann', '50'), '400 invalid_request amount 50 buys 0 tokens: from 1 to 1000000000000 can be sold',
  'an amount that buys no token is refused'
);
update settings set base_rate = 1000000000;
select is(
  pg_temp.tokens_for('ann', '1000.01'),
  '400 invalid_request amount 1000.01 buys 1000010000000 tokens: from 1 to 1000000000000 can be sold',
  'one that buys more than can be sold is refused'
);
delete from settings;
select is(
  pg_temp.tokens_for('ann', '1', c.currency), format('400 invalid_request currency %s is not taken', c.shown),
  format('the currency %s is refused', c.shown)
)
from (values ('gbp', 'gbp'), ('', ''), (null, 'null')) c (currency, shown);

-- Amounts

select is(
  pg_temp.quote('ann', format('%L, amount => %s, currency => ''eur''', k.kind, quote_nullable(a.amount))),
  format('400 invalid_request amount must be from 0.50 to 100000 with at most two decimals, got %s', coalesce(a.amount, 'nothing')),
  format('%s of %s is refused', k.kind, coalesce(a.amount, 'nothing'))
)
from (values ('tokens'), ('usd_deposit')) k (kind)
cross join (
  values (null), (''), ('0'), ('0.49'), ('100000.01'), ('1000000'), ('-1'), ('1.001'), ('1e3'), ('1,00'), (' 1'), ('1.'), ('.5'), ('NaN'), ('Infinity'), ('1' || chr(10))
) a (amount);

-- Refusals

select is(
  pg_temp.quote('ann', c.arguments), c.answer, format('it is refused: %s', c.arguments)
)
from (
  values
    ($$'gift'$$, '400 invalid_request kind must be package, plan, usd_deposit or tokens, got gift'),
    ($$'top_up'$$, '400 invalid_request kind must be package, plan, usd_deposit or tokens, got top_up'),
    (
      $$'package', package_id => pg_temp.id('none')$$,
      format('404 package_not_found There is no package %s for sale', pg_temp.id('none'))
    ),
    (
      $$'package', package_id => pg_temp.id('gone')$$,
      format('404 package_not_found There is no package %s for sale', pg_temp.id('gone'))
    ),
    ($$'package'$$, '404 package_not_found There is no package  for sale'),
    ($$'plan', tier => 'gold'$$, '404 plan_not_found There is no plan gold on offer'),
    ($$'plan'$$, '404 plan_not_found There is no plan  on offer')
) c (arguments, answer);
select is(
  pg_temp.quote('nobody', $$'usd_deposit', amount => '1'$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'an unknown user is refused'
);
select is(
  pg_temp.quote('ben', $$'plan', tier => 'premium'$$), '409 already_subscribed The user has a subscription already',
  'a second subscription is refused'
);
select change_subscription(pg_temp.id('ann'), 'basic', 'start');
select is(
  left(pg_temp.quote('ann', $$'plan', tier => 'premium'$$), 9), '(Premium,',
  'a plan that is paid for by other means is no subscription at Stripe'
);
select change_subscription(pg_temp.id('dear'), 'premium', 'start') from (select pg_temp.new_user('dear')) u;
select pg_temp.send('evt_dear', 'customer.subscription.created', pg_temp.subscription(
  'sub_dear', 'dear', 'basic', 'active', pg_temp.epoch(), pg_temp.epoch('30 days')
));
select is(
  pg_temp.quote('dear', $$'plan', tier => 'standard'$$), '409 already_subscribed The user has a subscription already',
  'nor does such a plan hide one'
);

-- Callers

select is(
  pg_temp.answer('select quote_checkout(pg_temp.id(''ann''), ''plan'')', c.role, 'ann'),
  '42501 permission denied for function quote_checkout',
  format('quote_checkout is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select name from quote_checkout(%L, ''usd_deposit'', amount => ''1'')', pg_temp.id('ann')), 'service_role'),
  '("USD deposit")',
  'quote_checkout is open to service_role'
);

select * from finish();

rollback;
