-- list_outbox lists the rows of one status, newest first, page by page without gaps or doubles; the dead ones if nothing
-- else is asked for.

begin;

select plan(16);

create function pg_temp.write(name text, status text, created_at timestamptz default now())
returns void
language sql
as $$
  insert into private.outbox (id, destination, subject, event, payload, status, attempts, error, created_at, finished_at)
  values (
    pg_temp.id(write.name), 'hub', pg_temp.id('subject'), write.name, '{"n": 1}', write.status::private.outbox_status, 12,
    'The answer was 500', write.created_at, case when write.status <> 'pending' then now() end
  )
$$;

create function pg_temp.listed(arguments text)
returns text
language plpgsql
as $$
begin
  return pg_temp.answer(format('select event from list_outbox(%s)', arguments), 'service_role');
end;
$$;

select is(pg_temp.listed('10'), 'no rows', 'list_outbox lists nothing when there is nothing');
select pg_temp.write(n, 'dead', m)
from (values ('d1', timestamptz '2026-01-01'), ('d2', '2026-01-02'), ('d3', '2026-01-03')) d (n, m);
select pg_temp.write('p', 'pending'), pg_temp.write('v', 'delivered'), pg_temp.write('s', 'skipped');

select results_eq(
  'select * from list_outbox(1)',
  $$
    values (
      pg_temp.id('d3'), 'hub', 'd3', pg_temp.id('subject'), 'dead', 12, 'The answer was 500', now(),
      timestamptz '2026-01-03', now(), '{"n": 1}'::jsonb
    )
  $$,
  'list_outbox tells what a row was to say, and why it did not'
);
select is(pg_temp.listed('10'), '(d3) (d2) (d1)', 'the dead ones, newest first');
select is(pg_temp.listed(format('10, %L', s.status)), s.listed, format('or those that are %s', s.status))
from (values ('pending', '(p)'), ('delivered', '(v)'), ('skipped', '(s)'), ('dead', '(d3) (d2) (d1)')) s (status, listed);
select is(pg_temp.listed('2'), '(d3) (d2)', 'a page has as many as are asked for');
select is(
  pg_temp.listed(format('10, ''dead'', ''2026-01-02'', %L', pg_temp.id('d2'))), '(d1)', 'the next page begins after the last of the one before'
);
update private.outbox set created_at = '2026-01-01' where status = 'dead';
select is(
  (
    with recursive pages as (
      select l.id, l.created_at, 1 as page from list_outbox(1) l
      union all
      select l.id, l.created_at, p.page + 1
      from pages p
      cross join lateral list_outbox(1, 'dead', p.created_at, p.id) l
    )
    select array_agg(p.id order by p.page) from pages p
  ),
  (select array_agg(o.id order by o.id desc) from private.outbox o where o.status = 'dead'),
  'rows of one moment are told apart by their ids'
);
select is(pg_temp.listed('10, ''late'''), '22P02 invalid input value for enum private.outbox_status: "late"', 'an unknown status is refused');
select is(pg_temp.listed('10, null'), 'no rows', 'no status is nobody''s');
select is(pg_temp.listed('0'), 'no rows', 'no row is asked for, none comes');

-- Callers

select is(
  pg_temp.answer('select list_outbox(10)', c.role, 'ann'),
  '42501 permission denied for function list_outbox',
  format('list_outbox is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
insert into private.outbox (id, destination, subject, event, payload, status, finished_at)
select gen_random_uuid(), 'hub', gen_random_uuid(), 'x', '{}', 'delivered', now() from generate_series(1, 2000);
insert into private.outbox (id, destination, subject, event, payload, status, finished_at)
select gen_random_uuid(), 'hub', gen_random_uuid(), 'x', '{}', 'dead', now() from generate_series(1, 500);
analyze private.outbox;
set local enable_seqscan = off;
create temporary table before as select pg_stat_get_xact_numscans('private.outbox_dead_idx'::regclass) as scans;
select count(*) from list_outbox(5);
select ok(
  pg_stat_get_xact_numscans('private.outbox_dead_idx'::regclass) > (select scans from before), 'the dead are found by an index'
);

select * from finish();

rollback;
