-- change_subscription changes a plan at most once per operation_id: an upgrade at once, granting the difference for
-- the rest of the period to the second, rounded down; a downgrade with the next period. A subscription at Stripe it
-- leaves alone, and says what to ask of Stripe. now() stands still within a transaction, so periods can be set around
-- it exactly.

begin;

select plan(58);

select pg_temp.new_plans();
insert into subscription_plans (tier, name, monthly_cost, credits_included, active) values ('gone', 'Gone', 1, 1, false);

create function pg_temp.change(name text, tier text, operation_id text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select action, effective_at - now() as after, tokens_granted, remaining, replayed, stripe_subscription_id
    from change_subscription(pg_temp.id(%L), %L, %L)', change.name, change.tier, change.operation_id
  ))
$$;

create function pg_temp.plan_of(name text)
returns text
language sql
as $$
  select concat_ws(' ', s.tier, 'then ' || s.next_tier, s.status, s.current_period_start - now(), s.current_period_end - now())
  from public.subscriptions s
  where s.user_id = pg_temp.id(plan_of.name)
$$;

create function pg_temp.period(name text, since interval, until interval)
returns void
language sql
as $$
  update public.subscriptions s
  set current_period_start = now() - since, current_period_end = now() + until
  where s.user_id = pg_temp.id(period.name)
$$;

-- A plan begins

select pg_temp.new_user('ann', 7);
select is(
  pg_temp.change('ann', 'basic', 'op-1'),
  '(started,00:00:00,1100,1107,f,)',
  'a plan begins, with its credits and the bonus'
);
select is(
  pg_temp.journal('ann', 1), 'subscription purchased 1100 = 1107/1107 op-1 - postgres', 'by one journal row'
);
select results_eq(
  $$
    select tier, next_tier, status, current_period_start, current_period_end, stripe_subscription_id
    from subscriptions where user_id = pg_temp.id('ann')
  $$,
  $$values ('basic', null::text, 'active', now(), now() + interval '1 month', null::text)$$,
  'it lasts a month'
);
select is(
  pg_temp.answer($$
    select stripe_item_id, stripe_product_id, product_name, amount_cents, currency
    from change_subscription(pg_temp.id('ann'), 'basic', 'op-1b')
  $$),
  '(,scrip_plan_basic,Basic,900,eur)',
  'the answer has what Stripe would be asked for'
);
select is(
  pg_temp.change('ann', 'basic', 'op-2'), '(unchanged,00:00:00,0,1107,f,)', 'the same plan again changes nothing'
);

-- Replay and conflict

select is(
  pg_temp.change('ann', 'basic', 'op-1'), '(started,00:00:00,1100,1107,t,)', 'a replay answers as the first time'
);
select charge_tokens(pg_temp.id('ann'), 100, 'spent');
select is(pg_temp.change('ann', 'basic', 'op-1'), '(started,00:00:00,1100,1107,t,)', 'whatever was done since');
select pg_temp.changes_nothing(
  $$select change_subscription(pg_temp.id('ann'), 'basic', 'op-1')$$, 'a replay changes nothing'
);
select is(
  pg_temp.change('ann', 'premium', 'op-1'),
  '409 operation_id_reused operation_id op-1 was used before with other arguments',
  'another plan under the same operation_id is refused'
);
select add_tokens(pg_temp.id('ann'), 5, c.type::token_transaction_type, c.type)
from (values ('add'), ('subscription')) c (type);
select reserve_tokens(pg_temp.id('ann'), 5, 'hold');
select is(
  pg_temp.change('ann', 'premium', c.operation_id),
  format('409 operation_id_reused operation_id %s was used before with other arguments', c.operation_id),
  format('so is the operation_id of another operation: %s', c.operation_id)
)
from (values ('spent'), ('add'), ('subscription'), ('hold')) c (operation_id);
select pg_temp.changes_nothing(
  $$select change_subscription(pg_temp.id('ann'), 'premium', 'subscription')$$, 'a refused change changes nothing'
);

-- Upgrades

