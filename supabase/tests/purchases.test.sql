-- Purchases and Stripe's events are written by operations alone: no role edits them, the owner included. Users read
-- their own purchases, subscriptions and top-ups, nobody else's; anon reads none. verify_purchases, and verify_ledger
-- by it, sees each way in which purchases and journals can disagree.

begin;

select plan(89);

select pg_temp.new_plans();
select pg_temp.new_user('ann'), pg_temp.new_user('ben');
select pg_temp.send('evt_' || c.name, 'checkout.session.completed', pg_temp.session('cs_' || c.name, 'pi_' || c.name, pg_temp.offer(c.name)))
from (values ('ann'), ('ben')) c (name);
select pg_temp.send('evt_usd', 'checkout.session.completed', pg_temp.session('cs_usd', 'pi_usd', pg_temp.offer(
  'ann', '{"kind": "usd_deposit", "tokens": null, "currency": "usd"}'
)));
select pg_temp.send('evt_re', 'refund.created', pg_temp.refund('re_1', 'pi_ann', 400));
select pg_temp.send('evt_re2', 'refund.created', pg_temp.refund('re_2', 'pi_usd', 400));
select change_subscription(pg_temp.id('ann'), 'basic', 'start');

-- Edits, by the owner of the tables, who is the dashboard

select is(
  pg_temp.answer(e.statement),
  format('403 forbidden %s on %s is refused: it follows from Stripe''s events', e.verb, e.relation),
  format('%s refuses %s as postgres: %s', e.relation, e.verb, e.statement)
)
from (
  values
    ('purchases', 'Update', 'update purchases set refunded_cents = 1'),
    ('purchases', 'Update', 'update purchases set description = ''x'''),
    ('purchases', 'Delete', 'delete from purchases'),
    ('purchases', 'Truncate', 'truncate purchases'),
    (
      'purchases', 'Insert',
      $$insert into purchases (user_id, kind, description, amount_cents, currency, tokens_granted, stripe_id, paid_at)
      values (pg_temp.id('ann'), 'tokens', 'x', 1, 'eur', 1, 'pi_x', now())$$
    ),
    ('stripe_events', 'Update', 'update private.stripe_events set payload = payload || ''{"x": 1}'''),
    ('stripe_events', 'Update', 'update private.stripe_events set id = id || ''x'''),
    ('stripe_events', 'Update', 'update private.stripe_events set type = ''x'''),
    ('stripe_events', 'Update', 'update private.stripe_events set livemode = not livemode'),
    ('stripe_events', 'Update', 'update private.stripe_events set payment_intent_id = null'),
    ('stripe_events', 'Update', 'update private.stripe_events set occurred_at = now()'),
    ('stripe_events', 'Delete', 'delete from private.stripe_events'),
    ('stripe_events', 'Truncate', 'truncate private.stripe_events')
) e (relation, verb, statement);
select pg_temp.changes_nothing('update purchases set refunded_cents = 1', 'a refused edit changes nothing');
select is(
  pg_temp.answer('update private.stripe_events set attention = null where id = ''evt_ann'''), '1',
  'what the operator has seen may be ticked off'
);

-- Edits by the roles of the API

select is(
  pg_temp.answer(s.statement, r.role, 'ann'),
  format('42501 permission denied for %s', s.refused),
  format('%s may not: %s', r.role, split_part(s.statement, ' set ', 1))
)
from (values ('anon'), ('authenticated'), ('service_role')) r (role)
cross join (
  values
    ('update purchases set refunded_cents = 1', 'table purchases'),
    ('delete from purchases', 'table purchases'),
    ('truncate purchases', 'table purchases'),
    ('insert into purchases default values', 'table purchases'),
    ('update subscriptions set tier = ''premium''', 'table subscriptions'),
    ('insert into subscriptions default values', 'table subscriptions'),
    ('delete from subscriptions', 'table subscriptions'),
    ('insert into auto_top_ups default values', 'table auto_top_ups'),
    ('update auto_top_ups set enabled = true', 'table auto_top_ups'),
    ('update token_packages set price_cents = 1', 'table token_packages'),
    ('update subscription_plans set multiplier = 0', 'table subscription_plans'),
    ('update settings set base_rate = 1', 'table settings'),
    ('select from private.stripe_events', 'schema private'),
    ('delete from private.stripe_events', 'schema private')
) s (statement, refused);

-- Operations cannot take the ids of payments

select is(
  pg_temp.answer(format('select * from %s', o.call)),
  '400 invalid_request operation_id must not begin with stripe:, which payments begin with',
  format('the id of a payment is refused: %s', o.call)
)
from (
  values
    ($$add_tokens(pg_temp.id('ann'), 1, 'purchase', 'stripe:pi_x')$$),
    ($$charge_tokens(pg_temp.id('ann'), 1, 'stripe:pi_x')$$),
    ($$reserve_tokens(pg_temp.id('ann'), 1, 'stripe:pi_x')$$),
    ($$deposit_usd(pg_temp.id('ann'), '1', 'stripe:pi_x')$$),
    ($$change_subscription(pg_temp.id('ann'), 'basic', 'stripe:pi_x')$$)
) o (call);

