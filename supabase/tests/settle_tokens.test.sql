-- settle_tokens ends a hold by charging what was used, once: less than was held, more, or after the hold expired.
-- Each answer, the balance and the journal are compared with what they must be.

begin;

select plan(42);

create function pg_temp.id(name text)
returns uuid
language sql
as $$select md5(name)::uuid$$;

-- Signs up a user with a confirmed address, and gives tokens.
create function pg_temp.new_user(name text, tokens bigint default null)
returns void
language plpgsql
as $$
begin
  insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id(name), name || '@example.com', now());
  if tokens is not null then
    perform public.add_tokens(pg_temp.id(name), tokens, 'add', 'seed');
  end if;
end;
$$;

-- What a statement answers: its rows, or why it is refused. With a role, it runs as that role, with the user's JWT.
create function pg_temp.answer(statement text, role text default 'none', name text default null)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
begin
  if name is not null then
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id(name), 'role', role)::text, true);
  end if;
  perform set_config('role', role, true);
  if statement ~* '^\s*select|\mreturning\M' then
    execute format('with a as (%s) select string_agg(a::text, '' '') from a', statement) into v_answer;
    v_answer := coalesce(v_answer, 'no rows');
  else
    execute statement;
    get diagnostics v_answer = row_count;
  end if;
  perform set_config('role', 'none', true);
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
exception
  when sqlstate 'PGRST' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', v_detail::jsonb ->> 'status', sqlerrm::jsonb ->> 'code', sqlerrm::jsonb ->> 'message');
  when others then
    return concat_ws(' ', sqlstate, sqlerrm);
end;
$$;

-- A user's journal: type account amount = balance_after/remaining_after operation_id reference actor; …
create function pg_temp.journal(name text, after_seq bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s/%s %s %s %s', t.type, t.account, t.amount, t.balance_after, t.remaining_after,
      coalesce(t.operation_id, '-'), coalesce(t.reference, '-'), t.actor
    ),
    '; ' order by t.seq
  )
  from public.token_transactions t
  where t.user_id = pg_temp.id(journal.name) and t.seq > after_seq
$$;

create function pg_temp.balance(name text)
returns text
language sql
as $$
  select format('total %s, used %s, reserved %s, remaining %s', b.total, b.used, b.reserved, b.remaining)
  from public.get_token_balance(pg_temp.id(balance.name)) b
$$;

-- Of everything that an operation may change.
create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from public.token_transactions t),
    (select jsonb_agg(u order by u.user_id) from public.user_tokens u),
    (select jsonb_agg(s order by s.id) from public.subscribers s),
    (select jsonb_agg(r order by r.id) from public.token_requests r),
    (select jsonb_agg(h order by h.id) from public.token_holds h),
    (select jsonb_agg(c order by c.id) from public.access_codes c),
    (select jsonb_agg(v order by v.user_id, v.access_code_id) from public.access_code_activations v)
  ))
$$;

-- A test that a statement, refused or not, changes nothing.
create function pg_temp.changes_nothing(statement text, description text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
begin
  perform pg_temp.answer(statement);
  return extensions.is(pg_temp.fingerprint(), v_before, description);
end;
$$;

select pg_temp.new_user('ann', 100);
select reserve_tokens(pg_temp.id('ann'), 30, 'hold-1', 60, 'a run', '{"model": "demo"}');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');

-- Success

select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-1', 25, 'ben')
  $$),
  '(25,55,f,f)',
  'settle_tokens below the hold charges what was used and frees the rest'
);
select is(pg_temp.balance('ann'), 'total 100, used 25, reserved 20, remaining 55', 'other holds stay');
select is(
  pg_temp.journal('ann', 1),
  format('charge used -25 = 75/55 hold-1 %s ben', (select id from token_holds where operation_id = 'hold-1')),
  'settle_tokens writes one charge, which names the hold'
);
select results_eq(
  $$
    select t.description, t.metadata, h.status::text, h.settled_amount, h.ended_at
    from token_transactions t
    join token_holds h using (user_id, operation_id)
    where operation_id = 'hold-1'
  $$,
  $$values ('a run', '{"model": "demo"}'::jsonb, 'settled', 25::bigint, now())$$,
  'the charge has the hold''s words and data, and the hold is settled'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '(20,55,f,f)',
  'settle_tokens without an amount charges the whole hold'
);

-- Replay

