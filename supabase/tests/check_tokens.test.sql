-- check_tokens answers whether a user could spend an amount, and reserves nothing.

begin;

select plan(17);

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

select is(
  pg_temp.answer(format('select allowed, have, need from check_tokens(pg_temp.id(%L), %s)', c.name, c.amount)),
  c.answer,
  format('check_tokens: %s', c.what)
)
from (
  values
    ('less than the user has', 'ann', 99, '(t,100,99)'),
    ('all that the user has', 'ann', 100, '(t,100,100)'),
    ('more than the user has', 'ann', 101, '(f,100,101)'),
    ('a user with nothing', 'ben', 1, '(f,0,1)'),
    ('the largest amount', 'ann', 9000000000000000, '(f,100,9000000000000000)')
) c (what, name, amount, answer);
select pg_temp.changes_nothing($$select check_tokens(pg_temp.id('ann'), 100)$$, 'check_tokens changes nothing');

select reserve_tokens(pg_temp.id('ann'), 30, 'hold');
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 71)$$),
  '(f,70)',
  'held tokens cannot be spent'
);
update token_holds set expires_at = now() where operation_id = 'hold';
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 71)$$),
  '(t,100)',
  'expired holds hold nothing, swept or not'
);
select settle_tokens(pg_temp.id('ann'), 'hold', 110);
select is(
  pg_temp.answer($$select allowed, have from check_tokens(pg_temp.id('ann'), 1)$$),
  '(f,-10)',
  'debt is shown'
);

select is(
  pg_temp.answer(format('select check_tokens(pg_temp.id(''ann''), %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('check_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select check_tokens(pg_temp.id('nobody'), 1)$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'check_tokens refuses an unknown user'
);

select is(
  pg_temp.answer($$select check_tokens(pg_temp.id('ann'), 1)$$, c.role, 'ann'),
  '42501 permission denied for function check_tokens',
  format('check_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select need from check_tokens(pg_temp.id('ann'), 1)$$, 'service_role'),
  '(1)',
  'check_tokens is open to service_role'
);

select * from finish();

rollback;
