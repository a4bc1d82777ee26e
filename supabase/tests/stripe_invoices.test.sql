-- A paid invoice grants the credits of its period once, in either shape that Stripe sends; the plan's bonus in the
-- first period alone; an upgrade the difference for the rest of the period, to the second, rounded down. Refunds find
-- the invoice through its payment, in whatever order. Credits that were bought otherwise are never touched.

begin;

select plan(82);

select pg_temp.new_plans();

-- Periods: October has 31 days, November 30.
create function pg_temp.day(text)
returns bigint
language sql
as $$select extract(epoch from ($1 || 'Z')::timestamptz)::bigint$$;

create function pg_temp.pay(
  id text, name text, tier text, lines jsonb, changes jsonb default '{}', metadata jsonb default '{}',
  old boolean default false,
  created bigint default 1790000000
)
returns text
language sql
as $$
  select pg_temp.send('evt_' || id, 'invoice.paid', case when old then pg_temp.in_old_shape(i, 'pi_' || id) else i end, created)
  from pg_temp.invoice('in_' || id, 'sub_' || name, name, tier, lines, changes, metadata) i
$$;

-- The line of a plan's first or second period.
create function pg_temp.period(tier text, cents bigint, number integer default 1)
returns jsonb
language sql
as $$
  select jsonb_build_array(case number
    when 1 then pg_temp.invoice_line(tier, cents, pg_temp.day('2026-10-01'), pg_temp.day('2026-11-01'))
    else pg_temp.invoice_line(tier, cents, pg_temp.day('2026-11-01'), pg_temp.day('2026-12-01'))
  end)
$$;

create function pg_temp.granted(id text)
returns text
language sql
as $$
  select concat_ws(
    ' ', p.kind, p.tier, p.amount_cents, p.currency, p.tokens_granted, '-', p.tokens_clawed_back, p.description || ',',
    to_char(p.granted_period_start at time zone 'UTC', 'YYYY-MM-DD'), 'of',
    to_char(p.period_start at time zone 'UTC', 'YYYY-MM-DD'), to_char(p.period_end at time zone 'UTC', 'YYYY-MM-DD')
  )
  from public.purchases p
  where p.stripe_invoice_id = 'in_' || granted.id and p.stripe_id = p.stripe_invoice_id
$$;

-- Once a period, in both shapes

select pg_temp.new_user('new', 7), pg_temp.new_user('old', 7);
select is(pg_temp.pay('new1', 'new', 'basic', pg_temp.period('basic', 900)), 'applied', 'an invoice is applied');
select is(
  pg_temp.pay('old1', 'old', 'basic', pg_temp.period('basic', 900), old => true),
  'applied',
  'so is one in the shape of older API versions'
);
select is(
  pg_temp.granted(c.id),
  'subscription basic 900 eur 1100 - 0 Basic, 2026-10-01 of 2026-10-01 2026-11-01',
  format('it grants the credits of the period, and the bonus in the first (%s)', c.id)
)
from (values ('new1'), ('old1')) c (id);
select is(
  pg_temp.journal('new', 1), 'subscription purchased 1100 = 1107/1107 stripe:in_new1 in_new1 stripe',
  'by one journal row'
);
select is(
  (
    select concat_ws(' ', stripe_payment_intent_id, stripe_subscription_id) from purchases where stripe_id = 'in_' || c.id
  ),
  c.known,
  format('what paid it is kept as far as it tells (%s)', c.id)
)
from (values ('new1', 'sub_new'), ('old1', 'pi_old1 sub_old')) c (id, known);
select is(
  pg_temp.pay('new1', 'new', 'basic', pg_temp.period('basic', 900)), 'duplicate', 'the same event is a duplicate'
);
select is(
  pg_temp.send('evt_new1b', 'invoice.paid', pg_temp.invoice('in_new1', 'sub_new', 'new', 'basic', pg_temp.period('basic', 900))),
  'applied',
  'another event of the same invoice is applied'
);
select is(pg_temp.remaining('new'), 1107::bigint, 'neither grants anything');
select is(
  pg_temp.pay('new1c', 'new', 'basic', pg_temp.period('basic', 900)),
  'applied | The period''s credits were granted by invoice in_new1',
  'another invoice of the same period grants nothing, and is shown to the operator'
);
select is(
  pg_temp.granted('new1c'), 'subscription basic 900 eur 0 - 0 Basic, of 2026-10-01 2026-11-01', 'its payment is kept'
);
select is(
  pg_temp.pay('new2', 'new', 'basic', pg_temp.period('basic', 900, 2)), 'applied', 'the next period''s is applied'
);
select is(
  pg_temp.granted('new2'),
  'subscription basic 900 eur 1000 - 0 Basic, 2026-11-01 of 2026-11-01 2026-12-01',
  'without the bonus'
);
select is(
  pg_temp.send(
    'evt_new3', 'invoice.paid',
    pg_temp.invoice('in_new3', 'sub_new_2', 'new', 'standard', pg_temp.period('standard', 2900))
  ),
  'applied',
  'the first of another subscription is applied'
);
select is(
  pg_temp.granted('new3'), 'subscription standard 2900 eur 4000 - 0 Standard, 2026-10-01 of 2026-10-01 2026-11-01',
  'without a bonus: it is the user''s first once'
);
select is(
  pg_temp.balance('new'), 'total 6107, used 0, reserved 0, remaining 6107', 'what was there before is untouched'
);

