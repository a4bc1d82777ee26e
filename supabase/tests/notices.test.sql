-- A balance that falls below its owner's threshold writes one notice, whatever made it fall, and none again until it has
-- risen; one webhook goes with it. Each step is an operation, or an edit as an admin makes it, followed by the notices
-- that it wrote. Many at once are in tests/notices.test.ts.

begin;

select plan(101);

-- Why a statement is refused, if it is, and the balance in each notice that it wrote.
create function pg_temp.told(statement text)
returns text
language plpgsql
as $$
declare
  v_before uuid[] := array(select n.id from public.notices n);
  v_answer text := pg_temp.answer(statement);
begin
  return concat_ws(
    ' ',
    substring(v_answer from '^(?:[0-9]{3} [a-z_]+|[0-9A-Z]{5} .+)'),
    coalesce(
      (
        select string_agg(coalesce(n.data ->> 'have', n.data ->> 'reason', 'nothing'), ' ' order by n.created_at)
        from public.notices n
        where n.id <> all (v_before)
      ),
      'none'
    )
  );
end;
$$;

create function pg_temp.purchase_of(name text, clawed_back bigint)
returns public.purchases
language sql
as $$
  select jsonb_populate_record(null::public.purchases, jsonb_build_object(
    'user_id', pg_temp.id(purchase_of.name), 'id', pg_temp.id('purchase'), 'tokens_clawed_back', clawed_back
  ))
$$;

-- Charges of one batch: operation_id and amount.
create function pg_temp.batch(name text, charges jsonb)
returns bigint
language sql
as $$
  select count(b.transaction_id)
  from public.charge_tokens_batch((
    select jsonb_agg(jsonb_build_object('user_id', pg_temp.id(batch.name), 'operation_id', c.key, 'amount', c.value))
    from jsonb_each(charges) c
  )) b
$$;

select pg_temp.new_user('ann', 200), pg_temp.new_user('ben', 200), pg_temp.new_user('cleo', 200);
select set_low_balance_threshold(pg_temp.id('ann'), 'tokens', '100');
create temporary table ann as select pg_temp.id('ann') as id;

-- Tokens, by operations

select is(pg_temp.told(s.statement), s.have, s.what)
from (
  values
    ('a charge that stays above writes none', $$select charge_tokens(id, 99, 'c1') from ann$$, 'none'),
    ('a balance that equals the threshold is not below it', $$select charge_tokens(id, 1, 'c2') from ann$$, 'none'),
    ('a refused charge', $$select charge_tokens(id, 101, 'c3') from ann$$, '403 insufficient_tokens none'),
    ('a charge that is rolled back', $$select 1 / (charged - 50) from ann, charge_tokens(id, 50, 'c3')$$, '22012 division by zero none'),
    ('one token less is a notice', $$select charge_tokens(id, 1, 'c3') from ann$$, '99'),
    ('its replay', $$select charge_tokens(id, 1, 'c3') from ann$$, 'none'),
    ('a charge below', $$select charge_tokens(id, 1, 'c4') from ann$$, 'none'),
    ('another', $$select charge_tokens(id, 48, 'c5') from ann$$, 'none'),
    ('a refund that stays below', $$select refund_tokens(id, 'r1', 'c5', 40) from ann$$, 'none'),
    ('a charge after that', $$select charge_tokens(id, 1, 'c6') from ann$$, 'none'),
    ('rising to the threshold', $$select refund_tokens(id, 'r2', 'c1', 11) from ann$$, 'none'),
    ('falling once more is a notice once more', $$select charge_tokens(id, 10, 'c7') from ann$$, '90'),
    ('a grant', $$select add_tokens(id, 60, 'bonus', 'a1') from ann$$, 'none'),
    ('a hold', $$select reserve_tokens(id, 100, 'h1') from ann$$, 'none'),
    ('its release', $$select release_tokens(id, 'h1') from ann$$, 'none'),
    ('a hold again', $$select reserve_tokens(id, 100, 'h2') from ann$$, 'none'),
    ('a hold counts when it is settled', $$select settle_tokens(id, 'h2', 70) from ann$$, '80'),
    ('a grant above', $$select add_tokens(id, 120, 'add', 'a2') from ann$$, 'none'),
    ('a small hold', $$select reserve_tokens(id, 10, 'h3') from ann$$, 'none'),
    ('settled beyond the balance', $$select settle_tokens(id, 'h3', 250) from ann$$, '-50'),
    ('paying the debt off', $$select add_tokens(id, 1050, 'purchase', 'a3') from ann$$, 'none'),
    ('a clawback', $$select private.claw_back_tokens(pg_temp.purchase_of('ann', 0), 950, 'evt_1')$$, '50'),
    ('giving it back', $$select private.claw_back_tokens(pg_temp.purchase_of('ann', 950), -950, 'evt_2')$$, 'none'),
    ('a batch', $$select pg_temp.batch('ann', '{"b1": 300, "b2": 600, "b3": 50}')$$, '50'),
    ('a grant above once more', $$select add_tokens(id, 200, 'add', 'a4') from ann$$, 'none'),
    ('a batch with a replay', $$select pg_temp.batch('ann', '{"b1": 300, "d1": 100, "d2": 60, "d3": 40}')$$, '90')
) s (what, statement, have);
select is(pg_temp.balance('ann'), 'total 1630, used 1580, reserved 0, remaining 50', 'all of which happened');

