-- list_stripe_events lists what came, newest first, page by page without gaps or doubles, and those that need attention
-- alone.

begin;

select plan(11);

select pg_temp.new_user('ann');
select pg_temp.send('evt_1', 'checkout.session.completed', pg_temp.session('cs_1', 'pi_1', pg_temp.offer('ann')));
select pg_temp.send('evt_2', 'checkout.session.completed', pg_temp.session('cs_2', 'pi_2', pg_temp.offer('ben')));
select pg_temp.send('evt_3', 'customer.created', '{"id": "cus_1", "object": "customer"}', 1700000000);
select pg_temp.send('evt_4', 'checkout.session.completed', pg_temp.session('cs_4', 'pi_4', pg_temp.offer('cat')));
update private.stripe_events set created_at = '2026-01-01' where id in ('evt_2', 'evt_3');

create function pg_temp.listed(arguments text)
returns text
language plpgsql
as $$
begin
  return pg_temp.answer(format('select id from list_stripe_events(%s)', arguments), 'service_role');
end;
$$;

select is(
  pg_temp.answer($$
    select
      id, type, outcome, attention, error, user_id = pg_temp.id('ann') as ann, object_id, livemode,
      occurred_at at time zone 'UTC' as occurred_at, created_at > now() as late
    from list_stripe_events(1, false)
  $$),
  '(evt_1,checkout.session.completed,applied,,,t,cs_1,f,"2026-09-21 14:13:20",t)',
  'list_stripe_events tells what an event was and came to'
);
select is(pg_temp.listed('10'), '(evt_4) (evt_1) (evt_3) (evt_2)', 'the newest come first');
select is(pg_temp.listed('10, true'), '(evt_4) (evt_2)', 'those that need attention alone');
select is(pg_temp.listed('10, false'), '(evt_1) (evt_3)', 'those that do not');
select is(pg_temp.listed('2'), '(evt_4) (evt_1)', 'a page has as many as are asked for');
select is(
  (select pg_temp.listed(format('10, null, %L, %L', created_at, id)) from list_stripe_events(2) where id = 'evt_1'),
  '(evt_3) (evt_2)',
  'the next page begins after the last of the one before'
);
select is(
  pg_temp.listed($$10, null, '2026-01-01', 'evt_3'$$), '(evt_2)', 'events of one moment are told apart by their ids'
);
select is(pg_temp.listed($$10, true, '2026-01-01', 'evt_2'$$), 'no rows', 'after the last there are none');
select is(
  pg_temp.answer('select list_stripe_events(10)', c.role, 'ann'),
  '42501 permission denied for function list_stripe_events',
  format('list_stripe_events is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(pg_temp.listed('0'), 'no rows', 'no row is asked for, none comes');

select * from finish();

rollback;