-- A subscription known by its customer alone, and one known by its product alone

select pg_temp.new_user('cus');
select save_stripe_customer(pg_temp.id('cus'), 'cus_' || md5(pg_temp.id('cus')::text));
select is(
  pg_temp.pay(
    'cus', 'cus', 'basic', pg_temp.period('basic', 900),
    metadata => '{"user_id": null, "kind": null, "tier": null, "amount_cents": null, "currency": null}'
  ),
  'applied',
  'the user is found by the customer where the metadata is silent'
);
select is(pg_temp.remaining('cus'), 1100::bigint, 'and granted the credits of the plan that the product is');
select pg_temp.new_user('pro');
select is(
  pg_temp.pay('pro', 'pro', 'standard', jsonb_build_array(
    pg_temp.invoice_line('standard', 2900, pg_temp.day('2026-10-01'), pg_temp.day('2026-11-01'))
      || '{"pricing": {"price_details": {"price": "price_x", "product": "prod_x"}, "type": "price_details"}}'
  )),
  'applied',
  'the plan is found by the metadata where the product is another'
);
select is(pg_temp.remaining('pro'), 4500::bigint, 'and its credits granted');

-- What was asked and paid

select pg_temp.new_user(c.name) from (values ('trial'), ('coupon'), ('tax'), ('less'), ('more'), ('raised')) c (name);
select is(
  pg_temp.pay('trial1', 'trial', 'basic', pg_temp.period('basic', 0)), 'applied', 'a free trial''s invoice is applied'
);
select is(pg_temp.granted('trial1'), null, 'and grants nothing');
select pg_temp.pay('trial2', 'trial', 'basic', pg_temp.period('basic', 900, 2));
select is(pg_temp.remaining('trial'), 1100::bigint, 'the first paid period after it has the bonus');
select is(
  pg_temp.pay('coupon', 'coupon', 'basic', pg_temp.period('basic', 900), '{"amount_due": 0, "amount_paid": 0, "total": 0}'),
  'applied',
  'an invoice that a coupon paid whole is applied'
);
select is(
  pg_temp.granted('coupon'), 'subscription basic 0 eur 1100 - 0 Basic, 2026-10-01 of 2026-10-01 2026-11-01',
  'and grants everything'
);
select is(
  pg_temp.pay('tax', 'tax', 'basic', pg_temp.period('basic', 900), '{"amount_due": 1080, "amount_paid": 1080, "total": 1080}'),
  'applied',
  'tax on top is no mismatch'
);
select is(
  pg_temp.granted('tax'), 'subscription basic 1080 eur 1100 - 0 Basic, 2026-10-01 of 2026-10-01 2026-11-01',
  'nor grants more'
);
select is(
  pg_temp.pay('less', 'less', 'basic', pg_temp.period('basic', 599)),
  'applied | Amount 599 differs from the price 900',
  'a line of less than the price is shown to the operator'
);
select is(pg_temp.remaining('less'), 732::bigint, 'and grants its share of credits and bonus, rounded down');
select is(
  pg_temp.pay('more', 'more', 'basic', pg_temp.period('basic', 9000)),
  'applied | Amount 9000 differs from the price 900',
  'a line of more than the price is shown to the operator'
);
select is(pg_temp.remaining('more'), 1100::bigint, 'and grants no more than the plan');
update subscription_plans set monthly_cost = 18 where tier = 'basic';
select is(
  pg_temp.pay('raised', 'raised', 'basic', pg_temp.period('basic', 900), metadata => '{"amount_cents": "900"}'),
  'applied',
  'a subscription sold before the price was raised pays the old price'
);
select is(pg_temp.remaining('raised'), 1100::bigint, 'for all of its credits');
update subscription_plans set monthly_cost = 9 where tier = 'basic';
select pg_temp.new_user('zero');
select is(
  pg_temp.pay('zero', 'zero', 'basic', pg_temp.period('basic', 900), metadata => '{"amount_cents": "0"}')
    || ' ' || pg_temp.remaining('zero'),
  'applied 1100',
  'where the metadata says no price, the plan''s counts'
);

