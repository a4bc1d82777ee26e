-- A subscription is what the newest of its events tells, whatever order they come in: the order is told by the moment,
-- and within a second by what Stripe says had changed. The plan in force follows: an upgrade at once, a downgrade when
-- the period is over, a failed payment after the days of grace. Moments are relative to now.

begin;

select plan(68);

select pg_temp.new_plans();

create function pg_temp.at(after interval default '0')
returns bigint
language sql
as $$select pg_temp.epoch(after)$$;

-- A subscription's event at a moment; by default its period began 10 days ago and ends in 20.
create function pg_temp.tell(
  id text, name text, tier text, status text, after interval, changes jsonb default '{}', type text default 'updated',
  previous jsonb default null
)
returns jsonb
language sql
as $$
  select pg_temp.event(
    'evt_' || tell.id, 'customer.subscription.' || tell.type,
    pg_temp.subscription('sub_' || tell.name, tell.name, tell.tier, tell.status, pg_temp.at('-10 days'), pg_temp.at('20 days'), changes),
    pg_temp.at(after), previous
  )
$$;

create function pg_temp.plan_of(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', coalesce(s.tier, 'no plan'), 'then ' || s.next_tier, s.status, '×' || s.multiplier,
    case when s.cancel_at_period_end then 'ends' end
  )
  from public.get_subscription(pg_temp.id(plan_of.name)) s
$$;

-- Each event alone, in both shapes

select pg_temp.new_user('ann', 7), pg_temp.new_user('old');
select is(pg_temp.plan_of('ann'), 'no plan none ×1', 'without a subscription there is no plan');
select is(
  pg_temp.send(pg_temp.tell('a1', 'ann', 'standard', 'active', '-10 days', type => 'created')),
  'applied',
  'a subscription is applied'
);
select is(
  pg_temp.send('evt_old', 'customer.subscription.created', pg_temp.in_old_shape(
    pg_temp.subscription('sub_old', 'old', 'standard', 'active', pg_temp.at('-10 days'), pg_temp.at('20 days'))
  ), pg_temp.at('-10 days')),
  'applied',
  'so is one in the shape of older API versions'
);
select results_eq(
  format(
    $$
      select
        tier, next_tier, status, extract(epoch from current_period_start)::bigint,
        extract(epoch from current_period_end)::bigint, cancel_at_period_end, past_due_since, payment_failed_at,
        stripe_subscription_id, stripe_item_id
      from subscriptions
      where user_id = pg_temp.id(%L)
    $$, c.name
  ),
  format(
    $$
      values (
        'standard', null::text, 'active', pg_temp.at('-10 days'), pg_temp.at('20 days'), false, null::timestamptz,
        null::timestamptz, 'sub_%s', 'si_sub_%s'
      )
    $$, c.name, c.name
  ),
  format('it is kept as Stripe tells (%s)', c.name)
)
from (values ('ann'), ('old')) c (name);
select is(
  pg_temp.send(pg_temp.tell('a1', 'ann', 'standard', 'active', '-10 days', type => 'created')),
  'duplicate',
  'the same event is a duplicate'
);
select is(pg_temp.plan_of('ann'), 'standard active ×0.9', 'the plan is in force');
select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('ann'), 11)$$), '(0.9,10)',
  'charges are multiplied, rounded up'
);
select is(pg_temp.remaining('ann'), 7::bigint, 'the event itself grants nothing');

-- Order

create function pg_temp.ends_as(name text, events jsonb[])
returns text
language plpgsql
as $$
declare
  v_event jsonb;
begin
  perform pg_temp.new_user(name);
  foreach v_event in array events loop
    perform pg_temp.send(v_event);
  end loop;
  return pg_temp.plan_of(name);
end;
$$;