-- Tokens, by edits

select is(pg_temp.told(s.statement), s.have, s.what)
from (
  values
    ('an edit of tokens_purchased, upwards', 'update user_tokens set tokens_purchased = tokens_purchased + 100 where user_id = pg_temp.id(''ann'')', 'none'),
    ('an edit of tokens_used', 'update user_tokens set tokens_used = tokens_used + 60 where user_id = pg_temp.id(''ann'')', '90'),
    ('another below', 'update user_tokens set tokens_used = tokens_used + 1 where user_id = pg_temp.id(''ann'')', 'none'),
    ('earned tokens', 'update subscribers set earned_tokens = 20 where user_id = pg_temp.id(''ann'')', 'none'),
    ('earned tokens taken away', 'update subscribers set earned_tokens = 0 where user_id = pg_temp.id(''ann'')', '89'),
    ('an approved request', 'insert into token_requests (user_id, id, amount, status) select id, id, 20, ''approved'' from ann', 'none'),
    ('its reversal', 'update token_requests set status = ''rejected'' where user_id = pg_temp.id(''ann'')', '89'),
    ('an edit of two parts', 'update user_tokens set tokens_purchased = tokens_purchased + 5, tokens_used = tokens_used - 6 where user_id = pg_temp.id(''ann'')', 'none'),
    ('a refused edit', 'update user_tokens set tokens_used = tokens_used + 50, journal_seq = 0 where user_id = pg_temp.id(''ann'')', '409 derived_column none'),
    ('an edit of the threshold, above the balance', 'update user_tokens set low_balance_threshold = 500 where user_id = pg_temp.id(''ann'')', 'none'),
    ('a charge, below already', $$select charge_tokens(id, 1, 'e1') from ann$$, 'none'),
    ('a rise that stays below', $$select add_tokens(id, 300, 'add', 'e2') from ann$$, 'none'),
    ('a charge after that rise', $$select charge_tokens(id, 300, 'e3') from ann$$, 'none'),
    ('an edit of the threshold, below the balance', 'update user_tokens set low_balance_threshold = 50 where user_id = pg_temp.id(''ann'')', 'none'),
    ('a charge to the new threshold', $$select charge_tokens(id, 49, 'e4') from ann$$, 'none'),
    ('a charge below it', $$select charge_tokens(id, 1, 'e5') from ann$$, '49'),
    ('no threshold', $$select set_low_balance_threshold(id, 'tokens', null) from ann$$, 'none'),
    ('a rise without one', $$select add_tokens(id, 300, 'add', 'e6') from ann$$, 'none'),
    ('a fall without one', $$select charge_tokens(id, 340, 'e7') from ann$$, 'none'),
    ('a rise before an edit of both', $$select add_tokens(id, 91, 'add', 'e8') from ann$$, 'none'),
    ('an edit of both', 'update user_tokens set low_balance_threshold = 100, tokens_used = tokens_used + 1 where user_id = pg_temp.id(''ann'')', '99'),
    ('a fall of somebody without a threshold', $$select charge_tokens(pg_temp.id('cleo'), 200, 'c1')$$, 'none'),
    ('an edit of many rows', 'update user_tokens set tokens_purchased = tokens_purchased + 10', 'none'),
    ('and back', 'update user_tokens set tokens_purchased = tokens_purchased - 10', '99')
) s (what, statement, have);

-- What is written