-- Upgrades within a period of 31 days: to the second, rounded down

create function pg_temp.upgrade(
  from_tier text, to_tier text, at bigint, period_end bigint default pg_temp.day('2026-11-01')
)
returns jsonb
language sql
as $$
  select jsonb_agg(
    pg_temp.invoice_line(
      p.tier, round(c.sign * p.monthly_cost * 100 * (period_end - at) / 2678400)::bigint, at, period_end, true
    )
    order by c.sign
  )
  from (values (-1, from_tier), (1, to_tier)) c (sign, tier)
  join public.subscription_plans p on p.tier = c.tier
$$;

select pg_temp.new_user(c.name) from (values ('half'), ('second'), ('steps'), ('down'), ('early'), ('oldup'), ('renew')) c (name);
select pg_temp.pay(c.name || 1, c.name, 'basic', pg_temp.period('basic', 900), old => c.name = 'oldup')
from (values ('half'), ('second'), ('steps'), ('oldup')) c (name);
select is(
  pg_temp.pay('half2', 'half', 'basic', pg_temp.upgrade('basic', 'standard', pg_temp.day('2026-10-16 12:00'))),
  'applied',
  'an upgrade''s invoice is applied'
);
select is(
  pg_temp.granted('half2'),
  'subscription standard 1000 eur 1500 - 0 Upgrade to Standard, of 2026-10-16 2026-11-01',
  'half of the period before its end, it grants half of the difference'
);
select pg_temp.pay(
  'second2', 'second', 'basic', pg_temp.upgrade('basic', 'premium', pg_temp.day('2026-10-16 12:00:01'))
);
select is(
  (select tokens_granted from purchases where stripe_id = 'in_second2'),
  floor(14000::bigint * 1339199 / 2678400.0)::bigint,
  'a second later, it grants a second''s credits less, rounded down'
);
select pg_temp.pay(
  'oldup2', 'oldup', 'basic', pg_temp.upgrade('basic', 'standard', pg_temp.day('2026-10-16 12:00')), old => true
);
select is(
  (select tokens_granted from purchases where stripe_id = 'in_oldup2'), 1500::bigint,
  'the same in the shape of older API versions'
);
select pg_temp.pay(
  'steps2', 'steps', 'basic',
  pg_temp.upgrade('basic', 'standard', pg_temp.day('2026-10-11 08:00')) || pg_temp.upgrade('standard', 'premium', pg_temp.day('2026-10-31'))
);
select is(
  (select format('%s %s', tier, tokens_granted) from purchases where stripe_id = 'in_steps2'),
  format('premium %s', floor(3000 * 2 / 3.0) + floor(11000 / 31.0)),
  'of several steps on one invoice, each grants the rest of the period from its own moment, and the last is what is paid for'
);
select is(
  (select count(*) from purchases where stripe_id like 'in_steps_' and granted_period_start is not null),
  1::bigint,
  'upgrades take no period''s place'
);

