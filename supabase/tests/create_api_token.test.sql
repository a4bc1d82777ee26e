-- create_api_token creates a token and its key at most once per operation_id. The key is in the first answer alone; what
-- is kept is its hash. Keys have a form and a checksum by which scanners know them, and nobody reads api_keys.

begin;

select plan(73);

insert into products (id, name, value_credits_usd, active)
values
  (pg_temp.id('cents'), 'Cents', 0.01, true), (pg_temp.id('unpriced'), 'Unpriced', null, true),
  (pg_temp.id('past'), 'Past', 1, false);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');

create function pg_temp.create_token(owner text, kind text, name text, operation_id text, product text default null)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select token_id is not null, api_key is not null, replayed from create_api_token(%L, %L, %L, %L, %L)',
    pg_temp.id(owner), kind, create_token.name, operation_id, pg_temp.id(product)
  ))
$$;

-- Success

create temporary table made as
select 'product' as what, c.*
from create_api_token(pg_temp.id('ann'), 'product', 'Bot', 'one', pg_temp.id('cents')) c
union all
select 'master', c.* from create_api_token(pg_temp.id('ann'), 'master', 'Everything', 'two') c;

select results_eq(
  $$
    select
      t.kind::text,
      t.product_id,
      t.name,
      t.status::text,
      t.credits,
      t.version,
      t.hub_id,
      t.key_hint = right(m.api_key, 4),
      t.low_balance_threshold, t.revoked_at, m.replayed
    from api_tokens t
    join made m on m.token_id = t.id
    where t.user_id = pg_temp.id('ann')
    order by t.created_at
  $$,
  $$
    values
      (
        'product',
        pg_temp.id('cents'),
        'Bot',
        'active',
        0::bigint,
        1::bigint,
        null,
        true,
        null::bigint,
        null::timestamptz,
        false
      ),
      ('master', null, 'Everything', 'active', 0, 1, null, true, null, null, false)
  $$,
  'a token of each kind begins active, without credits'
);
select results_eq(
  $$
    select o.destination, o.event, o.payload - 'id' - 'occurred_at', o.payload ->> 'id' = o.id::text
    from private.outbox o
    join made m on m.token_id = o.subject
    where m.what = 'product'
  $$,
  $$
    select
      'hub', 'api_token.created',
      jsonb_build_object(
        'event', 'api_token.created',
        'token', jsonb_build_object(
          'id',
          m.token_id,
          'user_id',
          pg_temp.id('ann'),
          'kind',
          'product',
          'product_id',
          pg_temp.id('cents'),
          'name',
          'Bot',
          'status', 'active', 'hub_id', null, 'credits', 0, 'version', 1
        )
      ),
      true
    from made m
    where m.what = 'product'
  $$,
  'the HUB is to hear of it, and not of its key'
);
select is(
  (select count(*) from api_token_transactions where user_id = pg_temp.id('ann')),
  0::bigint,
  'nothing is no row of the journal'
);

-- Keys

create temporary table keys as
select m.api_key from made m
union all
select private.generate_api_key() from generate_series(1, 500);

select is_empty(
  $$select * from keys where api_key !~ '^scrip_[0-9A-Za-z]{40}[0-9a-f]{8}$'$$,
  'keys look as scanners expect'
);
select is_empty(
  $$
    select * from keys
    where right(api_key, 8) <> left(encode(sha256(convert_to(left(api_key, 46), 'UTF8')), 'hex'), 8)
  $$,
  'and end with a checksum'
);
select is((select count(distinct left(api_key, 46)) from keys), 502::bigint, 'no two are the same');
select is(
  (select count(distinct c.char) from keys k cross join regexp_split_to_table(substr(k.api_key, 7, 40), '') c (char)),
  62::bigint,
  'of all 62 characters'
);
-- 20,080 characters, 323.9 of each to be expected; 120 is beyond the chi-squared of 61 that one run in 100,000 exceeds.
select cmp_ok(
  (
    select sum((n - total / 62) ^ 2 / (total / 62))
    from (
      select count(*)::numeric as n, sum(count(*)) over () as total
      from keys k
      cross join regexp_split_to_table(substr(k.api_key, 7, 40), '') c (char)
      group by c.char
    ) counts
  ),
  '<',
  120::numeric,
  'each as often as another'
);
select results_eq(
  $$
    select k.user_id, k.token_id, k.key_hash, k.operation_id, k.request
    from private.api_keys k
    join made m on m.token_id = k.token_id
    where m.what = 'product'
  $$,
  $$
    select
      pg_temp.id('ann'), m.token_id, sha256(convert_to(m.api_key, 'UTF8')), 'one',
      jsonb_build_object('kind', 'product', 'product_id', pg_temp.id('cents'), 'name', 'Bot')
    from made m
    where m.what = 'product'
  $$,
  'the hash of the whole key is kept'
);
select is_empty(
  $$
    select m.what
    from made m
    cross join (
      select to_jsonb(t)::text as row from api_tokens t
      union all select to_jsonb(k)::text from private.api_keys k
      union all select to_jsonb(o)::text from private.outbox o
      union all select to_jsonb(t)::text from api_token_transactions t
    ) r
    where strpos(r.row, substr(m.api_key, 7, 40)) > 0
  $$,
  'and the key nowhere'
);

