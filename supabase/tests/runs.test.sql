-- A run holds tokens, and ends once: a success is charged what it really cost, anything else nothing, and either is recorded
-- as a call in the same transaction. What it costs is decided when it starts. Time stands still in a transaction, so runs
-- are made to expire by moving expires_at into the past.

begin;

select plan(203);

select pg_temp.new_plans();
insert into subscription_plans (tier, name, monthly_cost, credits_included, multiplier)
values ('dear', 'Dear', 5, 1, 1.5), ('odd', 'Odd', 5, 1, 0.3333);
insert into model_prices (service, model, valid_from, input_usd_per_million, cached_input_usd_per_million, output_usd_per_million, usd_per_image)
values
  ('demo', 'metered', pg_temp.month(1), 30, 3, 60, null), ('demo', 'ada-002', pg_temp.month(1), 0.1, null, null, null),
  ('demo', 'image', pg_temp.month(1), null, null, null, 0.04);
select pg_temp.new_model('one'), pg_temp.new_model('forty', '{"fixed_tokens": 40, "service": "special", "kind": "image"}');
select pg_temp.new_model('off', '{"active": false}');
select
  pg_temp.new_model(m.slug, jsonb_build_object(
    'price_mode', 'metered', 'fixed_tokens', null, 'provider_model', m.provider_model, 'markup', m.markup,
    'timeout_seconds', 120
  ))
from (
  values ('metered', 'metered', 1), ('marked-up', 'metered', 1.5), ('ada-002', 'ada-002', 1), ('image', 'image', 1), ('unpriced', 'nobody', 1)
) m (slug, provider_model, markup);

-- Starts a run of a model: what is answered.
create function pg_temp.start(name text, slug text, operation_id text, arguments text default null, request jsonb default '{}')
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select run_status, tokens_reserved, remaining, expires_at - now() as ttl, replayed from start_model_run(%L, %L, %L, %L%s)',
    pg_temp.id(name), slug, operation_id, request, ', ' || arguments
  ))
$$;

create function pg_temp.run(name text, operation_id text)
returns uuid
language sql
as $$select r.id from public.runs r where r.user_id = pg_temp.id(run.name) and r.operation_id = run.operation_id$$;

create function pg_temp.finish(name text, operation_id text, outcome text, arguments text default null)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select run_status, tokens_used, remaining, overdrawn, reason, replayed from finish_run(%L, %L%s)',
    pg_temp.run(name, operation_id), outcome, ', ' || arguments
  ))
$$;

-- The calls of an operation: operation_id run service/operation/model tokens costs charged success error; …
create function pg_temp.calls(name text, operation_id text)
returns text
language sql
as $$
  select string_agg(
    concat_ws(
      ' ', e.service || '/' || e.operation || '/' || e.model, e.input_tokens, e.cached_input_tokens, e.output_tokens,
      trim_scale(e.seconds), e.images, coalesce(trim_scale(e.cost_usd)::text, 'unpriced'), e.tokens_charged, e.success, e.error,
      case when e.run_id = pg_temp.run(name, operation_id) then 'of the run' end
    ),
    '; ' order by e.occurred_at
  )
  from public.usage_events e
  where e.user_id = pg_temp.id(calls.name) and e.operation_id = calls.operation_id
$$;

-- A model with a fixed price, and success

select pg_temp.new_user('ann', 100);
select is(
  pg_temp.start('ann', 'forty', 'op-1', 'operation => ''paint'''),
  '(running,40,60,00:06:00,f)',
  'start_model_run holds the price, for the model''s timeout and five minutes'
);
select is(pg_temp.balance('ann'), 'total 100, used 0, reserved 40, remaining 60', 'nothing is charged yet');
select is(pg_temp.journal('ann', 1), null, 'and nothing recorded');
select is(pg_temp.calls('ann', 'op-1'), null, 'no call either');
select is(
  pg_temp.answer(
    format(
      'select owner_id = %L as own, model, run_status, tokens_used, remaining, finished_at from get_run(%L)',
      pg_temp.id('ann'), pg_temp.run('ann', 'op-1')
    )
  ),
  '(t,forty,running,,60,)', 'get_run tells that it is running'
);
select is(
  (
    select (id = pg_temp.run('ann', 'op-1'), description)::text from token_holds where operation_id = 'run:op-1'
  ),
  '(t,forty)',
  'its hold has its id, and says what for'
);
select is(
  pg_temp.finish(
    'ann', 'op-1', 'succeeded',
    'result => ''{"url": "u"}'', images => 1, response_time_ms => 1234, output_summary => ''a picture'', actor => ''the-function'''
  ),
  '(succeeded,40,60,f,,f)', 'finish_run charges a success'
);
select is(
  pg_temp.journal('ann', 1), format('charge used -40 = 60/60 run:op-1 %s the-function', pg_temp.run('ann', 'op-1')),
  'as one row of the journal, which names the run'
);
select is(
  pg_temp.calls('ann', 'op-1'), 'special/paint/forty 0 0 0 0 1 unpriced 40 t of the run', 'and records the call'
);
select is(
  (
    select concat_ws('|', e.response_time_ms, e.output_summary, e.occurred_at = r.created_at) from usage_events e join runs r on r.id = e.run_id
  ),
  '1234|a picture|t', 'with all that it was told'
);
select is(
  pg_temp.answer(
    format(
      'select run_status, result, reason, tokens_used, remaining, finished_at is not null from get_run(%L, %L)',
      pg_temp.run('ann', 'op-1'), pg_temp.id('ann')
    )
  ),
  '(succeeded,"{""url"": ""u""}",,40,60,t)', 'get_run tells the result, to its owner'
);
select is(
  pg_temp.answer(format('select run_status from get_run(%L, %L)', pg_temp.run('ann', 'op-1'), pg_temp.id('ben'))),
  format('404 run_not_found There is no run %s', pg_temp.run('ann', 'op-1')),
  'and to nobody else'
);