select pg_temp.pay('down1', 'down', 'premium', pg_temp.period('premium', 9900));
select is(
  pg_temp.pay('down2', 'down', 'premium', jsonb_build_array(
    pg_temp.invoice_line('premium', -5000, pg_temp.day('2026-10-16'), pg_temp.day('2026-11-01'), true),
    pg_temp.invoice_line('basic', 500, pg_temp.day('2026-10-16'), pg_temp.day('2026-11-01'), true)
  )),
  'applied',
  'a downgrade within the period is applied'
);
select is(pg_temp.remaining('down'), 17000::bigint, 'and takes nothing');

select pg_temp.pay('renew1', 'renew', 'basic', pg_temp.period('basic', 900));
select is(
  pg_temp.pay(
    'renew2', 'renew', 'basic',
    pg_temp.upgrade('basic', 'standard', pg_temp.day('2026-10-16 12:00')) || pg_temp.period('standard', 2900, 2)
  ),
  'applied',
  'a renewal that bills an upgrade of the period before as well is applied'
);
select is(
  pg_temp.granted('renew2'),
  'subscription standard 3900 eur 5500 - 0 Standard, 2026-11-01 of 2026-11-01 2026-12-01',
  'and grants both'
);

-- An upgrade whose invoice comes before that of the period, which is shorter than a month's usual days

select is(
  pg_temp.send(
    'evt_early_sub', 'customer.subscription.created',
    pg_temp.subscription('sub_early', 'early', 'standard', 'active', pg_temp.day('2027-01-31'), pg_temp.day('2027-02-28'))
  ),
  'applied',
  '(a subscription from the 31st of January to the 28th of February)'
);
select pg_temp.pay(
  'early2', 'early', 'basic', pg_temp.upgrade('basic', 'standard', pg_temp.day('2027-02-14'), pg_temp.day('2027-02-28'))
);
select pg_temp.pay('early1', 'early', 'basic', jsonb_build_array(
  pg_temp.invoice_line('basic', 900, pg_temp.day('2027-01-31'), pg_temp.day('2027-02-28'))
));
select is(
  (select tokens_granted from purchases where stripe_id = 'in_early2'),
  1500::bigint,
  'an upgrade grants the same when its invoice comes before that of the period'
);

select pg_temp.new_user('waits');
select is(
  pg_temp.pay(
    'waits2', 'waits', 'basic',
    pg_temp.upgrade('basic', 'standard', pg_temp.day('2027-02-14'), pg_temp.day('2027-02-28'))
  ),
  'waiting',
  'as long as nothing tells how long the period is, an upgrade waits'
);
select pg_temp.pay('waits1', 'waits', 'basic', jsonb_build_array(
  pg_temp.invoice_line('basic', 900, pg_temp.day('2027-01-31'), pg_temp.day('2027-02-28'))
));
select is(
  (select tokens_granted from purchases where stripe_id = 'in_waits2'), 1500::bigint,
  'and is granted when the period''s invoice comes'
);
select is(
  (select concat_ws(' ', outcome, waits_for, attention) from private.stripe_events where id = 'evt_waits2'),
  'applied',
  'its event is applied then'
);

-- Lines that are not of a plan, and those that the event leaves out

