-- fail_auto_top_up ends an attempt once, and switches the user's auto top-up off with the reason, of which the user gets a
-- notice. How attempts are made and tried again is in claim_auto_top_ups.

begin;

select plan(16);

insert into token_packages (id, name, tokens, price_cents) values (pg_temp.id('small'), 'Small', 500, 500);
select pg_temp.new_user('ann', 1), pg_temp.new_user('ben', 1);
select save_stripe_customer(pg_temp.id(u.name), 'cus_' || u.name), set_auto_top_up(pg_temp.id(u.name), true, 100, pg_temp.id('small'), 2000)
from (values ('ann'), ('ben')) u (name);
create temporary table attempts as select c.top_up_id, c.user_id from claim_auto_top_ups() c;

create function pg_temp.fail(name text, reason text, role text default 'none')
returns text
language sql
as $$
  select pg_temp.answer(format('select stopped from fail_auto_top_up(%L, %L)', a.top_up_id, fail.reason), fail.role)
  from attempts a
  where a.user_id = pg_temp.id(fail.name)
$$;

create function pg_temp.state(name text)
returns text
language sql
as $$
  select concat_ws(' ', t.status, t.reason, a.enabled, a.stopped_reason, a.stopped_at = now())
  from private.top_ups t
  join public.auto_top_ups a using (user_id)
  where t.user_id = pg_temp.id(state.name)
$$;

select is(
  pg_temp.fail('ann', 'Declined.', 'service_role'), '(t)', 'fail_auto_top_up ends an attempt, for service_role'
);
select is(pg_temp.state('ann'), 'failed Declined. f Declined. t', 'auto top-up is switched off, with the reason');
select is(pg_temp.notices('ann'), 'auto_top_up.stopped {"reason": "Declined."}', 'and a notice says so');
select is(pg_temp.state('ben'), 'in_flight t', 'for that user alone');
select is(pg_temp.notices('ben'), 'none', 'who alone gets it');
select is(pg_temp.fail('ann', 'Again.'), '(f)', 'an attempt ends once');
select is(pg_temp.state('ann'), 'failed Declined. f Declined. t', 'and the first reason stays');
select set_auto_top_up(pg_temp.id('ann'), true, 100, pg_temp.id('small'), 2000);
select is(pg_temp.fail('ann', 'Late.'), '(f)', 'word of it that comes late');
select is(pg_temp.state('ann'), 'failed Declined. t', 'does not switch off what the user has switched on again');
select is(
  pg_temp.answer('select stopped from fail_auto_top_up(pg_temp.id(''no attempt''), ''x'')'), '(f)',
  'an unknown attempt ends nothing'
);
select pg_temp.fail('ben', repeat('x', 600));
select is(
  (select length(stopped_reason) from auto_top_ups where user_id = pg_temp.id('ben')), 500,
  'of a reason, 500 characters are kept'
);
select is(pg_temp.notices('ann'), 'auto_top_up.stopped {"reason": "Declined."}', 'what ends nothing is no notice');
select is(
  pg_temp.notices('ben'), format('auto_top_up.stopped {"reason": "%s"}', repeat('x', 500)), 'the notice has the same'
);
select is(pg_temp.remaining('ann'), 1::bigint, 'nothing is granted or taken');
select is(
  pg_temp.fail('ann', 'x', c.role), '42501 permission denied for function fail_auto_top_up',
  format('fail_auto_top_up is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select * from finish();

rollback;
