-- Whatever an admin edits in the dashboard is journalled, exactly once a column that changed, and leaves the journal
-- and the balances in agreement. Each edit is a plain statement as postgres, followed by verify_ledger.

begin;

select plan(71);

create function pg_temp.edit(name text, statement text)
returns text
language plpgsql
as $$
declare
  v_before bigint := (select max(t.seq) from public.token_transactions t where t.user_id = pg_temp.id(edit.name));
  v_answer text := pg_temp.answer(statement);
  v_problems text := (select string_agg(v::text, ' ') from public.verify_ledger() v);
begin
  return concat_ws(
    '; ',
    case when v_answer <> '1' then v_answer end,
    pg_temp.journal(name, coalesce(v_before, 0)),
    'PROBLEMS ' || v_problems
  );
end;
$$;

select pg_temp.new_user('ann', 100);
select charge_tokens(pg_temp.id('ann'), 10, 'charge');

-- user_tokens

select is(pg_temp.edit('ann', e.statement), e.journal, e.what)
from (
  values
    (
      1, 'an edit of tokens_purchased is journalled',
      $$update user_tokens set tokens_purchased = 150 where user_id = pg_temp.id('ann')$$,
      'adjustment purchased 50 = 140/140 - - postgres'
    ),
    (
      2, 'an edit of tokens_used is journalled',
      $$update user_tokens set tokens_used = 30 where user_id = pg_temp.id('ann')$$,
      'adjustment used -20 = 120/120 - - postgres'
    ),
    (
      3, 'an edit of both is two rows',
      $$update user_tokens set tokens_purchased = 100, tokens_used = 0 where user_id = pg_temp.id('ann')$$,
      'adjustment purchased -50 = 70/70 - - postgres; adjustment used 30 = 100/100 - - postgres'
    ),
    (
      4, 'an edit that changes nothing is no row',
      $$update user_tokens set tokens_purchased = 100, tokens_used = 0, created_at = now()
      where user_id = pg_temp.id('ann')$$,
      ''
    ),
    (
      5, 'an edit may leave debt',
      $$update user_tokens set tokens_used = 110 where user_id = pg_temp.id('ann')$$,
      'adjustment used -110 = -10/-10 - - postgres'
    ),
    (
      6, 'and pay it off',
      $$update user_tokens set tokens_used = 10 where user_id = pg_temp.id('ann')$$,
      'adjustment used 100 = 90/90 - - postgres'
    ),
    (
      7, 'an upsert is journalled as the update that it is',
      $$insert into user_tokens (user_id, tokens_purchased) values (pg_temp.id('ann'), 120)
      on conflict (user_id) do update set tokens_purchased = excluded.tokens_purchased$$,
      'adjustment purchased 20 = 110/110 - - postgres'
    )
) e (step, what, statement, journal);

select is(
  pg_temp.answer(format('update user_tokens set %s where user_id = pg_temp.id(''ann'')', c.change)),
  '409 derived_column user_id, tokens_reserved, holds_expire_at, journal_seq and journal_balance follow from other rows',
  format('user_tokens refuses: set %s', c.change)
)
from (
  values ('tokens_reserved = 5'), ('holds_expire_at = now()'), ('journal_seq = 100'), ('journal_balance = 5000'),
    ('tokens_purchased = 1000, journal_balance = 5000')
) c (change);
select is(
  pg_temp.answer(format('update user_tokens set %s where user_id = pg_temp.id(''ann'')', c.change)),
  '400 invalid_amount tokens_purchased and tokens_used must be from 0 to 9000000000000000',
  format('user_tokens refuses: set %s', c.change)
)
from (
  values ('tokens_purchased = -1'), ('tokens_purchased = 9000000000000001'), ('tokens_used = -1'),
    ('tokens_used = 9000000000000001')
) c (change);

-- Deleting and adding a row of user_tokens

select reserve_tokens(pg_temp.id('ann'), 40, 'hold');
select is(
  pg_temp.edit('ann', $$delete from user_tokens where user_id = pg_temp.id('ann')$$),
  'adjustment purchased -120 = -10/0 - - postgres; adjustment used 10 = 0/0 - - postgres',
  'a deleted balance is journalled away, and its holds go with it'
);
select is_empty('select * from get_token_balance(pg_temp.id(''ann''))', 'the user has no balance then');
select is(
  pg_temp.edit(
    'ann', $$update subscribers set earned_tokens = 7 where user_id = pg_temp.id('ann')$$
  ),
  'bonus earned 7 = 7/0 - ' || (select id from subscribers where user_id = pg_temp.id('ann')) || ' postgres',
  'earned tokens of a user without a balance are journalled too'
);
select is(
  pg_temp.edit(
    'ann',
    $$insert into user_tokens (user_id, tokens_purchased, tokens_used, tokens_reserved, journal_seq, journal_balance)
    values (pg_temp.id('ann'), 300, 100, 50, 1, 9999)$$
  ),
  'adjustment purchased 300 = 307/307 - - postgres; adjustment used -100 = 207/207 - - postgres',
  'a row added by hand goes on where the journal ended, whatever it claims'
);
select is(pg_temp.balance('ann'), 'total 307, used 100, reserved 0, remaining 207', 'and has no holds');