create temporary table last as
select n.* from notices n where n.user_id = pg_temp.id('ann') order by n.created_at desc limit 1;
select results_eq(
  'select type::text, data, read_at from last',
  $$values ('balance.low', '{"balance": "tokens", "have": 99, "threshold": 100}'::jsonb, null::timestamptz)$$,
  'a notice says which balance, what it has and the threshold'
);
select results_eq(
  $$select o.destination, o.subject, o.event, o.payload - 'timestamp' from private.outbox o join last l on l.id = o.id$$,
  $$
    select 'webhook', l.user_id, 'balance.low', jsonb_build_object(
      'type', 'balance.low', 'data', l.data || jsonb_build_object('notice_id', l.id, 'user_id', l.user_id)
    )
    from last l
  $$,
  'its webhook has the same id and says the same, and whom it is about'
);
select ok(
  (
    select o.payload ->> 'timestamp' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$'
      and abs(extract(epoch from (o.payload ->> 'timestamp')::timestamptz - l.created_at)) < 0.001
    from private.outbox o
    join last l on l.id = o.id
  ),
  'and when, in UTC'
);
set local time zone 'Asia/Kolkata';
select private.write_notice(pg_temp.id('ben'), 'balance.low', '{}');
select ok(
  (
    select abs(extract(epoch from (o.payload ->> 'timestamp')::timestamptz - n.created_at)) < 0.001
    from private.outbox o
    join notices n on n.id = o.id
    where n.user_id = pg_temp.id('ben')
  ),
  'wherever the session is'
);
set local time zone 'UTC';
delete from private.outbox where id = (select id from notices where user_id = pg_temp.id('ben'));
delete from notices where user_id = pg_temp.id('ben');

-- US dollars

select set_low_balance_threshold(pg_temp.id('ben'), 'usd', '5');
create temporary table ben as select pg_temp.id('ben') as id;
select is(pg_temp.told(s.statement), s.have, s.what)
from (
  values
    ('a deposit', $$select deposit_usd(id, '10', 'd1') from ben$$, 'none'),
    ('US dollars that equal the threshold', $$select private.post_usd(id, 'adjustment', -5, 'u1') from ben$$, 'none'),
    ('the smallest fraction less', $$select private.post_usd(id, 'adjustment', -0.0000000001, 'u2') from ben$$, '4.9999999999'),
    ('a posting below', $$select private.post_usd(id, 'adjustment', -1, 'u3') from ben$$, 'none'),
    ('a deposit above', $$select deposit_usd(id, '1.000001', 'd2') from ben$$, 'none'),
    ('a clawback into debt', $$select private.post_usd(id, 'clawback', -6, 'u4') from ben$$, '-0.9999990001'),
    ('an edit upwards', 'update usd_balances set balance = 5 where user_id = pg_temp.id(''ben'')', 'none'),
    ('an edit downwards', 'update usd_balances set balance = 4.5 where user_id = pg_temp.id(''ben'')', '4.50'),
    ('an upsert upwards', 'insert into usd_balances (user_id, balance) select id, 6 from ben on conflict (user_id) do update set balance = 6', 'none'),
    ('a refused edit of USD', 'update usd_balances set balance = 1, journal_seq = 0 where user_id = pg_temp.id(''ben'')', '409 derived_column none'),
    ('an edit of its threshold', 'update usd_balances set low_balance_threshold = 7 where user_id = pg_temp.id(''ben'')', 'none'),
    ('an edit to none', 'update usd_balances set low_balance_threshold = null where user_id = pg_temp.id(''ben'')', 'none'),
    ('a fall of USD without a threshold', $$select private.post_usd(id, 'adjustment', -6, 'u5') from ben$$, 'none')
) s (what, statement, have);
select is(
  (select data from notices where user_id = pg_temp.id('ben') order by created_at desc limit 1),
  '{"balance": "usd", "have": "4.50", "threshold": "5.00"}', 'US dollars are decimal strings'
);

-- API tokens