select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('ann'), 'hold-1', 25, 'other')
  $$),
  '(25,55,f,t)',
  'settle_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select settle_tokens(pg_temp.id('ann'), 'hold-1', 25)$$,
  'a replayed settlement changes nothing'
);
select is(
  pg_temp.answer($$select charged, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '(20,t)',
  'settle_tokens answers a replay without an amount'
);
select is(
  pg_temp.answer($$select charged, replayed from settle_tokens(pg_temp.id('ann'), 'hold-2', 20)$$),
  '(20,t)',
  'the whole hold and its amount are the same'
);

-- Conflict

select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''ann''), ''hold-1'', %s)', a.amount)),
  '409 operation_id_reused operation_id hold-1 was used before with other arguments',
  format('settle_tokens refuses to settle again with %s', a.what)
)
from (values ('another amount', '26'), ('the whole hold', 'null'), ('the amount held', '30')) a (what, amount);
select reserve_tokens(pg_temp.id('ann'), 10, 'hold-3');
select release_tokens(pg_temp.id('ann'), 'hold-3');
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''ann''), ''hold-3'', %s)', a.amount)),
  '409 hold_not_active The hold hold-3 is released',
  format('settle_tokens refuses a released hold (amount %s)', a.amount)
)
from (values ('10'), ('null')) a (amount);
select pg_temp.changes_nothing(
  $$select settle_tokens(pg_temp.id('ann'), 'hold-3')$$,
  'a refused settlement changes nothing'
);
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(%L), %L, 1)', h.name, h.operation_id)),
  format('404 hold_not_found The user has no hold %s', h.operation_id),
  format('settle_tokens refuses %s', h.what)
)
from (
  values ('an unknown hold', 'ann', 'hold-4'), ('a grant', 'ann', 'seed'), ('another user''s hold', 'nobody', 'hold-1')
) h (what, name, operation_id);

-- Above the hold

select pg_temp.new_user('dan', 100);
select reserve_tokens(pg_temp.id('dan'), 50, 'hold-1');
select reserve_tokens(pg_temp.id('dan'), 50, 'hold-2');
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-1', 60)$$),
  '(60,-10,t)',
  'settle_tokens above the hold charges what was used, even below zero, and says so'
);
select is(
  pg_temp.journal('dan', 1),
  format(
    'charge used -60 = 40/-10 hold-1 %s postgres',
    (select id from token_holds where user_id = pg_temp.id('dan') and operation_id = 'hold-1')
  ),
  'the journal shows the debt'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn, replayed from settle_tokens(pg_temp.id('dan'), 'hold-1', 60)$$),
  '(60,-10,t,t)',
  'and so does a replay'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('dan'), 1, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have -10, need 1',
  'debt stops spending'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-2', 5)$$),
  '(5,35,f)',
  'a settlement that leaves no debt is not overdrawn'
);
select reserve_tokens(pg_temp.id('dan'), 35, 'hold-3');
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('dan'), 'hold-3', 35)$$),
  '(35,0,f)',
  'nor is one that takes the last token'
);

-- After the hold expired

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('eve'), 40, 'hold-2');
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-3');
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('eve') and operation_id <> 'hold-3';
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('eve'), 'hold-1')$$),
  '(40,50,f)',
  'settle_tokens charges a hold that has expired and is not swept yet'
);
select charge_tokens(pg_temp.id('eve'), 50, 'charge');
select is(
  (select status::text from token_holds where user_id = pg_temp.id('eve') and operation_id = 'hold-2'),
  'expired',
  '(the other one is swept)'
);
select is(
  pg_temp.answer($$select charged, remaining, overdrawn from settle_tokens(pg_temp.id('eve'), 'hold-2', 15)$$),
  '(15,-15,t)',
  'settle_tokens charges a hold that has expired and is swept, since the work is done'
);
select is(
  pg_temp.balance('eve'),
  'total 100, used 105, reserved 10, remaining -15',
  'an expired hold gives its tokens back once'
);

-- Bounds

select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''eve''), ''hold-3'', %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.amount),
  format('settle_tokens refuses %s tokens', a.amount)
)
from (values ('0'), ('-1'), ('9000000000000001')) a (amount);
select is(
  pg_temp.answer(format('select settle_tokens(pg_temp.id(''eve''), %s, 1)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('settle_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer($$select settle_tokens(null, 'hold-3', 1)$$),
  '400 invalid_request user_id is missing',
  'settle_tokens refuses no user'
);
select is(
  pg_temp.answer($$select settle_tokens(pg_temp.id('eve'), 'hold-3', 9000000000000000)$$),
  '400 balance_limit_exceeded Cannot charge 9000000000000000 tokens: a user may use at most 9000000000000000',
  'settle_tokens refuses what would take used beyond its bound'
);
select pg_temp.new_user('max', 1);
select reserve_tokens(pg_temp.id('max'), 1, 'hold');
select is(
  pg_temp.answer($$
    select charged, remaining, overdrawn from settle_tokens(pg_temp.id('max'), 'hold', 9000000000000000)
  $$),
  '(9000000000000000,-8999999999999999,t)',
  'settle_tokens charges 9000000000000000 tokens'
);

-- Callers

select is(
  pg_temp.answer($$select settle_tokens(pg_temp.id('eve'), 'hold-3')$$, c.role, 'eve'),
  '42501 permission denied for function settle_tokens',
  format('settle_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select charged from settle_tokens(pg_temp.id('eve'), 'hold-3')$$, 'service_role'),
  '(10)',
  'settle_tokens is open to service_role'
);
select is(
  (select actor from token_transactions where user_id = pg_temp.id('eve') and operation_id = 'hold-3'),
  'service_role',
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