select pg_temp.new_user('up' || c.number) from generate_series(1, 5) c (number);
select pg_temp.change('up' || c.number, 'basic', 'start') from generate_series(1, 5) c (number);
select pg_temp.period('up' || c.number, c.since, c.until)
from (
  values (1, '15 days'::interval, '15 days'::interval), (2, '15 days 1 second', '14 days 23:59:59'), (3, '29 days 23:59:59', '1 second'),
    (4, '0', '30 days'), (5, '10 days', '20 days')
) c (number, since, until);
select is(
  (select tokens_granted::text from change_subscription(pg_temp.id('up' || c.number), c.tier, 'up')), c.tokens, c.what
)
from (
  values
    (1, 'standard', '1500', 'an upgrade at half of the period grants half of the difference'),
    (2, 'standard', '1499', 'a second later, less, rounded down'),
    (3, 'premium', '0', 'a second before the end, what that second is worth'),
    (4, 'premium', '14000', 'at the beginning, the whole')
) c (number, tier, tokens, what);
select is(pg_temp.plan_of('up1'), 'standard active -15 days 15 days', 'it is in force at once, in the same period');
select is(
  pg_temp.journal('up1', 1), 'subscription purchased 1500 = 2600/2600 up - postgres', 'its credits are one journal row'
);
select is(
  pg_temp.answer($$select multiplier from calculate_charge(pg_temp.id('up1'), 10)$$), '(0.9)',
  'charges have its multiplier'
);
update subscription_plans set credits_included = 500 where tier = 'premium';
select is(
  pg_temp.change('up5', 'premium', 'up'), '(upgraded,00:00:00,0,1100,f,)', 'an upgrade to fewer credits takes nothing'
);
update subscription_plans set credits_included = 15000 where tier = 'premium';

-- Downgrades

select is(
  pg_temp.change('up1', 'basic', 'down'),
  '(scheduled,"15 days",0,2600,f,)',
  'a downgrade takes effect with the next period'
);
select is(pg_temp.plan_of('up1'), 'standard then basic active -15 days 15 days', 'until then the plan stays');
select is(
  pg_temp.answer($$select tier, next_tier from get_subscription(pg_temp.id('up1'))$$), '(standard,basic)',
  'get_subscription tells both'
);
select is(pg_temp.change('up1', 'standard', 'stay'), '(unchanged,00:00:00,0,2600,f,)', 'it can be taken back');
select is(pg_temp.plan_of('up1'), 'standard active -15 days 15 days', 'then nothing follows');
select pg_temp.change('up1', 'basic', 'down-2'), pg_temp.change('up1', 'premium', 'up-2');
select is(pg_temp.plan_of('up1'), 'premium active -15 days 15 days', 'an upgrade takes it back as well');

-- The next month

select pg_temp.period('up1', '1 month', '0');
select is(
  pg_temp.change('up1', 'basic', 'next'), '(started,00:00:00,1000,9100,f,)',
  'after the end of the period, a plan begins anew, without the bonus'
);
select is(
  (select current_period_end from subscriptions where user_id = pg_temp.id('up1')), now() + interval '1 month',
  'for another month'
);
select is((select count(*) from subscriptions where user_id = pg_temp.id('up1')), 1::bigint, 'in the same row');

-- At Stripe

select pg_temp.new_user('cat', 5);
select pg_temp.send('evt_cat', 'customer.subscription.created', pg_temp.subscription(
  'sub_cat', 'cat', 'standard', 'active', pg_temp.epoch('-10 days'), pg_temp.epoch('20 days')
));
select is(
  pg_temp.change('cat', 'premium', 'cat-1'),
  '(stripe_upgrade,00:00:00,0,5,f,sub_cat)',
  'an upgrade at Stripe is asked of Stripe'
);
select is(
  pg_temp.answer($$
    select action, stripe_subscription_id, stripe_item_id, stripe_product_id, product_name, amount_cents, currency
    from change_subscription(pg_temp.id('cat'), 'basic', 'cat-2')
  $$),
  '(stripe_downgrade,sub_cat,si_sub_cat,scrip_plan_basic,Basic,900,eur)',
  'so is a downgrade'
);
select is(
  (select format('%s %s', tier, next_tier) from subscriptions where user_id = pg_temp.id('cat')), 'standard ',
  'neither changes anything here'
);
select is(
  pg_temp.change('cat', 'standard', 'cat-3'),
  '(unchanged,00:00:00,0,5,f,sub_cat)',
  'the plan that it has needs nothing of Stripe'
);
select is(
  pg_temp.change('cat', 'premium', 'cat-1'),
  '(stripe_upgrade,00:00:00,0,5,t,sub_cat)',
  'a replay asks again, under the same key'
);
update private.subscription_changes set created_at = now() - interval '23 hours 1 second' where user_id = pg_temp.id('cat');
create function pg_temp.replayed(tier text, operation_id text)
returns text
language sql
as $$select trim(split_part(pg_temp.change('cat', replayed.tier, replayed.operation_id), ',', 1), '(')$$;
select is(
  pg_temp.replayed(c.tier, c.operation_id), 'unchanged',
  format('not when Stripe''s keys are too old: %s', c.operation_id)
)
from (values ('premium', 'cat-1'), ('basic', 'cat-2'), ('standard', 'cat-3')) c (tier, operation_id);
select pg_temp.send('evt_cat_2', 'customer.subscription.updated', pg_temp.subscription(
  'sub_cat', 'cat', 'premium', 'active', pg_temp.epoch('-10 days'), pg_temp.epoch('20 days')
), 1790000001);
select is(pg_temp.replayed('premium', 'cat-1'), 'upgraded', 'then it tells what Stripe has done');
select pg_temp.send('evt_cat_3', 'customer.subscription.updated', pg_temp.subscription(
  'sub_cat', 'cat', 'basic', 'active', pg_temp.epoch('-10 days'), pg_temp.epoch('20 days')
), 1790000002);
select is(pg_temp.replayed('basic', 'cat-2'), 'scheduled', 'also of a downgrade');

