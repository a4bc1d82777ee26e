-- The USD journal is append-only for every role, and only postings append: no role may update, delete, truncate or
-- insert by hand, not even inside a transaction in which an operation has just written. USD balances cannot be truncated
-- away, and users read their own rows only.

begin;

select plan(47);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');
select deposit_usd(pg_temp.id('ben'), '1', 'deposit');

create function pg_temp.insertion()
returns text
language sql
as $$
  select format(
    'insert into public.usd_transactions (user_id, seq, type, amount, balance_after, actor)
    values (%L, %s, ''deposit'', 1, 101, ''me'') returning seq',
    pg_temp.id('ann'), 1 + max(t.seq)
  )
  from public.usd_transactions t
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

-- As the owner of the table, which the dashboard is

create temporary table before as select pg_temp.usd_fingerprint() as fingerprint;
select is(
  pg_temp.answer(s.statement),
  format('403 journal_append_only %s on the journal is refused: it is append-only', s.verb),
  format('the USD journal refuses %s as postgres', s.verb)
)
from (
  values
    ('Update', 'update usd_transactions set amount = amount + 1'),
    ('Delete', 'delete from usd_transactions'),
    ('Truncate', 'truncate usd_transactions'),
    ('Insert', pg_temp.insertion())
) s (verb, statement);
select is(pg_temp.usd_fingerprint(), (select fingerprint from before), 'and nothing has changed');

-- As the API roles

select is(
  pg_temp.answer(s.statement, r.role, 'ann'),
  format('42501 permission denied for table %s', s.name),
  format('%s refuses %s as %s', s.name, split_part(s.statement, ' ', 1), r.role)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role)
cross join (
  values
    ('usd_transactions', 'update usd_transactions set description = null'),
    ('usd_transactions', 'delete from usd_transactions'),
    ('usd_transactions', 'truncate usd_transactions'),
    ('usd_transactions', pg_temp.insertion()),
    ('usd_balances', 'update usd_balances set balance = 1000'),
    ('usd_balances', 'delete from usd_balances'),
    ('usd_balances', 'truncate usd_balances'),
    ('usd_balances', 'insert into usd_balances (user_id, balance) values (gen_random_uuid(), 1000)')
) s (name, statement);
select set_config('scrip.posting', 'on', true);
select is(
  pg_temp.answer(pg_temp.insertion(), 'service_role'),
  '42501 permission denied for table usd_transactions',
  'the USD journal refuses insert as service_role, also when it pretends to be a posting'
);
select set_config('scrip.posting', '', true);

-- Every operation closes the journal behind itself, in the same transaction too

create function pg_temp.after(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return pg_temp.answer(pg_temp.insertion());
end;
$$;

select pg_temp.new_user('cat');
select is(
  pg_temp.after(o.statement),
  '403 journal_append_only Insert on the journal is refused: it is append-only',
  format('nobody appends by hand after: %s', o.statement)
)
from (
  values
    (1, $$select deposit_usd(pg_temp.id('ann'), '1', 'op-1')$$),
    (2, $$select deposit_usd(pg_temp.id('ann'), '1', 'op-1')$$),
    (3, $$select deposit_usd(pg_temp.id('cat'), '1', 'op-2')$$),
    (4, $$select pg_temp.answer('select deposit_usd(pg_temp.id(''nobody''), ''1'', ''op-3'')')$$),
    (5, $$select pg_temp.answer('select private.post_usd(pg_temp.id(''ann''), ''refill'', -1e10, ''op-4'')')$$),
    (6, $$update usd_balances set balance = 5 where user_id = pg_temp.id('ann')$$),
    (7, $$update usd_balances set created_at = now() where user_id = pg_temp.id('ann')$$),
    (8, $$delete from usd_balances where user_id = pg_temp.id('cat')$$),
    (9, $$insert into usd_balances (user_id, balance) values (pg_temp.id('cat'), 2)$$)
) o (step, statement);

-- Truncation of what the journal follows

select is(
  pg_temp.answer('truncate usd_balances'),
  '403 forbidden usd_balances cannot be truncated: balances depend on it',
  'usd_balances refuses truncate as postgres'
);

-- Replication settings turn ordinary triggers off, but not the journal's

select results_eq(
  $$
    select tgname::text collate "default" from pg_trigger
    where tgrelid = 'public.usd_transactions'::regclass and tgenabled = 'A'
    order by 1
  $$,
  $$values ('usd_transactions_append_only'), ('usd_transactions_no_truncate')$$,
  'the USD journal''s triggers fire always'
);

-- Who reads what

select is(
  pg_temp.answer(format('select count(*) from %I', t.name), 'authenticated', 'ben'),
  t.own,
  format('users read their own %s only', t.name)
)
from (values ('usd_balances', '(1)'), ('usd_transactions', '(1)')) t (name, own);
select is(
  pg_temp.answer(format('select * from %I', t.name), 'anon'),
  format('42501 permission denied for table %s', t.name),
  format('anon does not read %s', t.name)
)
from (values ('usd_balances'), ('usd_transactions')) t (name);

select is(
  (select count(*) from usd_transactions where actor = 'me'),
  0::bigint,
  'no row got into the USD journal by hand'
);

select is_empty('select * from verify_ledger()', 'the USD journal and the balances agree');

select * from finish();

rollback;
