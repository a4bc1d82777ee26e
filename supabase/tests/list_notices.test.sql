-- list_notices lists one user's notices, newest first, page by page.

begin;

select plan(13);

select pg_temp.new_user('ann'), pg_temp.new_user('ben');
insert into notices (user_id, id, type, data, read_at, created_at)
select
  pg_temp.id(n.name), pg_temp.id(n.id), n.type::notice_type, jsonb_build_object('n', n.id), n.read_at::timestamptz,
  n.created_at::timestamptz
from (
  values
    ('ann', 'n1', 'balance.low', '2026-01-01T12:00:00Z', '2026-01-01T00:00:01Z'),
    ('ann', 'n2', 'balance.low', null, '2026-01-01T00:00:02Z'),
    ('ann', 'n3', 'auto_top_up.stopped', null, '2026-01-01T00:00:03.000001Z'),
    ('ann', 'n4', 'balance.low', '2026-01-02T00:00:00Z', '2026-01-01T00:00:03.000002Z'),
    ('ben', 'n5', 'balance.low', null, '2026-01-01T00:00:05Z')
) n (name, id, type, read_at, created_at);

create function pg_temp.listed(name text, arguments text)
returns text
language sql
as $$
  select pg_temp.answer(
    format(
      'select data ->> ''n'' as n from list_notices(%L, %s)', pg_temp.id(listed.name), listed.arguments
    ),
    'service_role'
  )
$$;

select results_eq(
  $$select id, type, data, read_at, created_at from list_notices(pg_temp.id('ann'), 10) where type <> 'balance.low'$$,
  $$
    select id, 'auto_top_up.stopped', '{"n": "n3"}'::jsonb, null::timestamptz, '2026-01-01T00:00:03.000001Z'::timestamptz
    from notices
    where id = pg_temp.id('n3')
  $$,
  'list_notices tells each notice'
);
select is(pg_temp.listed('ann', '10'), '(n4) (n3) (n2) (n1)', 'newest first, for service_role');
select is(pg_temp.listed('ann', '2'), '(n4) (n3)', 'as many as are asked for');
select is(
  pg_temp.listed(
    'ann', format('2, before_created_at => ''2026-01-01T00:00:03.000001Z'', before_id => %L', pg_temp.id('n3'))
  ),
  '(n2) (n1)',
  'the next page begins after the last of the one before'
);
select is(
  pg_temp.listed('ann', format('9, before_created_at => ''2026-01-01T00:00:01Z'', before_id => %L', pg_temp.id('n1'))),
  'no rows', 'after the first notice there are none'
);
select is(pg_temp.listed('ann', '10, true'), '(n3) (n2)', 'the unread alone');
select is(pg_temp.listed('ann', '10, false'), '(n4) (n1)', 'or those read');
select is(
  pg_temp.listed(
    'ann', format('9, true, before_created_at => ''2026-01-01T00:00:03.000001Z'', before_id => %L', pg_temp.id('n3'))
  ),
  '(n2)', 'page by page as well'
);
update notices set created_at = '2026-01-01' where user_id = pg_temp.id('ann');
select is(
  (
    with first as (select f.* from list_notices(pg_temp.id('ann'), 2) f),
    last as (select f.created_at, f.id from first f order by f.id limit 1)
    select count(distinct a.id) from (
      select f.id from first f
      union all
      select n.id from last l cross join lateral list_notices(
        pg_temp.id('ann'), 9, before_created_at => l.created_at, before_id => l.id
      ) n
    ) a
  ),
  4::bigint, 'notices of one moment are on one page or the other'
);
select is(pg_temp.listed('ben', '10'), '(n5)', 'of one user alone');
select is(pg_temp.listed('nobody', '10'), 'no rows', 'nobody has none');

select is(
  pg_temp.answer('select list_notices(pg_temp.id(''ann''), 1)', c.role, 'ann'),
  '42501 permission denied for function list_notices', format('list_notices is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select * from finish();

rollback;
