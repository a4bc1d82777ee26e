-- claim_auto_top_ups hands out what is to be charged: below the threshold only, one attempt in flight for each user,
-- within the cap of a calendar month in UTC, never after a decline. An attempt whose end is unknown is handed out
-- again after two minutes, under the same id, and given up after 23 hours. fail_auto_top_up ends one; Stripe's event
-- grants it, however late.

begin;

select plan(68);

insert into token_packages (id, name, tokens, bonus_tokens, price_cents)
values (pg_temp.id('small'), 'Small', 500, 50, 500), (pg_temp.id('other'), 'Other', 1, 0, 500);

-- A user with auto top-up below 100 tokens, up to 20.00 a month.
create function pg_temp.wants(name text, tokens bigint default null, threshold bigint default 100, cap bigint default 2000)
returns void
language sql
as $$
  select pg_temp.new_user(wants.name, wants.tokens);
  select public.save_stripe_customer(pg_temp.id(wants.name), 'cus_' || md5(pg_temp.id(wants.name)::text));
  select public.set_auto_top_up(pg_temp.id(wants.name), true, wants.threshold, pg_temp.id('small'), wants.cap)
$$;

-- Whose attempts are handed out.
create function pg_temp.claimed(max_count integer default 50)
returns text
language sql
as $$
  select coalesce(string_agg(split_part(u.email, '@', 1), ' ' order by u.email), 'none')
  from public.claim_auto_top_ups(max_count) c
  join auth.users u on u.id = c.user_id
$$;

create function pg_temp.attempt(name text)
returns uuid
language sql
as $$
  select t.id from private.top_ups t where t.user_id = pg_temp.id(attempt.name) order by (t.status = 'in_flight') desc, t.created_at desc limit 1
$$;

create function pg_temp.attempts(name text)
returns text
language sql
as $$
  select string_agg(concat_ws(' ', t.status, t.reason), ', ' order by t.created_at, t.status)
  from private.top_ups t
  where t.user_id = pg_temp.id(attempts.name)
$$;

-- Stripe's word on an attempt.
create function pg_temp.tell(name text, type text, top_up_id uuid default null, changes jsonb default '{}')
returns text
language sql
as $$
  select pg_temp.send(
    format('evt_%s_%s', coalesce(tell.top_up_id, pg_temp.attempt(tell.name)), tell.type),
    'payment_intent.' || tell.type,
    pg_temp.payment_intent('pi_' || coalesce(tell.top_up_id, pg_temp.attempt(tell.name)), pg_temp.offer(tell.name, jsonb_build_object(
      'kind', 'top_up', 'package_id', pg_temp.id('small'), 'tokens', '550', 'amount_cents', '500',
      'top_up_id', coalesce(tell.top_up_id, pg_temp.attempt(tell.name))
    )), changes)
  )
$$;

-- As if an attempt had been made so long ago.
create function pg_temp.age(name text, by interval)
returns void
language sql
as $$
  update private.top_ups t
  set created_at = t.created_at - age.by, claimed_at = t.claimed_at - age.by
  where t.user_id = pg_temp.id(age.name)
$$;

-- What is charged once a package has changed, and whether auto top-up is on then; the changes are undone.
create function pg_temp.sold(name text, changes text)
returns text
language plpgsql
as $$
declare
  v_result text;
begin
  perform pg_temp.wants(name, 1);
  execute format('update public.token_packages set %s where id = pg_temp.id(''small'')', changes);
  select coalesce(max(c.amount_cents)::text, 'none') into v_result
  from public.claim_auto_top_ups() c
  where c.user_id = pg_temp.id(name);
  select concat_ws(' ', v_result, a.enabled, a.stopped_reason) into v_result
  from public.auto_top_ups a
  where a.user_id = pg_temp.id(name);
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return v_result;
end;
$$;

-- Who is due

select is(pg_temp.claimed(), 'none', 'nobody set it up: nobody is due');
select pg_temp.wants('ann', 99), pg_temp.wants('full', 100), pg_temp.wants('off', 1), pg_temp.wants('poor', 1), pg_temp.wants('held', 150),
  pg_temp.wants('debt', 10), pg_temp.wants('earned', 10);