-- Reading

select is(
  pg_temp.answer(format('select count(*) from %s', t.name), r.role, r.name),
  t.answers[r.position],
  format('%s reads %s: %s', concat_ws(' ', r.role, r.name), t.name, t.answers[r.position])
)
from (values (1, 'authenticated', 'ann'), (2, 'authenticated', 'ben'), (3, 'anon', null), (4, 'service_role', null)) r (position, role, name)
cross join (
  values
    ('purchases', array['(2)', '(1)', '42501 permission denied for table purchases', '(3)']),
    ('subscriptions', array['(1)', '(0)', '42501 permission denied for table subscriptions', '(1)'])
) t (name, answers);

-- What verify_purchases sees

create function pg_temp.problems_after(statement text)
returns text
language plpgsql
as $$
declare
  v_problems text;
begin
  perform set_config('scrip.posting', 'on', true);
  execute statement;
  perform set_config('scrip.posting', '', true);
  select string_agg(
    format('%s: %s is %s', p.problem, trim_scale(p.expected), trim_scale(p.actual)), '; ' order by p.problem
  )
  into v_problems
  from (select * from private.verify_purchases() intersect select * from public.verify_ledger()) p;
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return coalesce(v_problems, 'none');
end;
$$;

alter table token_transactions disable trigger user;
alter table usd_transactions disable trigger user;

select is_empty('select * from verify_ledger()', 'what the events did is in agreement');
select is(pg_temp.problems_after('select 1'), 'none', '(and nothing is listed for a statement that corrupts nothing)');
select is(pg_temp.problems_after(c.statement), c.problems, format('verify_purchases sees %s', c.what))
from (
  values
    (
      'a purchase that says it granted more', 'tokens of purchase pi_ann: 601 is 600',
      $$update purchases set tokens_granted = 1001 where stripe_id = 'pi_ann'$$
    ),
    (
      'a purchase that says less was taken', 'tokens of purchase pi_ann: 601 is 600',
      $$update purchases set tokens_clawed_back = 399 where stripe_id = 'pi_ann'$$
    ),
    (
      'a purchase of other US dollars', 'USD of purchase pi_usd: 7 is 6',
      $$update purchases set usd_granted = 11 where stripe_id = 'pi_usd'$$
    ),
    (
      'US dollars that were not taken', 'USD of purchase pi_usd: 6.0000000001 is 6',
      $$update purchases set usd_clawed_back = 3.9999999999 where stripe_id = 'pi_usd'$$
    ),
    (
      'a purchase that the journal does not have', 'tokens of purchase pi_new: 5 is 0',
      $$insert into purchases (user_id, kind, description, amount_cents, currency, tokens_granted, stripe_id, paid_at)
      values (pg_temp.id('ann'), 'tokens', 'x', 1, 'eur', 5, 'pi_new', now())$$
    ),
    (
      'a purchase that is gone', 'tokens of purchase pi_ben: 0 is 1000',
      $$delete from purchases where stripe_id = 'pi_ben'$$
    ),
    (
      'a deposit that is gone', 'USD of purchase pi_usd: 0 is 6', $$delete from purchases where stripe_id = 'pi_usd'$$
    ),
    (
      'a journal row that is gone', 'tokens of purchase pi_ann: 600 is 1000',
      $$delete from token_transactions where type = 'clawback' and reference = 'pi_ann'$$
    ),
    (
      'a journal row of another amount', 'tokens of purchase pi_ben: 1000 is 999',
      $$update token_transactions set amount = 999 where reference = 'pi_ben'$$
    ),
    (
      'a journal row of another purchase', 'tokens of purchase pi_ann: 600 is 0; tokens of purchase pi_lost: 0 is 600',
      $$update token_transactions set reference = 'pi_lost' where reference = 'pi_ann'$$
    )
) c (what, problems, statement);

-- Bounds

create function pg_temp.bounds(change text)
returns text
language plpgsql
as $$
begin
  perform set_config('scrip.posting', 'on', true);
  return pg_temp.answer(format('update purchases set %s where stripe_id = ''pi_ann''', change));
end;
$$;
select is(
  pg_temp.bounds(c.change),
  format('23514 new row for relation "purchases" violates check constraint "purchases_%s_check"', c.name),
  format('not even an operation can write %s', c.change)
)
from (
  values ('tokens_clawed_back = 1001', 'tokens'), ('tokens_clawed_back = -1', 'tokens'), ('usd_clawed_back = 1', 'usd'), ('amount_cents = -1', 'amount_cents')
) c (change, name);
select set_config('scrip.posting', '', true);

-- The deleted

delete from auth.users where id = pg_temp.id('ann');
select is(
  (select count(*) from purchases where user_id = pg_temp.id('ann')), 2::bigint, 'a deleted user''s purchases stay'
);
select is((select count(*) from subscriptions where user_id = pg_temp.id('ann')), 1::bigint, 'and subscriptions');
select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');

select * from finish();

rollback;
