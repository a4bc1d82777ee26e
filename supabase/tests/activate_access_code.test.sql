-- activate_access_code gives a code's tokens once a user and code, and with the first code the sign-up entitlement;
-- guessing is limited per user and per address. The minute of the limit is moved into the past by UPDATE.

begin;

select plan(76);

create temporary table codes (name text primary key, id uuid, code text);

create function pg_temp.new_code(name text, tokens bigint, options text default '')
returns text
language plpgsql
as $$
declare
  v_code text;
begin
  execute format(
    'insert into codes select %L, c.id, c.code from public.create_access_codes(1, %s, %L %s) c returning code',
    name, tokens, 'create ' || name, options
  )
  into v_code;
  return v_code;
end;
$$;

create function pg_temp.code(name text)
returns text
language sql
as $$select c.code from codes c where c.name = code.name$$;

-- What a call answers: tokens granted, remaining, replayed and, if it failed, the code and message of the failure.
create function pg_temp.activate(name text, code text, operation_id text default null, address text default null)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select tokens_granted, remaining, replayed, failure ->> ''code'' as failure from activate_access_code(%L, %L, %L, %L)',
    pg_temp.id(activate.name), activate.code, coalesce(operation_id, 'activate ' || activate.code), address
  ))
$$;

-- The worked examples of the design

create function pg_temp.first_code(base_tokens bigint, bonus_tokens bigint, tokens bigint, on_top boolean)
returns text
language plpgsql
as $$
declare
  v_name text := format('%s %s %s %s', base_tokens, bonus_tokens, tokens, on_top);
begin
  perform pg_temp.new_user(v_name);
  update public.subscribers s
  set base_tokens = first_code.base_tokens, bonus_tokens = first_code.bonus_tokens
  where s.user_id = pg_temp.id(v_name);
  return pg_temp.activate(v_name, pg_temp.new_code(v_name, tokens, format(', %L', on_top)));
end;
$$;

select is(
  pg_temp.first_code(e.base_tokens, e.bonus_tokens, e.tokens, e.on_top),
  format('(%1$s,%1$s,f,)', e.granted),
  format(
    'base %s, bonus %s, grant %s%s: %s', e.base_tokens, e.bonus_tokens, e.tokens,
    case when e.on_top then ' on top' else '' end, e.granted
  )
)
from (
  values
    (1000, 1500, 0, false, 2500), (1000, 1500, 1500, false, 2500), (1000, 1500, 1500, true, 4000),
    (0, 0, 2500, false, 2500), (1000, 1500, 2000, false, 3000), (1000, 1500, 0, true, 2500), (0, 0, 0, false, 0)
) e (base_tokens, bonus_tokens, tokens, on_top, granted);

select pg_temp.new_user('ann');
select is(pg_temp.new_code('first', 1500) is not null, true, '(a code)');
select is(pg_temp.activate('ann', pg_temp.code('first')), '(2500,2500,f,)', 'the first code moves the entitlement');
select is(
  pg_temp.journal('ann'),
  format(
    'access_code purchased 2500 = 2500/2500 %s %s postgres', 'activate ' || pg_temp.code('first'),
    (select id from codes where name = 'first')
  ),
  'one journal row names the code by its id'
);
select results_eq(
  $$
    select s.base_tokens, s.bonus_tokens, s.entitlement_granted_at, a.tokens_granted, c.uses
    from subscribers s
    join access_code_activations a using (user_id)
    join access_codes c on c.id = a.access_code_id
    where user_id = pg_temp.id('ann')
  $$,
  'values (1000::bigint, 1500::bigint, now(), 2500::bigint, 1)',
  'the entitlement is spent, the activation recorded, and the use counted'
);
select is(pg_temp.activate('ann', pg_temp.new_code('second', 70)), '(70,2570,f,)', 'a second code adds its grant alone');
select is(
  pg_temp.activate('ann', pg_temp.new_code('third', 30, ', true')),
  '(30,2600,f,)',
  'also when it is on top'
);
select is(
  (
    select (b.purchased, b.total, b.remaining)::text from get_token_balance(pg_temp.id('ann')) b
  ),
  '(2600,2600,2600)',
  'all of it counts as purchased'
);

