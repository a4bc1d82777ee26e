-- The journal of credits and the refills are append-only for every role, and only operations append: no role may update,
-- delete, truncate or insert by hand, not even inside a transaction in which an operation has just written. API tokens
-- cannot be truncated away, and users read their own rows only.

begin;

select plan(107);

insert into products (id, name, value_credits_usd) values (pg_temp.id('cents'), 'Cents', 0.01);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id(u.name), '100', 'deposit') from (values ('ann'), ('ben')) u (name);
create temporary table key as select pg_temp.new_api_token('ann', 'bot', 'cents') as api_key;
select pg_temp.new_api_token('ben', 'ben''s', 'cents');
select pg_temp.refill('ann', 'bot', 'usd', '10', 'one');
select pg_temp.refill('ben', 'ben''s', 'usd', '10', 'one');
select consume_api_credits(api_key, 1, 'one') from key;

create function pg_temp.insertion(relation text)
returns text
language sql
as $$
  select format(
    case relation
      when 'api_token_transactions' then
        'insert into public.api_token_transactions (user_id, token_id, version, type, amount, credits_after, actor)
        values (%L, %L, 1000, ''consume'', -1, 997, ''me'') returning version'
      else
        'insert into public.refill_transactions (
          user_id,
          id,
          token_id,
          version,
          mode,
          credits_added,
          usd_spent,
          fee,
          rate,
          credits_after,
          usd_balance_after,
          operation_id
        )
        values (%L, gen_random_uuid(), %L, 1000, ''usd'', 1, 1, 0, 1, 999, 89, ''me'') returning version'
    end,
    pg_temp.id('ann'), pg_temp.api_token('ann', 'bot')
  )
$$;
create temporary view changes as
select j.relation, s.verb, s.statement
from (values ('api_token_transactions', 'actor'), ('refill_transactions', 'operation_id')) j (relation, column_name)
cross join lateral (
  values
    ('Update', format('update %I set created_at = now()', j.relation)),
    ('Update', format('update %I set %I = ''me''', j.relation, j.column_name)),
    ('Delete', format('delete from %I', j.relation)),
    ('Truncate', format('truncate %I', j.relation)),
    ('Insert', pg_temp.insertion(j.relation))
) s (verb, statement);

-- As the owner of the table, which the dashboard is

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.answer(s.statement),
  format('403 journal_append_only %s on the journal is refused: it is append-only', s.verb),
  format('as postgres refused: %s', s.statement)
)
from changes s;
select set_config('scrip.posting', 'on', true);
select is(
  pg_temp.answer(s.statement),
  format('403 journal_append_only %s on the journal is refused: it is append-only', s.verb),
  format('also when it pretends to be an operation: %s', s.statement)
)
from changes s
where s.verb <> 'Insert';
select set_config('scrip.posting', '', true);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'and nothing has changed');

-- As the API roles

select is(
  pg_temp.answer(s.statement, r.role, 'ann'),
  format('42501 permission denied for table %s', s.relation),
  format('as %s refused: %s', r.role, s.statement)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role)
cross join (
  select relation, statement from changes
  union all
  values
    ('api_tokens', 'update api_tokens set credits = 1000'),
    ('api_tokens', 'update api_tokens set name = ''x'''),
    ('api_tokens', 'update api_tokens set low_balance_threshold = 1'),
    ('api_tokens', 'delete from api_tokens'),
    ('api_tokens', 'truncate api_tokens cascade'),
    ('api_tokens', 'insert into api_tokens (user_id, kind, name) values (gen_random_uuid(), ''master'', ''x'')')
) s (relation, statement);
select set_config('scrip.posting', 'on', true);
select is(
  pg_temp.answer(pg_temp.insertion(s.relation), 'service_role'),
  format('42501 permission denied for table %s', s.relation),
  format('service_role does not append to %s, also when it pretends to be an operation', s.relation)
)
from (values ('api_token_transactions'), ('refill_transactions')) s (relation);
select set_config('scrip.posting', '', true);

-- Every operation closes the journals behind itself, in the same transaction too

