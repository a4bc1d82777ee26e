-- release_tokens ends a hold without charging; releasing what has ended unused changes nothing. Each answer, the
-- balance and the tables are compared with what they must be.

begin;

select plan(22);

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
select reserve_tokens(pg_temp.id('ann'), 30, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');

-- Success

select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,f)',
  'release_tokens answers what it freed and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 0, reserved 20, remaining 80', 'other holds stay');
select is(pg_temp.journal('ann', 1), null, 'a release is no journal row');
select results_eq(
  $$select status::text, settled_amount, ended_at from token_holds where operation_id = 'hold-1'$$,
  $$values ('released', null::bigint, now())$$,
  'the hold is released'
);

-- Replay

select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,t)',
  'release_tokens answers a replay as the first time'
);
select pg_temp.changes_nothing(
  $$select release_tokens(pg_temp.id('ann'), 'hold-1')$$,
  'a replayed release changes nothing'
);

select charge_tokens(pg_temp.id('ann'), 1, 'charge');
select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-1')$$),
  '(30,80,t)',
  'a replay answers the first result even when the balance has moved on'
);
select refund_tokens(pg_temp.id('ann'), 'refund', 'charge');

-- Conflict

select settle_tokens(pg_temp.id('ann'), 'hold-2', 5);
select is(
  pg_temp.answer($$select release_tokens(pg_temp.id('ann'), 'hold-2')$$),
  '409 hold_not_active The hold hold-2 is settled',
  'release_tokens refuses a settled hold'
);
select pg_temp.changes_nothing(
  $$select release_tokens(pg_temp.id('ann'), 'hold-2')$$,
  'a refused release changes nothing'
);

-- Expiry

select reserve_tokens(pg_temp.id('ann'), 40, 'hold-3');
update token_holds set expires_at = now() - interval '1 second' where operation_id = 'hold-3';
select is(
  pg_temp.answer($$select released, remaining, replayed from release_tokens(pg_temp.id('ann'), 'hold-3')$$),
  '(40,95,f)',
  'release_tokens of an expired hold has nothing left to give back'
);
select is(
  pg_temp.balance('ann'),
  'total 100, used 5, reserved 0, remaining 95',
  'an expired hold gives its tokens back once'
);

-- Refusals

select is(
  pg_temp.answer(format('select release_tokens(pg_temp.id(%L), %L)', h.name, h.operation_id)),
  format('404 hold_not_found The user has no hold %s', h.operation_id),
  format('release_tokens refuses %s', h.what)
)
from (
  values ('an unknown hold', 'ann', 'hold-4'), ('a grant', 'ann', 'seed'), ('another user''s hold', 'nobody', 'hold-1')
) h (what, name, operation_id);
select is(
  pg_temp.answer($$select release_tokens(null, 'hold-1')$$),
  '400 invalid_request user_id is missing',
  'release_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select release_tokens(pg_temp.id(''ann''), %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('release_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);

-- Callers

select reserve_tokens(pg_temp.id('ann'), 1, 'role');
select is(
  pg_temp.answer($$select release_tokens(pg_temp.id('ann'), 'role')$$, c.role, 'ann'),
  '42501 permission denied for function release_tokens',
  format('release_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select released from release_tokens(pg_temp.id('ann'), 'role')$$, 'service_role'),
  '(1)',
  'release_tokens is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
