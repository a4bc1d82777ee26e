-- post_usd changes a USD balance and appends the journal row, or does neither; claim_usd_operation finds the first
-- result of an operation_id; usd_text writes US dollars exactly. These are what the operations on USD balances are made
-- of, called here as they call them.

begin;

select plan(71);

create function pg_temp.usd_journal(name text)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s %s %s %s', t.seq, t.type, private.usd_text(t.amount), private.usd_text(t.balance_after),
      coalesce(t.operation_id, '-'), coalesce(t.reference, '-'), t.actor
    ),
    '; ' order by t.seq
  )
  from public.usd_transactions t
  where t.user_id = pg_temp.id(usd_journal.name)
$$;

create function pg_temp.post(name text, amount text, operation_id text default 'refused')
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select (p).seq, (p).amount, (p).balance_after from private.post_usd(%L, ''adjustment'', %s, %L) p',
    pg_temp.id(post.name), amount, operation_id
  ))
$$;

create function pg_temp.usd_row(name text)
returns text
language sql
as $$
  select format('%s at %s', private.usd_text(b.balance), b.journal_seq)
  from public.usd_balances b
  where b.user_id = pg_temp.id(usd_row.name)
$$;

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');

-- Success

select is(pg_temp.usd_row('ann'), null, 'a new user has no USD balance');
select is(pg_temp.post('ann', '25', 'one'), '(1,25.0000000000,25.0000000000)', 'the first posting makes the row');
select is(pg_temp.usd_row('ann'), '25.00 at 1', 'with the balance, and the head of the journal');
select private.post_usd(
  pg_temp.id('ann'), 'clawback', -1.0001, 'two', 'refill_1', 'credits for a token', '{"credits": 100}', 'ann'
);
select private.post_usd(pg_temp.id('ann'), 'deposit', 0.0000000001, null);
select private.post_usd(pg_temp.id('ann'), 'clawback', -30, 'four', 'pi_1', actor => 'stripe');
select is(
  pg_temp.usd_journal('ann'),
  concat_ws(
    '; ',
    '1 adjustment 25.00 = 25.00 one - postgres',
    '2 clawback -1.0001 = 23.9999 two refill_1 ann',
    '3 deposit 0.0000000001 = 23.9999000001 - - postgres',
    '4 clawback -30.00 = -6.0000999999 four pi_1 stripe'
  ),
  'each posting is one row, to ten decimals; a clawback goes below zero'
);
select is(pg_temp.usd_row('ann'), '-6.0000999999 at 4', 'the row is the head of the journal');
select results_eq(
  $$select description, metadata from usd_transactions where user_id = pg_temp.id('ann') and seq in (1, 2) order by seq$$,
  $$values (null, '{}'::jsonb), ('credits for a token', '{"credits": 100}')$$,
  'the journal row keeps the caller''s words and data'
);
select is(pg_temp.usd_row('ben'), null, 'other users are not concerned');

-- Refusal

create temporary table before as
select md5(concat(
  (select jsonb_agg(t order by t.user_id, t.seq) from usd_transactions t), (select jsonb_agg(b) from usd_balances b)
)) as fingerprint;
select is(
  pg_temp.post('ann', a.amount),
  format('400 invalid_request amount must be US dollars other than 0, with at most 10 decimals, got %s', a.shown),
  format('post_usd refuses %s', a.amount)
)
from (
  values ('null', 'nothing'), ('0', '0'), ('0.00', '0.00'), ('''NaN''', 'NaN'), ('''Infinity''', 'Infinity'),
    ('''-Infinity''', '-Infinity'), ('0.00000000001', '0.00000000001'), ('-1.00000000001', '-1.00000000001')
) a (amount, shown);
select is(
  pg_temp.post('nobody', '1'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'post_usd refuses an unknown user'
);
select alike(
  pg_temp.post('ann', '25', 'one'),
  '23505 %usd_transactions_operation_id_key%',
  'an operation_id that nobody claimed is refused by its key'
);
select is(
  pg_temp.post('ann', a.amount),
  format('400 balance_limit_exceeded The USD balance would be %s, which must be from -9000000000 to 9000000000', a.shown),
  format('post_usd refuses a balance of %s', a.shown)
)
from (
  values ('9000000006.0001', '9000000000.0000000001'), ('-8999999993.9999000002', '-9000000000.0000000001'),
    ('1e30', '999999999999999999999999999993.9999000001')
) a (amount, shown);
select is(
  pg_temp.post('ben', a.amount),
  format('400 balance_limit_exceeded The USD balance would be %s.00, which must be from -9000000000 to 9000000000', a.amount),
  format('post_usd refuses a first balance of %s', a.amount)
)
from (values ('9000000001'), ('-9000000001')) a (amount);
select is(
  md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from usd_transactions t), (select jsonb_agg(b) from usd_balances b)
  )),
  (select fingerprint from before),
  'a refused posting changes nothing'
);
select is(pg_temp.post('ben', '1.00000000000', 'zeros'), '(1,1.0000000000,1.0000000000)', 'zeros are no decimals');
select is(
  pg_temp.post('ben', '8999999999', 'max'), '(2,8999999999.0000000000,9000000000.0000000000)', 'the largest balance'
);
select is(
  pg_temp.post('ben', '-18000000000', 'min'), '(3,-18000000000.0000000000,-9000000000.0000000000)', 'and the smallest'
);

-- claim_usd_operation

create function pg_temp.claim(arguments text)
returns text
language sql
as $$
  select pg_temp.answer(
    format('select (c).seq from private.claim_usd_operation(%s) c', replace(arguments, 'ann', pg_temp.id('ann')::text))
  )
$$;

