-- list_api_tokens answers a user's tokens, newest first and page by page, or one of them; somebody else's are never seen.

begin;

select plan(18);

insert into products (id, name, value_credits_usd) values (pg_temp.id('cents'), 'Cents', 0.01);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');
select pg_temp.new_api_token('ann', t.name, t.product)
from (values (1, 'first', null), (2, 'second', 'cents'), (3, 'third', null), (4, 'fourth', null)) t (step, name, product);
select pg_temp.new_api_token('ben', 'ben''s');
select pg_temp.refill('ann', 'second', 'credits', '100', 'one');
select revoke_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'second'));
-- Two of one moment
select set_config('scrip.posting', 'on', true);
update api_tokens set created_at = '2026-01-01 00:00:00.000001Z' where name in ('first', 'second');
update api_tokens set hub_id = 'hub-4' where name = 'fourth';
select set_config('scrip.posting', '', true);

create function pg_temp.names(owner text, arguments text)
returns text
language sql
as $$
  select pg_temp.answer(format('select l.name from list_api_tokens(%L, %s) l', pg_temp.id(owner), arguments))
$$;
create temporary table tied as
select string_agg(format('(%s)', name), ' ' order by id desc) as names from api_tokens where name in ('first', 'second');

select is(pg_temp.names('ann', '10'), '(fourth) (third) ' || tied.names, 'newest first') from tied;
select is(pg_temp.names('ben', '10'), '(ben''s)', 'each user''s own');
select is(pg_temp.names('nobody', '10'), 'no rows', 'nobody''s are none');
select results_eq(
  $$
    select
      kind, product_id, name, status, credits, version, hub_id, key_hint is not null,
      created_at = '2026-01-01 00:00:00.000001Z', revoked_at = now()
    from list_api_tokens(pg_temp.id('ann'), 10)
    where name in ('fourth', 'second')
  $$,
  $$
    values
      ('master', null::uuid, 'fourth', 'active', 0::bigint, 1::bigint, 'hub-4', true, false, null::boolean),
      ('product', pg_temp.id('cents'), 'second', 'revoked', 100, 3, null, true, true, true)
  $$,
  'with all that there is to say, revoked ones too'
);

-- Pages

select is(pg_temp.names('ann', '2'), '(fourth) (third)', 'a page');
create function pg_temp.paged(size integer)
returns text
language plpgsql
as $$
declare
  v_names text := '';
  v_created_at timestamptz;
  v_id uuid;
  v_page text;
begin
  loop
    v_page := null;
    select
      string_agg(format('(%s)', l.name), ' ' order by l.n), (array_agg(l.created_at order by l.n desc))[1],
      (array_agg(l.id order by l.n desc))[1]
    into v_page, v_created_at, v_id
    from (
      select row_number() over () as n, t.* from public.list_api_tokens(pg_temp.id('ann'), size, v_created_at, v_id) t
    ) l;
    exit when v_page is null;
    v_names := concat_ws(' ', nullif(v_names, ''), v_page);
  end loop;
  return v_names;
end;
$$;
select is(pg_temp.paged(s.size), '(fourth) (third) ' || tied.names, format('all of them by pages of %s', s.size))
from tied
cross join generate_series(1, 5) s (size);

-- One

select is(
  pg_temp.names('ann', format('token_id => %L', pg_temp.api_token('ann', 'second'))),
  '(second)',
  'one of them'
);
select is(
  pg_temp.names(o.owner, format('token_id => %L', o.token_id)),
  format('404 api_token_not_found There is no API token %s', o.token_id),
  format('refused: %s', o.what)
)
from (
  values ('somebody else''s', 'ann', pg_temp.api_token('ben', 'ben''s')), ('one that there is not', 'ann', pg_temp.id('nothing')),
    ('a user who is nobody', 'nobody', pg_temp.api_token('ann', 'first'))
) o (what, owner, token_id);

-- Callers

select is(
  pg_temp.answer('select list_api_tokens(pg_temp.id(''ann''), 10)', c.role, 'ann'),
  '42501 permission denied for function list_api_tokens',
  format('list_api_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select count(*) from list_api_tokens(pg_temp.id(''ann''), 10)', 'service_role'),
  '(4)',
  'and open to service_role'
);
select is(
  (
    select string_agg(a.name, ' ')
    from pg_proc p
    cross join unnest(p.proargnames) a (name)
    where p.oid = 'public.list_api_tokens'::regproc and a.name ~ 'key'
  ),
  'key_hint',
  'of a key it says no more than the hint'
);

select * from finish();

rollback;