-- Ended once

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.finish('ann', 'op-1', o.outcome, o.arguments),
  '(succeeded,40,60,f,,t)',
  format('ending it again changes nothing: %s', o.outcome)
)
from (values ('succeeded', 'result => ''{"url": "other"}'', tokens => 5'), ('failed', 'error => ''x'''), ('canceled', null)) o (outcome, arguments);
select is(
  pg_temp.start('ann', 'forty', 'op-1', 'operation => ''paint'''),
  '(succeeded,40,60,00:06:00,t)',
  'starting it again answers the run that has ended'
);
select is(
  pg_temp.start('ann', 'off', 'op-1', 'operation => ''paint'''),
  '409 operation_id_reused operation_id op-1 was used before with other arguments', 'with another model it is refused'
);
select is(
  pg_temp.start('ann', 'forty', 'op-1'),
  '409 operation_id_reused operation_id op-1 was used before with other arguments', 'with another operation too'
);
update ai_models set active = false where slug = 'forty';
select is(
  pg_temp.start('ann', 'forty', 'op-1', 'operation => ''paint'''), '(succeeded,40,60,00:06:00,t)',
  'also when the model is not on offer any more'
);
update ai_models set active = true where slug = 'forty';
select is(
  pg_temp.start('ann', 'forty', 'op-1', request => '{"input": "other"}'),
  '409 operation_id_reused operation_id op-1 was used before with other arguments',
  'refused: the same operation_id for something else'
);
select is(
  pg_temp.answer(format('select attached from attach_provider_run(%L, ''p'')', pg_temp.run('ann', 'op-1'))),
  '(f)',
  'an ended run is not attached'
);
select is((select pg_temp.fingerprint()), (select value from fingerprint), 'none of these changes anything');

-- Under way

select is(
  pg_temp.start('ann', 'one', 'op-2', request => '{"input": "a"}'), '(running,1,59,00:06:00,f)', '(a run under way)'
);
select is(
  pg_temp.start('ann', 'one', 'op-2', request => '{"input": "a"}'),
  format('409 operation_in_progress The run %s of operation_id op-2 is under way', pg_temp.run('ann', 'op-2')),
  'refused: the same operation_id while it runs'
);
select pg_temp.new_user('again', 10);
create function pg_temp.attempt(attempt text, operation_id text default 'op')
returns text
language sql
as $$
  select pg_temp.start(
    'again', 'one', operation_id, format('attempt => %L', '00000000-0000-4000-8000-00000000000' || attempt)
  )
$$;
select is(pg_temp.attempt('a'), '(running,1,9,00:06:00,f)', '(an attempt)');
select is(
  pg_temp.attempt('a'), '(running,1,9,00:06:00,f)',
  'the attempt that started it may ask again: it goes on, with one hold'
);
select is(
  pg_temp.attempt(a.attempt),
  format('409 operation_in_progress The run %s of operation_id op is under way', pg_temp.run('again', 'op')),
  'refused: another attempt, or none'
)
from (values ('b'), (null)) a (attempt);
select pg_temp.finish('again', 'op', 'succeeded');
select is(pg_temp.attempt('a'), '(succeeded,1,9,00:06:00,t)', 'when it has ended, it is replayed to both');
select is(
  pg_temp.start('ann', 'one', 'op-2', request => '{"input": "b"}'),
  '409 operation_id_reused operation_id op-2 was used before with other arguments',
  'refused as such when it is something else'
);
select is(
  pg_temp.answer(format('select attached from attach_provider_run(%L, %L)', pg_temp.run('ann', 'op-2'), p.id)),
  p.answer, p.what
)
from (
  values
    (1, 'attach_provider_run notes what the provider calls a run', 'p-1', '(t)'),
    (2, 'once more is the same', 'p-1', '(t)'),
    (3, 'another does not replace it', 'p-2', '(f)'),
    (4, 'refused: no name', null, '400 invalid_request provider_run_id must have 1 to 255 characters'),
    (5, 'refused: an empty one', '', '400 invalid_request provider_run_id must have 1 to 255 characters'),
    (6, 'refused: a long one', repeat('x', 256), '400 invalid_request provider_run_id must have 1 to 255 characters')
) p (step, what, id, answer);
select is(
  pg_temp.answer(format('select provider_run_id from get_run(%L)', pg_temp.run('ann', 'op-2'))), '(p-1)',
  'get_run tells it'
);

