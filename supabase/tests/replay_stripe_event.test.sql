-- replay_stripe_event handles a stored event again: what was applied already stays as it is, what waited for the
-- operator or failed is done once it can be.

begin;

select plan(15);

select pg_temp.new_user('ann');
select pg_temp.send('evt_1', 'checkout.session.completed', pg_temp.session('cs_1', 'pi_1', pg_temp.offer('ann')));
select pg_temp.send('evt_2', 'refund.created', pg_temp.refund('re_1', 'pi_1', 300));
select pg_temp.send('evt_3', 'customer.created', '{"id": "cus_1", "object": "customer"}');
select pg_temp.send('evt_4', 'refund.created', pg_temp.refund('re_2', 'pi_2', 300));

select is(
  pg_temp.answer(format('select outcome, attention, user_id = pg_temp.id(''ann''), error from replay_stripe_event(%L)', c.id), 'none'),
  c.answer,
  format('replay_stripe_event answers what it came to: %s', c.answer)
)
from (values ('evt_1', '(applied,,t,)'), ('evt_2', '(applied,,t,)'), ('evt_3', '(ignored,,,)'), ('evt_4', '(waiting,,,)')) c (id, answer);
select pg_temp.changes_nothing(
  format('select replay_stripe_event(%L)', c.id), format('and changes nothing that was done (%s)', c.id)
)
from (values ('evt_1'), ('evt_2'), ('evt_3'), ('evt_4')) c (id);

select pg_temp.new_user('max', 8999999999999500);
select is(
  left(pg_temp.send('evt_5', 'checkout.session.completed', pg_temp.session('cs_5', 'pi_5', pg_temp.offer('max'))), 6),
  'failed',
  '(an event that failed)'
);
update user_tokens set tokens_purchased = 1 where user_id = pg_temp.id('max');
select is(
  pg_temp.answer('select outcome, attention, error from replay_stripe_event(''evt_5'')') || ' ' || pg_temp.remaining('max'),
  '(applied,,) 1001',
  'replay_stripe_event does what had failed'
);

select is(
  pg_temp.answer('select replay_stripe_event(''evt_none'')'),
  '404 stripe_event_not_found There is no event evt_none',
  'replay_stripe_event refuses an unknown event'
);
select is(
  pg_temp.answer('select replay_stripe_event(''evt_1'')', c.role, 'ann'),
  '42501 permission denied for function replay_stripe_event',
  format('replay_stripe_event is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select outcome from replay_stripe_event(''evt_1'')', 'service_role'),
  '(applied)',
  'replay_stripe_event is open to service_role'
);
select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');

select * from finish();

rollback;
