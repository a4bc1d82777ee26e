-- deposit_usd adds US dollars at most once per operation_id. Amounts are decimal strings, taken exactly or refused, never
-- rounded; replays and refusals must leave balance and journal as they were.

begin;

select plan(52);

create function pg_temp.deposit(name text, amount text, operation_id text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select deposited, usd_balance, replayed from deposit_usd(%L, %L, %L)', pg_temp.id(deposit.name), amount, operation_id
  ))
$$;

create function pg_temp.usd_fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from public.usd_transactions t),
    (select jsonb_agg(b order by b.user_id) from public.usd_balances b)
  ))
$$;

select pg_temp.new_user('ann');

-- Success

select is(
  pg_temp.answer($$
    select deposited, usd_balance, replayed
    from deposit_usd(pg_temp.id('ann'), '25', 'one', 'paid by bank transfer', 'admin-1')
  $$),
  '(25.00,25.00,f)',
  'deposit_usd answers what it added and what there is'
);
select is(pg_temp.deposit('ann', '0.000001', 'two'), '(0.000001,25.000001,f)', 'down to the sixth decimal');
select is(pg_temp.deposit('ann', '1000000.000000', 'three'), '(1000000.00,1000025.000001,f)', 'up to a million');
select is(pg_temp.deposit('ann', '0012.50', 'four'), '(12.50,1000037.500001,f)', 'zeros in front are no matter');
select results_eq(
  $$
    select seq, type::text, amount, balance_after, operation_id, reference, description, metadata, actor
    from usd_transactions
    where user_id = pg_temp.id('ann') and seq <= 2
    order by seq
  $$,
  $$
    values
      (
        1::bigint, 'deposit', 25::numeric, 25::numeric, 'one', null, 'paid by bank transfer', '{}'::jsonb, 'admin-1'
      ),
      (2, 'deposit', 0.000001, 25.000001, 'two', null, null, '{}', 'postgres')
  $$,
  'the journal says what, why and who'
);
select is(
  (select deposit.transaction_id from deposit_usd(pg_temp.id('ann'), '0.000001', 'two') deposit),
  (select t.id from usd_transactions t where t.user_id = pg_temp.id('ann') and t.operation_id = 'two'),
  'transaction_id is the journal row''s'
);

-- Replay and conflict

select private.post_usd(pg_temp.id('ann'), 'deposit', 5, 'paid', 'pi_1');
select private.post_usd(pg_temp.id('ann'), 'clawback', 5, 'refilled');
create temporary table before as select pg_temp.usd_fingerprint() as fingerprint;
select is(
  pg_temp.answer($$
    select deposited, usd_balance, replayed
    from deposit_usd(pg_temp.id('ann'), '25.00', 'one', 'paid by bank transfer', 'admin-2')
  $$),
  '(25.00,25.00,t)',
  'a retry is answered as the first call was, whatever is there now'
);
select is(
  pg_temp.answer(format('select deposit_usd(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id one was used before with other arguments',
  format('deposit_usd refuses another %s', c.what)
)
from (
  values ('amount', $$'25.01', 'one', 'paid by bank transfer'$$), ('reason', $$'25', 'one', 'because'$$),
    ('reason, none', $$'25', 'one'$$)
) c (what, arguments);
select is(
  pg_temp.deposit('ann', '5', o.operation_id),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('deposit_usd refuses an operation_id that %s', o.what)
)
from (values ('paid', 'a payment has'), ('refilled', 'something else has')) o (operation_id, what);
select is(pg_temp.usd_fingerprint(), (select fingerprint from before), 'neither retries nor refusals change anything');

-- Refusal

select is(
  pg_temp.answer(format('select deposit_usd(pg_temp.id(''ann''), %s, ''bounds'')', a.amount)),
  format(
    '400 invalid_request amount must be US dollars from 0.000001 to 1000000, with at most 6 decimals, got %s', a.shown
  ),
  format('deposit_usd refuses %s', a.amount)
)
from (
  values
    ('null', 'nothing'), ('''''', ''), ('''0''', '0'), ('''0.000000''', '0.000000'), ('''-1''', '-1'), ('''+1''', '+1'),
    ('''1000000.000001''', '1000000.000001'), ('''1000001''', '1000001'), ('''10000000''', '10000000'),
    ('''1.0000001''', '1.0000001'), ('''1.0000000''', '1.0000000'), ('''1e3''', '1e3'), ('''1.''', '1.'), ('''.5''', '.5'),
    ('''1,5''', '1,5'), ('''0x10''', '0x10'), ('''1_000''', '1_000'), (''' 1''', ' 1'), ('''1 ''', '1 '),
    ('E''1\n''', E'1\n'), ('''NaN''', 'NaN'), ('''Infinity''', 'Infinity'), ('''-Infinity''', '-Infinity'),
    ('''١''', '١'), ('''$1''', '$1'), ('repeat(''9'', 300)', repeat('9', 40))
) a (amount, shown);
select is(
  pg_temp.answer($$select deposit_usd(null, '1', 'bounds')$$),
  '400 invalid_request user_id is missing',
  'deposit_usd refuses no user'
);
select is(
  pg_temp.answer(format('select deposit_usd(pg_temp.id(''ann''), ''1'', %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('deposit_usd refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.deposit('nobody', '1', 'bounds'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'deposit_usd refuses an unknown user'
);
select pg_temp.new_user('max');
insert into usd_balances (user_id, balance) values (pg_temp.id('max'), 9000000000);
select is(
  pg_temp.deposit('max', '0.01', 'over'),
  '400 balance_limit_exceeded The USD balance would be 9000000000.01, which must be from -9000000000 to 9000000000',
  'deposit_usd refuses a balance beyond the largest'
);
select is(
  (select count(*) from usd_transactions where operation_id in ('bounds', 'over')),
  0::bigint,
  'a refused deposit leaves no trace'
);

-- Callers

select is(
  pg_temp.answer($$select deposit_usd(pg_temp.id('ann'), '1', 'role')$$, c.role, 'ann'),
  '42501 permission denied for function deposit_usd',
  format('deposit_usd is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select deposited from deposit_usd(pg_temp.id('ann'), '1', 'role')$$, 'service_role'),
  '(1.00)',
  'deposit_usd is open to service_role'
);
select is(
  (select actor from usd_transactions where operation_id = 'role'),
  'service_role',
  'without an actor, the journal names the role'
);
select is(pg_temp.balance('ann'), 'total 0, used 0, reserved 0, remaining 0', 'tokens are not concerned');

select is_empty('select * from verify_ledger()', 'the USD journal and the balances agree');

select * from finish();

rollback;
