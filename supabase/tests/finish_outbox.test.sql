-- finish_outbox ends an attempt, once, for the worker that has the row and for nobody else. What failed is due again ever
-- later, within the bounds of its jitter, or when the receiver asks for, up to an hour; after twelve attempts it is dead.
-- What ends makes the subject's next row due.

begin;

select plan(73);

create function pg_temp.write(name text, subject text default 's', destination text default 'hub')
returns void
language sql
as $$
  select private.write_outbox(
    write.destination, pg_temp.id(write.subject), 'api_token.refilled', '{"n": 1}', pg_temp.id(write.name)
  )
$$;

-- Puts a row under way, as its attempt of such a number.
create function pg_temp.claim(name text, attempts integer default 1)
returns void
language sql
as $$
  update private.outbox o
  set attempts = claim.attempts, claim_id = pg_temp.id('claim of ' || claim.name), due_at = now() + interval '40 seconds'
  where o.id = pg_temp.id(claim.name)
$$;

create function pg_temp.finish(name text, outcome text, more text default '', role text default 'none')
returns text
language plpgsql
as $$
begin
  return pg_temp.answer(
    format(
      'select status from finish_outbox(%L, %L, %L %s)', pg_temp.id(finish.name), pg_temp.id('claim of ' || finish.name),
      outcome, more
    ),
    finish.role
  );
end;
$$;

-- status attempts due (seconds from now) claimed finished error
create function pg_temp.state(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', o.status, o.attempts, extract(epoch from o.due_at - now())::numeric(10, 1),
    case when o.claim_id is not null then 'claimed' end, case when o.finished_at = now() then 'finished' end, o.error
  )
  from private.outbox o
  where o.id = pg_temp.id(state.name)
$$;

create function pg_temp.outbox()
returns text
language sql
as $$select md5(jsonb_agg(o order by o.id)::text) from private.outbox o$$;

-- Delivered

select pg_temp.write('a');
select pg_temp.claim('a', 3);
update private.outbox set error = 'The answer was 500';
select is(pg_temp.finish('a', 'delivered'), '(delivered)', 'finish_outbox answers what the row is');
select is(pg_temp.state('a'), 'delivered 3 40.0 finished', 'a delivered row is finished, and its old error gone');
select is(pg_temp.finish('a', 'delivered'), '(stale)', 'an attempt ends once');
select is(pg_temp.finish('a', 'failed', ', ''late'''), '(stale)', 'and only in one way');
select is(pg_temp.state('a'), 'delivered 3 40.0 finished', 'nothing of which changes the row');

-- Skipped

select pg_temp.write('b');
select pg_temp.claim('b');
select is(pg_temp.finish('b', 'skipped'), '(skipped)', 'a row whose destination is not configured is skipped');
select is(pg_temp.state('b'), 'skipped 0 40.0 finished', 'and no attempt of it was made');

-- Failed

select pg_temp.write('c');
select pg_temp.claim('c');
select is(pg_temp.finish('c', 'failed', ', ''The answer was 500'''), '(pending)', 'what failed is pending');
select is(
  (select concat_ws(' ', o.status, o.attempts, o.claim_id, o.finished_at, o.error) from private.outbox o where o.id = pg_temp.id('c')),
  'pending 1 The answer was 500',
  'with the reason, and nobody has it'
);
select is(pg_temp.finish('c', 'delivered'), '(stale)', 'that attempt is over');
select pg_temp.claim('c');
select is(pg_temp.finish('c', 'failed'), '(pending)', 'a reason need not be given');
select is((select error from private.outbox where id = pg_temp.id('c')), null, 'and then there is none');
select pg_temp.claim('c');
select pg_temp.finish('c', 'failed', format(', %L', repeat('ä', 600)));
select is((select error from private.outbox where id = pg_temp.id('c')), repeat('ä', 500), 'a reason is kept to 500 characters');
delete from private.outbox;

-- Ever later

select pg_temp.write(format('f%s-%s', a, n), format('f%s-%s', a, n)) from generate_series(1, 11) a, generate_series(1, 200) n;
select pg_temp.claim(format('f%s-%s', a, n), a) from generate_series(1, 11) a, generate_series(1, 200) n;
select finish_outbox(o.id, o.claim_id, 'failed') from private.outbox o;
create temporary table pauses as
select o.attempts, extract(epoch from o.due_at - now()) / (30 * power(2, o.attempts - 1)) as share
from private.outbox o;
select ok(min(p.share) >= 0.75 and max(p.share) <= 1.25, format('after attempt %s it waits for 30 s × 2^%s, give or take a quarter', p.attempts, p.attempts - 1))
from pauses p
group by p.attempts
order by p.attempts;
select ok(
  min(p.share) < 0.8 and max(p.share) > 1.2 and count(distinct p.share) > 190,
  format('anywhere in between (attempt %s)', p.attempts)
)
from pauses p
where p.attempts in (1, 11)
group by p.attempts
order by p.attempts;
delete from private.outbox;