-- A balance stays with its user

select pg_temp.new_user('ben', 5);
delete from user_tokens where user_id = pg_temp.id('ben');
select is(
  pg_temp.answer($$update user_tokens set user_id = pg_temp.id('ben') where user_id = pg_temp.id('ann')$$),
  '409 derived_column user_id, tokens_reserved, holds_expire_at, journal_seq and journal_balance follow from other rows',
  'a balance does not move to another user'
);
insert into user_tokens (user_id) values (pg_temp.id('ben'));
update user_tokens set tokens_purchased = 250, tokens_used = 0 where user_id = pg_temp.id('ann');

-- subscribers

create function pg_temp.by_subscriber(name text, journal text)
returns text
language sql
as $$
  select replace(journal, ' - - ', format(' - %s ', s.id))
  from public.subscribers s
  where s.user_id = pg_temp.id(by_subscriber.name)
$$;

select is(pg_temp.edit('ann', e.statement), pg_temp.by_subscriber('ann', e.journal), e.what)
from (
  values
    (
      1, 'an edit of earned_tokens is journalled as a bonus',
      $$update subscribers set earned_tokens = 10 where user_id = pg_temp.id('ann')$$,
      'bonus earned 3 = 260/260 - - postgres'
    ),
    (
      2, 'an edit of admin_bonus_tokens too',
      $$update subscribers set admin_bonus_tokens = 40 where user_id = pg_temp.id('ann')$$,
      'bonus admin_bonus 40 = 300/300 - - postgres'
    ),
    (
      3, 'an edit of both is two rows',
      $$update subscribers set earned_tokens = 0, admin_bonus_tokens = 50 where user_id = pg_temp.id('ann')$$,
      'bonus earned -10 = 290/290 - - postgres; bonus admin_bonus 10 = 300/300 - - postgres'
    ),
    (
      4, 'base_tokens and bonus_tokens are no balance',
      $$update subscribers set base_tokens = 9, bonus_tokens = 9, email = 'x@example.com', display_name = 'Ann'
      where user_id = pg_temp.id('ann')$$,
      ''
    )
) e (step, what, statement, journal);

select is(
  pg_temp.edit('ann', $$
    insert into subscribers (id, email, earned_tokens) values (pg_temp.id('waiting'), 'w@example.com', 8)
  $$),
  '',
  'the waiting list has no journal'
);
select is(
  pg_temp.edit('ann', $$update subscribers set earned_tokens = 9 where id = pg_temp.id('waiting')$$),
  '',
  'nor have edits of it'
);
delete from subscribers where user_id = pg_temp.id('ben');
select is(
  pg_temp.edit(
    'ben', $$update subscribers set user_id = pg_temp.id('ben'), admin_bonus_tokens = 1 where id = pg_temp.id('waiting')$$
  ),
  pg_temp.by_subscriber('ben', 'bonus earned 9 = 9/9 - - postgres; bonus admin_bonus 1 = 10/10 - - postgres'),
  'linking a waiting-list row to a user by hand gives its tokens'
);
select is(
  pg_temp.edit('ben', $$update subscribers set user_id = null where id = pg_temp.id('waiting')$$),
  format(
    'bonus earned -9 = 1/1 - %1$s postgres; bonus admin_bonus -1 = 0/0 - %1$s postgres', pg_temp.id('waiting')
  ),
  'unlinking it takes them'
);
delete from subscribers where id = pg_temp.id('waiting');
select is(
  pg_temp.edit(
    'ben',
    $$
      insert into subscribers (id, user_id, earned_tokens, admin_bonus_tokens)
      values (pg_temp.id('added'), pg_temp.id('ben'), 2, 3)
    $$
  ),
  pg_temp.by_subscriber('ben', 'bonus earned 2 = 2/2 - - postgres; bonus admin_bonus 3 = 5/5 - - postgres'),
  'a subscriber added by hand is journalled'
);
select is(
  pg_temp.edit('ben', $$delete from subscribers where user_id = pg_temp.id('ben')$$),
  format('bonus earned -2 = 3/3 - %1$s postgres; bonus admin_bonus -3 = 0/0 - %1$s postgres', pg_temp.id('added')),
  'a deleted one too'
);

