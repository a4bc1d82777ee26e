-- The journal is append-only for every role, and only operations append: no role may update, delete, truncate or insert
-- by hand, not even inside a transaction in which an operation has just written. Balances cannot be truncated away.

begin;

select plan(65);

select pg_temp.new_user('ann', 100);
select charge_tokens(pg_temp.id('ann'), 10, 'charge');
select pg_temp.new_plans();

create function pg_temp.insertion()
returns text
language sql
as $$
  select format(
    'insert into public.token_transactions (user_id, seq, type, account, amount, balance_after, remaining_after, actor)
    values (%L, %s, ''add'', ''purchased'', 1, 91, 91, ''me'') returning seq',
    pg_temp.id('ann'), 1 + max(t.seq)
  )
  from public.token_transactions t
$$;

-- As the owner of the table, which the dashboard is

select is(
  pg_temp.answer(s.statement),
  format('403 journal_append_only %s on the journal is refused: it is append-only', s.verb),
  format('the journal refuses %s as postgres', s.verb)
)
from (
  values
    ('Update', 'update token_transactions set description = null'),
    ('Delete', 'delete from token_transactions'),
    ('Truncate', 'truncate token_transactions'),
    ('Insert', pg_temp.insertion())
) s (verb, statement);
select pg_temp.changes_nothing(
  'update token_transactions set amount = amount + 1 where operation_id = ''charge''',
  'a refused edit of the journal changes nothing'
);

-- As the API roles

select is(
  pg_temp.answer(s.statement, r.role, 'ann'),
  '42501 permission denied for table token_transactions',
  format('the journal refuses %s as %s', split_part(s.statement, ' ', 1), r.role)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role)
cross join (
  values ('update token_transactions set description = null'), ('delete from token_transactions'),
    ('truncate token_transactions'), (pg_temp.insertion())
) s (statement);
select set_config('scrip.posting', 'on', true);
select is(
  pg_temp.answer(pg_temp.insertion(), r.role),
  '42501 permission denied for table token_transactions',
  format('the journal refuses insert as %s, also when it pretends to be an operation', r.role)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role);
select set_config('scrip.posting', '', true);

-- Every operation closes the journal behind itself, in the same transaction too

create temporary table created as select * from create_access_codes(1, 5, 'create');

create function pg_temp.after(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return pg_temp.answer(pg_temp.insertion());
end;
$$;

select is(
  pg_temp.after(o.statement),
  '403 journal_append_only Insert on the journal is refused: it is append-only',
  format('nobody appends by hand after: %s', o.statement)
)
from (
  values
    (1, $$select add_tokens(pg_temp.id('ann'), 1, 'add', 'op-1')$$),
    (2, $$select add_tokens(pg_temp.id('ann'), 1, 'add', 'op-1')$$),
    (3, $$select add_tokens(pg_temp.id('ann'), 1, 'bonus', 'op-2')$$),
    (4, $$select charge_tokens(pg_temp.id('ann'), 1, 'op-3')$$),
    (5, $$select charge_tokens(pg_temp.id('ann'), 1, 'op-3')$$),
    (6, $$select pg_temp.answer('select charge_tokens(pg_temp.id(''ann''), 1000, ''op-4'')')$$),
    (7, format($$select charge_tokens_batch('[{"user_id": "%s", "amount": 1, "operation_id": "op-5"}]')$$, pg_temp.id('ann'))),
    (8, $$select refund_tokens(pg_temp.id('ann'), 'op-6', 'op-3')$$),
    (9, $$select reserve_tokens(pg_temp.id('ann'), 10, 'op-7')$$),
    (10, $$select settle_tokens(pg_temp.id('ann'), 'op-7')$$),
    (11, $$select reserve_tokens(pg_temp.id('ann'), 10, 'op-8')$$),
    (12, $$select release_tokens(pg_temp.id('ann'), 'op-8')$$),
    (13, $$select reserve_tokens(pg_temp.id('ann'), 10, 'op-9')$$),
    (14, $$update token_holds set expires_at = now() where operation_id = 'op-9'$$),
    (15, $$select expire_token_holds()$$),
    (16, $$select activate_access_code(pg_temp.id('ann'), (select code from created), 'op-10')$$),
    (17, $$update user_tokens set tokens_purchased = 200 where user_id = pg_temp.id('ann')$$),
    (18, $$update subscribers set earned_tokens = 10 where user_id = pg_temp.id('ann')$$),
    (19, $$insert into token_requests (user_id, amount, status) values (pg_temp.id('ann'), 1, 'approved')$$),
    (20, $$insert into token_holds (user_id, operation_id, amount) values (pg_temp.id('ann'), 'op-11', 1)$$),
    (
      21,
      $$select pg_temp.send('evt_1', 'checkout.session.completed', pg_temp.session('cs_1', 'pi_1', pg_temp.offer('ann')))$$
    ),
    (
      22,
      $$select pg_temp.send('evt_2', 'checkout.session.completed', pg_temp.session('cs_1', 'pi_1', pg_temp.offer('ann')))$$
    ),
    (23, $$select pg_temp.send('evt_3', 'refund.created', pg_temp.refund('re_1', 'pi_1', 300))$$),
    (24, $$select replay_stripe_event('evt_3')$$),
    (25, $$select change_subscription(pg_temp.id('ann'), 'basic', 'op-12')$$)
) o (step, statement);

-- Truncation of what balances depend on

select is(
  pg_temp.answer(format('truncate %I cascade', t.name)),
  format('403 forbidden %s cannot be truncated: balances depend on it', t.refused),
  format('%s refuses truncate as postgres', t.name)
)
from (
  values ('user_tokens', 'user_tokens'), ('subscribers', 'subscribers'), ('token_requests', 'token_requests'),
    ('token_holds', 'token_holds')
) t (name, refused);
select is(
  pg_temp.answer(format('truncate %I cascade', t.name), r.role),
  format('42501 permission denied for table %s', t.name),
  format('%s refuses truncate as %s', t.name, r.role)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role)
cross join (values ('user_tokens'), ('subscribers'), ('token_requests'), ('token_holds')) t (name);

-- Replication settings turn ordinary triggers off, but not the journal's

select results_eq(
  $$
    select tgname::text collate "default" from pg_trigger
    where tgrelid = 'public.token_transactions'::regclass and tgenabled = 'A'
    order by 1
  $$,
  $$values ('token_transactions_append_only'), ('token_transactions_no_truncate')$$,
  'the journal''s triggers fire always'
);

select is(
  (select count(*) from token_transactions where actor = 'me'),
  0::bigint,
  'no row got into the journal by hand'
);
select results_eq(
  'select row_number() over (order by seq), seq from token_transactions where user_id = pg_temp.id(''ann'') order by seq',
  'select n, n from generate_series(1::bigint, (select max(seq) from token_transactions)) n',
  'the rows are numbered without gaps'
);
select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
