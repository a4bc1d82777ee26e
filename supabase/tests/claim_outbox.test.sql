-- claim_outbox hands out what is due, the longest due first, each row to one worker until its lease is over, and of a
-- subject only the first pending row; the others are put off until that one is due. An attempt whose worker died is made
-- again under another claim, and after twelve the row is dead. (Several workers at once: tests/hub-sync.test.ts.)

begin;

select plan(51);

create function pg_temp.write(name text, subject text default null, destination text default 'hub')
returns void
language sql
as $$
  select private.write_outbox(
    write.destination, pg_temp.id(coalesce(write.subject, write.name)), 'api_token.refilled',
    jsonb_build_object('id', pg_temp.id(write.name), 'n', 1), pg_temp.id(write.name)
  )
$$;

-- The rows by the names that the test gives them.
create temporary table names (id uuid primary key, name text);
insert into names select pg_temp.id(n), n from unnest(array['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']) n;

-- Whose rows are handed out, in order, with their attempts.
create function pg_temp.claimed(max_count integer default 10, lease_seconds integer default 40)
returns text
language sql
as $$
  select coalesce(string_agg(n.name || c.attempts, ' ' order by c.ordinality), 'none')
  from public.claim_outbox(max_count, lease_seconds) with ordinality c
  join names n on n.id = c.id
$$;

-- status attempts due (seconds from now) claimed error
create function pg_temp.state(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', o.status, o.attempts, extract(epoch from o.due_at - now())::numeric(10, 1),
    case when o.claim_id is not null then 'claimed' end, o.error
  )
  from private.outbox o
  where o.id = pg_temp.id(state.name)
$$;

create function pg_temp.due(name text, after interval)
returns void
language sql
as $$update private.outbox o set due_at = now() + after where o.id = pg_temp.id(due.name)$$;

-- One row

select is(pg_temp.claimed(), 'none', 'claim_outbox hands out nothing when there is nothing');
select pg_temp.write('a');
select is(pg_temp.state('a'), 'pending 0 0.0', 'write_outbox writes what is due at once');
select is(pg_temp.claimed(0), 'none', 'claim_outbox hands out no more than it is asked for');
create temporary table claim as select * from claim_outbox(10, 40);
select results_eq(
  'select id, destination, event, payload, attempts, created_at from claim',
  $$
    values (
      pg_temp.id('a'), 'hub', 'api_token.refilled', jsonb_build_object('id', pg_temp.id('a'), 'n', 1), 1, now()
    )
  $$,
  'claim_outbox answers all that a delivery takes'
);
select is(
  (select claim_id from claim), (select claim_id from private.outbox), 'with the claim under which to finish it'
);
select is(pg_temp.state('a'), 'pending 1 40.0 claimed', 'until its lease is over');
select is(pg_temp.claimed(), 'none', 'nobody else gets it');
select pg_temp.due('a', '1 microsecond');
select is(pg_temp.claimed(), 'none', 'up to the last moment');
select pg_temp.due('a', '0');
select is(pg_temp.claimed(10, 90), 'a2', 'a worker that died is replaced when the lease is over');
select is(pg_temp.state('a'), 'pending 2 90.0 claimed', 'for as long as the next one asks');
select isnt((select claim_id from claim), (select claim_id from private.outbox), 'under another claim');

-- Twelve attempts

update private.outbox set attempts = 11, due_at = now();
select is(pg_temp.claimed(), 'a12', 'there is a twelfth attempt');
select pg_temp.due('a', '0');
select is(pg_temp.claimed(), 'none', 'and no thirteenth');
select is(pg_temp.state('a'), 'dead 12 0.0 The worker did not come back', 'the row is dead, and says why');
select is((select finished_at from private.outbox), now(), 'since now');
select pg_temp.write('b', 'a');
select is(pg_temp.claimed(), 'b1', 'what is dead keeps nothing waiting');
delete from private.outbox;

-- Order

select pg_temp.write(n) from unnest(array['c', 'a', 'b']) with ordinality w (n, i) order by i;
select is(pg_temp.claimed(2), 'c1 a1', 'of what fell due together, what was written first comes first');
select is(pg_temp.claimed(2), 'b1', 'then the rest');
delete from private.outbox;
select pg_temp.write(n) from unnest(array['a', 'b', 'c']) with ordinality w (n, i) order by i;
select pg_temp.due('b', '-2 hours');
select pg_temp.due('c', '-1 hour');
select is(pg_temp.claimed(2), 'b1 c1', 'what has been due for the longest comes first');
delete from private.outbox;

-- One at a time of a subject

select pg_temp.write(n, 's') from unnest(array['a', 'b', 'c']) with ordinality w (n, i) order by i;
select pg_temp.write('d', 'other');
select is(pg_temp.claimed(), 'a1 d1', 'of a subject only the first is handed out');
select is(pg_temp.state('b'), 'pending 0 40.0', 'the next is put off until the first is due again');
select is(pg_temp.state('c'), 'pending 0 40.0', 'and so is the one after');
select pg_temp.due('b', '0');
select is(pg_temp.claimed(), 'none', 'however due it is');
select pg_temp.due('a', '-1 minute');
select pg_temp.due('b', '-1 hour');
select is(pg_temp.claimed(), 'a2', 'and whichever has been due for longer');
select is(pg_temp.claimed(), 'none', 'nor is the next while the first is under way');
select is(pg_temp.state('b'), 'pending 0 40.0', 'put off again, behind the new lease');
update private.outbox set status = 'delivered', claim_id = null, finished_at = now() where id = pg_temp.id('a');
select is(pg_temp.claimed(), 'none', 'put off is put off');
select pg_temp.due(n, '0') from unnest(array['b', 'c']) n;
select is(pg_temp.claimed(), 'b1', 'when the first is through, the next is handed out');
select is(pg_temp.state('c'), 'pending 0 40.0', 'and the one after waits for it');
delete from private.outbox;