-- Failed and cancelled

select is(
  pg_temp.finish(
    'ann', 'op-2', 'failed', 'error => ''the provider timed out'', response_time_ms => 9, input_tokens => 1000'
  ),
  '(failed,0,60,f,"the provider timed out",f)', 'a failed run is not charged, and its hold is released'
);
select is(pg_temp.balance('ann'), 'total 100, used 40, reserved 0, remaining 60', 'at once');
select is(pg_temp.journal('ann', 2), null, 'nothing is in the journal');
select is(
  pg_temp.calls('ann', 'op-2'),
  'demo/text/one 1000 0 0 0 0 0 0 f the provider timed out of the run',
  'the call is recorded as failed, at no cost'
);
select is(
  pg_temp.finish('ann', 'op-2', 'succeeded'),
  '(failed,0,60,f,"the provider timed out",t)',
  'a late success does not charge it'
);
select is(
  pg_temp.start('ann', 'one', 'op-2', request => '{"input": "a"}'),
  '(failed,1,60,00:06:00,t)',
  'a retry is answered that it failed'
);
select pg_temp.start('ann', 'one', 'op-3');
select is(
  pg_temp.finish('ann', 'op-3', 'canceled', 'error => ''cancelled by the user'''),
  '(canceled,0,60,f,"cancelled by the user",f)',
  'so is a cancelled run'
);
select is(
  pg_temp.calls('ann', 'op-3'),
  'demo/text/one 0 0 0 0 0 0 0 f cancelled by the user of the run',
  'recorded as failed too'
);
select pg_temp.start('ann', 'metered', 'op-4', '1000');
select is(
  pg_temp.finish('ann', 'op-4', 'failed', 'explicit_cost_usd => ''0.02'', input_tokens => 1000'),
  '(failed,0,60,f,,f)',
  'a failed run that cost something is not charged either'
);
select is(
  pg_temp.calls('ann', 'op-4'), 'demo/text/metered 1000 0 0 0 0 0.02 0 f of the run', 'but its cost is recorded'
);

-- Metered

select pg_temp.new_user('met', 1000);
select is(
  pg_temp.start('met', m.slug, 'm-' || m.step, m.bounds),
  format('(running,%s,%s,00:07:00,f)', m.held, m.left_over),
  format('%s, at most %s, holds %s', m.slug, m.bounds, m.held)
)
from (
  values
    (1, 'metered', '1000, 500', 6, 994), -- 0.06 USD at 0.01 a token
    (2, 'metered', '1000, 501', 7, 987), -- 0.06006
    (3, 'metered', '1, 0', 1, 986),
    (4, 'marked-up', '1000, 500', 9, 977),
    (5, 'marked-up', '1000, 501', 10, 967), -- 9.009
    (6, 'ada-002', '1', 1, 966),
    (7, 'image', 'images => 3', 12, 954)
) m (step, slug, bounds, held, left_over);
select is(
  pg_temp.finish('met', 'm-' || m.step, 'succeeded', m.used),
  format('(succeeded,%s,%s,f,,f)', m.charged, m.left_over),
  format('and charges %s for %s', m.charged, m.used)
)
from (
  values
    (1, 'input_tokens => 1000, output_tokens => 333', 5, 955), -- 0.04998: rounded up
    (2, 'input_tokens => 1000, cached_input_tokens => 1000, output_tokens => 1', 1, 961), -- 0.00306: at least one
    (3, 'input_tokens => 1', 1, 961),
    (4, 'input_tokens => 1000', 5, 965), -- 0.045
    (5, 'input_tokens => 1000, output_tokens => 500', 9, 966), -- 0.09 exactly
    (6, 'input_tokens => 1', 1, 966),
    (7, 'images => 1', 4, 974)
) m (step, used, charged, left_over);
select is(
  (
    select string_agg(trim_scale(cost_usd)::text, ' ' order by operation_id) from usage_events where user_id = pg_temp.id('met')
  ),
  '0.04998 0.00306 0.00003 0.03 0.06 0.0000001 0.04',
  'the cost recorded is the provider''s, without markup'
);
select is(
  (
    select bool_and(e.price_id = p.id) from usage_events e left join model_prices p on p.service = e.service and p.model = e.model where user_id = pg_temp.id('met')
  ),
  true,
  'with its price'
);
select is(
  pg_temp.start('met', 'metered', 'm-8', '1000, 500'), '(running,6,968,00:07:00,f)', '(a run that says what it cost)'
);
select is(
  pg_temp.finish('met', 'm-8', 'succeeded', 'input_tokens => 1, explicit_cost_usd => ''0.0301'''),
  '(succeeded,4,970,f,,f)',
  'what the provider says that it cost counts before the price'
);
select is(
  pg_temp.start('met', 'metered', 'm-9', '1000, 500'),
  '(running,6,964,00:07:00,f)',
  '(a run that used what has no price)'
);
select is(
  pg_temp.finish('met', 'm-9', 'succeeded', 'images => 1'),
  '(succeeded,6,964,f,,f)',
  'without a known cost, what was held is charged: never nothing'
);
select is(
  pg_temp.calls('met', 'm-9'), 'demo/text/metered 0 0 0 0 1 unpriced 6 t of the run', 'and the call is unpriced'
);
select is(
  pg_temp.start('met', 'metered', 'm-10', '1000, 500'),
  '(running,6,958,00:07:00,f)',
  '(a run that uses more than it should)'
);
select is(
  pg_temp.finish('met', 'm-10', 'succeeded', 'input_tokens => 1000, output_tokens => 20000'),
  '(succeeded,123,841,f,,f)',
  'more than was held is charged too'
);
select pg_temp.start('met', 'metered', 'm-11', '1000, 500');
select is(
  pg_temp.finish('met', 'm-11', 'succeeded', 'explicit_cost_usd => ''0'''),
  '(succeeded,1,840,f,,f)',
  'a success is never free'
);
select is(
  pg_temp.start('met', 'unpriced', 'm-12', '1'), '409 model_unavailable The model unpriced has no price at the moment',
  'refused: a metered model without a price'
);
select is(
  pg_temp.start('met', 'image', 'm-12', '1'), '409 model_unavailable The model image has no price at the moment',
  'refused: one whose price is for something else'
);
select is(pg_temp.start('met', 'one', 'm-12'), '(running,1,839,00:06:00,f)', 'a model with a fixed price needs none');
select is(pg_temp.finish('met', 'm-12', 'succeeded'), '(succeeded,1,839,f,,f)', 'to its end');