-- Replay and conflict

select is(
  pg_temp.activate('ann', pg_temp.code('first')),
  '(2500,2500,t,)',
  'a replay answers the first result'
);
select pg_temp.changes_nothing(
  $$select pg_temp.activate('ann', pg_temp.code('first'), null, '192.0.2.1')$$,
  'a replay changes nothing'
);
select is(
  pg_temp.activate('ann', pg_temp.new_code('fourth', 1), 'activate ' || pg_temp.code('first')),
  format('409 operation_id_reused operation_id activate %s was used before with other arguments', pg_temp.code('first')),
  'activate_access_code refuses a used operation_id with another code'
);
select is(
  pg_temp.activate('ann', 'WRONG', 'activate ' || pg_temp.code('first')),
  format('409 operation_id_reused operation_id activate %s was used before with other arguments', pg_temp.code('first')),
  'also with a code that does not exist'
);
select charge_tokens(pg_temp.id('ann'), 1, 'charge');
select reserve_tokens(pg_temp.id('ann'), 1, 'hold');
select is(
  pg_temp.activate('ann', pg_temp.code('fourth'), o.operation_id),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('activate_access_code refuses the operation_id of a %s', o.operation_id)
)
from (values ('charge'), ('hold')) o (operation_id);
select revoke_access_code(id) from codes where name = 'first';
select is(
  pg_temp.activate('ann', pg_temp.code('first')),
  '(2500,2500,t,)',
  'a replay answers the first result when the code is revoked since'
);

-- How a code may be written

select pg_temp.new_user('ben');
create temporary table spelled as select 'A0B1-C2D3-E4F5-G6H1'::text as code;
insert into access_codes (code_hash, code_hint, tokens_to_grant, max_uses, operation_id, item, created_by)
select private.hash_access_code(code), 'G6H1', 5, 100, 'spelled', 1, 'test' from spelled;
select is(
  private.hash_access_code(s.written),
  (select private.hash_access_code(code) from spelled),
  format('a code may be written %s', s.written)
)
from (
  values ('A0B1C2D3E4F5G6H1'), ('a0b1-c2d3-e4f5-g6h1'), (' a0b1 c2d3 e4f5 g6h1 '), ('AOBI-C2D3-E4F5-G6HL'),
    ('aobl-c2d3-e4f5-g6hi'), (E'A0B1\tC2D3_E4F5.G6H1\n')
) s (written);
select is(
  pg_temp.activate('ben', 'aobl c2d3 e4f5 g6hi', 'spelled'),
  '(2500,2500,f,)',
  'activate_access_code takes it however it is written'
);
select is(
  pg_temp.activate('ben', 'A0B1-C2D3-E4F5-G6H1', 'spelled'),
  '(2500,2500,t,)',
  'another spelling is a replay'
);
select isnt(
  private.hash_access_code('A0B1-C2D3-E4F5-G6H2'),
  (select private.hash_access_code(code) from spelled),
  'another character is another code'
);

-- Refusals

