-- list_token_transactions lists one user's journal, newest first, page by page.

begin;

select plan(10);

select pg_temp.new_user('ann'), pg_temp.new_user('ben', 5), pg_temp.new_user('new');
select add_tokens(pg_temp.id('ann'), 100, 'purchase', 'op-1', 'ref', 'words');
select charge_tokens(pg_temp.id('ann'), 30, 'op-2');
select reserve_tokens(pg_temp.id('ann'), 10, 'hold');
select add_tokens(pg_temp.id('ann'), 1, 'bonus', 'op-3');

create function pg_temp.listed(name text, arguments text)
returns text
language sql
as $$
  select pg_temp.answer(
    format('select seq from list_token_transactions(%L, %s)', pg_temp.id(listed.name), listed.arguments), 'service_role'
  )
$$;

select results_eq(
  $$
    select l.seq, l.type, l.amount, l.balance_after, l.remaining_after, l.operation_id, l.reference, l.description, l.id = t.id, l.created_at = t.created_at
    from list_token_transactions(pg_temp.id('ann'), 10) l
    join token_transactions t on t.user_id = pg_temp.id('ann') and t.seq = l.seq
    order by l.seq desc
  $$,
  $$
    values
      (3::bigint, 'bonus', 1::bigint, 71::bigint, 61::bigint, 'op-3', null::text, null::text, true, true),
      (2, 'charge', -30, 70, 70, 'op-2', null, null, true, true),
      (1, 'purchase', 100, 100, 100, 'op-1', 'ref', 'words', true, true)
  $$,
  'list_token_transactions tells each row of the journal'
);
select is(pg_temp.listed('ann', '10'), '(3) (2) (1)', 'newest first');
select is(pg_temp.listed('ann', '2'), '(3) (2)', 'as many as are asked for');
select is(pg_temp.listed('ann', '2, 2'), '(1)', 'the next page begins after the last of the one before');
select is(pg_temp.listed('ann', '2, 1'), 'no rows', 'after the first row there are none');
select is(pg_temp.listed('ben', '10'), '(1)', 'of one user alone');
select is(pg_temp.listed('new', '10'), 'no rows', 'none for a user without any');

select is(
  pg_temp.answer('select list_token_transactions(pg_temp.id(''ann''), 1)', c.role, 'ann'),
  '42501 permission denied for function list_token_transactions',
  format('list_token_transactions is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.listed('nobody', '1'),
  'no rows',
  'list_token_transactions is open to service_role; an unknown user has no rows'
);

select * from finish();

rollback;