-- Replay

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.answer($$
    select c.token_id = m.token_id, c.api_key, c.replayed
    from made m
    cross join create_api_token(pg_temp.id('ann'), 'product', 'Bot', 'one', pg_temp.id('cents')) c
    where m.what = 'product'
  $$),
  '(t,,t)',
  'a retry names the token, without its key'
);
select is(
  pg_temp.create_token('ann', r.kind, r.name, r.operation_id, r.product),
  '409 operation_id_reused operation_id one was used before with other arguments',
  format('create_api_token refuses another %s', r.what)
)
from (
  values ('name', 'product', 'Bots', 'one', 'cents'), ('product', 'product', 'Bot', 'one', 'unpriced'),
    ('product, not on offer', 'product', 'Bot', 'one', 'past'), ('kind', 'master', 'Bot', 'one', null)
) r (what, kind, name, operation_id, product);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'neither retries nor conflicts change anything');
select rename_api_token(pg_temp.id('ann'), token_id, 'New') from made where what = 'product';
select revoke_api_token(pg_temp.id('ann'), token_id) from made where what = 'product';
update products set active = false, value_credits_usd = 3 where id = pg_temp.id('cents');
select is(
  pg_temp.create_token('ann', 'product', 'Bot', 'one', 'cents'),
  '(t,f,t)',
  'a retry is answered alike when the token has another name, is revoked, and its product is not on offer any more'
);
select is(
  pg_temp.create_token('ann', 'product', 'New', 'one', 'cents'),
  '409 operation_id_reused operation_id one was used before with other arguments',
  'the name counts that was asked for'
);
select is(pg_temp.create_token('ben', 'master', 'Bot', 'one'), '(t,t,f)', 'operation_ids are each user''s own');
update products set active = true where id = pg_temp.id('cents');

-- Refusal

create function pg_temp.refused(owner text, kind text, name text, operation_id text, product text default null)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.create_token(owner, kind, name, operation_id, product);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;

select is(
  pg_temp.refused('ann', k.kind, 'Bot', 'refused', k.product),
  '400 invalid_request kind must be product, with a product_id, or master, without one',
  format('refused: %s %s', coalesce(quote_literal(k.kind), 'no kind'), coalesce('of ' || k.product, 'of no product'))
)
from (
  values ('product', null), ('master', 'cents'), (null, null), (null, 'cents'), ('', null), ('Master', null), ('other', 'cents')
) k (kind, product);
select is(
  pg_temp.refused('ann', 'product', 'Bot', 'refused', p.product),
  format('404 product_not_found There is no product %s on offer', pg_temp.id(p.product)),
  format('refused: a product that is %s', p.product)
)
from (values ('past'), ('nothing')) p (product);
select is(
  pg_temp.refused('ann', 'master', n.name, 'refused'),
  '400 invalid_request name must have 1 to 100 characters',
  format('refused: %s as a name', coalesce(quote_literal(left(n.name, 10)), 'nothing'))
)
from (values (null), (''), (repeat('x', 101)), (repeat('ü', 101))) n (name);
select is(
  pg_temp.refused('ann', 'master', 'Bot', o.operation_id),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('refused: %s as an operation_id', coalesce(quote_literal(left(o.operation_id, 10)), 'nothing'))
)
from (values (null), (''), (repeat('x', 256))) o (operation_id);
select is(
  pg_temp.refused('nobody', k.kind, 'Bot', 'refused', k.product),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  format('refused: a user that there is not, %s', k.kind)
)
from (values ('master', null), ('product', 'cents')) k (kind, product);
select is(
  pg_temp.answer('select create_api_token(null, ''master'', ''Bot'', ''x'')'),
  '400 invalid_request user_id is missing',
  'refused: no user'
);
select is(
  pg_temp.create_token('ann', 'master', repeat('ü', 100), 'long'),
  '(t,t,f)',
  'a name of 100 characters is one'
);
select is(
  pg_temp.create_token('ann', 'product', 'Bot', 'unpriced', 'unpriced'),
  '(t,t,f)',
  'so is a product without a rate'
);