select is(
  pg_temp.claim($$'ann', 'new', 'clawback', -1, null, null, null$$), '()', 'a new operation_id has no result'
);
select is(pg_temp.claim(c.arguments), c.seq, format('claim_usd_operation finds the first result (%s)', c.what))
from (
  values
    ('without more', $$'ann', 'one', 'adjustment', 25, null, null, null$$, '(1)'),
    ('of all arguments', $$'ann', 'two', 'clawback', -1.0001, 'refill_1', 'credits for a token', '{"credits": 100}'$$, '(2)'),
    ('zeros written out', $$'ann', 'one', 'adjustment', 25.0000000000, null, null, '{}'$$, '(1)'),
    ('a null amount matches any', $$'ann', 'one', 'adjustment', null, null, null, null$$, '(1)')
) c (what, arguments, seq);
select is(
  pg_temp.claim(c.arguments),
  '409 operation_id_reused operation_id two was used before with other arguments',
  format('claim_usd_operation refuses another %s', c.what)
)
from (
  values
    ('type', $$'ann', 'two', 'deposit', -1.0001, 'refill_1', 'credits for a token', '{"credits": 100}'$$),
    ('amount', $$'ann', 'two', 'clawback', -1.0002, 'refill_1', 'credits for a token', '{"credits": 100}'$$),
    ('reference', $$'ann', 'two', 'clawback', -1.0001, 'refill_2', 'credits for a token', '{"credits": 100}'$$),
    ('reference, none', $$'ann', 'two', 'clawback', -1.0001, null, 'credits for a token', '{"credits": 100}'$$),
    ('description', $$'ann', 'two', 'clawback', -1.0001, 'refill_1', 'x', '{"credits": 100}'$$),
    ('description, none', $$'ann', 'two', 'clawback', -1.0001, 'refill_1', null, '{"credits": 100}'$$),
    ('metadata', $$'ann', 'two', 'clawback', -1.0001, 'refill_1', 'credits for a token', '{"credits": 101}'$$),
    ('metadata, none', $$'ann', 'two', 'clawback', -1.0001, 'refill_1', 'credits for a token', null$$)
) c (what, arguments);
select is(
  pg_temp.claim(c.arguments),
  format('400 invalid_request %s', c.refusal),
  format('claim_usd_operation: %s (%s)', c.refusal, c.arguments)
)
from (
  values
    ($$null, 'x', 'clawback', 1, null, null, null$$, 'user_id is missing'),
    ($$'ann', null, 'clawback', 1, null, null, null$$, 'operation_id must have 1 to 255 characters'),
    ($$'ann', '', 'clawback', 1, null, null, null$$, 'operation_id must have 1 to 255 characters'),
    ($$'ann', repeat('x', 256), 'clawback', 1, null, null, null$$, 'operation_id must have 1 to 255 characters')
) c (arguments, refusal);
select is(
  pg_temp.answer($$select charged from charge_tokens(pg_temp.id('ann'), 1, 'one')$$),
  '403 insufficient_tokens Insufficient tokens: you have 0, need 1',
  'operation_ids of USD and of tokens do not get in each other''s way'
);

-- A row made anew goes on where the journal ended

delete from usd_balances where user_id = pg_temp.id('ann');
select is(pg_temp.post('ann', '3', 'again'), '(6,3.0000000000,3.0000000000)', 'a posting after a deleted balance');
select is(pg_temp.usd_row('ann'), '3.00 at 6', 'makes a row that knows the journal');

-- usd_text

select is(private.usd_text(t.usd), t.shown, format('usd_text of %s', t.usd))
from (
  values (0, '0.00'), (25, '25.00'), (1.0001, '1.0001'), (0.5, '0.50'), (-0.1, '-0.10'), (100.0000000000, '100.00'),
    (1.2300000000, '1.23'), (0.0000000001, '0.0000000001'), (1000000, '1000000.00'),
    (-9000000000.0000000001, '-9000000000.0000000001')
) t (usd, shown);
select is(private.usd_text(null), null, 'usd_text of nothing');

-- Callers

select is(
  pg_temp.answer(format('select private.%s', f.call), r.role, 'ann'),
  '42501 permission denied for schema private',
  format('%s: closed to %s', f.call, r.role)
)
from (values ('service_role'), ('authenticated'), ('anon')) r (role)
cross join (
  values ('post_usd(gen_random_uuid(), ''deposit'', 1, ''x'')'),
    ('claim_usd_operation(gen_random_uuid(), ''x'', ''deposit'', 1, null, null, null)'), ('usd_text(1)')
) f (call);
select is_empty(
  $$
    select p.proname, r.role
    from pg_proc p
    cross join (values ('service_role'), ('authenticated'), ('anon')) r (role)
    where p.pronamespace = 'private'::regnamespace and p.proname ~ 'usd' and has_function_privilege(r.role, p.oid, 'execute')
  $$,
  'nor may they execute any of them'
);

select is_empty('select * from verify_ledger()', 'the USD journal and the balances agree');

-- The queue, which is the one of the tokens: a stand-in for it tells who takes it

create or replace function private.lock_user(user_id uuid)
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception 'waiting in the queue of %', user_id;
end;
$$;
select is(
  pg_temp.answer(replace(q.statement, 'ann', pg_temp.id('ann')::text)),
  format('P0001 waiting in the queue of %s', pg_temp.id('ann')),
  format('%s takes the user''s queue', q.what)
)
from (
  values
    ('post_usd', $$select private.post_usd('ann', 'deposit', 1, 'queue')$$),
    ('claim_usd_operation', $$select private.claim_usd_operation('ann', 'queue', 'deposit', 1, null, null, null)$$),
    ('a row added by hand', $$insert into usd_balances (user_id) values ('ann')$$)
) q (what, statement);

select * from finish();

rollback;
