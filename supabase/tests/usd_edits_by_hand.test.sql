-- Whatever an admin edits in usd_balances is journalled as one adjustment, and leaves the USD journal and the balances
-- in agreement. Each edit is a plain statement as postgres, followed by verify_ledger.

begin;

select plan(31);

create function pg_temp.usd_journal(name text, after_seq bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s %s %s', t.seq, t.type, private.usd_text(t.amount), private.usd_text(t.balance_after),
      coalesce(t.operation_id, '-'), t.actor
    ),
    '; ' order by t.seq
  )
  from public.usd_transactions t
  where t.user_id = pg_temp.id(usd_journal.name) and t.seq > after_seq
$$;

create function pg_temp.edit(statement text)
returns text
language plpgsql
as $$
declare
  v_before bigint := (select max(t.seq) from public.usd_transactions t where t.user_id = pg_temp.id('ann'));
  v_answer text := pg_temp.answer(statement);
  v_problems text := (select string_agg(v::text, ' ') from public.verify_ledger() v);
begin
  return concat_ws(
    '; ',
    case when v_answer <> '1' then v_answer end,
    pg_temp.usd_journal('ann', coalesce(v_before, 0)),
    'PROBLEMS ' || v_problems
  );
end;
$$;

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');

select is(pg_temp.edit(e.statement), e.journal, e.what)
from (
  values
    (
      1, 'a row added by hand is journalled, whatever journal it claims',
      $$insert into usd_balances (user_id, balance, journal_seq) values (pg_temp.id('ann'), 10, 77)$$,
      '1 adjustment 10.00 = 10.00 - postgres'
    ),
    (
      2, 'so is an edit of balance',
      $$update usd_balances set balance = 12.3456789012 where user_id = pg_temp.id('ann')$$,
      '2 adjustment 2.3456789012 = 12.3456789012 - postgres'
    ),
    (
      3, 'an edit may leave debt',
      $$update usd_balances set balance = balance - 20 where user_id = pg_temp.id('ann')$$,
      '3 adjustment -20.00 = -7.6543210988 - postgres'
    ),
    (
      4, 'an edit that changes nothing is no row',
      $$update usd_balances set balance = balance, created_at = now() where user_id = pg_temp.id('ann')$$,
      ''
    ),
    (
      5, 'an upsert is journalled as the update that it is',
      $$insert into usd_balances (user_id, balance) values (pg_temp.id('ann'), 5)
      on conflict (user_id) do update set balance = excluded.balance$$,
      '4 adjustment 12.6543210988 = 5.00 - postgres'
    ),
    (
      6, 'a deleted balance is journalled away',
      $$delete from usd_balances where user_id = pg_temp.id('ann')$$,
      '5 adjustment -5.00 = 0.00 - postgres'
    ),
    (
      7, 'a row of nothing is no row of the journal',
      $$insert into usd_balances (user_id) values (pg_temp.id('ann'))$$,
      ''
    ),
    (
      8, 'but goes on where the journal ended',
      $$update usd_balances set balance = 1 where user_id = pg_temp.id('ann')$$,
      '6 adjustment 1.00 = 1.00 - postgres'
    ),
    (
      9, 'a deleted row of something', $$delete from usd_balances where user_id = pg_temp.id('ann')$$,
      '7 adjustment -1.00 = 0.00 - postgres'
    ),
    (
      10, 'and a row added with something', $$insert into usd_balances (user_id, balance) values (pg_temp.id('ann'), 4)$$,
      '8 adjustment 4.00 = 4.00 - postgres'
    ),
    (
      11, 'postings go on from there', $$select (private.post_usd(pg_temp.id('ann'), 'clawback', -1, 'post')).seq$$,
      '(9); 9 clawback -1.00 = 3.00 post postgres'
    ),
    (
      12, 'and edits from postings', $$update usd_balances set balance = 9 where user_id = pg_temp.id('ann')$$,
      '10 adjustment 6.00 = 9.00 - postgres'
    )
) e (step, what, statement, journal);

-- Many rows at once

insert into usd_balances (user_id, balance) values (pg_temp.id('ben'), 2);
select is(
  pg_temp.edit('update usd_balances set balance = balance + 1'), '2; 11 adjustment 1.00 = 10.00 - postgres', 'each row'
);
select is(
  pg_temp.usd_journal('ben'), '1 adjustment 2.00 = 2.00 - postgres; 2 adjustment 1.00 = 3.00 - postgres', 'by itself'
);

-- What Scrip keeps

delete from usd_balances where user_id = pg_temp.id('ben');
select is(
  pg_temp.answer(format('update usd_balances set %s where user_id = pg_temp.id(''ann'')', c.change)),
  '409 derived_column user_id and journal_seq follow from other rows',
  format('usd_balances refuses: set %s', c.change)
)
from (
  values ('journal_seq = 100'), ('journal_seq = 12, balance = 11'), ('user_id = pg_temp.id(''ben'')'),
    ('user_id = pg_temp.id(''ben''), balance = 0')
) c (change);

-- Bounds

select is(
  pg_temp.answer(format('update usd_balances set balance = %s where user_id = pg_temp.id(''ann'')', b.balance)),
  '23514 new row for relation "usd_balances" violates check constraint "usd_balances_balance_check"',
  format('usd_balances refuses a balance of %s', b.balance)
)
from (values ('9000000000.0000000001'), ('-9000000000.0000000001'), ('''NaN''')) b (balance);
select alike(
  pg_temp.answer(format('update usd_balances set balance = %s where user_id = pg_temp.id(''ann'')', b.balance)),
  '22003 numeric field overflow%',
  format('usd_balances refuses a balance of %s', b.balance)
)
from (values ('''Infinity'''), ('''-Infinity'''), ('1e14')) b (balance);
select is(
  pg_temp.edit('update usd_balances set balance = 10 where user_id = pg_temp.id(''ann'')'), '', 'nothing of it counted'
);
select alike(
  pg_temp.answer('insert into usd_balances (user_id, balance) values (pg_temp.id(''nobody''), 1)'),
  '23503 %usd_balances_user_id_fkey%',
  'nobody has no balance'
);

-- Deleting the user

select is(
  pg_temp.edit('delete from auth.users where id = pg_temp.id(''ann'')'),
  '12 adjustment -10.00 = 0.00 - postgres',
  'deleting a user takes away the balance'
);
select is(
  (select sum(amount) from usd_transactions where user_id = pg_temp.id('ann')), 0::numeric,
  'the journal stays, and sums up to 0'
);
select is_empty('select from usd_balances where user_id = pg_temp.id(''ann'')', 'the balance does not');
select is(
  pg_temp.answer('select deposit_usd(pg_temp.id(''ann''), ''1'', ''late'')'),
  format('404 user_not_found There is no user %s', pg_temp.id('ann')),
  'nor does one come back'
);
select is(
  pg_temp.edit('delete from auth.users where id = pg_temp.id(''ben'')'),
  '',
  'a user without a balance goes without a word'
);

select * from finish();

rollback;