select is(
  pg_temp.ends_as('o' || v.number, v.events), 'premium active ×0.8 ends',
  format('the newest event counts, in each order (%s)', v.number)
)
from (
  select row_number() over () as number, p.*
  from (values ('{1,2,3}'::integer[]), ('{1,3,2}'), ('{2,1,3}'), ('{2,3,1}'), ('{3,1,2}'), ('{3,2,1}')) p (positions)
) o
cross join lateral (
  select
    o.number,
    array(
      select e.event
      from unnest(o.positions) with ordinality p (position, place)
      join (
        values
          (
            1,
            pg_temp.tell(format('o%s9', o.number), 'o' || o.number, 'basic', 'incomplete', '-9 days', type => 'created')
          ),
          (2, pg_temp.tell(format('o%s8', o.number), 'o' || o.number, 'standard', 'active', '-8 days')),
          (
            3,
            pg_temp.tell(format('o%s7', o.number), 'o' || o.number, 'premium', 'active', '-7 days', '{"cancel_at_period_end": true}')
          )
      ) e (position, event) using (position)
      order by p.place
    ) as events
) v;

-- Within a second: by the type, and by what had been before

select is(
  pg_temp.ends_as('s' || v.number, v.events), v.state, format('within a second, %s (%s)', v.what, v.number)
)
from (
  values
    (
      1, array[
        pg_temp.tell('s1b', 's1', 'basic', 'incomplete', '-1 day', type => 'created'),
        pg_temp.tell('s1a', 's1', 'basic', 'active', '-1 day', previous => '{"status": "incomplete"}')
      ], 'basic active ×1', 'what was created was updated later'
    ),
    (
      2, array[
        pg_temp.tell('s2a', 's2', 'basic', 'active', '-1 day'),
        pg_temp.tell('s2b', 's2', 'basic', 'incomplete', '-1 day', type => 'created')
      ], 'basic active ×1', 'what was created was updated later'
    ),
    (
      3, array[
        pg_temp.tell('s3b', 's3', 'basic', 'active', '-1 day'),
        pg_temp.tell('s3a', 's3', 'basic', 'canceled', '-1 day', type => 'deleted')
      ], 'no plan canceled ×1', 'what is deleted stays so'
    ),
    (
      4, array[
        pg_temp.tell('s4a', 's4', 'basic', 'canceled', '-1 day', type => 'deleted'),
        pg_temp.tell('s4b', 's4', 'basic', 'active', '-1 day')
      ], 'no plan canceled ×1', 'what is deleted stays so'
    ),
    (
      5, array[
        pg_temp.tell('s5b', 's5', 'basic', 'past_due', '-1 day', previous => '{"status": "active"}'),
        pg_temp.tell('s5a', 's5', 'basic', 'active', '-1 day', previous => '{"status": "past_due"}', changes => '{"latest_invoice": "in_paid"}'),
        pg_temp.tell('s5c', 's5', 'basic', 'active', '-1 day', '{"cancel_at_period_end": true, "latest_invoice": "in_paid"}', previous => '{"cancel_at_period_end": false}')
      ], 'basic active ×1 ends', 'an event whose state another one changed is the older'
    ),
    (
      6, array[
        pg_temp.tell('s6a', 's6', 'basic', 'active', '-1 day', '{"cancel_at_period_end": true}', previous => '{"cancel_at_period_end": false}'),
        pg_temp.tell('s6b', 's6', 'basic', 'active', '-1 day', previous => '{"status": "incomplete"}')
      ], 'basic active ×1 ends', 'an event whose state another one changed is the older'
    ),
    (
      7, array[
        pg_temp.tell('s7b', 's7', 'basic', 'active', '-1 day', previous => '{"status": "incomplete"}'),
        pg_temp.tell('s7a', 's7', 'basic', 'active', '-1 day', '{"cancel_at_period_end": true}', previous => '{"cancel_at_period_end": false}')
      ], 'basic active ×1 ends', 'an event whose state another one changed is the older'
    ),
    (
      8, array[
        pg_temp.tell('s8z', 's8', 'basic', 'active', '-2 days'),
        pg_temp.tell('s8b', 's8', 'basic', 'active', '-1 day', '{"cancel_at_period_end": true}', previous => '{"cancel_at_period_end": false}'),
        pg_temp.tell('s8a', 's8', 'basic', 'active', '-1 day', previous => '{"cancel_at_period_end": true}')
      ], 'basic active ×1', 'of two that undo each other, the one that changed what was so before is the older'
    ),
    (
      9, array[
        pg_temp.tell('s9z', 's9', 'basic', 'active', '-2 days'),
        pg_temp.tell('s9a', 's9', 'basic', 'active', '-1 day', previous => '{"cancel_at_period_end": true}'),
        pg_temp.tell('s9b', 's9', 'basic', 'active', '-1 day', '{"cancel_at_period_end": true}', previous => '{"cancel_at_period_end": false}')
      ], 'basic active ×1', 'of two that undo each other, the one that changed what was so before is the older'
    )
) v (number, events, state, what);