-- token_requests

select is(pg_temp.edit('ben', e.statement), replace(e.journal, ' - - ', format(' - %s ', pg_temp.id('request'))), e.what)
from (
  values
    (
      1, 'a pending request is no row',
      $$insert into token_requests (user_id, id, amount) values (pg_temp.id('ben'), pg_temp.id('request'), 10)$$,
      ''
    ),
    (
      2, 'approval counts at once',
      $$update token_requests set status = 'approved' where id = pg_temp.id('request')$$,
      'request approved_requests 10 = 10/10 - - postgres'
    ),
    (
      3, 'another amount counts by the difference',
      $$update token_requests set amount = 4 where id = pg_temp.id('request')$$,
      'request approved_requests -6 = 4/4 - - postgres'
    ),
    (
      4, 'reversing the approval takes the tokens back',
      $$update token_requests set status = 'rejected' where id = pg_temp.id('request')$$,
      'request approved_requests -4 = 0/0 - - postgres'
    ),
    (
      5, 'a rejected request may have any amount',
      $$update token_requests set amount = 6 where id = pg_temp.id('request')$$,
      ''
    ),
    (
      6, 'approval with another amount counts as it is then',
      $$update token_requests set amount = 8, status = 'approved' where id = pg_temp.id('request')$$,
      'request approved_requests 8 = 8/8 - - postgres'
    ),
    (
      7, 'an approved request moved to another user is taken from the one',
      $$update token_requests set user_id = pg_temp.id('ann') where id = pg_temp.id('request')$$,
      'request approved_requests -8 = 0/0 - - postgres'
    )
) e (step, what, statement, journal);
select is(
  pg_temp.edit('ann', $$delete from token_requests where id = pg_temp.id('request')$$),
  format('request approved_requests -8 = 300/300 - %s postgres', pg_temp.id('request')),
  'a deleted approved request is taken from whom it was given to'
);
select is(
  pg_temp.edit(
    'ann',
    $$
      insert into token_requests (user_id, id, amount, status)
      values (pg_temp.id('ann'), pg_temp.id('request'), 5, 'approved')
    $$
  ),
  format('request approved_requests 5 = 305/305 - %s postgres', pg_temp.id('request')),
  'a request added as approved counts at once'
);

-- What users may do with requests

select is(
  pg_temp.answer(s.statement, 'authenticated', 'ben'),
  s.answer,
  format('users: %s', s.what)
)
from (
  values
    (
      'ask for tokens', '(100,pending)',
      $$insert into token_requests (amount, reason) values (100, 'please') returning amount, status$$
    ),
    (
      'ask for tokens, saying who they are', '(101,pending)',
      $$insert into token_requests (user_id, amount) values (pg_temp.id('ben'), 101) returning amount, status$$
    ),
    (
      'see their own requests only', '(100) (101)',
      'select amount from token_requests order by amount'
    ),
    (
      'do not ask for another', '42501 new row violates row-level security policy for table "token_requests"',
      $$insert into token_requests (user_id, amount) values (pg_temp.id('ann'), 100)$$
    ),
    (
      'do not approve as they ask', '42501 permission denied for table token_requests',
      $$insert into token_requests (amount, status) values (100, 'approved')$$
    ),
    (
      'do not even say pending', '42501 permission denied for table token_requests',
      $$insert into token_requests (amount, status) values (100, 'pending')$$
    ),
    (
      'do not approve', '42501 permission denied for table token_requests',
      $$update token_requests set status = 'approved'$$
    ),
    (
      'do not change the amount', '42501 permission denied for table token_requests',
      'update token_requests set amount = 1'
    ),
    ('do not delete requests', '42501 permission denied for table token_requests', 'delete from token_requests')
) s (what, answer, statement);
select is(
  pg_temp.answer(format('insert into token_requests (user_id, amount) values (pg_temp.id(''ann''), %s)', a.amount)),
  '23514 new row for relation "token_requests" violates check constraint "token_requests_amount_check"',
  format('a request for %s tokens is refused', a.amount)
)
from (values ('0'), ('-1'), ('9000000000000001')) a (amount);

-- token_holds

create function pg_temp.hold(statement text)
returns text
language sql
as $$select concat_ws('; ', nullif(pg_temp.edit('ann', statement), ''), pg_temp.balance('ann'))$$;

