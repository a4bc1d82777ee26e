-- list_access_codes shows the codes newest first, a page at a time, and never a code or its hash.

begin;

select plan(11);

select from create_access_codes(2, 10, 'older', false, 3, '2100-01-01', 'ann@example.com', 'two', 'an admin');
update access_codes set created_at = now() - interval '1 day';
select from create_access_codes(3, 20, 'newer');

create temporary table listed as select row_number() over () as place, l.* from list_access_codes() l;

select is((select array_agg(tokens_to_grant order by place) from listed), array[20, 20, 20, 10, 10]::bigint[], 'newest first');
select results_eq(
  'select id from listed order by place',
  'select id from access_codes order by created_at desc, id desc',
  'those created at once come in a fixed order'
);
select results_eq(
  $$
    select tokens_to_grant, on_top, max_uses, uses, email, note, expires_at, revoked_at, created_by, created_at
    from list_access_codes() where max_uses = 3 limit 1
  $$,
  $$
    values (
      10::bigint, false, 3, 0, 'ann@example.com', 'two', '2100-01-01'::timestamptz, null::timestamptz, 'an admin',
      now() - interval '1 day'
    )
  $$,
  'with all that an admin needs to know'
);
select set_eq(
  $$
    select unnest(p.proargnames[array_position(p.proargmodes, 't'):])
    from pg_proc p where p.oid = 'public.list_access_codes'::regproc
  $$,
  array[
    'id', 'code_hint', 'tokens_to_grant', 'on_top', 'max_uses', 'uses', 'email', 'note', 'expires_at', 'revoked_at',
    'created_by', 'created_at'
  ],
  'and neither the code nor its hash'
);

-- Pages

create function pg_temp.page_after(last_place bigint)
returns setof bigint
language sql
as $$
  select l.place
  from listed after
  cross join public.list_access_codes(2, after.created_at, after.id) with ordinality p
  join listed l on l.id = p.id
  where after.place = last_place
  order by p.ordinality
$$;

select is((select count(*) from list_access_codes(2)), 2::bigint, 'a page has as many as asked for');
select is(array(select pg_temp.page_after(1)), array[2, 3]::bigint[], 'the next page goes on after the last one seen');
select is(array(select pg_temp.page_after(3)), array[4, 5]::bigint[], 'also at a code created at another time');
select is(array(select pg_temp.page_after(5)), array[]::bigint[], 'after the last there are none');

select is(
  pg_temp.answer('select * from list_access_codes()', c.role),
  '42501 permission denied for function list_access_codes',
  format('list_access_codes is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select count(*) from list_access_codes()', 'service_role'),
  '(5)',
  'list_access_codes is open to service_role'
);

select * from finish();

rollback;