-- Statuses, and the days of grace

create function pg_temp.with_status(name text, tier text, status text, after interval default '-1 day', changes jsonb default '{}')
returns text
language sql
as $$
  select pg_temp.new_user(name);
  select pg_temp.send(
    pg_temp.tell(with_status.name, with_status.name, with_status.tier, with_status.status, after, changes)
  );
  select pg_temp.plan_of(with_status.name)
$$;

select is(pg_temp.with_status('t' || c.status, 'premium', c.status, changes => c.changes), c.state, c.what)
from (
  values
    ('trialing', '{}'::jsonb, 'premium trialing ×0.8', 'a trial has the plan'),
    ('incomplete', '{}', 'no plan incomplete ×1', 'a subscription whose first payment is due has none'),
    ('incomplete_expired', '{}', 'no plan incomplete_expired ×1', 'nor has one that never was paid'),
    ('unpaid', '{}', 'no plan unpaid ×1', 'nor one that is unpaid'),
    ('paused', '{}', 'no plan paused ×1', 'nor one that is paused'),
    ('canceled', '{}', 'no plan canceled ×1', 'nor one that is cancelled')
) c (status, changes, state, what);
select is(
  pg_temp.with_status('cancels', 'premium', 'active', changes => jsonb_build_object('cancel_at', pg_temp.at('20 days'))),
  'premium active ×0.8 ends',
  'a subscription that is cancelled for the end of its period has the plan until then'
);
select is(
  pg_temp.with_status('cancels_later', 'premium', 'active', changes => jsonb_build_object('cancel_at', pg_temp.at('200 days'))),
  'premium active ×0.8',
  'one that is cancelled for later does not end with the period'
);

insert into settings (past_due_grace_days) values (3);
select is(
  pg_temp.with_status(c.name, 'premium', 'past_due', c.after), c.state, c.what
)
from (
  values
    (
      'due1', '-2 days -23:59'::interval, 'premium past_due ×0.8',
      'an overdue payment leaves the plan in force for the days of grace'
    ),
    ('due2', '-3 days -1 second', 'no plan past_due ×1', 'and not longer')
) c (name, after, state, what);
select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('due2'), 11)$$), '(1,11)',
  'then charges are multiplied by 1'
);
update settings set past_due_grace_days = 4;
select is(pg_temp.plan_of('due2'), 'premium past_due ×0.8', 'how many days these are is a setting');
delete from settings;
select is(
  pg_temp.with_status('due3', 'premium', 'past_due', '-6 days'), 'premium past_due ×0.8',
  'without the setting, they are seven'
);
select is(pg_temp.with_status('due4', 'premium', 'past_due', '-8 days'), 'no plan past_due ×1', 'not eight');
select pg_temp.send(pg_temp.tell('due4b', 'due4', 'premium', 'past_due', '-1 day'));
select is(pg_temp.plan_of('due4'), 'no plan past_due ×1', 'they begin with the first event of the overdue payment');
select pg_temp.send(pg_temp.tell('due4c', 'due4', 'premium', 'active', '-2 days'));
select is(
  pg_temp.plan_of('due4'),
  'premium past_due ×0.8',
  'or with the first since the plan was last paid for, though that is told late'
);
select is(
  pg_temp.send('evt_failed', 'invoice.payment_failed', pg_temp.invoice(
    'in_failed', 'sub_due4', 'due4', 'premium', jsonb_build_array(pg_temp.invoice_line('premium', 9900, 1, 2)),
    '{"status": "open"}'
  ), pg_temp.at('-1 hour')),
  'applied',
  'a payment that failed is applied'
);
select is(
  (select extract(epoch from payment_failed_at)::bigint from subscriptions where stripe_subscription_id = 'sub_due4'),
  pg_temp.at('-1 hour'),
  'and shown'
);
select pg_temp.send('evt_paid', 'invoice.paid', pg_temp.invoice(
  'in_failed', 'sub_due4', 'due4', 'premium',
  jsonb_build_array(pg_temp.invoice_line('premium', 9900, pg_temp.at('-10 days'), pg_temp.at('20 days')))
), pg_temp.at('-30 minutes'));
select is(
  (select payment_failed_at from subscriptions where stripe_subscription_id = 'sub_due4'), null,
  'until the next one succeeds'
);
select is(pg_temp.remaining('due4'), 17000::bigint, 'whose credits are granted');

