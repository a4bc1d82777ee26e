-- revoke_access_code stops a code for good; what it gave stays given, and revoking it again changes nothing.

begin;

select plan(11);

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

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
create temporary table made as select * from create_access_codes(2, 2500, 'create', false, 10);
create temporary table revoked as select * from made order by id limit 1;

select tokens_granted from activate_access_code(pg_temp.id('ann'), (select code from revoked), 'activate');
select is(
  pg_temp.answer('select r.id = v.id, r.revoked_at = now() from revoked v, revoke_access_code(v.id) r'),
  '(t,t)',
  'revoke_access_code answers when'
);
select is(
  pg_temp.answer(
    'select tokens_granted, failure ->> ''code'' from revoked v, activate_access_code(pg_temp.id(''ben''), v.code, ''b'')'
  ),
  '(,code_not_found)',
  'a revoked code is as if it did not exist'
);
select is(pg_temp.balance('ann'), 'total 3500, used 0, reserved 0, remaining 3500', 'what it gave stays given');
select is(
  pg_temp.answer(
    'select tokens_granted from made m, activate_access_code(pg_temp.id(''ben''), m.code, ''c'')
    where m.id not in (select id from revoked)'
  ),
  '(3500)',
  'codes made with it still work'
);

update access_codes set revoked_at = '2026-01-01' where id in (select id from revoked);
select pg_temp.changes_nothing('select revoke_access_code(id) from revoked', 'revoking it again changes nothing');
select is(
  pg_temp.answer('select r.revoked_at = ''2026-01-01'' from revoked v, revoke_access_code(v.id) r'),
  '(t)',
  'and answers the first time'
);

select is(
  pg_temp.answer(format('select revoke_access_code(%s)', c.id)),
  format('404 code_not_found There is no access code %s', c.shown),
  format('revoke_access_code refuses %s', c.what)
)
from (values ('an unknown code', 'pg_temp.id(''x'')', pg_temp.id('x')::text)) c (what, id, shown);
select alike(
  pg_temp.answer('select revoke_access_code(null)'),
  '404 code_not_found %',
  'revoke_access_code refuses no code'
);

select is(
  pg_temp.answer('select revoke_access_code(pg_temp.id(''x''))', c.role),
  '42501 permission denied for function revoke_access_code',
  format('revoke_access_code is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select r.id is not null from revoke_access_code(%L) r', (select id from revoked)), 'service_role'),
  '(t)',
  'revoke_access_code is open to service_role'
);

select * from finish();

rollback;