select pg_temp.new_user('item'), pg_temp.new_user('many');
select is(
  pg_temp.pay('item', 'item', 'basic', pg_temp.period('basic', 900) || jsonb_build_array(
    pg_temp.invoice_line('basic', 5000, pg_temp.day('2026-10-01'), pg_temp.day('2026-11-01'))
      || '{"parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": false}}}'
  )),
  'applied',
  'what an operator adds to an invoice is no period of a plan'
);
select is(pg_temp.remaining('item'), 1100::bigint, 'and grants nothing');
select is(
  pg_temp.send('evt_many', 'invoice.paid', jsonb_set(
    pg_temp.invoice('in_many', 'sub_many', 'many', 'basic', pg_temp.period('basic', 900)), '{lines,has_more}', 'true'
  )),
  'waiting | The invoice has more lines than the event: grant its credits by hand',
  'an invoice of which the event has not all lines waits, and is shown to the operator'
);

-- Refunds of invoices, by the link between the two

create function pg_temp.refunded(name text, things text[], old boolean default false)
returns text
language plpgsql
as $$
declare
  v_thing text;
begin
  perform pg_temp.new_user(name);
  foreach v_thing in array things loop
    perform case v_thing
      when 'invoice' then pg_temp.pay(name, name, 'basic', pg_temp.period('basic', 900), old => refunded.old)
      when 'link' then pg_temp.send('evt_link_' || name, 'invoice_payment.paid', pg_temp.invoice_payment('in_' || name, 'pi_' || name))
      when 'refund' then pg_temp.send('evt_re_' || name, 'refund.created', pg_temp.refund('re_' || name, 'pi_' || name, 450))
      when 'charge' then pg_temp.send(
        'evt_ch_' || name, 'charge.refunded',
        pg_temp.charge('pi_' || name, 900, 450, jsonb_build_object('invoice', 'in_' || name))
      )
    end;
  end loop;
  return concat_ws(
    '; ', pg_temp.purchase('in_' || name), pg_temp.remaining(name),
    (select string_agg(distinct e.outcome, ' ') from private.stripe_events e where e.id like 'evt%' || name)
  );
end;
$$;