select is(
  pg_temp.activate('ben', 'A0B1-C2D3-E4F5-G6H1', 'again'),
  '409 code_already_used You have already used this access code',
  'a user uses a code once'
);
select pg_temp.new_user('cat');
select is(pg_temp.activate('cat', pg_temp.new_code('one use', 10)), '(2500,2500,f,)', '(a code for one use is used)');
select is(
  pg_temp.activate('ben', pg_temp.code('one use')),
  '409 code_already_used This access code is used up',
  'a code is used up after max_uses'
);
select is(pg_temp.new_code('two uses', 10, ', false, 2') is not null, true, '(a code for two uses)');
select is(
  pg_temp.activate(u.name, pg_temp.code('two uses')),
  u.answer,
  format('a code for two uses, %s', u.what)
)
from (
  values
    ('the first', 'ann', '(10,2608,f,)'), ('the second', 'ben', '(10,2510,f,)'),
    ('the third', 'cat', '409 code_already_used This access code is used up')
) u (what, name, answer);
select is(
  pg_temp.activate('ben', pg_temp.new_code('expired', 10, ', false, 1, now()')),
  format(
    '410 code_expired This access code expired at %s', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  ),
  'a code expires at its expires_at'
);
select is(
  pg_temp.activate('ben', pg_temp.new_code('live', 10, ', false, 1, now() + interval ''1 second''')),
  '(10,2520,f,)',
  'and not before'
);
select is(pg_temp.new_code('revoked', 10) is not null, true, '(a code)');
select revoke_access_code(id) from codes where name = 'revoked';
select is(pg_temp.activate('ben', pg_temp.code('revoked')), '(,,f,code_not_found)', 'a revoked code does not exist');
select is(
  (
    select a.failure from activate_access_code(pg_temp.id('ben'), 'WRONG', 'wrong') a
  ),
  '{
    "code": "code_not_found", "message": "There is no such access code", "details": null, "hint": null, "status": 404,
    "retry_after": null
  }'::jsonb,
  'a wrong code is answered, not raised, so that it is counted'
);
select is(
  pg_temp.activate('ben', pg_temp.new_code('after wrong', 1), 'wrong'),
  '(1,2521,f,)',
  'a wrong guess does not use up its operation_id'
);
select is(
  pg_temp.answer(format('select activate_access_code(pg_temp.id(''ben''), %s)', a.arguments)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('activate_access_code refuses (%s)', a.arguments)
)
from (values ('''WRONG'', null'), ('''WRONG'', '''''), ('''WRONG'', repeat(''x'', 256)')) a (arguments);
select is(
  pg_temp.answer('select activate_access_code(null, ''WRONG'', ''x'')'),
  '400 invalid_request user_id is missing',
  'activate_access_code refuses no user'
);
select is(
  pg_temp.answer('select failure ->> ''code'' from activate_access_code(pg_temp.id(''ben''), null, ''x'')'),
  '(code_not_found)',
  'no code does not exist'
);
select is(
  pg_temp.activate('nobody', pg_temp.new_code('nobody', 10)),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'activate_access_code refuses an unknown user'
);
select is((select uses from access_codes where id = (select id from codes where name = 'nobody')), 0, 'and takes no use');

-- Bound to an address

select is(pg_temp.new_code('bound', 10, ', false, 9, null, ''Ann@Example.com''') is not null, true, '(a bound code)');
select is(
  pg_temp.activate('ben', pg_temp.code('bound')),
  '403 forbidden This access code is for another e-mail address',
  'a code bound to an address is not for others'
);
select is(pg_temp.activate('ann', pg_temp.code('bound')), '(10,2618,f,)', 'but for the user with that address');
insert into auth.users (id, email) values (pg_temp.id('dan'), 'dan@example.com');
select is(
  pg_temp.activate('dan', pg_temp.new_code('for dan', 10, ', false, 9, null, ''dan@example.com''')),
  '403 forbidden This access code is for another e-mail address',
  'not before the address is confirmed'
);
update auth.users set email_confirmed_at = now() where id = pg_temp.id('dan');
select is(pg_temp.activate('dan', pg_temp.code('for dan')), '(2500,2500,f,)', 'then it is');

-- The largest balance

select pg_temp.new_user('max', 9000000000000000);
select is(
  pg_temp.activate('max', pg_temp.new_code('over', 0)),
  '400 balance_limit_exceeded Cannot give 2500 tokens: the total would be 9000000000002500, at most 9000000000000000',
  'activate_access_code refuses a sum beyond the largest balance'
);
select is(
  (
    select (c.uses, s.entitlement_granted_at)::text from codes n
    join access_codes c using (id)
    cross join subscribers s
    where n.name = 'over' and s.user_id = pg_temp.id('max')
  ),
  '(0,)',
  'and spends neither the code nor the entitlement'
);

-- Guessing, as one user

delete from private.code_guesses;
select pg_temp.new_user('eve');
select is(pg_temp.new_code('right', 10, ', false, 1000') is not null, true, '(a code for many uses)');
select is(
  (select array_agg(pg_temp.activate('eve', 'WRONG' || n) order by n) from generate_series(1, 9) n),
  array_fill('(,,f,code_not_found)'::text, array[9]),
  'nine wrong guesses are answered as such'
);
select pg_temp.new_user('fay');
select is(
  (
    select (a.failure ->> 'code', a.failure -> 'status', (a.failure ->> 'retry_after')::integer between 55 and 60)::text
    from activate_access_code(pg_temp.id('eve'), 'WRONG', 'tenth') a
  ),
  '(rate_limited,429,t)',
  'the tenth is one too many, and says when to try again'
);
select is(
  pg_temp.activate('eve', pg_temp.code('right')),
  '(,,f,rate_limited)',
  'the right code is refused then as well'
);
select is(pg_temp.balance('eve'), 'total 0, used 0, reserved 0, remaining 0', 'and gives nothing');
select is(pg_temp.activate('fay', pg_temp.code('right')), '(2500,2500,f,)', 'other users are not limited');
update private.code_guesses set window_started_at = clock_timestamp() - interval '40 seconds';
select is(
  (
    select (a.failure ->> 'retry_after')::integer between 18 and 20
    from activate_access_code(pg_temp.id('eve'), 'WRONG', 'eleventh') a
  ),
  true,
  'guessing on does not prolong the minute'
);
update private.code_guesses set window_started_at = clock_timestamp() - interval '61 seconds';
select is(pg_temp.activate('eve', pg_temp.code('right')), '(2500,2500,f,)', 'after the minute, the right code works');
select is(pg_temp.activate('eve', 'WRONG'), '(,,f,code_not_found)', 'and wrong guesses are counted anew');
select is(
  (select guesses from private.code_guesses where subject = 'user:' || pg_temp.id('eve')),
  1,
  'from one'
);

-- Guessing, from one address

delete from private.code_guesses;
select pg_temp.new_user('guest ' || n) from generate_series(0, 10) n;
select is(
  (
    select array_agg(distinct pg_temp.activate(format('guest %s', n % 10), 'WRONG' || n, null, '192.0.2.1'))
    from generate_series(1, 49) n
  ),
  array['(,,f,code_not_found)'],
  '49 wrong guesses from an address are answered as such'
);
select is(
  pg_temp.activate('guest 10', 'WRONG', null, '192.0.2.1'),
  '(,,f,rate_limited)',
  'the fiftieth is one too many, whoever guesses'
);
select pg_temp.new_user('gus');
select is(
  pg_temp.activate('gus', pg_temp.code('right'), null, '192.0.2.1'),
  '(,,f,rate_limited)',
  'the right code is refused from there'
);
select is(
  pg_temp.activate('gus', pg_temp.code('right'), null, '192.0.2.2'),
  '(2500,2500,f,)',
  'but not from another address'
);

-- Callers

select is(
  pg_temp.answer('select activate_access_code(pg_temp.id(''ann''), ''WRONG'', ''role'')', c.role, 'ann'),
  '42501 permission denied for function activate_access_code',
  format('activate_access_code is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(
    'select failure ->> ''code'' from activate_access_code(pg_temp.id(''ann''), ''WRONG'', ''role'')', 'service_role'
  ),
  '(code_not_found)',
  'activate_access_code is open to service_role'
);
select is(
  pg_temp.answer('select sum(tokens_granted) from access_code_activations', 'authenticated', 'gus'),
  '(2500)',
  'users see their own activations only'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