select pg_temp.new_model('ended', '{"price_mode": "metered", "fixed_tokens": null, "provider_model": "ended"}');
insert into model_prices (service, model, valid_from, valid_to, usd_per_call) values ('demo', 'ended', pg_temp.month(1), now(), 0.01);
select is(
  pg_temp.start('met', 'ended', 'm-13', '1'), '409 model_unavailable The model ended has no price at the moment',
  'refused: a metered model whose price has ended'
);

-- What is frozen at the start

select pg_temp.start('met', 'metered', 'f-0', '1000, 500');
insert into model_prices (service, model, valid_from, input_usd_per_million, output_usd_per_million)
values ('demo', 'metered', clock_timestamp(), 300, 600);
select is(
  pg_temp.finish('met', 'f-0', 'succeeded', 'input_tokens => 1000'),
  '(succeeded,3,836,f,,f)',
  'the price is that of the start'
);
select pg_temp.start('met', 'metered', 'f-0b', '1000, 500');
select is(
  pg_temp.finish('met', 'f-0b', 'succeeded', 'input_tokens => 1000'),
  '(succeeded,30,806,f,,f)',
  'runs that start later have the new one'
);
update model_prices set valid_to = clock_timestamp() where model = 'metered' and input_usd_per_million = 300;
insert into model_prices (service, model, valid_from, input_usd_per_million, cached_input_usd_per_million, output_usd_per_million)
values ('demo', 'metered', clock_timestamp(), 30, 3, 60);

select pg_temp.start('met', 'marked-up', 'f-1', '1000, 500');
select pg_temp.start('met', 'forty', 'f-2');
select change_subscription(pg_temp.id('met'), 'dear', 'plan');
update ai_models set markup = 10, fixed_tokens = case when fixed_tokens is not null then 400 end;
select pg_temp.settings('{"usd_per_token": 0.001}');
select is(
  pg_temp.finish('met', 'f-1', 'succeeded', 'input_tokens => 1000, output_tokens => 500'),
  '(succeeded,9,758,f,,f)',
  'markup, USD a token and multiplier are those of the start'
);
select is(pg_temp.finish('met', 'f-2', 'succeeded'), '(succeeded,40,758,f,,f)', 'so is a fixed price');
select is(
  pg_temp.start('met', 'marked-up', 'f-3', '100, 50'),
  '(running,90,668,00:07:00,f)',
  'runs that start later have the new ones'
);

-- The plan's multiplier

update ai_models set markup = 1, fixed_tokens = case when fixed_tokens is not null then case slug when 'one' then 1 else 40 end end;
delete from settings;
create function pg_temp.at_plan(tier text, slug text, bounds text, used text)
returns text
language plpgsql
as $$
declare
  v_name text := 'plan ' || tier;
  v_operation_id text := gen_random_uuid()::text;
begin
  if not exists (select from auth.users u where u.id = pg_temp.id(v_name)) then
    perform pg_temp.new_user(v_name, 10000);
    perform public.change_subscription(pg_temp.id(v_name), tier, 'plan');
  end if;
  perform pg_temp.start(v_name, slug, v_operation_id, bounds);
  perform pg_temp.finish(v_name, v_operation_id, 'succeeded', used);
  return (
    select format('held %s, charged %s', r.tokens_reserved, r.tokens_used)
    from public.runs r
    where r.id = pg_temp.run(v_name, v_operation_id)
  );
