-- expire_token_holds ends holds past their expiry, of users who don't come back too, and no others. Time stands still
-- in a transaction, so holds are made to expire by moving expires_at into the past.

begin;

select plan(13);

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

select pg_temp.new_user(name, 100) from unnest(array['ann', 'ben', 'cat']) name;
select reserve_tokens(pg_temp.id('ann'), 10, 'hold-1');
select reserve_tokens(pg_temp.id('ann'), 20, 'hold-2');
select reserve_tokens(pg_temp.id('ann'), 30, 'live');
select reserve_tokens(pg_temp.id('ben'), 40, 'hold-1');
select reserve_tokens(pg_temp.id('cat'), 50, 'live');

select is(expire_token_holds(), 0::bigint, 'expire_token_holds leaves live holds alone');

update token_holds set expires_at = now() - interval '1 second' where operation_id <> 'live';
select is(expire_token_holds(), 3::bigint, 'expire_token_holds answers how many holds it ended');
select results_eq(
  $$
    select pg_temp.balance(name), u.tokens_reserved
    from unnest(array['ann', 'ben', 'cat']) name
    join user_tokens u on u.user_id = pg_temp.id(name)
    order by name
  $$,
  $$
    values
      ('total 100, used 0, reserved 30, remaining 70', 30::bigint),
      ('total 100, used 0, reserved 0, remaining 100', 0),
      ('total 100, used 0, reserved 50, remaining 50', 50)
  $$,
  'the tokens of expired holds are free'
);
select results_eq(
  'select operation_id, status::text, ended_at from token_holds order by user_id = pg_temp.id(''ann''), status, operation_id',
  $$
    values
      ('live', 'active', null), ('hold-1', 'expired', now()),
      ('live', 'active', null), ('hold-1', 'expired', now()), ('hold-2', 'expired', now())
  $$,
  'the holds are expired'
);
select is(
  (select array_agg(holds_expire_at = 'infinity' order by holds_expire_at) from user_tokens),
  array[false, false, true],
  'what is left is due when the next hold expires'
);
select pg_temp.changes_nothing('select expire_token_holds()', 'expire_token_holds finds nothing twice');
select is(
  (select count(*) from token_transactions where operation_id <> 'seed'),
  0::bigint,
  'an expired hold is no journal row'
);

select reserve_tokens(pg_temp.id('ben'), 1, 'hold-2');
select reserve_tokens(pg_temp.id('cat'), 1, 'hold-2');
update token_holds set expires_at = now() - interval '2 seconds'
where user_id = pg_temp.id('cat') and operation_id = 'hold-2';
update token_holds set expires_at = now() - interval '1 second'
where user_id = pg_temp.id('ben') and operation_id = 'hold-2';
select is(expire_token_holds(1), 1::bigint, 'expire_token_holds does no more than it is told at once');
select is(expire_token_holds(), 1::bigint, 'the rest is for the next run');

select is(
  pg_temp.answer('select expire_token_holds()', c.role, 'ann'),
  '42501 permission denied for function expire_token_holds',
  format('expire_token_holds is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select expire_token_holds()', 'service_role'),
  '(0)',
  'expire_token_holds is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