-- When the receiver asks for

create function pg_temp.after_retry(attempts integer, seconds text)
returns numeric
language plpgsql
as $$
begin
  delete from private.outbox;
  perform pg_temp.write('r');
  perform pg_temp.claim('r', after_retry.attempts);
  perform pg_temp.finish('r', 'failed', format(', ''busy'', %s', seconds));
  return (select extract(epoch from o.due_at - now()) from private.outbox o);
end;
$$;

select is(pg_temp.after_retry(1, '120'), 120.0, 'it comes again when the receiver asks for');
select is(pg_temp.after_retry(1, '3600'), 3600.0, 'in an hour');
select is(pg_temp.after_retry(1, '3601'), 3600.0, 'no later');
select is(pg_temp.after_retry(1, '2147483647'), 3600.0, 'whatever is asked for');
select ok(pg_temp.after_retry(1, s) between 22.5 and 37.5, format('nor sooner than without: %s', s))
from (values ('10'), ('0'), ('-5'), ('null')) r (s);
select ok(pg_temp.after_retry(11, '60') between 23040 and 38400, 'which counts for late attempts as well');
delete from private.outbox;

-- Dead

select pg_temp.write('d');
select pg_temp.claim('d', 12);
select is(pg_temp.finish('d', 'failed', ', ''The answer was 400'', 60'), '(dead)', 'after the twelfth attempt it is dead');
select is(pg_temp.state('d'), 'dead 12 40.0 finished The answer was 400', 'and stays, with the reason');
select pg_temp.write('e');
select pg_temp.claim('e', 12);
select is(pg_temp.finish('e', 'delivered'), '(delivered)', 'the twelfth attempt may succeed');
delete from private.outbox;

-- Who has it

select pg_temp.write('a');
select pg_temp.claim('a');
create temporary table before as select pg_temp.outbox() as rows;
select is(
  pg_temp.answer(format('select status from finish_outbox(%L, %s, ''delivered'', hub_id => ''hub-1'')', pg_temp.id('a'), c.claim)),
  '(stale)',
  format('a worker without the claim ends nothing: %s', c.claim)
)
from (values ('gen_random_uuid()'), ('null')) c (claim);
select is(
  pg_temp.answer(format('select status from finish_outbox(%s, %L, ''delivered'')', i.id, pg_temp.id('claim of a'))),
  '(stale)',
  format('nor does one of another row: %s', i.id)
)
from (values ('gen_random_uuid()'), ('null')) i (id);
select is(
  pg_temp.finish('a', o.outcome),
  format('400 invalid_request outcome must be delivered, failed or skipped, got %s', coalesce(o.outcome, 'nothing')),
  format('finish_outbox refuses the outcome %s', coalesce(o.outcome, 'null'))
)
from (values ('pending'), ('dead'), ('stale'), (''), (null)) o (outcome);
select is(pg_temp.outbox(), (select rows from before), 'none of which changes anything');
update private.outbox set due_at = now() - interval '1 hour';
select is(pg_temp.finish('a', 'delivered'), '(delivered)', 'a worker that is late, but not replaced, ends its attempt');
delete from private.outbox;

-- The next one of the subject

select pg_temp.write('a');
select pg_temp.write('other', 'other');
select pg_temp.write('webhook', 's', 'webhook');
select pg_temp.write('dead');
select pg_temp.write('b');
select pg_temp.write('c');
select pg_temp.claim('a');
update private.outbox set due_at = now() + interval '40 seconds';
update private.outbox set status = 'dead', finished_at = now() where id = pg_temp.id('dead');
select pg_temp.finish('a', 'delivered');
select is(pg_temp.state('b'), 'pending 0 0.0', 'after a delivery the next one is due');
select is(pg_temp.state('c'), 'pending 0 40.0', 'and not the one after');
select is(
  array[pg_temp.state('other'), pg_temp.state('webhook'), pg_temp.state('dead')],
  array['pending 0 40.0', 'pending 0 40.0', 'dead 0 40.0 finished'],
  'nor those of other subjects and destinations, nor what has ended'
);
select pg_temp.claim('b', 2);
select pg_temp.finish('b', 'failed');
select is(pg_temp.state('c'), 'pending 0 40.0', 'after a failure the next one waits');
select pg_temp.claim('b', 12);
select pg_temp.finish('b', 'failed');
select is(pg_temp.state('c'), 'pending 0 0.0', 'what is dead keeps nothing waiting');
select pg_temp.claim('webhook');
select pg_temp.write('webhook2', 's', 'webhook');
update private.outbox set due_at = now() + interval '1 day' where id = pg_temp.id('webhook2');
select pg_temp.finish('webhook', 'skipped');
select is(pg_temp.state('webhook2'), 'pending 0 0.0', 'nor does what is skipped');

