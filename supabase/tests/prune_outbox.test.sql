-- prune_outbox deletes what was delivered or skipped long ago, and nothing else.

begin;

select plan(14);

create function pg_temp.write(name text, status text, days integer)
returns void
language sql
as $$
  insert into private.outbox (id, destination, subject, event, payload, status, created_at, finished_at)
  values (
    pg_temp.id(write.name), 'hub', pg_temp.id(write.name), write.name, '{}', write.status::private.outbox_status,
    now() - interval '1 year', case when write.status <> 'pending' then now() - make_interval(days => write.days) end
  )
$$;

create function pg_temp.prune(arguments text default '')
returns text
language plpgsql
as $$
begin
  return pg_temp.answer(format('select deleted from prune_outbox(%s)', arguments), 'service_role');
end;
$$;

create function pg_temp.kept()
returns text
language sql
as $$select string_agg(o.event, ' ' order by o.event) from private.outbox o$$;

select is(pg_temp.prune(), '(0)', 'prune_outbox deletes nothing when there is nothing');
select pg_temp.write(left(s, 3) || d, s, d)
from unnest(array['dead', 'skipped', 'delivered', 'pending']) s, unnest(array[1, 30, 31]) d;
select is(pg_temp.prune(), '(2)', 'prune_outbox answers how many it deleted');
select is(
  pg_temp.kept(), 'dea1 dea30 dea31 del1 del30 pen1 pen30 pen31 ski1 ski30', 'what ended more than 30 days ago; what is dead or pending stays'
);
select is(pg_temp.prune(), '(0)', 'and not twice');
select is(pg_temp.prune('29, 1'), '(1)', 'no more than it is told');
select is(pg_temp.prune('29, 1'), '(1)', 'the rest is for the next run');
select is(pg_temp.prune('29, 1'), '(0)', 'until there is none');
select is(pg_temp.kept(), 'dea1 dea30 dea31 del1 pen1 pen30 pen31 ski1', 'of the days that it is told');
select is(pg_temp.prune('null'), '(0)', 'no days are for ever');
select is(pg_temp.prune('0'), '(2)', 'none at all are kept if that is said');
select pg_temp.write(n, 'delivered', d) from (values ('old', 60), ('older', 90)) o (n, d);
select pg_temp.prune('30, 1');
select is(pg_temp.kept(), 'dea1 dea30 dea31 old pen1 pen30 pen31', 'the oldest go first');

-- Callers

select is(
  pg_temp.answer('select prune_outbox()', c.role, 'ann'),
  '42501 permission denied for function prune_outbox',
  format('prune_outbox is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(pg_temp.prune('3000'), '(0)', 'prune_outbox is open to service_role');

select * from finish();

rollback;