end;
$$;
select is(
  pg_temp.at_plan(m.tier, m.slug, m.bounds, m.used), format('held %s, charged %s', m.held, m.charged),
  format('plan %s, %s %s: held %s, charged %s', m.tier, m.slug, m.used, m.held, m.charged)
)
from (
  values
    (1, 'standard', 'one', null, null, 1, 1), -- 0.9, rounded up
    (2, 'standard', 'forty', null, null, 36, 36),
    (3, 'standard', 'metered', '1000, 500', 'input_tokens => 1000', 6, 3), -- 5.4; 2.7
    (4, 'dear', 'one', null, null, 2, 2),
    (5, 'dear', 'forty', null, null, 60, 60),
    (6, 'dear', 'metered', '1000, 500', 'input_tokens => 1', 9, 2), -- at least one, then × 1.5
    (7, 'dear', 'metered', '1000, 500', 'input_tokens => 1000', 9, 5),
    (8, 'odd', 'forty', null, null, 14, 14), -- 13.332
    (9, 'odd', 'one', null, null, 1, 1)
) m (step, tier, slug, bounds, used, held, charged);

-- Work of the operator's own

select pg_temp.new_user('own', 100);
create function pg_temp.start_own(name text, operation_id text, arguments text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select run_status, tokens_reserved, remaining, expires_at - now() as ttl, replayed from start_run(%L, %L, %s)',
    pg_temp.id(name), operation_id, arguments
  ))
$$;
select is(
  pg_temp.start_own('own', 'w-1', '''{}'', 10, ''pdf'', ''render'', ''v2'''),
  '(running,10,90,00:15:00,f)',
  'start_run holds what the operator asks for'
);
select is(
  pg_temp.finish('own', 'w-1', 'succeeded', 'explicit_cost_usd => ''0.001'''),
  '(succeeded,10,90,f,,f)',
  'finish_run charges it'
);
select is(pg_temp.calls('own', 'w-1'), 'pdf/render/v2 0 0 0 0 0 0.001 10 t of the run', 'and records the work');
select is(
  pg_temp.answer(format('select model, run_status from get_run(%L)', pg_temp.run('own', 'w-1'))),
  '(,succeeded)',
  'which is of no model'
);
select is(
  pg_temp.start_own('own', 'w-2', '''{}'', 10, ''pdf'', ''render'', ''v2'', 60'),
  '(running,10,80,00:01:00,f)',
  '(for a minute)'
);
select is(pg_temp.finish('own', 'w-2', 'succeeded', 'tokens => 3'), '(succeeded,3,87,f,,f)', 'or another amount');
select is(
  pg_temp.start_own('own', 'w-3', '''{}'', 10, ''pdf'', ''render'', ''v2'''),
  '(running,10,77,00:15:00,f)',
  '(once more)'
);
select is(
  pg_temp.finish('own', 'w-3', 'succeeded', 'tokens => 90'),
  '(succeeded,90,-3,t,,f)',
  'more than there is too, since the work is done; it says so'
);
select is(pg_temp.finish('own', 'w-3', 'succeeded', 'tokens => 90'), '(succeeded,90,-3,t,,t)', 'and so does a retry');
select add_tokens(pg_temp.id('own'), 103, 'add', 'more');
select change_subscription(pg_temp.id('own'), 'dear', 'plan');
select is(
  pg_temp.start_own('own', 'w-4', '''{}'', 5, ''pdf'', ''render'', ''v2'''),
  format('(running,8,%s,00:15:00,f)', pg_temp.remaining('own')),
  'the plan''s multiplier applies'
);
select is(
  pg_temp.finish('own', 'w-4', 'succeeded', 'tokens => 3'),
  format('(succeeded,5,%s,f,,f)', pg_temp.remaining('own')),
  'to the other amount too'
);

-- The 101st call

select pg_temp.new_user('hun', 100);
create function pg_temp.run_all(name text, calls integer)
returns bigint
language plpgsql
as $$
begin
  for n in 1 .. calls loop
    perform pg_temp.start(name, 'one', 'h-' || n);
    perform pg_temp.finish(name, 'h-' || n, 'succeeded');
  end loop;
  return (select count(*) from public.runs r where r.user_id = pg_temp.id(run_all.name) and r.status = 'succeeded' and r.tokens_used = 1);
end;
$$;
select is(pg_temp.run_all('hun', 100), 100::bigint, 'with 100 tokens, 100 runs succeed');
select is(pg_temp.balance('hun'), 'total 100, used 100, reserved 0, remaining 0', 'and nothing is left');
truncate fingerprint;
insert into fingerprint select pg_temp.fingerprint();
select is(
  pg_temp.start('hun', 'one', 'h-101'), '403 insufficient_tokens Insufficient tokens: you have 0, need 1',
  'the 101st is refused'
);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'with nothing recorded anywhere');
select is(
  (select count(*) from token_transactions where user_id = pg_temp.id('hun')),
  101::bigint,
  'the journal has the grant and 100 charges'
);

-- Late ends

select pg_temp.new_user('late', 100);
select pg_temp.start('late', 'one', 'l-' || n) from generate_series(1, 5) n;
create function pg_temp.expire(operation_id text)
returns void
language sql
as $$
  update public.token_holds h set expires_at = now() where h.operation_id = 'run:' || expire.operation_id;
  update public.runs r set expires_at = now() where r.operation_id = expire.operation_id;
$$;
select pg_temp.expire('l-1'), pg_temp.expire('l-2');
select expire_token_holds();
select is(
  (select count(*) from token_holds where user_id = pg_temp.id('late') and status = 'expired'),
  2::bigint,
  '(two holds are swept)'
);
select is(
  pg_temp.finish('late', 'l-1', 'succeeded'),
  '(succeeded,1,96,f,,f)',
  'a success after the hold expired is charged, since the work is done'
);
select is(pg_temp.finish('late', 'l-2', 'failed', 'error => ''x'''), '(failed,0,96,f,x,f)', 'a failure is not');
select pg_temp.expire('l-3');
select is(pg_temp.finish('late', 'l-3', 'succeeded'), '(succeeded,1,96,f,,f)', 'the same before it is swept');
select release_tokens(pg_temp.id('late'), 'run:l-4');
select is(
  pg_temp.finish('late', 'l-4', 'succeeded'), '(succeeded,0,97,f,,f)', 'a hold that the operator released stays so'
);
select settle_tokens(pg_temp.id('late'), 'run:l-5', 2);
select is(pg_temp.finish('late', 'l-5', 'failed', 'error => ''x'''), '(failed,2,96,f,x,f)', 'and one that was settled');
select is(pg_temp.calls('late', 'l-5'), 'demo/text/one 0 0 0 0 0 0 2 f x of the run', 'as the call says');
select is_empty('select * from verify_ledger()', 'the journal, the runs and the calls agree');

