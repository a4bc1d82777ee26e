-- create_access_codes makes codes from a CSPRNG, shows them once and stores hashes only; the same operation_id never
-- makes more. The codes answered are compared with what is stored and with what a replay shows.

begin;

select plan(43);

create temporary table made as
select * from create_access_codes(
  3, 2500, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'a campaign', 'an admin'
);

-- Success

select is((select count(*) from made where not replayed), 3::bigint, 'create_access_codes makes as many as asked for');
select is_empty(
  'select * from made where code !~ ''^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$''',
  'codes are of 16 unambiguous characters'
);
select is((select count(distinct code) from made), 3::bigint, 'codes differ');
select is_empty('select * from made where code_hint <> right(code, 4)', 'the hint is the end of the code');
select results_eq(
  $$
    select tokens_to_grant, on_top, max_uses, uses, expires_at, email, note, revoked_at, operation_id, item, created_by
    from access_codes order by item
  $$,
  $$
    select
      2500::bigint, true, 7, 0, '2100-01-01'::timestamptz, 'ann@example.com', 'a campaign', null::timestamptz,
      'create-1', n, 'an admin'
    from generate_series(1, 3) n
  $$,
  'what was asked for is stored'
);
select is_empty(
  $$
    select * from access_codes a, made m
    where a::text || encode(a.code_hash, 'escape') ~* concat_ws('|', m.code, replace(m.code, '-', ''))
  $$,
  'the code itself is not'
);
select results_eq(
  'select a.id, a.code_hash from access_codes a order by a.id',
  'select m.id, sha256(convert_to(replace(m.code, ''-'', ''''), ''UTF8'')) from made m order by m.id',
  'but its SHA-256'
);

create temporary table many as select * from create_access_codes(1000, 0, 'create-2');
select is((select count(distinct code) from many), 1000::bigint, 'create_access_codes makes 1000 different codes');
select is(
  (select count(distinct symbol) from many, regexp_split_to_table(replace(code, '-', ''), '') symbol),
  32::bigint,
  'of all 32 symbols'
);
select is_empty(
  $$
    select place, symbol, count(*)
    from many, regexp_split_to_table(replace(code, '-', ''), '') with ordinality s (symbol, place)
    group by place, symbol
    having count(*) > 80
  $$,
  'none of which prevails at any place'
);
select results_eq(
  $$
    select distinct tokens_to_grant, on_top, max_uses, expires_at, email, note, created_by
    from access_codes where operation_id = 'create-2'
  $$,
  $$values (0::bigint, false, 1, null::timestamptz, null, null, 'postgres')$$,
  'by default, a code is for one use, for ever, for anyone'
);

-- Replay

select results_eq(
  $$
    select * from create_access_codes(
      3, 2500, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'a campaign', 'another admin'
    )
  $$,
  'select id, null::text, code_hint, true from made',
  'a replay names the codes in order, without the codes'
);
select pg_temp.changes_nothing(
  $$
    select create_access_codes(3, 2500, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'a campaign')
  $$,
  'a replay changes nothing'
);
select is(
  pg_temp.answer($$select distinct replayed from create_access_codes(1000, 0, 'create-2', null)$$),
  '(t)',
  'no on_top is the same as false'
);

-- Conflict

select is(
  pg_temp.answer(format('select create_access_codes(%s)', c.arguments)),
  '409 operation_id_reused operation_id create-1 was used before with other arguments',
  format('create_access_codes refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('count', $$2, 2500, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'a campaign'$$),
    ('tokens_to_grant', $$3, 2501, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'a campaign'$$),
    ('on_top', $$3, 2500, 'create-1', false, 7, '2100-01-01', 'ann@example.com', 'a campaign'$$),
    ('max_uses', $$3, 2500, 'create-1', true, 8, '2100-01-01', 'ann@example.com', 'a campaign'$$),
    ('expires_at', $$3, 2500, 'create-1', true, 7, '2100-01-02', 'ann@example.com', 'a campaign'$$),
    ('expires_at, none', $$3, 2500, 'create-1', true, 7, null, 'ann@example.com', 'a campaign'$$),
    ('email', $$3, 2500, 'create-1', true, 7, '2100-01-01', 'ben@example.com', 'a campaign'$$),
    ('email, none', $$3, 2500, 'create-1', true, 7, '2100-01-01', null, 'a campaign'$$),
    ('note', $$3, 2500, 'create-1', true, 7, '2100-01-01', 'ann@example.com', 'another'$$)
) c (what, arguments);

-- Refusals

select is(
  pg_temp.answer(format('select create_access_codes(%s)', r.arguments)),
  format('400 invalid_request %s', r.message),
  format('create_access_codes refuses (%s)', r.arguments)
)
from (
  values
    ('0, 1, ''x''', 'count must be from 1 to 1000'),
    ('-1, 1, ''x''', 'count must be from 1 to 1000'),
    ('1001, 1, ''x''', 'count must be from 1 to 1000'),
    ('null, 1, ''x''', 'count must be from 1 to 1000'),
    ('1, -1, ''x''', 'tokens_to_grant must be from 0 to 9000000000000000'),
    ('1, null, ''x''', 'tokens_to_grant must be from 0 to 9000000000000000'),
    ('1, 9000000000000001, ''x''', 'tokens_to_grant must be from 0 to 9000000000000000'),
    ('1, 1, null', 'operation_id must have 1 to 255 characters'),
    ('1, 1, ''''', 'operation_id must have 1 to 255 characters'),
    ('1, 1, repeat(''x'', 256)', 'operation_id must have 1 to 255 characters'),
    ('1, 1, ''x'', false, 0', 'max_uses must be from 1 to 1000000000'),
    ('1, 1, ''x'', false, null', 'max_uses must be from 1 to 1000000000'),
    ('1, 1, ''x'', false, 1000000001', 'max_uses must be from 1 to 1000000000')
) r (arguments, message);
select is(
  pg_temp.answer('select replayed from create_access_codes(1, 9000000000000000, ''most'', false, 1000000000)'),
  '(f)',
  'create_access_codes makes a code for 9000000000000000 tokens and 1000000000 uses'
);

-- Callers

select is(
  pg_temp.answer('select create_access_codes(1, 1, ''role'')', c.role),
  '42501 permission denied for function create_access_codes',
  format('create_access_codes is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select replayed from create_access_codes(1, 1, ''role'')', 'service_role'),
  '(f)',
  'create_access_codes is open to service_role'
);
select is(
  pg_temp.answer('select * from access_codes', c.role),
  '42501 permission denied for table access_codes',
  format('the table of codes is closed to %s', c.role)
)
from (values ('anon'), ('authenticated'), ('service_role')) c (role);

select * from finish();

rollback;
