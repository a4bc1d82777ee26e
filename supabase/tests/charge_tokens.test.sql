-- charge_tokens takes tokens at most once per operation_id and never below zero. Each call's answer, the balance and
-- the journal are compared with what they must be; replays and refusals must leave every table as it was.

begin;

select plan(44);

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
select pg_temp.new_user('ben');

-- Success

select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}', 'ann')
  $$),
  '(30,70,f)',
  'charge_tokens answers what it took and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 30, reserved 0, remaining 70', 'charge_tokens raises used');
select is(
  pg_temp.journal('ann', 1),
  'charge used -30 = 70/70 charge-1 - ann',
  'charge_tokens writes one journal row'
);
select results_eq(
  $$
    select t.seq, t.description, t.metadata, t.id = c.transaction_id
    from token_transactions t, charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}') c
    where t.user_id = pg_temp.id('ann') and t.operation_id = 'charge-1'
  $$,
  $$values (2::bigint, 'a call', '{"model": "demo"}'::jsonb, true)$$,
  'the journal row keeps the caller''s words and data, and is the transaction answered'
);

-- Replay

select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}', 'someone else')
  $$),
  '(30,70,t)',
  'charge_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}')$$,
  'a replayed charge changes nothing'
);
select is(
  pg_temp.answer($$select charged, remaining, replayed from charge_tokens(pg_temp.id('ann'), 70, 'charge-2')$$),
  '(70,0,f)',
  'charge_tokens takes the last token'
);
select is(
  pg_temp.answer($$
    select charged, remaining, replayed
    from charge_tokens(pg_temp.id('ann'), 30, 'charge-1', 'a call', '{"model": "demo"}')
  $$),
  '(30,70,t)',
  'a replay answers the first result even when the balance has moved on'
);
select is(
  pg_temp.answer($$
    select replayed from charge_tokens(pg_temp.id('ann'), 70, 'charge-2', null, '{}')
  $$),
  '(t)',
  'no metadata and empty metadata are the same'
);

-- Conflict

select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id charge-1 was used before with other arguments',
  format('charge_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$31, 'charge-1', 'a call', '{"model": "demo"}'$$),
    ('description', $$30, 'charge-1', 'another', '{"model": "demo"}'$$),
    ('description, none', $$30, 'charge-1', null, '{"model": "demo"}'$$),
    ('metadata', $$30, 'charge-1', 'a call', '{"model": "other"}'$$),
    ('metadata, none', $$30, 'charge-1', 'a call'$$)
) c (what, arguments);

select pg_temp.new_user('cat', 100);
select charge_tokens(pg_temp.id('cat'), 10, 'charge');
select refund_tokens(pg_temp.id('cat'), 'refund', 'charge', 10);
select reserve_tokens(pg_temp.id('cat'), 10, 'hold');
select reserve_tokens(pg_temp.id('cat'), 10, 'settled');
select settle_tokens(pg_temp.id('cat'), 'settled');
select reserve_tokens(pg_temp.id('cat'), 10, 'released');
select release_tokens(pg_temp.id('cat'), 'released');

select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), %s, %L)', o.amount, o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('charge_tokens refuses the operation_id of a %s', o.what)
)
from (
  values ('grant', 100, 'seed'), ('refund', 10, 'refund'), ('hold', 10, 'hold'), ('settled hold', 10, 'settled'),
    ('released hold', 10, 'released'), ('hold, also beyond the balance', 1000, 'hold')
) o (what, amount, operation_id);

select is(
  pg_temp.answer($$
    select charged, replayed from charge_tokens(pg_temp.id('cat'), 10, 'charge-1')
  $$),
  '(10,f)',
  'two users may use the same operation_id'
);

-- Refusals

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('ben'), 1, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have 0, need 1',
  'charge_tokens refuses to overdraw an empty balance'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('cat'), 71, 'too much')$$),
  '403 insufficient_tokens Insufficient tokens: you have 70, need 71',
  'charge_tokens refuses to overdraw, and to take what is held'
);
select pg_temp.changes_nothing(
  $$select charge_tokens(pg_temp.id('cat'), 71, 'too much')$$,
  'a refused charge changes nothing'
);
select is(
  pg_temp.answer($$select charged, remaining from charge_tokens(pg_temp.id('cat'), 1, 'too much')$$),
  '(1,69)',
  'a refused charge does not use up its operation_id'
);
select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('nobody'), 1, 'charge')$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'charge_tokens refuses an unknown user'
);
select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), %s, ''bounds'')', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('charge_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer('select charge_tokens(null, 1, ''bounds'')'),
  '400 invalid_request user_id is missing',
  'charge_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select charge_tokens(pg_temp.id(''cat''), 1, %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('charge_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer($$select charged from charge_tokens(pg_temp.id('cat'), 1, repeat('x', 255))$$),
  '(1)',
  'charge_tokens takes an operation_id of 255 characters'
);

select pg_temp.new_user('max', 9000000000000000);
select is(
  pg_temp.answer($$
    select charged, remaining from charge_tokens(pg_temp.id('max'), 9000000000000000, 'all')
  $$),
  '(9000000000000000,0)',
  'charge_tokens takes 9000000000000000 tokens'
);

-- Holds that have expired make room

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 80, 'hold-1', 60);
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-2', 600);
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('eve') and operation_id = 'hold-1';

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('eve'), 91, 'charge')$$),
  '403 insufficient_tokens Insufficient tokens: you have 90, need 91',
  'charge_tokens counts live holds and no expired ones'
);
select is(
  pg_temp.answer($$select charged, remaining from charge_tokens(pg_temp.id('eve'), 90, 'charge')$$),
  '(90,0)',
  'charge_tokens sweeps expired holds when it needs their tokens'
);
select results_eq(
  $$
    select operation_id, status::text from token_holds where user_id = pg_temp.id('eve') order by operation_id
  $$,
  $$values ('hold-1', 'expired'), ('hold-2', 'active')$$,
  'the sweep ends expired holds only'
);

-- Callers

select is(
  pg_temp.answer($$select charge_tokens(pg_temp.id('cat'), 1, 'role')$$, c.role, 'cat'),
  '42501 permission denied for function charge_tokens',
  format('charge_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select charged from charge_tokens(pg_temp.id('cat'), 1, 'role')$$, 'service_role', 'ann'),
  '(1)',
  'charge_tokens is open to service_role'
);
select is(
  (select array_agg(actor order by seq) from token_transactions where operation_id in ('refund', 'role')),
  array[session_user::text, 'service_role'],
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