select is(
  pg_temp.refunded('r' || row_number() over (order by c.things), c.things),
  'subscription paid 900/450/0 tokens 1100/550 usd 0/; 550; applied',
  format('a refund takes its share of what an invoice gave: %s', array_to_string(c.things, ', '))
)
from (
  values
    ('{invoice,link,refund}'::text[]), ('{invoice,refund,link}'), ('{link,invoice,refund}'), ('{link,refund,invoice}'),
    ('{refund,invoice,link}'), ('{refund,link,invoice}')
) c (things);
select is(
  pg_temp.refunded('o' || row_number() over (order by c.things), c.things, true),
  'subscription paid 900/450/0 tokens 1100/550 usd 0/; 550; applied',
  format('in the shape of older API versions: %s', array_to_string(c.things, ', '))
)
from (
  values ('{invoice,refund}'::text[]), ('{refund,invoice}'), ('{invoice,charge,refund}'), ('{charge,refund,invoice}')
) c (things);
select pg_temp.send('evt_dp_r1', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_r1', 'pi_r1', 900));
select is(
  pg_temp.purchase('in_r1'), 'subscription paid 900/450/900 tokens 1100/1100 usd 0/',
  'a dispute of an invoice''s payment as well'
);

-- Not Scrip's, or not known

select is(
  pg_temp.send('evt_foreign', 'invoice.paid', pg_temp.invoice('in_f', 'sub_f', 'new', 'basic', jsonb_build_array(
    pg_temp.invoice_line('x', 900, 1, 2)
  ), metadata => '{"kind": null, "user_id": null, "tier": null}')),
  'ignored',
  'the invoice of a subscription to something else is ignored'
);
select is(
  pg_temp.send('evt_oneoff', 'invoice.paid', pg_temp.invoice(
    'in_one', null, 'new', 'basic', pg_temp.period('basic', 900), '{"parent": null}'
  )),
  'ignored',
  'an invoice without a subscription is ignored'
);
select is(
  pg_temp.send('evt_who', 'invoice.paid', pg_temp.invoice('in_who', 'sub_who', 'who', 'basic', pg_temp.period('basic', 900))),
  format('waiting | Unknown user %s', pg_temp.id('who')),
  'an unknown user''s waits, and is shown to the operator'
);
select pg_temp.new_user('who');
select is(
  (select outcome from replay_stripe_event('evt_who')) || ' ' || pg_temp.remaining('who'), 'applied 1100',
  'until the user is there'
);
select pg_temp.new_user('gold');
select is(
  pg_temp.pay('gold', 'gold', 'basic', pg_temp.period('gold', 1900), metadata => '{"tier": "gold"}'),
  'waiting | Unknown plan',
  'one of an unknown plan waits, and is shown to the operator'
);
insert into subscription_plans (tier, name, monthly_cost, credits_included) values ('gold', 'Gold', 19, 1);
select is(
  (select outcome from replay_stripe_event('evt_gold')) || ' ' || pg_temp.remaining('gold'),
  'applied 1',
  'until the plan is there'
);
select pg_temp.new_user('usd');
select is(
  pg_temp.pay('usd', 'usd', 'basic', pg_temp.period('basic', 900), '{"currency": "usd"}'),
  'waiting | Paid in usd, the plan basic is in eur',
  'one in another currency than the plan''s waits, and is shown to the operator'
);
update subscription_plans set currency = 'usd' where tier = 'basic';
select is(
  (select outcome from replay_stripe_event('evt_usd')) || ' ' || pg_temp.remaining('usd'),
  'applied 1100',
  'until the plan''s currency is that one'
);


-- The bonus is of the first period, whichever invoice comes first

update subscription_plans set currency = 'eur', monthly_cost = 9 where tier = 'basic';
select pg_temp.new_user(n.name) from (values ('late'), ('refunded')) n (name);
select pg_temp.pay(n.name || '2', n.name, 'basic', pg_temp.period('basic', 900, 2), old => true)
from (values ('late'), ('refunded')) n (name);
select is(pg_temp.remaining('late'), 1100::bigint, 'the second period has the bonus as long as the first is not known');
select pg_temp.send('evt_refunded', 'refund.created', pg_temp.refund('re_refunded', 'pi_refunded2', 900));
select is(pg_temp.remaining('refunded'), 0::bigint, 'and gives it back when it is refunded');
select pg_temp.pay(n.name || '1', n.name, 'basic', pg_temp.period('basic', 900), old => true)
from (values ('late'), ('refunded')) n (name);
select is(pg_temp.remaining('late'), 2100::bigint, 'then the first has it, and it alone');
select is(
  (select string_agg(format('%s of %s', bonus_tokens, tokens_granted), ', ' order by stripe_id)
  from purchases where user_id = pg_temp.id('late')),
  '100 of 1100, 0 of 1000',
  'the purchases say so'
);
select is(pg_temp.remaining('refunded'), 1100::bigint, 'and what was refunded has nothing of it');
select is(
  (select outcome from replay_stripe_event('evt_late2')) || ' ' || pg_temp.remaining('late'),
  'applied 2100',
  'a replay moves nothing'
);

-- An upgrade paid out of the customer's balance, where a downgrade had put the money

select pg_temp.new_user('pump');
select pg_temp.pay('pump1', 'pump', 'basic', pg_temp.period('basic', 900));
select pg_temp.pay(
  'pump2', 'pump', 'basic', pg_temp.upgrade('basic', 'premium', pg_temp.day('2026-10-16 12:00')),
  '{"amount_due": 0, "amount_paid": 0, "total": 4500}'
);
select is(pg_temp.remaining('pump'), 1100::bigint, 'an upgrade paid out of the customer''s balance gives no credits');
select pg_temp.pay(
  'pump3', 'pump', 'basic', pg_temp.upgrade('basic', 'premium', pg_temp.day('2026-10-16 12:00')),
  '{"amount_due": 1500, "amount_paid": 1500, "total": 4500}'
);
select is(pg_temp.remaining('pump'), 1100 + 2333::bigint, 'one paid to a third gives a third, rounded down');

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');
select is(
  (select count(*) from private.stripe_events where outcome = 'failed'), 0::bigint, 'no event''s handling failed'
);

select * from finish();

rollback;
