-- calculate_charge is ceil(base_amount × multiplier), exactly. The multiplier is replaced within this transaction by
-- ones that a float would get wrong.

begin;

select plan(20);

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

select pg_temp.new_user('ann');

select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('ann'), 7)$$),
  '(1,7)',
  'a user without a plan pays the base price'
);

create function pg_temp.charge_at(multiplier numeric, base_amount bigint)
returns bigint
language plpgsql
as $$
begin
  execute format(
    'create or replace function private.charge_multiplier(user_id uuid) returns numeric
    language sql stable set search_path = '''' as $f$select %s::numeric$f$',
    multiplier
  );
  return (select c.amount from public.calculate_charge(pg_temp.id('ann'), base_amount) c);
end;
$$;

select is(
  pg_temp.charge_at(c.multiplier, c.base_amount),
  c.amount,
  format('%s × %s is %s tokens', c.base_amount, c.multiplier, c.amount)
)
from (
  values
    (1.5, 7::bigint, 11::bigint),
    (1.1, 10, 11),
    (1.1, 11, 13),
    (0.1, 1, 1),
    (0.07, 100, 7),
    (2, 7, 14),
    (0.333, 3, 1),
    (1.000000000000001, 1000000000000000, 1000000000000001),
    (1, 9000000000000000, 9000000000000000)
) c (multiplier, base_amount, amount);
select is(pg_temp.charge_at(1.50, 1), 2::bigint, '1 × 1.50 is 2 tokens');
select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('ann'), 3)$$),
  '(1.50,5)',
  'the multiplier crosses JSON as a decimal string'
);

select is(
  pg_temp.answer(format('select calculate_charge(pg_temp.id(''ann''), %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('calculate_charge refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select calculate_charge(pg_temp.id('nobody'), 1)$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'calculate_charge refuses an unknown user'
);
select is(
  pg_temp.answer($$select calculate_charge(pg_temp.id('ann'), 1)$$, c.role, 'ann'),
  '42501 permission denied for function calculate_charge',
  format('calculate_charge is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select amount from calculate_charge(pg_temp.id('ann'), 2)$$, 'service_role'),
  '(3)',
  'calculate_charge is open to service_role'
);

select * from finish();

rollback;