-- Abandoned

select pg_temp.new_user('lost', 100), pg_temp.new_user('busy', 100);
select pg_temp.start('lost', 'forty', 'a-1'), pg_temp.start('lost', 'forty', 'a-2'), pg_temp.start('busy', 'forty', 'a-3');
select is(abandon_runs(), 0::bigint, 'abandon_runs leaves runs whose holds live');
update runs set expires_at = now() where operation_id in ('a-1', 'a-3');
select is(abandon_runs(), 0::bigint, 'also when the hold was given more time than the run had');
select pg_temp.expire('a-1'), pg_temp.expire('a-3');
select is(
  pg_temp.start('lost', 'forty', 'a-1'),
  format('409 operation_in_progress The run %s of operation_id a-1 is under way', pg_temp.run('lost', 'a-1')),
  'until it is swept, a run is under way'
);
select is(abandon_runs(1), 1::bigint, 'it ends as many as it is told');
select is(abandon_runs(), 1::bigint, 'or all');
select is(abandon_runs(), 0::bigint, 'once');
select is(
  pg_temp.answer(
    format(
      'select run_status, tokens_used, remaining, reason, finished_at is not null from get_run(%L)',
      pg_temp.run('lost', 'a-1')
    )
  ),
  '(abandoned,0,60,"The run was not finished in time",t)', 'a run that nobody ended is abandoned'
);
select is(pg_temp.balance('lost'), 'total 100, used 0, reserved 40, remaining 60', 'nothing is charged');
select is(
  pg_temp.calls('lost', 'a-1'),
  'special/image/forty 0 0 0 0 0 0 0 f The run was not finished in time of the run',
  'the call is recorded as failed'
);
select is(
  pg_temp.finish('lost', 'a-1', 'succeeded'),
  '(abandoned,0,60,f,"The run was not finished in time",t)',
  'who ends it then is told so'
);
select is(pg_temp.start('lost', 'forty', 'a-1'), '(abandoned,40,60,00:00:00,t)', 'and who retries it');
select is_empty('select * from verify_ledger()', 'the journal, the runs and the calls agree');

-- Pruned

update runs set finished_at = now() - interval '29 days 23:59:59' where operation_id in ('op-2', 'op-3');
update runs set finished_at = now() - interval '30 days 00:00:01' where operation_id = 'op-1';
select is(prune_runs(), 1::bigint, 'prune_runs deletes runs that ended more than 30 days ago');
select is(pg_temp.run('ann', 'op-1'), null, 'with their results');
select is(
  pg_temp.start('ann', 'forty', 'op-1', 'operation => ''paint'''),
  '409 operation_id_reused operation_id op-1 was used before with other arguments',
  'their operation_ids stay taken'
);
select is(
  (select count(*) from usage_events where user_id = pg_temp.id('ann') and operation_id = 'op-1'),
  1::bigint,
  'and their calls recorded'
);
select pg_temp.settings('{"run_result_days": 1}');
select is(prune_runs(1), 1::bigint, 'or as many days ago as settings say, as many runs as it is told');
select is(prune_runs(), 1::bigint, 'the rest the next time');
update runs set created_at = now() - interval '9 years' where operation_id = 'a-2';
select is(prune_runs(), 0::bigint, 'a run under way stays, however old');