-- 100, revoked ones counted for a day

update api_tokens set created_at = now() - interval '25 hours'
where user_id = pg_temp.id('ann') and status = 'revoked';
select count(*)
from generate_series(1, 97) i, create_api_token(pg_temp.id('ann'), 'master', 'Many', 'many-' || i) c;
select is(
  (select count(*) from api_tokens where user_id = pg_temp.id('ann') and status = 'active'),
  100::bigint,
  '(100 are active)'
);
select is(
  pg_temp.refused('ann', 'master', 'Bot', 'beyond'),
  '409 too_many_api_tokens You have 100 API tokens that are active or were made within a day, and may have 100',
  'refused: another'
);
select is(pg_temp.create_token('ann', 'master', 'Many', 'many-97'), '(t,f,t)', 'a retry is none');
select is(pg_temp.create_token('ben', 'master', 'Bot', 'two'), '(t,t,f)', 'each user has 100');
select revoke_api_token(pg_temp.id('ann'), token_id) from made where what = 'master';
select is(
  pg_temp.refused('ann', 'master', 'Bot', 'beyond'),
  '409 too_many_api_tokens You have 100 API tokens that are active or were made within a day, and may have 100',
  'nobody makes and revokes without end'
);
update api_tokens set created_at = now() - interval '25 hours'
where user_id = pg_temp.id('ann') and id = (select token_id from made where what = 'master');
select is(pg_temp.create_token('ann', 'master', 'Bot', 'beyond'), '(t,t,f)', 'after a day, revoked ones make room');
select is(
  pg_temp.refused('ann', 'master', 'Bot', 'beyond again'),
  '409 too_many_api_tokens You have 100 API tokens that are active or were made within a day, and may have 100',
  'for as many'
);

-- Callers

select is(
  pg_temp.answer('select create_api_token(pg_temp.id(''ben''), ''master'', ''Bot'', ''x'')', c.role, 'ben'),
  '42501 permission denied for function create_api_token',
  format('create_api_token is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select replayed from create_api_token(pg_temp.id(''ben''), ''master'', ''Bot'', ''x'')', 'service_role'),
  '(f)',
  'create_api_token is open to service_role'
);
select is(
  pg_temp.answer(s.statement, r.role, 'ann'),
  format('42501 permission denied for schema private'),
  format('%s does not: %s', r.role, s.statement)
)
from (values ('anon'), ('authenticated'), ('service_role')) r (role)
cross join (
  values ('select * from private.api_keys'), ('select key_hash from private.api_keys'), ('delete from private.api_keys'),
    ('select private.generate_api_key()'), ('select private.hash_api_key(''x'')'), ('select * from private.outbox')
) s (statement);
select is_empty(
  $$
    select r.role, p.privilege
    from (values ('anon'), ('authenticated'), ('service_role')) r (role)
    cross join unnest(
      array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger', 'maintain']
    ) p (privilege)
    where has_table_privilege(r.role, 'private.api_keys', p.privilege)
  $$,
  'no API role has a privilege on api_keys, should it ever see the schema'
);

-- Who reads what

select is(
  pg_temp.answer('select count(*) from api_tokens', 'authenticated', 'ben'),
  format('(%s)', (select count(*) from api_tokens where user_id = pg_temp.id('ben'))),
  'users read their own tokens only'
);
select is(
  pg_temp.answer('select count(*) from api_tokens', 'authenticated', 'nobody'), '(0)', 'and nobody''s are none'
);
select is(
  pg_temp.answer('select * from api_tokens', 'anon'),
  '42501 permission denied for table api_tokens',
  'anon does not read tokens'
);
select is_empty('select * from verify_ledger()', 'journals and balances agree');

select * from finish();

rollback;