-- Downgrades take effect when the period is over

select pg_temp.new_user('down');
select pg_temp.send(pg_temp.tell('down1', 'down', 'premium', 'active', '-10 days', type => 'created'));
select pg_temp.send('evt_down2', 'invoice.paid', pg_temp.invoice(
  'in_down', 'sub_down', 'down', 'premium',
  jsonb_build_array(pg_temp.invoice_line('premium', 9900, pg_temp.at('-10 days'), pg_temp.at('20 days')))
), pg_temp.at('-10 days'));
select pg_temp.send(pg_temp.tell('down3', 'down', 'basic', 'active', '-1 day'));
select is(
  pg_temp.plan_of('down'),
  'premium then basic active ×0.8',
  'after a downgrade, the plan that is paid for stays in force'
);
select is(
  pg_temp.answer($$select credits_included, purchase_rate from get_subscription(pg_temp.id('down'))$$), '(15000,1.25)',
  'with all that it has'
);
select pg_temp.new_user('over');
select pg_temp.send('evt_over1', 'invoice.paid', pg_temp.invoice(
  'in_over', 'sub_over', 'over', 'premium',
  jsonb_build_array(pg_temp.invoice_line('premium', 9900, pg_temp.at('-40 days'), pg_temp.at('-10 days')))
), pg_temp.at('-40 days'));
select pg_temp.send(pg_temp.tell('over2', 'over', 'basic', 'active', '-10 days'));
select is(pg_temp.plan_of('over'), 'basic active ×1', 'once its period is over, the cheaper one is');
select is(pg_temp.remaining('over'), 17000::bigint, 'credits stay');

select pg_temp.send('evt_down4', 'invoice_payment.paid', pg_temp.invoice_payment('in_down', 'pi_down'));
select pg_temp.send('evt_down5', 'refund.created', pg_temp.refund('re_down', 'pi_down', 9900));
select is(pg_temp.plan_of('down'), 'basic active ×1', 'a period that is refunded whole is not paid for');
select is(pg_temp.remaining('down'), 0::bigint, 'its credits are taken back');

-- Another user's

select pg_temp.new_user('from'), pg_temp.new_user('to');
select pg_temp.send(pg_temp.tell('from', 'from', 'basic', 'active', '-2 days'));
select pg_temp.send('evt_to', 'customer.subscription.updated', pg_temp.subscription(
  'sub_from', 'to', 'basic', 'active', pg_temp.at('-10 days'), pg_temp.at('20 days')
), pg_temp.at('-1 day'));
select is(
  pg_temp.plan_of('from') || ', ' || pg_temp.plan_of('to'), 'no plan canceled ×1, basic active ×1',
  'a subscription that is another user''s now is that user''s alone'
);

-- A deleted user's

select pg_temp.new_user('gone');
select pg_temp.send(pg_temp.tell('gone1', 'gone', 'basic', 'active', '-2 days'));
delete from auth.users where id = pg_temp.id('gone');
select is(
  pg_temp.send(pg_temp.tell('gone2', 'gone', 'basic', 'active', '-1 day')),
  format('applied | User %s is deleted: cancel the subscription at Stripe', pg_temp.id('gone')),
  'a subscription that a deleted user goes on paying for is shown to the operator'
);
select is(
  pg_temp.send(pg_temp.tell('gone3', 'gone', 'basic', 'canceled', '0', type => 'deleted')), 'applied',
  'its end is nothing to look at'
);
select is(
  (select status from subscriptions where stripe_subscription_id = 'sub_gone'), 'canceled', 'and ends it'
);

-- Two subscriptions

