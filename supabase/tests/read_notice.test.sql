-- read_notice marks one notice of one user as read, once.

begin;

select plan(9);

select pg_temp.new_user('ann'), pg_temp.new_user('ben');
insert into notices (user_id, id, type, data)
select pg_temp.id(n.name), pg_temp.id(n.id), 'balance.low', '{}'
from (values ('ann', 'n1'), ('ann', 'n2'), ('ben', 'n3')) n (name, id);

create function pg_temp.read(name text, id text)
returns text
language sql
as $$
  select pg_temp.answer(
    format(
      'select id = %2$L as same, read_at from read_notice(%1$L, %2$L)', pg_temp.id(read.name), pg_temp.id(read.id)
    ),
    'service_role'
  )
$$;

select is(pg_temp.read('ann', 'n1'), format('(t,"%s")', now()), 'read_notice says since when it is read, for service_role');
update notices set read_at = '2026-01-01' where id = pg_temp.id('n1');
select is(
  pg_temp.read('ann', 'n1'), format('(t,"%s")', '2026-01-01'::timestamptz), 'reading it again changes nothing'
);
select is(pg_temp.read(r.name, r.id), format('404 notice_not_found There is no notice %s', pg_temp.id(r.id)), r.what)
from (
  values
    ('ann', 'n3', 'somebody else''s is not found'), ('ann', 'n4', 'nor is one that is not there'),
    ('nobody', 'n1', 'nor is any by nobody')
) r (name, id, what);
select results_eq(
  'select id from notices where read_at is not null', 'select pg_temp.id(''n1'')', 'no other is read by all that'
);
select is(
  pg_temp.answer('select read_notice(pg_temp.id(''ann''), null)'), '404 notice_not_found There is no notice ',
  'it needs an id'
);

select is(
  pg_temp.answer('select read_notice(pg_temp.id(''ann''), pg_temp.id(''n2''))', c.role, 'ann'),
  '42501 permission denied for function read_notice', format('read_notice is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select * from finish();

rollback;