select pg_temp.write('a', 's');
select pg_temp.write('b', 's', 'webhook');
select is(pg_temp.claimed(), 'a1 b1', 'each destination has an order of its own');
delete from private.outbox;

select pg_temp.write(n, 's') from unnest(array['a', 'b']) with ordinality w (n, i) order by i;
select pg_temp.due('a', '10 minutes');
select is(pg_temp.claimed(), 'none', 'what waits to be tried again keeps those after it waiting');
select is(pg_temp.state('b'), 'pending 0 600.0', 'exactly as long');
select pg_temp.due('a', '0');
select pg_temp.due('b', '0');
select is(pg_temp.claimed(1), 'a1', '(the first is under way)');
select is(pg_temp.state('b'), 'pending 0 0.0', 'what nobody came to is left as it is');
select is(pg_temp.claimed(1), 'none', 'a worker passes over what has to wait');
delete from private.outbox;

select pg_temp.write(n, 's') from unnest(array['a', 'b', 'c']) with ordinality w (n, i) order by i;
select pg_temp.due('a', '10 minutes');
select pg_temp.due('b', '5 minutes');
select pg_temp.claimed();
select is(pg_temp.state('c'), 'pending 0 600.0', 'the one to wait for is the first, not the one before');
delete from private.outbox;

-- One that had been claimed, and then has a row before it again, as after a replay.
select pg_temp.write(n, 's') from unnest(array['a', 'b']) with ordinality w (n, i) order by i;
update private.outbox set attempts = 3, claim_id = gen_random_uuid() where id = pg_temp.id('b');
select is(pg_temp.claimed(), 'a1', 'a row whose worker died waits for those before it as well');
select is(pg_temp.state('b'), 'pending 3 40.0', 'without its old claim');
delete from private.outbox;

-- Many that wait do not hide those that needn't.
select private.write_outbox('hub', pg_temp.id('many'), 'api_token.refilled', '{}') from generate_series(1, 300);
select pg_temp.write('a');
select is(
  (select array_agg(c.id = pg_temp.id('a') order by c.ordinality) from claim_outbox(5, 40) with ordinality c),
  array[false, true],
  'claim_outbox looks beyond a long queue of one subject'
);
select is(
  (select count(*) from private.outbox where due_at > now()), 301::bigint, 'which is put off at once, all of it'
);
delete from private.outbox;

-- A row says what it is.

select is(
  pg_temp.answer(format($$insert into private.outbox (id, destination, subject, event, payload, %s) values (gen_random_uuid(), 'hub', gen_random_uuid(), 'x', '{}', %s)$$, c.columns, c.written)),
  format('23514 new row for relation "outbox" violates check constraint "%s"', c.name),
  format('the outbox refuses %s %s', c.columns, c.written)
)
from (
  values
    ('attempts', '-1', 'outbox_attempts_check'),
    ('status', '''dead''', 'outbox_finished_at_check'),
    ('finished_at', 'now()', 'outbox_finished_at_check'),
    ('status, finished_at, claim_id', '''dead'', now(), gen_random_uuid()', 'outbox_claim_id_check')
) c (columns, written, name);
select is(
  pg_temp.answer($$select private.write_outbox('mail', gen_random_uuid(), 'x', '{}')$$),
  '23514 new row for relation "outbox" violates check constraint "outbox_destination_check"',
  'write_outbox refuses an unknown destination'
);

-- Callers

select is(
  pg_temp.answer('select claim_outbox(5, 40)', c.role, 'ann'),
  '42501 permission denied for function claim_outbox',
  format('claim_outbox is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select pg_temp.write('a');
select is(pg_temp.answer('select attempts from claim_outbox(5, 40)', 'service_role'), '(1)', 'claim_outbox is open to service_role');
select is(
  pg_temp.answer('select * from private.outbox', 'service_role'),
  '42501 permission denied for schema private',
  'and is the only way to the rows'
);

-- A backlog that the statistics know nothing of: what waited behind one that was tried again falls due with it

insert into private.outbox (id, destination, subject, event, payload, status, finished_at)
select gen_random_uuid(), 'hub', gen_random_uuid(), 'x', '{}', 'delivered', now() from generate_series(1, 20000);
analyze private.outbox;
insert into private.outbox (id, destination, subject, event, payload)
select gen_random_uuid(), 'hub', pg_temp.id('s'), 'x', '{}' from generate_series(1, 4000);
set local statement_timeout to '4s';
select is(
  (select count(*) from claim_outbox(5, 40)), 1::bigint, 'a backlog of one subject is passed over in one run'
);
set local statement_timeout to '60s';
select is(
  (select count(*) from private.outbox where status = 'pending' and due_at <= now()), 0::bigint, 'all of it is put off'
);

select * from finish();

rollback;
