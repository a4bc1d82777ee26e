-- replay_outbox and replay_outbox_all have rows delivered again as if they had never been tried, whatever became of them;
-- what is pending becomes due, and an attempt under way goes on alone.

begin;

select plan(40);

-- A row of a status; pending ones are due in an hour.
create function pg_temp.write(name text, status text, destination text default 'hub', finished_at timestamptz default now())
returns void
language sql
as $$
  insert into private.outbox (id, destination, subject, event, payload, status, attempts, error, due_at, finished_at)
  values (
    pg_temp.id(write.name), write.destination, pg_temp.id(write.name), write.name, '{"n": 1}',
    write.status::private.outbox_status, 7, 'The answer was 500', now() + interval '1 hour',
    case when write.status <> 'pending' then write.finished_at end
  )
$$;

-- status attempts due (seconds from now) claimed finished
create function pg_temp.state(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', o.status, o.attempts, extract(epoch from o.due_at - now())::integer, case when o.claim_id is not null then 'claimed' end,
    case when o.finished_at is not null then 'finished' end
  )
  from private.outbox o
  where o.id = pg_temp.id(state.name)
$$;

create function pg_temp.replay(name text)
returns text
language sql
as $$
  select pg_temp.answer(format('select id = %L as same, status from replay_outbox(%1$L)', pg_temp.id(replay.name)))
$$;

create function pg_temp.all_of(arguments text)
returns text
language plpgsql
as $$
begin
  return pg_temp.answer(format('select replayed from replay_outbox_all(%s)', arguments), 'service_role');
end;
$$;

create function pg_temp.untouched()
returns text
language sql
as $$
  select coalesce(string_agg(o.event, ' ' order by o.event), 'none') from private.outbox o where o.due_at > now()
$$;

-- One

select pg_temp.write(s, s) from unnest(array['dead', 'skipped', 'delivered', 'pending']) s;
select is(pg_temp.replay(s), '(t,pending)', format('a row that is %s is pending again', s))
from unnest(array['dead', 'skipped', 'delivered', 'pending']) s;
select is(pg_temp.state(s), 'pending 0 0', format('as if it had never been tried (%s)', s))
from unnest(array['dead', 'skipped', 'delivered']) s;
select is(pg_temp.state('pending'), 'pending 7 0', 'a pending one goes on where it is, and now');
select is(
  (select array_agg(distinct o.payload) from private.outbox o), array['{"n": 1}'::jsonb], 'with the body that it had'
);
select is(
  pg_temp.answer('select id, attempts from claim_outbox(10, 40) order by attempts, id'),
  (select string_agg(a::text, ' ') from (select o.id, o.attempts + 1 from private.outbox o order by o.attempts, o.id) a),
  'all of them are handed out'
);
select is(pg_temp.replay('dead'), '(t,pending)', 'a row that is under way');
select is(pg_temp.state('dead'), 'pending 1 40 claimed', 'goes on as it was: it would be delivered twice at once');
select is(
  pg_temp.answer('select claim_outbox(10, 40)'), 'no rows', 'and is not handed out a second time'
);
update private.outbox set due_at = now() - interval '1 minute' where id = pg_temp.id('dead');
select pg_temp.replay('dead');
select is(pg_temp.state('dead'), 'pending 1 -60 claimed', 'if its worker died, it is due anyway');
select is(
  pg_temp.answer(format('select replay_outbox(%s)', i.id)), format('404 delivery_not_found There is no delivery %s', i.shown),
  format('replay_outbox refuses an unknown id: %s', i.id)
)
from (values ('''00000000-0000-0000-0000-000000000001''', '00000000-0000-0000-0000-000000000001'), ('null', '')) i (id, shown);
delete from private.outbox;

-- What was replayed is the first of its subject again.

select private.write_outbox('hub', pg_temp.id('s'), n, '{}', pg_temp.id(n)) from unnest(array['a', 'b']) n;
update private.outbox set status = 'dead', finished_at = now() where id = pg_temp.id('a');
select pg_temp.replay('a');
select is(
  pg_temp.answer('select event from claim_outbox(10, 40)'), '(a)', 'what is replayed comes before what was written after it'
);
delete from private.outbox;

-- All of a status

create function pg_temp.write_all()
returns void
language sql
as $$
  delete from private.outbox;
  select
    pg_temp.write(left(s, 3) || n || left(d, 1), s, d, now() - make_interval(days => n))
  from unnest(array['dead', 'skipped', 'delivered', 'pending']) s, unnest(array['hub', 'webhook']) d, generate_series(1, 2) n
$$;

select pg_temp.write_all();
select is(pg_temp.all_of('''dead'''), '(4)', 'replay_outbox_all answers how many it replayed');
select is(
  pg_temp.untouched(), 'del1h del1w del2h del2w pen1h pen1w pen2h pen2w ski1h ski1w ski2h ski2w', 'all that were dead, and no others'
);
select is(pg_temp.state('dea1h'), 'pending 0 0', 'as if they had never been tried');
select is(pg_temp.all_of('''dead'''), '(0)', 'of which there are none any more');
select is(pg_temp.all_of('''skipped'', ''webhook'''), '(2)', 'those of one destination alone');
select is(pg_temp.untouched(), 'del1h del1w del2h del2w pen1h pen1w pen2h pen2w ski1h ski2h', 'leaving the other''s');
select is(pg_temp.all_of('''delivered'', max_count => 1'), '(1)', 'as many as are asked for');
select ok(pg_temp.untouched() !~ 'del2h.*del2w', 'the first finished first');
select is(pg_temp.all_of('''delivered'', max_count => 1'), '(1)', 'then the next');
select is(pg_temp.untouched(), 'del1h del1w pen1h pen1w pen2h pen2w ski1h ski2h', 'one after the other');
update private.outbox set claim_id = gen_random_uuid() where event = 'pen1h';
select is(pg_temp.all_of('''pending'''), '(3)', 'what waits to be tried again is tried now');
select is(pg_temp.untouched(), 'del1h del1w pen1h ski1h ski2h', 'but what is under way goes on');
select is(pg_temp.state('pen1h') || ', ' || pg_temp.state('pen2h'), 'pending 7 3600 claimed, pending 7 0', 'all with the attempts that they had');
select is(pg_temp.all_of('''pending'''), '(0)', 'what is due already is left');
select is(pg_temp.all_of('''skipped'', null'), '(2)', 'no destination is any');
select is(pg_temp.all_of('''late'''), '22P02 invalid input value for enum private.outbox_status: "late"', 'an unknown status is refused');
select is(pg_temp.all_of('null'), '(0)', 'no status is nobody''s');
delete from private.outbox;
select pg_temp.write('n' || n, 'dead') from generate_series(1, 1001) n;
select is(pg_temp.all_of('''dead'''), '(1000)', 'a thousand at most, if nothing is said');

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  format('42501 permission denied for function %s', split_part(f.call, '(', 1)),
  format('%s is closed to %s', split_part(f.call, '(', 1), c.role)
)
from (values ('anon'), ('authenticated')) c (role), (values ('replay_outbox(gen_random_uuid())'), ('replay_outbox_all(''dead'')')) f (call);
select is(
  pg_temp.answer(format('select status from replay_outbox(%L)', pg_temp.id('n1')), 'service_role'), '(pending)', 'replay_outbox is open to service_role'
);

select * from finish();

rollback;