create function pg_temp.after(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return concat_ws(
    ' and ', pg_temp.answer(pg_temp.insertion('api_token_transactions')),
    pg_temp.answer(pg_temp.insertion('refill_transactions'))
  );
end;
$$;
create temporary table token as select pg_temp.api_token('ann', 'bot') as id;

select is(
  pg_temp.after(o.statement),
  '403 journal_append_only Insert on the journal is refused: it is append-only'
    || ' and 403 journal_append_only Insert on the journal is refused: it is append-only',
  format('nobody appends by hand after: %s', o.statement)
)
from (
  values
    (1, $$select refill_token(pg_temp.id('ann'), id, 'usd', '1', 'op-1') from token$$),
    (2, $$select refill_token(pg_temp.id('ann'), id, 'usd', '1', 'op-1') from token$$),
    (
      3,
      $$select pg_temp.answer(format('select refill_token(%L, %L, ''usd'', ''0.01'', ''op-2'')', pg_temp.id('ann'), id)) from token$$
    ),
    (
      4,
      $$select pg_temp.answer(format('select refill_token(%L, %L, ''usd'', ''1000'', ''op-2'')', pg_temp.id('ann'), id)) from token$$
    ),
    (5, $$select refill_token(pg_temp.id('ann'), id, 'credits', '1', 'op-3') from token$$),
    (6, $$select preview_refill(pg_temp.id('ann'), id, 'usd', '1') from token$$),
    (7, $$select consume_api_credits(api_key, 1, 'op-4') from key$$),
    (8, $$select consume_api_credits(api_key, 1, 'op-4') from key$$),
    (9, $$select pg_temp.answer('select consume_api_credits(api_key, 1000000, ''op-5'') from key')$$),
    (10, $$select create_api_token(pg_temp.id('ann'), 'master', 'New', 'op-6')$$),
    (11, $$select create_api_token(pg_temp.id('ann'), 'master', 'New', 'op-6')$$),
    (12, $$select pg_temp.answer('select create_api_token(pg_temp.id(''nobody''), ''master'', ''New'', ''op-7'')')$$),
    (13, $$select rename_api_token(pg_temp.id('ann'), id, 'New') from token$$),
    (14, $$select rename_api_token(pg_temp.id('ann'), id, 'New') from token$$),
    (15, $$select set_low_balance_threshold(pg_temp.id('ann'), 'api_token', '5', id) from token$$),
    (16, $$select private.save_hub_id(id, 'hub-1') from token$$),
    (17, $$update api_tokens t set credits = 50 from token where t.id = token.id$$),
    (18, $$update api_tokens t set name = 'Newer' from token where t.id = token.id$$),
    (19, $$update api_tokens t set created_at = now() from token where t.id = token.id$$),
    (20, $$select pg_temp.answer('update api_tokens set credits = -1')$$),
    (21, $$select pg_temp.answer('update api_tokens set version = 1')$$),
    (
      22,
      $$insert into api_tokens (user_id, id, kind, name, credits) values (pg_temp.id('ann'), pg_temp.id('by hand'), 'master', 'By hand', 5)$$
    ),
    (23, $$delete from api_tokens where id = pg_temp.id('by hand')$$),
    (24, $$select revoke_api_token(pg_temp.id('ann'), id) from token$$),
    (25, $$select revoke_api_token(pg_temp.id('ann'), id) from token$$),
    (26, $$delete from auth.users where id = pg_temp.id('ben')$$)
) o (step, statement);

-- Truncation of what the journals follow

select is(
  pg_temp.answer(s.statement),
  '403 forbidden api_tokens cannot be truncated: balances depend on it',
  format('refused: %s', s.statement)
)
from (values ('truncate api_tokens cascade'), ('truncate products cascade'), ('truncate api_tokens, private.api_keys')) s (statement);

-- Replication settings turn ordinary triggers off, but not the journals'

select results_eq(
  $$
    select tgname::text collate "default" from pg_trigger
    where tgrelid in ('public.api_token_transactions'::regclass, 'public.refill_transactions'::regclass) and tgenabled = 'A'
    order by 1
  $$,
  $$
    values ('api_token_transactions_append_only'), ('api_token_transactions_no_truncate'), ('refill_transactions_append_only'),
      ('refill_transactions_no_truncate')
  $$,
  'the journals'' triggers fire always'
);

-- Who reads what

select pg_temp.new_user('cat');
select deposit_usd(pg_temp.id('cat'), '100', 'deposit');
select pg_temp.new_api_token('cat', 'cat''s');
select pg_temp.refill('cat', 'cat''s', 'usd', '1', 'one');
select is(
  pg_temp.answer(format('select count(*), count(*) filter (where user_id = pg_temp.id(''cat'')) from %I', t.name), 'authenticated', 'cat'),
  '(1,1)',
  format('users read their own %s only', t.name)
)
from (values ('api_tokens'), ('api_token_transactions'), ('refill_transactions')) t (name);
select is(
  pg_temp.answer(format('select * from %I', t.name), 'anon'),
  format('42501 permission denied for table %s', t.name),
  format('anon does not read %s', t.name)
)
from (values ('api_tokens'), ('api_token_transactions'), ('refill_transactions')) t (name);

select is(
  (select count(*) from api_token_transactions where actor = 'me') + (select count(*) from refill_transactions where operation_id = 'me'),
  0::bigint,
  'no row got into the journals by hand'
);
select is_empty('select * from verify_ledger()', 'journals, refills and balances agree');

select * from finish();

rollback;