select set_auto_top_up(pg_temp.id('off'), false, 100, pg_temp.id('small'), 2000);
update auto_top_ups set monthly_cap_cents = 499 where user_id = pg_temp.id('poor');
select pg_temp.new_user('none', 1);
select set_auto_top_up(pg_temp.id('none'), true, 100, pg_temp.id('small'), 2000);
select reserve_tokens(pg_temp.id('held'), 60, 'hold');
select reserve_tokens(pg_temp.id('debt'), 10, 'hold'), settle_tokens(pg_temp.id('debt'), 'hold', 50);
update subscribers set earned_tokens = 500 where user_id = pg_temp.id('earned');
select is(
  pg_temp.claimed(), 'ann debt held',
  'due is who has fewer tokens than the threshold, holds deducted; not who has as many, switched it off, could not pay within the cap, or has no customer at Stripe'
);
select is(pg_temp.claimed(), 'none', 'each once');
select results_eq(
  $$select t.status, t.amount_cents, t.currency, t.tokens, t.description, t.package_id from private.top_ups t where t.user_id = pg_temp.id('ann')$$,
  $$values ('in_flight', 500::bigint, 'eur', 550::bigint, 'Small', pg_temp.id('small'))$$,
  'the attempt keeps what was offered'
);
select pg_temp.age('ann', '2 minutes 1 second');
select is(
  pg_temp.answer($$
    select
      top_up_id = pg_temp.attempt('ann') as same, user_id = pg_temp.id('ann') as ann,
      stripe_customer_id = 'cus_' || md5(pg_temp.id('ann')::text) as customer,
      package_id = pg_temp.id('small') as package, amount_cents, currency, tokens, description
    from claim_auto_top_ups()
  $$),
  '(t,t,t,t,500,eur,550,Small)',
  'an attempt whose end is unknown after two minutes is handed out again: the same'
);
select is(pg_temp.claimed(), 'none', 'not sooner');
update token_packages set tokens = 1 where id = pg_temp.id('small');
select pg_temp.age('ann', '2 minutes 1 second');
select is(
  pg_temp.answer($$select amount_cents, tokens, description from claim_auto_top_ups()$$), '(500,550,Small)',
  'at what was offered, though the package has changed'
);
update token_packages set tokens = 500 where id = pg_temp.id('small');

-- Success

select is(pg_temp.tell('ann', 'succeeded'), 'applied', 'Stripe''s word that it succeeded is applied');
select is(
  pg_temp.journal('ann', 1),
  format('purchase purchased 550 = 649/649 stripe:pi_%s pi_%s stripe', pg_temp.attempt('ann'), pg_temp.attempt('ann')),
  'it grants the package by one journal row'
);
select is(
  pg_temp.purchase('pi_' || pg_temp.attempt('ann')), 'top_up paid 500/0/0 tokens 550/0 usd 0/', 'it is a purchase'
);
select is(pg_temp.attempts('ann'), 'succeeded', 'the attempt has ended');
select is(pg_temp.tell('ann', 'succeeded'), 'duplicate', 'the same word again is a duplicate');
select is(
  pg_temp.answer('select stopped from fail_auto_top_up(pg_temp.attempt(''ann''), ''late'')'), '(f)',
  'an attempt that has ended cannot fail'
);
select is(pg_temp.attempts('ann'), 'succeeded', '(it has not)');
select is((select enabled from auto_top_ups where user_id = pg_temp.id('ann')), true, 'and auto top-up goes on');
select is(pg_temp.claimed(), 'none', 'with enough tokens, nothing is due');
select charge_tokens(pg_temp.id('ann'), 600, 'spent');
select is(pg_temp.claimed(), 'ann', 'spent, the next one is');
select is(
  pg_temp.send('evt_re', 'refund.created', pg_temp.refund('re_1', (
    select stripe_id from purchases where user_id = pg_temp.id('ann')
  ), 500)), 'applied', 'a top-up can be refunded'
);
select is(pg_temp.remaining('ann'), -501::bigint, 'which takes what it granted');
select is(
  pg_temp.answer($$select enabled, stopped_reason from auto_top_ups where user_id = pg_temp.id('ann')$$),
  '(f,"A payment was refunded or disputed")',
  'and switches auto top-up off'
);
select is(
  pg_temp.notices('ann'), 'auto_top_up.stopped {"reason": "A payment was refunded or disputed"}',
  'of which the user gets a notice'
);