select is(
  pg_temp.send('evt_two', 'customer.subscription.created', pg_temp.subscription(
    'sub_two', 'ann', 'premium', 'active', pg_temp.at('-1 day'), pg_temp.at('29 days')
  ), pg_temp.at('-1 day')),
  format('applied | User %s pays for two subscriptions', pg_temp.id('ann')),
  'a second subscription is shown to the operator'
);
select is(pg_temp.plan_of('ann'), 'premium active ×0.8', 'the dearer plan counts');
select pg_temp.send('evt_two_over', 'customer.subscription.deleted', pg_temp.subscription(
  'sub_two', 'ann', 'premium', 'canceled', pg_temp.at('-1 day'), pg_temp.at('29 days')
), pg_temp.at());
select is(
  (select concat_ws(' | ', outcome, attention) from private.stripe_events where id = 'evt_two_over'), 'applied',
  'its end is nothing to look at'
);
select is(pg_temp.plan_of('ann'), 'standard active ×0.9', 'then the other one counts');

-- Not Scrip's, or not known

select is(
  pg_temp.send('evt_foreign', 'customer.subscription.created', pg_temp.subscription(
    'sub_f', 'ann', 'basic', 'active', 1, 2,
    '{"metadata": {}, "items": {"object": "list", "data": [{"id": "si_1", "object": "subscription_item", "price": {"id": "price_1", "product": "prod_1"}}]}}'
  )),
  'ignored',
  'a subscription to something else is ignored'
);
select is(
  pg_temp.send('evt_oneoff', 'invoice.payment_failed', pg_temp.invoice(
    'in_one', null, 'ann', 'basic', '[]', '{"parent": null}'
  )),
  'ignored',
  'so is the failed payment of an invoice without a subscription'
);
select is(
  pg_temp.send('evt_before', 'invoice.payment_failed', pg_temp.invoice(
    'in_before', 'sub_before', 'before', 'basic', jsonb_build_array(pg_temp.invoice_line('basic', 900, 1, 2)),
    '{"status": "open"}'
  ), pg_temp.at()),
  'waiting',
  'a failed payment before its subscription waits'
);
select is(
  pg_temp.send(pg_temp.tell('before2', 'before', 'basic', 'active', '-1 day')),
  format('waiting | Unknown user %s: of subscription sub_before', pg_temp.id('before')),
  'an unknown user''s subscription waits, and is shown to the operator'
);
select pg_temp.new_user('before');
select is(
  (select outcome from replay_stripe_event('evt_before2')) || ', ' || pg_temp.plan_of('before'),
  'applied, basic active ×1', 'until the user is there'
);
select results_eq(
  $$select outcome, waits_for, user_id from private.stripe_events where id = 'evt_before'$$,
  $$values ('applied', null::text, pg_temp.id('before'))$$,
  'nor does the failed payment wait then'
);
select pg_temp.new_user('gold');
select is(
  pg_temp.send('evt_gold', 'customer.subscription.created', pg_temp.subscription(
    'sub_gold', 'gold', 'basic', 'active', pg_temp.at(), pg_temp.at('30 days'), jsonb_build_object(
      'metadata', jsonb_build_object('kind', 'plan', 'user_id', pg_temp.id('gold'), 'tier', 'gold'),
      'items', jsonb_build_object('object', 'list', 'data', jsonb_build_array(jsonb_build_object(
        'id', 'si_1', 'object', 'subscription_item', 'current_period_start', pg_temp.at(), 'current_period_end',
        pg_temp.at('30 days'),
        'price', '{"id": "price_1", "product": "scrip_plan_gold"}'::jsonb
      )))
    )
  )),
  'waiting | Unknown plan: of subscription sub_gold',
  'one to an unknown plan waits, and is shown to the operator'
);
insert into subscription_plans (tier, name, monthly_cost, credits_included, multiplier) values ('gold', 'Gold', 19, 1, 0.7);
select is(
  (select outcome from replay_stripe_event('evt_gold')) || ', ' || pg_temp.plan_of('gold'), 'applied, gold active ×0.7',
  'until the plan is there'
);

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');
select is(
  (select count(*) from private.stripe_events where outcome = 'failed'), 0::bigint, 'no event''s handling failed'
);

select * from finish();

rollback;
