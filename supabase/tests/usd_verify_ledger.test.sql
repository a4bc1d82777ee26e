-- verify_usd_ledger, and verify_ledger by it, sees every way in which the USD journal and the USD balances can disagree.
-- With the guards turned off, one thing at a time is corrupted, and exactly that problem must be listed; each corruption
-- is undone.

begin;

select plan(18);

alter table usd_transactions disable trigger user;
alter table usd_balances disable trigger user;

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit-1');
select private.post_usd(pg_temp.id('ann'), 'clawback', -1.0001, 'taken');
select deposit_usd(pg_temp.id('ann'), '10', 'deposit-2');
select deposit_usd(pg_temp.id('ben'), '5', 'deposit-1');

create function pg_temp.problems_after(statement text)
returns text
language plpgsql
as $$
declare
  v_problems text;
  v_passed_on bigint;
begin
  execute statement;
  select string_agg(
    format('%s: %s is %s', p.problem, trim_scale(p.expected), trim_scale(p.actual)), '; ' order by p.problem
  )
  into v_problems
  from private.verify_usd_ledger() p
  where p.user_id = pg_temp.id('ann');
  select count(*) into v_passed_on from (
    select * from private.verify_usd_ledger() except select * from public.verify_ledger()
  ) missing;
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return concat_ws('; ', coalesce(v_problems, 'none'), nullif(v_passed_on, 0) || ' not passed on');
end;
$$;

select is_empty('select * from private.verify_usd_ledger()', 'what operations did is in agreement');
select is_empty('select * from verify_ledger()', 'and verify_ledger agrees');
select is(pg_temp.problems_after('select 1'), 'none', '(and nothing is listed for a statement that corrupts nothing)');

select is(pg_temp.problems_after(c.statement), c.problems, format('verify_usd_ledger sees %s', c.what))
from (
  values
    (
      'a gap in the journal', 'USD seq has a gap: 3 is 9',
      $$
        with moved as (update usd_transactions set seq = 9 where user_id = pg_temp.id('ann') and seq = 3 returning 1)
        update usd_balances set journal_seq = 9 from moved where user_id = pg_temp.id('ann')
      $$
    ),
    (
      'a journal that does not begin with 1', 'USD seq has a gap: 1 is 0; USD seq has a gap: 1 is 2',
      $$update usd_transactions set seq = 0 where user_id = pg_temp.id('ann') and seq = 1$$
    ),
    (
      'a wrong balance_after', 'USD balance_after of seq 3: 108.9999 is 109',
      $$update usd_transactions set balance_after = 109 where user_id = pg_temp.id('ann') and seq = 3$$
    ),
    (
      'a journal row that was changed', 'USD balance: 109.9999 is 108.9999; USD balance_after of seq 1: 101 is 100',
      $$update usd_transactions set amount = 101 where user_id = pg_temp.id('ann') and seq = 1$$
    ),
    (
      'a last journal row that was deleted', 'USD balance: 98.9999 is 108.9999; USD journal_seq: 2 is 3',
      $$delete from usd_transactions where user_id = pg_temp.id('ann') and seq = 3$$
    ),
    (
      'a journal that is gone', 'USD balance: 0 is 108.9999; USD journal_seq: 0 is 3',
      $$delete from usd_transactions where user_id = pg_temp.id('ann')$$
    ),
    (
      'a row added off the record', 'USD balance: 109.9999 is 108.9999; USD journal_seq: 4 is 3',
      $$
        insert into usd_transactions (user_id, seq, type, amount, balance_after, actor)
        values (pg_temp.id('ann'), 4, 'deposit', 1, 109.9999, 'me')
      $$
    ),
    (
      'a balance that differs in the last decimal', 'USD balance: 108.9999 is 108.9999000001',
      $$update usd_balances set balance = balance + 0.0000000001 where user_id = pg_temp.id('ann')$$
    ),
    (
      'a balance that is gone', 'USD balance: 108.9999 is 0',
      $$delete from usd_balances where user_id = pg_temp.id('ann')$$
    ),
    (
      'a wrong number of the last row', 'USD journal_seq: 3 is 8',
      $$update usd_balances set journal_seq = 8 where user_id = pg_temp.id('ann')$$
    )
) c (what, problems, statement);

-- Per user

update usd_balances set journal_seq = journal_seq + 1;
select results_eq(
  'select user_id, problem, expected, actual from private.verify_usd_ledger() order by expected',
  $$
    values
      (pg_temp.id('ben'), 'USD journal_seq', 1::numeric, 2::numeric),
      (pg_temp.id('ann'), 'USD journal_seq', 3, 4)
  $$,
  'verify_usd_ledger names every user for whom something is wrong'
);

select is(
  pg_temp.answer('select * from private.verify_usd_ledger()', c.role, 'ann'),
  '42501 permission denied for schema private',
  format('verify_usd_ledger is closed to %s', c.role)
)
from (values ('anon'), ('authenticated'), ('service_role')) c (role);
select is(
  pg_temp.answer('select count(*) from verify_ledger()', 'service_role'),
  '(2)',
  'verify_ledger is open to service_role, and passes on what is wrong for all users'
);

select * from finish();

rollback;