-- A decline

select is(
  pg_temp.tell('ann', 'payment_failed', changes => '{"status": "requires_payment_method", "amount_received": 0, "last_payment_error": {"code": "card_declined", "message": "Your card was declined."}}'),
  'applied',
  'Stripe''s word that it failed is applied'
);
select is(
  pg_temp.attempts('ann'), 'succeeded, failed Your card was declined.', 'the attempt has ended, with the reason'
);
select is(
  pg_temp.answer($$select enabled, stopped_reason, stopped_at = now() as now from auto_top_ups where user_id = pg_temp.id('ann')$$),
  '(f,"Your card was declined.",t)',
  'auto top-up is switched off, and says why'
);
select is(pg_temp.claimed(), 'none', 'nothing is charged any more');
select is(
  pg_temp.answer(format('select stopped from fail_auto_top_up(%L, repeat(''x'', 600))', pg_temp.attempt('held')), 'service_role'),
  '(t)',
  'the edge function can end an attempt as well'
);
select is(
  (select length(stopped_reason) from auto_top_ups where user_id = pg_temp.id('held')), 500,
  'of a reason, 500 characters are kept'
);
select is(
  pg_temp.answer('select stopped from fail_auto_top_up(pg_temp.attempt(''held''), ''again'')'), '(f)', 'once'
);
select is(
  pg_temp.answer('select stopped from fail_auto_top_up(pg_temp.id(''no attempt''), ''x'')'), '(f)',
  'an unknown attempt cannot be ended'
);
select is(
  pg_temp.tell('debt', 'canceled', changes => '{"status": "canceled", "amount_received": 0}'), 'applied',
  'an attempt that was cancelled'
);
select is(pg_temp.attempts('debt'), 'failed The payment did not go through', 'has ended, too');

-- An answer that never came

select pg_temp.wants('lost', 1);
select is(pg_temp.claimed(), 'lost', '(an attempt)');
select pg_temp.age('lost', '22 hours 59 minutes');
select is(pg_temp.claimed(), 'lost', 'it is tried again for 23 hours');
select pg_temp.age('lost', '1 minute 1 second');
select is(pg_temp.claimed(), 'none', 'then it is given up');
select is(
  pg_temp.answer($$select enabled, stopped_reason from auto_top_ups where user_id = pg_temp.id('lost')$$),
  '(f,"Whether the payment went through is not known; see your card statement")',
  'auto top-up is switched off, and says why'
);
select is(
  pg_temp.notices('lost'),
  'auto_top_up.stopped {"reason": "Whether the payment went through is not known; see your card statement"}',
  'in a notice, too'
);
select is(
  (select spent_cents from get_auto_top_up(pg_temp.id('lost'))),
  case when now() - interval '23 hours 1 second' < date_trunc('month', now(), 'UTC') then 0 else 500 end::bigint,
  'it counts as spent: perhaps it was paid'
);
select is(pg_temp.tell('lost', 'succeeded'), 'applied', 'a success that is told after all');
select is(pg_temp.remaining('lost'), 551::bigint, 'is granted');
select is(pg_temp.attempts('lost'), 'succeeded', 'and noted');

-- The cap, and the month in UTC

select pg_temp.wants('cap', 1, 10000, 1000);
select is(pg_temp.claimed(), 'cap', 'within the cap a first one is charged');
select pg_temp.tell('cap', 'succeeded');
select is(pg_temp.claimed(), 'cap', 'and a second one');
select pg_temp.tell('cap', 'succeeded');
select is(pg_temp.claimed(), 'none', 'and no third');
select is((select spent_cents from get_auto_top_up(pg_temp.id('cap'))), 1000::bigint, 'what was spent is told');
set local timezone to 'Pacific/Kiritimati';
update private.top_ups set created_at = date_trunc('month', now(), 'UTC') where user_id = pg_temp.id('cap');
select is(pg_temp.claimed(), 'none', 'what was spent in the month''s first moment in UTC counts');
update private.top_ups set created_at = date_trunc('month', now(), 'UTC') - interval '1 microsecond' where user_id = pg_temp.id('cap');
select is(
  (select spent_cents from get_auto_top_up(pg_temp.id('cap'))), 0::bigint, 'what was spent a moment before does not'
);
select is(pg_temp.claimed(), 'cap', 'the new month''s is charged');
set local timezone to 'UTC';
select pg_temp.tell('cap', 'payment_failed');
select set_auto_top_up(pg_temp.id('cap'), true, 10000, pg_temp.id('small'), 500);
select is(pg_temp.claimed(), 'cap', 'what failed was not spent');
select pg_temp.tell('cap', 'succeeded');