select is(pg_temp.hold(e.statement), e.balance, e.what)
from (
  values
    (
      1, 'a hold added by hand counts',
      $$insert into token_holds (user_id, operation_id, amount) values (pg_temp.id('ann'), 'by hand', 50)$$,
      'total 305, used 0, reserved 50, remaining 255'
    ),
    (
      2, 'a resized hold counts as it is',
      $$update token_holds set amount = 60 where operation_id = 'by hand'$$,
      'total 305, used 0, reserved 60, remaining 245'
    ),
    (
      3, 'a hold released by hand frees its tokens',
      $$update token_holds set status = 'released', ended_at = now() where operation_id = 'by hand'$$,
      'total 305, used 0, reserved 0, remaining 305'
    ),
    (
      4, 'a released one can be deleted, once',
      $$delete from token_holds where operation_id = 'by hand'$$,
      'total 305, used 0, reserved 0, remaining 305'
    ),
    (
      5, 'an ended hold added by hand does not count',
      $$
        insert into token_holds (user_id, operation_id, amount, status)
        values (pg_temp.id('ann'), 'ended', 50, 'expired')
      $$,
      'total 305, used 0, reserved 0, remaining 305'
    )
) e (step, what, statement, balance);

select reserve_tokens(pg_temp.id('ann'), 70, 'hold-2');
select is(
  pg_temp.hold($$delete from token_holds where operation_id = 'hold-2'$$),
  'total 305, used 0, reserved 0, remaining 305',
  'an active hold that is deleted frees its tokens'
);
select reserve_tokens(pg_temp.id('ann'), 70, 'hold-3');
select is(
  pg_temp.hold($$update token_holds set expires_at = now() where operation_id = 'hold-3'$$),
  'total 305, used 0, reserved 0, remaining 305',
  'a hold expired by hand stops counting'
);
select is(
  pg_temp.hold($$update token_holds set expires_at = now() + interval '1 hour' where operation_id = 'hold-3'$$),
  'total 305, used 0, reserved 70, remaining 235',
  'given more time before it is swept, it counts again'
);
select is(
  pg_temp.answer(s.statement),
  s.refusal,
  format('token_holds refuses %s', s.what)
)
from (
  values
    (
      'to settle by hand', '409 derived_column A hold is settled by charging what was used',
      $$update token_holds set status = 'settled', settled_amount = 70 where operation_id = 'hold-3'$$
    ),
    (
      'a settled hold added by hand', '409 derived_column A hold is settled by charging what was used',
      $$insert into token_holds (user_id, operation_id, amount, status, settled_amount)
      values (pg_temp.id('ann'), 'settled', 1, 'settled', 1)$$
    ),
    (
      'to revive an ended hold', '409 hold_not_active The hold ended is expired',
      $$update token_holds set status = 'active' where operation_id = 'ended'$$
    ),
    (
      'an id that the journal has', '409 operation_id_reused operation_id seed was used before with other arguments',
      $$insert into token_holds (user_id, operation_id, amount) values (pg_temp.id('ann'), 'seed', 1)$$
    ),
    (
      'a hold of nothing', '400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got 0',
      $$update token_holds set amount = 0 where operation_id = 'hold-3'$$
    )
) s (what, refusal, statement);
-- Deleting the user

select charge_tokens(pg_temp.id('ann'), 45, 'last');
create temporary table sum_before as
select account, sum(amount) as amount, max(balance_after) filter (where operation_id = 'last') as balance
from token_transactions
where user_id = pg_temp.id('ann')
group by account;
select is(
  (select count(*) || ' accounts' from sum_before where amount <> 0),
  '4 accounts',
  '(a user with something of everything but earned tokens)'
);
create temporary table last_seq as
select max(seq) as seq from token_transactions where user_id = pg_temp.id('ann');
delete from auth.users where id = pg_temp.id('ann');
select results_eq(
  $$
    select account::text, amount from token_transactions
    where user_id = pg_temp.id('ann') and seq > (select seq from last_seq)
    order by 1
  $$,
  'select account::text, -amount::bigint from sum_before where amount <> 0 order by 1',
  'deleting a user takes away each part of the balance, once'
);
select is(
  (select balance_after from token_transactions where user_id = pg_temp.id('ann') order by seq desc limit 1),
  0::bigint,
  'the journal stays, and ends at 0'
);
select is(
  (
    select (select count(*) from user_tokens where user_id = pg_temp.id('ann'))
      + (select count(*) from subscribers where user_id = pg_temp.id('ann'))
      + (select count(*) from token_requests where user_id = pg_temp.id('ann'))
      + (select count(*) from token_holds where user_id = pg_temp.id('ann'))
  ),
  0::bigint,
  'nothing else stays'
);
select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
