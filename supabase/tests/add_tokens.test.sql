-- add_tokens gives tokens at most once per operation_id; its type decides which column they count in. Each type's
-- answer, columns and journal are compared with what they must be; replays and refusals must leave every table as it
-- was.

begin;

select plan(47);

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

-- Success

select is(
  pg_temp.answer($$
    select added, remaining, replayed
    from add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}', 'stripe')
  $$),
  '(100,100,f)',
  'add_tokens answers what it gave and what remains'
);
select add_tokens(pg_temp.id('ann'), 20, 'add', 'add-2');
select add_tokens(pg_temp.id('ann'), 3, 'subscription', 'add-3');
select add_tokens(pg_temp.id('ann'), 4000, 'bonus', 'add-4');
select add_tokens(pg_temp.id('ann'), 50000, 'referral', 'add-5', 'ben');

select results_eq(
  $$
    select purchased, earned, admin_bonus, approved_requests, total, used, reserved, remaining
    from get_token_balance(pg_temp.id('ann'))
  $$,
  $$values (123::bigint, 50000::bigint, 4000::bigint, 0::bigint, 54123::bigint, 0::bigint, 0::bigint, 54123::bigint)$$,
  'bonus counts as admin bonus, referral as earned, the others as purchased'
);
select is(
  pg_temp.journal('ann'),
  concat_ws(
    '; ',
    'purchase purchased 100 = 100/100 add-1 cs_1 stripe',
    'add purchased 20 = 120/120 add-2 - postgres',
    'subscription purchased 3 = 123/123 add-3 - postgres',
    'bonus admin_bonus 4000 = 4123/4123 add-4 - postgres',
    'referral earned 50000 = 54123/54123 add-5 ben postgres'
  ),
  'add_tokens writes one journal row each time'
);
select results_eq(
  $$
    select description, metadata from token_transactions
    where user_id = pg_temp.id('ann') and operation_id in ('add-1', 'add-2')
    order by seq
  $$,
  $$values ('a package', '{"price": "1.00"}'::jsonb), (null, '{}')$$,
  'the journal row keeps the caller''s words and data'
);

-- Replay

select is(
  pg_temp.answer($$
    select added, remaining, replayed
    from add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}', 'other')
  $$),
  '(100,100,t)',
  'add_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}')$$,
  'a replayed grant changes nothing'
);

-- Conflict

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id add-1 was used before with other arguments',
  format('add_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$101, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}'$$),
    ('type', $$100, 'add', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}'$$),
    ('reference', $$100, 'purchase', 'add-1', 'cs_2', 'a package', '{"price": "1.00"}'$$),
    ('reference, none', $$100, 'purchase', 'add-1', null, 'a package', '{"price": "1.00"}'$$),
    ('description', $$100, 'purchase', 'add-1', 'cs_1', 'another', '{"price": "1.00"}'$$),
    ('metadata', $$100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "2.00"}'$$),
    ('metadata, none', $$100, 'purchase', 'add-1', 'cs_1', 'a package'$$)
) c (what, arguments);

select pg_temp.new_user('cat', 100);
select charge_tokens(pg_temp.id('cat'), 10, 'charge');
select refund_tokens(pg_temp.id('cat'), 'refund', 'charge', 5);
select reserve_tokens(pg_temp.id('cat'), 10, 'hold');
select reserve_tokens(pg_temp.id('cat'), 10, 'settled');
select settle_tokens(pg_temp.id('cat'), 'settled');

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 10, ''add'', %L)', o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('add_tokens refuses the operation_id of a %s', o.operation_id)
)
from (values ('charge'), ('refund'), ('hold'), ('settled')) o (operation_id);

-- Refusals

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 10, %s, ''type'')', t.type)),
  format('400 invalid_request type must be add, purchase, subscription, bonus or referral, got %s', t.shown),
  format('add_tokens refuses the type %s', t.shown)
)
from (
  values ('''charge''', 'charge'), ('''refund''', 'refund'), ('''clawback''', 'clawback'), ('''request''', 'request'),
    ('''access_code''', 'access_code'), ('''adjustment''', 'adjustment'), ('''expire''', 'expire'), ('null', 'nothing')
) t (type, shown);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), %s, ''add'', ''bounds'')', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('add_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select add_tokens(null, 1, 'add', 'bounds')$$),
  '400 invalid_request user_id is missing',
  'add_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 1, ''add'', %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('add_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''nobody''), 1, %L, ''add'')', t.type)),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  format('add_tokens refuses an unknown user (%s)', t.type)
)
from (values ('add'), ('bonus'), ('referral')) t (type);

-- The largest balance

select pg_temp.new_user('max');
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('max'), 9000000000000000, 'add', 'max')$$),
  '(9000000000000000,9000000000000000)',
  'add_tokens gives 9000000000000000 tokens'
);
select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('max'), 1, 'add', 'over')$$),
  '400 balance_limit_exceeded Cannot give 1 tokens: the total would be 9000000000000001, at most 9000000000000000',
  'add_tokens refuses a column beyond the largest balance'
);
select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('max'), 1, 'bonus', 'over')$$),
  '400 balance_limit_exceeded Cannot give 1 tokens: the total would be 9000000000000001, at most 9000000000000000',
  'add_tokens refuses a sum beyond the largest balance'
);
select pg_temp.changes_nothing(
  $$select add_tokens(pg_temp.id('max'), 1, 'bonus', 'over')$$,
  'a refused grant changes nothing'
);

-- Debt and holds

select pg_temp.new_user('dan', 10);
select reserve_tokens(pg_temp.id('dan'), 10, 'hold');
select settle_tokens(pg_temp.id('dan'), 'hold', 25);
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('dan'), 20, 'add', 'pay')$$),
  '(20,5)',
  'a grant pays off debt first'
);
select reserve_tokens(pg_temp.id('dan'), 5, 'held');
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('dan'), 20, 'add', 'more')$$),
  '(20,20)',
  'what is held does not remain'
);

-- Callers

select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('cat'), 1, 'add', 'role')$$, c.role, 'cat'),
  '42501 permission denied for function add_tokens',
  format('add_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select added from add_tokens(pg_temp.id('cat'), 1, 'add', 'role')$$, 'service_role'),
  '(1)',
  'add_tokens is open to service_role'
);
select is(
  (select actor from token_transactions where operation_id = 'role'),
  'service_role',
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