-- One under way is another worker's: as after a replay of an earlier one.
select pg_temp.write('d');
select pg_temp.claim('c');
select pg_temp.claim('d', 2);
select pg_temp.finish('c', 'delivered');
select is(pg_temp.state('d'), 'pending 2 40.0 claimed', 'what is under way is not handed out twice');
select pg_temp.finish('d', 'failed');
update private.outbox set due_at = now() + interval '10 minutes' where id = pg_temp.id('d');
select pg_temp.write('e');
select pg_temp.write('f');
update private.outbox set due_at = now() - interval '5 seconds' where id = pg_temp.id('f');
select pg_temp.claim('e');
select pg_temp.finish('e', 'delivered');
select is(pg_temp.state('d'), 'pending 2 600.0', 'an earlier one that waits goes on waiting');
select is(pg_temp.state('f'), 'pending 0 -5.0', 'what is due already keeps its place');
delete from private.outbox;

-- What the HUB calls a token

select pg_temp.new_user('ann');
create temporary table token as select token_id as id from create_api_token(pg_temp.id('ann'), 'master', 'My token', 'create');
update private.outbox set id = pg_temp.id('t');
create function pg_temp.hub_id()
returns text
language sql
as $$select t.hub_id from public.api_tokens t where t.id = (select k.id from token k)$$;

select pg_temp.claim('t');
select pg_temp.finish('t', 'failed', ', hub_id => ''hub-0''');
select is(pg_temp.hub_id(), null, 'a failure tells no id');
select pg_temp.claim('t');
select is(pg_temp.finish('t', 'delivered', format(', hub_id => %L', repeat('x', 256))), '(delivered)', 'an id that is too long does not undo the delivery');
select is(pg_temp.hub_id(), null, 'but is not kept');
create function pg_temp.again(destination text default 'hub')
returns void
language plpgsql
as $$
begin
  update private.outbox o set status = 'pending', finished_at = null, destination = again.destination;
  perform pg_temp.claim('t');
end;
$$;
select pg_temp.again();
select is(
  concat(pg_temp.finish('t', 'delivered', ', hub_id => '''''), pg_temp.hub_id()), '(delivered)', 'nor is an empty one'
);
select pg_temp.again();
select is(
  pg_temp.answer(format('select status from finish_outbox(%L, %L, ''delivered'', hub_id => ''hub-0'')', pg_temp.id('t'), pg_temp.id('x'))),
  '(stale)',
  'a worker without the claim'
);
select is(pg_temp.hub_id(), null, 'brings no id');
select pg_temp.again('webhook');
select pg_temp.finish('t', 'delivered', ', hub_id => ''hub-0''');
select is(pg_temp.hub_id(), null, 'nor what is no HUB''s');
select pg_temp.again();
select pg_temp.finish('t', 'delivered', ', hub_id => ''hub-1''');
select is(pg_temp.hub_id(), 'hub-1', 'what the HUB calls a token is kept');
select pg_temp.again();
select pg_temp.finish('t', 'delivered', ', hub_id => ''hub-2''');
select is(pg_temp.hub_id(), 'hub-1', 'as it said first');
select is((select count(*) from private.outbox), 1::bigint, 'of which the HUB is not told again');
delete from public.api_tokens;
select pg_temp.write('gone', 'gone');
select pg_temp.claim('gone');
select is(pg_temp.finish('gone', 'delivered', ', hub_id => ''hub-3'''), '(delivered)', 'a token that is gone has no id');

-- Callers

select is(
  pg_temp.finish('gone', 'delivered', '', c.role),
  '42501 permission denied for function finish_outbox',
  format('finish_outbox is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select pg_temp.write('mine');
select pg_temp.claim('mine');
select is(pg_temp.finish('mine', 'delivered', '', 'service_role'), '(delivered)', 'finish_outbox is open to service_role');

select is_empty('select * from verify_ledger()', 'the journals and the balances agree');

select * from finish();

rollback;
