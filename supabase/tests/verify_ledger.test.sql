-- verify_ledger sees every way in which the journal and the balances can disagree. With the guards turned off, one
-- thing at a time is corrupted, and exactly that problem must be listed; each corruption is undone.

begin;

select plan(26);

alter table token_transactions disable trigger user;
alter table user_tokens disable trigger user;
alter table subscribers disable trigger user;
alter table token_requests disable trigger user;
alter table token_holds disable trigger user;

select pg_temp.new_user('ann', 100);
select pg_temp.new_user('ben', 50);
select add_tokens(pg_temp.id('ann'), 20, 'bonus', 'bonus');
select charge_tokens(pg_temp.id('ann'), 30, 'charge-1');
select charge_tokens(pg_temp.id('ann'), 10, 'charge-2');
select refund_tokens(pg_temp.id('ann'), 'refund-1', 'charge-1', 25);
select reserve_tokens(pg_temp.id('ann'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 5, 'hold-2');
select settle_tokens(pg_temp.id('ann'), 'hold-2', 4);

create function pg_temp.problems_after(statement text)
returns text
language plpgsql
as $$
declare
  v_problems text;
begin
  execute statement;
  select string_agg(
    format('%s: %s is %s', p.problem, coalesce(p.expected::text, 'nothing'), coalesce(p.actual::text, 'nothing')),
    '; ' order by p.problem
  )
  into v_problems
  from public.verify_ledger() p
  where p.user_id = pg_temp.id('ann');
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return coalesce(v_problems, 'none');
end;
$$;

select is_empty('select * from verify_ledger()', 'what operations did is in agreement');
select is(pg_temp.problems_after('select 1'), 'none', '(and nothing is listed for a statement that corrupts nothing)');

select is(pg_temp.problems_after(c.statement), c.problems, format('verify_ledger sees %s', c.what))
from (
  values
    (
      'a gap in the journal', 'seq has a gap: 6 is 9',
      $$
        with moved as (update token_transactions set seq = 9 where user_id = pg_temp.id('ann') and seq = 6 returning 1)
        update user_tokens set journal_seq = 9 from moved where user_id = pg_temp.id('ann')
      $$
    ),
    (
      'a wrong balance_after', 'balance_after of seq 6: 101 is 102',
      $$update token_transactions set balance_after = 102 where user_id = pg_temp.id('ann') and seq = 6$$
    ),
    (
      'a column that is more than its journal', 'journal of purchased: 101 is 100',
      $$update user_tokens set tokens_purchased = 101 where user_id = pg_temp.id('ann')$$
    ),
    (
      'tokens used off the record', 'journal of used: -20 is -19',
      $$update user_tokens set tokens_used = 20 where user_id = pg_temp.id('ann')$$
    ),
    (
      'earned tokens off the record', 'journal of earned: 1 is 0',
      $$update subscribers set earned_tokens = 1 where user_id = pg_temp.id('ann')$$
    ),
    (
      'an admin bonus off the record', 'journal of admin_bonus: 19 is 20',
      $$update subscribers set admin_bonus_tokens = 19 where user_id = pg_temp.id('ann')$$
    ),
    (
      'a request approved off the record', 'journal of approved_requests: 6 is 0',
      $$insert into token_requests (user_id, amount, status) values (pg_temp.id('ann'), 6, 'approved')$$
    ),
    (
      'a subscriber that is gone', 'journal of admin_bonus: 0 is 20',
      $$delete from subscribers where user_id = pg_temp.id('ann')$$
    ),
    (
      'a journal row in another account', 'journal of admin_bonus: 20 is 0; journal of earned: 0 is 20',
      $$update token_transactions set account = 'earned' where user_id = pg_temp.id('ann') and operation_id = 'bonus'$$
    ),
    (
      'a journal row that was changed',
      'balance_after of seq 2: 121 is 120; journal of admin_bonus: 20 is 21; journal_balance: 102 is 101',
      $$update token_transactions set amount = 21 where user_id = pg_temp.id('ann') and operation_id = 'bonus'$$
    ),
    (
      'a last journal row that was deleted',
      'hold hold-2 and its charge: 4 is nothing; journal of used: -19 is -15; journal_balance: 105 is 101; journal_seq: 5 is 6',
      $$delete from token_transactions where user_id = pg_temp.id('ann') and operation_id = 'hold-2'$$
    ),
    (
      'a balance that is gone', 'journal of purchased: 0 is 100; journal of used: 0 is -19',
      $$delete from user_tokens where user_id = pg_temp.id('ann')$$
    ),
    (
      'a wrong number of the last row', 'journal_seq: 6 is 8',
      $$update user_tokens set journal_seq = 8 where user_id = pg_temp.id('ann')$$
    ),
    (
      'a wrong sum', 'journal_balance: 101 is 102',
      $$update user_tokens set journal_balance = 102 where user_id = pg_temp.id('ann')$$
    ),
    (
      'tokens held by nobody', 'tokens_reserved: 40 is 41',
      $$update user_tokens set tokens_reserved = 41 where user_id = pg_temp.id('ann')$$
    ),
    (
      'a hold that is not counted', 'tokens_reserved: 0 is 40',
      $$update token_holds set status = 'released' where user_id = pg_temp.id('ann') and operation_id = 'hold-1'$$
    ),
    (
      'a hold settled by another amount than was charged', 'hold hold-2 and its charge: 5 is 4',
      $$update token_holds set settled_amount = 5 where user_id = pg_temp.id('ann') and operation_id = 'hold-2'$$
    ),
    (
      'a hold settled and never charged', 'hold hold-3 and its charge: 5 is nothing',
      $$
        insert into token_holds (user_id, operation_id, amount, status, settled_amount)
        values (pg_temp.id('ann'), 'hold-3', 5, 'settled', 5)
      $$
    ),
    (
      'refunds beyond their charge', 'refunds of charge-2: 10 is 25',
      $$
        update token_transactions set reference = 'charge-2'
        where user_id = pg_temp.id('ann') and operation_id = 'refund-1'
      $$
    ),
    (
      'a refund of nothing', 'refunds of charge-9: nothing is 25',
      $$
        update token_transactions set reference = 'charge-9'
        where user_id = pg_temp.id('ann') and operation_id = 'refund-1'
      $$
    )
) c (what, problems, statement);

-- Per user

update user_tokens set journal_seq = journal_seq + 1;
select results_eq(
  'select user_id, problem, expected, actual from verify_ledger() order by expected',
  $$
    values
      (pg_temp.id('ben'), 'journal_seq', 1::numeric, 2::numeric),
      (pg_temp.id('ann'), 'journal_seq', 6, 7)
  $$,
  'verify_ledger names every user for whom something is wrong'
);

select is(
  pg_temp.answer('select * from verify_ledger()', c.role, 'ann'),
  '42501 permission denied for function verify_ledger',
  format('verify_ledger is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select count(*) from verify_ledger()', 'service_role'),
  '(2)',
  'verify_ledger is open to service_role, and sees all users'
);

select * from finish();

rollback;