-- Many, and the guard beneath

select pg_temp.wants('m' || n.number, 1) from generate_series(1, 3) n (number);
select is(
  array_length(string_to_array(pg_temp.claimed(2), ' '), 1), 2, 'no more are handed out than are asked for'
);
select is(array_length(string_to_array(pg_temp.claimed(2), ' '), 1), 1, 'the rest afterwards');
select is(
  pg_temp.answer($$
    insert into private.top_ups (user_id, package_id, description, amount_cents, currency, tokens)
    values (pg_temp.id('m1'), pg_temp.id('small'), 'x', 1, 'eur', 1)
  $$),
  '23505 duplicate key value violates unique constraint "top_ups_in_flight_key"',
  'two attempts in flight for one user cannot be'
);

-- A package that is not as agreed

select is(
  pg_temp.sold(c.name, c.changes), c.result, c.what
)
from (
  values
    ('cheaper', 'price_cents = 400', '400 t', 'a package that got cheaper is bought at its new price'),
    (
      'dearer', 'price_cents = 501',
      'none f The package is no longer for sale at the price agreed; switch auto top-up on again '
        'to accept its terms', 'one that got dearer is not bought: auto top-up is switched off, and says why'
    ),
    (
      'abroad', 'currency = ''usd''',
      'none f The package is no longer for sale at the price agreed; switch auto top-up on again '
        'to accept its terms', 'nor is one in another currency'
    ),
    (
      'inactive', 'active = false',
      'none f The package is no longer for sale at the price agreed; switch auto top-up on again '
        'to accept its terms', 'nor one that is no longer for sale'
    )
) c (name, changes, result, what);

-- The deleted

select pg_temp.age('m1', '5 minutes');
delete from auth.users where id = pg_temp.id('m1');
select is(
  (select count(*) from claim_auto_top_ups() c where c.user_id = pg_temp.id('m1')), 0::bigint,
  'a deleted user''s card is not charged'
);

-- What was paid is checked as any purchase

select is(
  pg_temp.tell('m2', 'succeeded', changes => '{"amount": 250, "amount_received": 250}'),
  'applied | Amount 250 differs from the price 500',
  'a top-up of less than was offered is shown to the operator'
);
select is(pg_temp.remaining('m2'), 276::bigint, 'and grants its share');
select is(
  pg_temp.tell('stranger', 'succeeded', pg_temp.id('top-up')),
  format('waiting | Unknown user %s', pg_temp.id('stranger')),
  'an unknown user''s top-up waits, and is shown to the operator'
);

select pg_temp.wants('broke', 1);
select is(pg_temp.claimed(), 'broke', '(another attempt)');
select is(
  pg_temp.tell('broke', 'succeeded', changes => '{"currency": "usd"}'),
  'waiting | Paid in usd, offered in eur',
  'a top-up that is paid but cannot be credited waits, and is shown to the operator'
);
select is(
  pg_temp.answer($$select enabled, stopped_reason from auto_top_ups where user_id = pg_temp.id('broke')$$),
  '(f,"A payment could not be credited yet; the operator is told")',
  'and auto top-up stops: it would buy again and again'
);

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  format('42501 permission denied for function %s', f.name),
  format('%s is closed to %s', f.name, c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (
  values ('claim_auto_top_ups', 'claim_auto_top_ups()'), ('fail_auto_top_up', 'fail_auto_top_up(pg_temp.id(''x''), ''x'')')
) f (name, call);
select is(
  pg_temp.answer('select count(*) from claim_auto_top_ups()', 'service_role'), '(0)',
  'claim_auto_top_ups is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journals, the balances and the purchases agree');

select * from finish();

rollback;