create temporary table token as
select c.token_id as id, c.api_key from ben, create_api_token(ben.id, 'master', 'Mine', 'token') c;
select create_api_token(id, 'master', 'Other', 'other') from ben;
update api_tokens set credits = 20 where user_id = pg_temp.id('ben');
select set_low_balance_threshold(ben.id, 'api_token', '10', token.id) from ben, token;
select is(pg_temp.told(s.statement), s.have, s.what)
from (
  values
    ('credits that equal the threshold', $$select consume_api_credits(api_key, 10, 'k1') from token$$, 'none'),
    ('more credits than there are', $$select consume_api_credits(api_key, 11, 'k2') from token$$, '403 insufficient_credits none'),
    ('a credit less', $$select consume_api_credits(api_key, 1, 'k2') from token$$, '9'),
    ('the replay of that', $$select consume_api_credits(api_key, 1, 'k2') from token$$, 'none'),
    ('credits below', $$select consume_api_credits(api_key, 8, 'k3') from token$$, 'none'),
    ('an edit above, and another name', 'update api_tokens set credits = 20, name = ''New'' where name = ''Mine''', 'none'),
    ('an edit to none', 'update api_tokens set credits = 0 where name = ''New''', '0'),
    ('the other token', 'update api_tokens set credits = 0 where name = ''Other''', 'none'),
    ('a rise of credits', 'update api_tokens set credits = 20 where name = ''New''', 'none'),
    ('an edit of their threshold', 'update api_tokens set low_balance_threshold = 30 where name = ''New''', 'none'),
    ('an edit of a revoked token', 'update api_tokens set low_balance_threshold = 10, status = ''revoked'' where name = ''New''', 'none')
) s (what, statement, have);
select is(
  (select data from notices where user_id = pg_temp.id('ben') order by created_at desc limit 1),
  jsonb_build_object(
    'balance', 'api_token', 'token_id', (select id from token), 'name', 'New', 'have', 0, 'threshold', 10
  ),
  'of an API token it says which'
);

-- Auto top-up; by what it is stopped is in fail_auto_top_up and claim_auto_top_ups

insert into token_packages (id, name, tokens, price_cents) values (pg_temp.id('small'), 'Small', 500, 500);
select set_auto_top_up(id, true, 100, pg_temp.id('small'), 2000) from ben;
select is(pg_temp.told(s.statement), s.reason, s.what)
from (
  values
    ('switching it off', $$select set_auto_top_up(id, false, 100, pg_temp.id('small'), 2000) from ben$$, 'none'),
    ('a reason while it is off', 'update auto_top_ups set enabled = false, stopped_reason = ''Late.''', 'none'),
    ('switching it on', $$select set_auto_top_up(id, true, 100, pg_temp.id('small'), 2000) from ben$$, 'none'),
    ('what stops it', 'update auto_top_ups set enabled = false, stopped_reason = ''Declined.''', 'Declined.'),
    ('once', 'update auto_top_ups set enabled = false, stopped_reason = ''Again.''', 'none')
) s (what, statement, reason);
select is(
  (select concat_ws(' ', type, data) from notices where user_id = pg_temp.id('ben') order by created_at desc limit 1),
  'auto_top_up.stopped {"reason": "Declined."}', 'why auto top-up stopped'
);
select results_eq(
  'select id from notices order by id', 'select id from private.outbox where destination = ''webhook'' and subject <> id order by id',
  'every notice has its webhook, and none has two'
);

-- Callers

select is(
  pg_temp.answer('select count(*), min(user_id::text) from notices', 'authenticated', c.name), c.answer,
  format('%s reads %s', c.name, c.what)
)
from (
  values
    ('ann', 'her own notices', format('(%s,%s)', (select count(*) from notices where user_id = pg_temp.id('ann')), pg_temp.id('ann'))),
    ('cleo', 'none of others', '(0,)')
) c (name, what, answer);
select is(
  pg_temp.answer(c.statement, c.role, 'ann'), '42501 permission denied for table notices',
  format('%s may not: %s', c.role, c.statement)
)
from (
  values
    ('anon', 'select from notices'), ('authenticated', 'update notices set read_at = now()'),
    ('authenticated', 'delete from notices'),
    ('authenticated', 'insert into notices (user_id, type, data) values (auth.uid(), ''balance.low'', ''{}'')'),
    ('service_role', 'update notices set read_at = now()'), ('service_role', 'delete from notices')
) c (role, statement);

-- Deletion

update subscribers set admin_bonus_tokens = 1000, earned_tokens = 1000 where user_id = pg_temp.id('ann');
insert into token_requests (user_id, amount, status) select id, 1000, 'approved' from ann;
create temporary table sent as select count(*) from private.outbox where destination = 'webhook';
select is(
  pg_temp.told('delete from auth.users where id = pg_temp.id(''ann'')'), 'none',
  'an account''s deletion takes tokens away without a notice'
);
select is(pg_temp.notices('ann'), 'none', 'and the notices with them');
select results_eq(
  'select count(*) from private.outbox where destination = ''webhook''', 'select * from sent', 'nor a webhook'
);
select isnt(pg_temp.notices('ben'), 'none', 'others keep theirs');

select is_empty('select * from verify_ledger()', 'the journals and the balances agree');

select * from finish();

rollback;