-- The bonus is for a user's first period, whatever paid for it

select pg_temp.new_user('dan');
select pg_temp.change('dan', 'basic', 'start');
select pg_temp.period('dan', '1 month', '0');
select pg_temp.send('evt_dan', 'invoice.paid', pg_temp.invoice(
  'in_dan', 'sub_dan', 'dan', 'basic',
  jsonb_build_array(pg_temp.invoice_line('basic', 900, pg_temp.epoch(), pg_temp.epoch('1 month')))
));
select is(
  pg_temp.remaining('dan'),
  2100::bigint,
  'a subscription at Stripe after a plan paid by other means has no second bonus'
);

select pg_temp.new_user('eve');
select pg_temp.send('evt_eve', 'invoice.paid', pg_temp.invoice(
  'in_eve', 'sub_eve', 'eve', 'basic',
  jsonb_build_array(pg_temp.invoice_line('basic', 900, pg_temp.epoch('-2 months'), pg_temp.epoch('-1 month')))
));
select is(
  pg_temp.change('eve', 'basic', 'start'), '(started,00:00:00,1000,2100,f,)',
  'nor has such a plan after a subscription at Stripe'
);
select pg_temp.new_user('fay');
select pg_temp.send('evt_fay', 'customer.subscription.created', pg_temp.subscription(
  'sub_fay', 'fay', 'basic', 'incomplete_expired', pg_temp.epoch('-2 days'), pg_temp.epoch('-1 day')
));
select is(
  pg_temp.change('fay', 'basic', 'start'), '(started,00:00:00,1100,1100,f,)', 'unless that one never was paid for'
);

-- Refusals

select is(
  pg_temp.change('ann', c.tier, 'refused'), format('404 plan_not_found There is no plan %s on offer', c.shown),
  format('a plan %s is refused', c.what)
)
from (
  values ('silver', 'silver', 'that is unknown'), ('gone', 'gone', 'no longer on offer'), (null, 'without a name', 'without a name')
) c (tier, shown, what);
select is(
  pg_temp.change('nobody', 'basic', 'refused'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'an unknown user is refused'
);
select is(
  pg_temp.answer('select change_subscription(null, ''basic'', ''x'')'), '400 invalid_request user_id is missing',
  'no user is refused'
);
select is(
  pg_temp.change('ann', 'basic', o.operation_id), '400 invalid_request operation_id must have 1 to 255 characters',
  format('an operation_id of %s characters is refused', length(coalesce(o.operation_id, '')))
)
from (values (null), (repeat('x', 256))) o (operation_id);
select pg_temp.new_user('max', 8999999999999999);
select is(
  pg_temp.change('max', 'basic', 'x'),
  '400 balance_limit_exceeded Cannot give 1100 tokens: the total would be 9000000000001099, at most 9000000000000000',
  'what would exceed the largest balance is refused'
);
select is(pg_temp.plan_of('max'), null, 'and no plan begins');

-- Callers

select is(
  pg_temp.answer('select change_subscription(pg_temp.id(''ann''), ''basic'', ''role'')', c.role, 'ann'),
  '42501 permission denied for function change_subscription',
  format('change_subscription is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select action from change_subscription(%L, ''basic'', ''role'', ''me'')', pg_temp.id('ann')), 'service_role'),
  '(unchanged)',
  'change_subscription is open to service_role'
);
select is(
  (select actor from private.subscription_changes where operation_id = 'role'), 'me', 'who asked is kept'
);

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');

select * from finish();

rollback;