-- Refusals

create function pg_temp.refused(statement text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.answer(statement);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;
select reserve_tokens(pg_temp.id('late'), 1, 'run:a hold');
select charge_tokens(pg_temp.id('late'), 1, 'a charge');
select is(
  pg_temp.start('late', 'one', 'a charge'),
  '(running,1,93,00:06:00,f)',
  'operation_ids of runs are others than those of charges'
);
select is(pg_temp.finish('late', 'a charge', 'canceled'), '(canceled,0,94,f,,f)', 'to their end');
select is(
  pg_temp.refused(format('select start_model_run(%s)', r.arguments)),
  r.answer,
  format('start_model_run refuses %s', r.what)
)
from (
  values
    ('an unknown model', 'pg_temp.id(''late''), ''gone'', ''r'', ''{}''', '404 model_not_found There is no model gone'),
    (
      'a model that is not on offer', 'pg_temp.id(''late''), ''off'', ''r'', ''{}''',
      '404 model_not_found There is no model off'
    ),
    ('no model', 'pg_temp.id(''late''), null, ''r'', ''{}''', '404 model_not_found There is no model without a name'),
    ('no user', 'null, ''one'', ''r'', ''{}''', '400 invalid_request user_id is missing'),
    (
      'an unknown user', 'pg_temp.id(''nobody''), ''one'', ''r'', ''{}''',
      format('404 user_not_found There is no user %s', pg_temp.id('nobody'))
    ),
    (
      'no operation_id', 'pg_temp.id(''late''), ''one'', null, ''{}''',
      '400 invalid_request operation_id must have 1 to 255 characters'
    ),
    (
      'an operation_id of payments', 'pg_temp.id(''late''), ''one'', ''stripe:1'', ''{}''',
      '400 invalid_request operation_id must not begin with stripe:, which payments begin with'
    ),
    ('no request', 'pg_temp.id(''late''), ''one'', ''r'', null', '400 invalid_request request is missing'),
    (
      'negative input', 'pg_temp.id(''late''), ''one'', ''r'', ''{}'', -1',
      '400 invalid_request input_tokens and output_tokens must be from 0 to 1000000000000'
    ),
    (
      'no output', 'pg_temp.id(''late''), ''one'', ''r'', ''{}'', 1, null',
      '400 invalid_request input_tokens and output_tokens must be from 0 to 1000000000000'
    ),
    (
      'seconds that are no number', 'pg_temp.id(''late''), ''one'', ''r'', ''{}'', seconds => ''NaN''',
      '400 invalid_request seconds must be from 0 to 1000000000'
    ),
    (
      'negative images', 'pg_temp.id(''late''), ''one'', ''r'', ''{}'', images => -1',
      '400 invalid_request images must be from 0 to 1000000'
    ),
    (
      'an empty operation', 'pg_temp.id(''late''), ''one'', ''r'', ''{}'', operation => ''''',
      '400 invalid_request service and operation must have 1 to 100 characters, model 1 to 200'
    ),
    (
      'more tokens than there are', 'pg_temp.id(''late''), ''metered'', ''r'', ''{}'', 1000000',
      '403 insufficient_tokens Insufficient tokens: you have 94, need 3000'
    ),
    (
      'an operation_id of 252 characters', 'pg_temp.id(''late''), ''one'', repeat(''x'', 252), ''{}''',
      '400 invalid_request operation_id of a run must have 1 to 251 characters'
    ),
    (
      'the operation_id of a hold made by hand', 'pg_temp.id(''late''), ''one'', ''a hold'', ''{}''',
      '409 operation_id_reused operation_id a hold was used before with other arguments'
    )
) r (what, arguments, answer);
select is(
  pg_temp.refused(format('select start_run(%s)', r.arguments)), r.answer, format('start_run refuses %s', r.what)
)
from (
  values
    (
      'no tokens', 'pg_temp.id(''late''), ''r'', ''{}'', 0, ''s'', ''o'', ''m''',
      '400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got 0'
    ),
    (
      'an amount that is none', 'pg_temp.id(''late''), ''r'', ''{}'', null, ''s'', ''o'', ''m''',
      '400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got nothing'
    ),
    (
      'too many tokens', 'pg_temp.id(''own''), ''r'', ''{}'', 9000000000000000, ''s'', ''o'', ''m''',
      '400 invalid_amount 13500000000000000 tokens are more than 9000000000000000'
    ),
    (
      'no service', 'pg_temp.id(''late''), ''r'', ''{}'', 1, null, ''o'', ''m''',
      '400 invalid_request service and operation must have 1 to 100 characters, model 1 to 200'
    ),
    (
      'no time', 'pg_temp.id(''late''), ''r'', ''{}'', 1, ''s'', ''o'', ''m'', 0',
      '400 invalid_request ttl_seconds must be from 1 to 86400, got 0'
    ),
    (
      'more than a day', 'pg_temp.id(''late''), ''r'', ''{}'', 1, ''s'', ''o'', ''m'', 86401',
      '400 invalid_request ttl_seconds must be from 1 to 86400, got 86401'
    )
) r (what, arguments, answer);
select pg_temp.start('late', 'one', 'fin');
select is(
  pg_temp.refused(format('select finish_run(%L, %s)', pg_temp.run('late', 'fin'), r.arguments)),
  r.answer,
  format('finish_run refuses %s', r.arguments)
)
from (
  values
    ('''done''', '400 invalid_request outcome must be succeeded, failed or canceled'),
    ('''abandoned''', '400 invalid_request outcome must be succeeded, failed or canceled'),
    ('''running''', '400 invalid_request outcome must be succeeded, failed or canceled'),
    ('null', '400 invalid_request outcome must be succeeded, failed or canceled'),
    ('''succeeded'', tokens => 0', '400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got 0'),
    (
      '''succeeded'', tokens => 9000000000000001',
      '400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got 9000000000000001'
    ),
    (
      '''succeeded'', input_tokens => -1',
      '400 invalid_request input_tokens and output_tokens must be from 0 to 1000000000000'
    ),
    (
      '''succeeded'', input_tokens => 1, cached_input_tokens => 2',
      '400 invalid_request cached_input_tokens must be from 0 to input_tokens'
    ),
    ('''succeeded'', seconds => ''Infinity''', '400 invalid_request seconds must be from 0 to 1000000000'),
    ('''succeeded'', images => null', '400 invalid_request images must be from 0 to 1000000'),
    ('''failed'', response_time_ms => -1', '400 invalid_request response_time_ms must not be negative'),
    (
      '''failed'', explicit_cost_usd => ''-1''',
      '400 invalid_request explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got -1'
    )
) r (arguments, answer);
select is(
  pg_temp.answer(format('select %s', f.call)), format('404 run_not_found There is no run %s', coalesce(f.id::text, '')),
  format('refused: %s of a run that is not there', f.call)
)
from (
  values
    (
      'finish_run(''b54adc00-67f9-11d9-9669-0800200c9a66'', ''succeeded'')',
      'b54adc00-67f9-11d9-9669-0800200c9a66'::uuid
    ),
    ('get_run(''b54adc00-67f9-11d9-9669-0800200c9a66'')', 'b54adc00-67f9-11d9-9669-0800200c9a66'),
    ('attach_provider_run(''b54adc00-67f9-11d9-9669-0800200c9a66'', ''x'')', 'b54adc00-67f9-11d9-9669-0800200c9a66'),
    ('finish_run(null, ''succeeded'')', null), ('get_run(null)', null)
) f (call, id);

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  '42501 permission denied for function ' || split_part(f.call, '(', 1),
  format('%s is closed to %s', split_part(f.call, '(', 1), c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (
  values
    ('start_model_run(pg_temp.id(''ann''), ''one'', ''r'', ''{}'')'),
    ('start_run(pg_temp.id(''ann''), ''r'', ''{}'', 1, ''s'', ''o'', ''m'')'),
    ('finish_run(pg_temp.id(''x''), ''succeeded'')'), ('get_run(pg_temp.id(''x''))'),
    ('attach_provider_run(pg_temp.id(''x''), ''x'')'),
    ('abandon_runs()'), ('prune_runs()')
) f (call);
select is(
  pg_temp.answer(format('select %s', f.call), 'service_role'),
  f.answer,
  format('%s is open to service_role', split_part(f.call, '(', 1))
)
from (
  values
    (1, 'run_status from start_model_run(pg_temp.id(''late''), ''one'', ''role'', ''{}'')', '(running)'),
    (2, 'attached from attach_provider_run(pg_temp.run(''late'', ''role''), ''x'')', '(t)'),
    (3, 'provider_run_id from get_run(pg_temp.run(''late'', ''role''))', '(x)'),
    (4, 'run_status from finish_run(pg_temp.run(''late'', ''role''), ''succeeded'')', '(succeeded)'),
    (5, 'run_status from start_run(pg_temp.id(''late''), ''role 2'', ''{}'', 1, ''s'', ''o'', ''m'')', '(running)'),
    (6, 'abandon_runs()', '(0)'), (7, 'prune_runs()', '(0)')
) f (step, call, answer);
select is(
  (select actor from token_transactions where user_id = pg_temp.id('late') and operation_id = 'run:role'),
  'service_role', 'without an actor, the journal names the role'
);
select is(
  pg_temp.answer('select operation_id from runs order by 1', 'authenticated', 'busy'),
  '42501 permission denied for table runs', 'users read no runs but by run-model: markups are not theirs to see'
);
select is(pg_temp.answer('select 1 from runs', 'anon'), '42501 permission denied for table runs', 'anon none');
select is(
  pg_temp.answer(w.statement, c.role, 'busy'), '42501 permission denied for table runs',
  format('%s: closed to %s', split_part(w.statement, ' ', 1), c.role)
)
from (values ('authenticated'), ('service_role')) c (role)
cross join (values ('update runs set tokens_used = 0'), ('delete from runs')) w (statement);

select is_empty('select * from verify_ledger()', 'the journal, the runs and the calls agree');

select * from finish();

rollback;
