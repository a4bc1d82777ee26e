-- get_auto_top_up tells a user's auto top-up: what is set, what was spent this month, whether an attempt is under way,
-- and why it stopped.

begin;

select plan(9);

insert into token_packages (id, name, tokens, price_cents, currency) values (pg_temp.id('small'), 'Small', 500, 500, 'eur');
select pg_temp.new_user('ann'), pg_temp.new_user('ben');
select save_stripe_customer(pg_temp.id('ann'), 'cus_ann');

create function pg_temp.settings(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', g.enabled, g.threshold, g.package_id = pg_temp.id('small'), g.monthly_cap_cents, g.currency, g.spent_cents,
    g.in_flight,
    g.stopped_reason, g.stopped_at = now()
  )
  from public.get_auto_top_up(pg_temp.id(settings.name)) g
$$;

select is(pg_temp.settings('ann'), 'f 0 f', 'who never set it up has it switched off');
select set_auto_top_up(pg_temp.id('ann'), true, 100, pg_temp.id('small'), 2000);
select is(pg_temp.settings('ann'), 't 100 t 2000 eur 0 f', 'what is set is told as it is');
select is(pg_temp.settings('ben'), 'f 0 f', 'of that user alone');
select claim_auto_top_ups();
select is(pg_temp.settings('ann'), 't 100 t 2000 eur 500 t', 'an attempt under way is told, and counts as spent');
select fail_auto_top_up(t.id, 'Your card was declined.') from private.top_ups t;
select is(
  pg_temp.settings('ann'),
  'f 100 t 2000 eur 0 f Your card was declined. t',
  'why it stopped is told, and nothing was spent'
);
select set_auto_top_up(pg_temp.id('ann'), true, 100, pg_temp.id('small'), 2000);
select is(pg_temp.settings('ann'), 't 100 t 2000 eur 0 f', 'set up again, it has no reason any more');

select is(
  pg_temp.answer('select get_auto_top_up(pg_temp.id(''ann''))', c.role, 'ann'),
  '42501 permission denied for function get_auto_top_up',
  format('get_auto_top_up is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select enabled from get_auto_top_up(%L)', pg_temp.id('ann')), 'service_role'),
  '(t)',
  'get_auto_top_up is open to service_role'
);

select * from finish();

rollback;
