-- summarize_usage adds up a user's calls of a period, in all and by service, model, operation and day, from the daily sums
-- alone. Periods are days of UTC, both ends in them.

begin;

select plan(53);

select pg_temp.new_user('ann', 1000);
select pg_temp.new_user('ben');
select pg_temp.settings('{"usage_keep_months": 14}');

create function pg_temp.day(ago integer)
returns date
language sql
as $$select (now() at time zone 'UTC')::date - ago$$;

create function pg_temp.first_day(months_ago integer)
returns date
language sql
as $$select (pg_temp.month(months_ago) at time zone 'UTC')::date$$;

create function pg_temp.call(day date, service text, operation text, model text, arguments text)
returns void
language plpgsql
as $$
begin
  execute format(
    'select track_usage(%L, gen_random_uuid()::text, %L, %L, %L, %s, occurred_at => least(%L::timestamptz, now()))',
    pg_temp.id('ann'), service, operation, model, arguments, day::text || ' 12:00:00+00'
  );
end;
$$;

create function pg_temp.summary(arguments text, columns text default 'total_calls, total_cost_usd', name text default 'ann')
returns text
language sql
as $$
  select pg_temp.answer(format('select %s from summarize_usage(%L%s)', columns, pg_temp.id(name), ', ' || arguments))
$$;

-- Nothing

select is(
  pg_temp.summary(p.arguments, '*'),
  format('(%s,%s,0,0,0,0,0,0,0,0,0.00,0.00,,[],[],[],%s)', p.first_day, pg_temp.day(0), p.by_day),
  format('a user without calls: %s', p.arguments)
)
from (
  values
    (null, pg_temp.first_day(0), ''),
    ('period => ''current_month'', with_days => true', pg_temp.first_day(0), '[]'),
    ('period => ''last_30_days''', pg_temp.day(29), ''),
    ('period => ''all_time''', pg_temp.day(0), ''),
    ('''openai'', ''all_time''', pg_temp.day(0), '')
) p (arguments, first_day, by_day);
select is(pg_temp.summary(null, 'total_calls', 'nobody'), '(0)', 'and nobody');

-- All that it says

create temporary table calls as
select *
from (
  values
    (
      pg_temp.first_day(2), 'openai', 'chat', 'gpt-4',
      '1000, 400, 500, explicit_cost_usd => ''0.06'', tokens => 6, response_time_ms => 100'
    ),
    (
      pg_temp.first_day(2), 'openai', 'chat', 'gpt-4',
      '10, explicit_cost_usd => ''0.0000000001'', response_time_ms => 201'
    ),
    (pg_temp.first_day(2), 'openai', 'embed', 'ada-002', '7, explicit_cost_usd => ''1.5'''),
    (
      pg_temp.first_day(2) + 1, 'replicate', 'image', 'flux',
      'explicit_cost_usd => ''1.5'', images => 1, response_time_ms => 3000'
    ),
    (pg_temp.first_day(2) + 1, 'replicate', 'image', 'flux', 'success => false, response_time_ms => 9'),
    (pg_temp.first_day(2) + 3, 'replicate', 'chat', 'gpt-4', '5, output_tokens => 6'),
    (
      pg_temp.first_day(2) + 3, 'replicate', 'chat', 'gpt-4',
      'success => false, explicit_cost_usd => ''0.25'', tokens => 1'
    )
) c (day, service, operation, model, arguments);
select pg_temp.call(day, service, operation, model, arguments) from calls;
create function pg_temp.whole()
returns text
language sql
as $$select format('from_day => %L, to_day => %L', pg_temp.first_day(2), pg_temp.first_day(1) - 1)$$;

select is(
  pg_temp.summary(
    pg_temp.whole(),
    'total_calls, failed_calls, unpriced_calls, input_tokens, cached_input_tokens, output_tokens, total_tokens, tokens_charged, '
      || 'total_cost_usd, total_cost_eur, average_response_time_ms, by_day'
  ),
  '(7,2,1,1022,400,506,1528,7,3.3100000001,2.8135000001,828,)',
  'summarize_usage adds up all; what is unpriced is counted beside the known costs'
);
select is(
  (
    select by_service from summarize_usage(pg_temp.id('ann'), from_day => pg_temp.first_day(2), to_day => pg_temp.first_day(1) - 1)
  ),
  '[
    {"service": "replicate", "calls": 4, "failed_calls": 2, "unpriced_calls": 1, "input_tokens": 5, "cached_input_tokens": 0,
     "output_tokens": 6, "total_tokens": 11, "tokens_charged": 1, "cost_usd": "1.75", "cost_eur": "1.4875", "average_response_time_ms": 1505},
    {"service": "openai", "calls": 3, "failed_calls": 0, "unpriced_calls": 0, "input_tokens": 1017, "cached_input_tokens": 400,
     "output_tokens": 500, "total_tokens": 1517, "tokens_charged": 6, "cost_usd": "1.5600000001", "cost_eur": "1.3260000001",
     "average_response_time_ms": 151}
  ]'::jsonb,
  'by service, the dearest first'
);
create function pg_temp.parts(of text, arguments text)
returns text
language plpgsql
as $$
declare
  v_parts jsonb;
begin
  execute format('select %I from summarize_usage(%L, %s)', of, pg_temp.id('ann'), arguments) into v_parts;
  return (
    select string_agg(
      concat_ws(
        ' ', p.part ->> 'service', p.part ->> 'model', p.part ->> 'operation', p.part ->> 'day', p.part ->> 'calls',
        p.part ->> 'cost_usd'
      ),
      '; ' order by p.number
    )
    from jsonb_array_elements(v_parts) with ordinality p (part, number)
  );
end;
$$;
select is(
  pg_temp.parts('by_model', pg_temp.whole()),
  'replicate flux 2 1.50; openai ada-002 1 1.50; replicate gpt-4 2 0.25; openai gpt-4 2 0.0600000001',
  'by model of a service; of two as dear, the one called more first'
);
select is(
  pg_temp.parts('by_operation', pg_temp.whole()), 'image 2 1.50; embed 1 1.50; chat 4 0.3100000001',
  'by operation, of all services'
);
select is(
  pg_temp.parts('by_day', pg_temp.whole() || ', with_days => true'),
  format(
    '%s 3 1.5600000001; %s 2 1.50; %s 2 0.25', pg_temp.first_day(2), pg_temp.first_day(2) + 1, pg_temp.first_day(2) + 3
  ),
  'by day, those without calls left out, if that is asked for'
);
select results_eq(
  format(
    $$
      select sum((p.part ->> 'calls')::int), sum((p.part ->> 'cost_usd')::numeric), sum((p.part ->> 'cost_eur')::numeric),
        sum((p.part ->> 'total_tokens')::int), sum((p.part ->> 'tokens_charged')::int)
      from summarize_usage(pg_temp.id('ann'), %s, with_days => true) s
      cross join lateral jsonb_array_elements(s.%I) p (part)
    $$, pg_temp.whole(), o.of
  ),
  'values (7::bigint, 3.3100000001, 2.8135000001, 1528::bigint, 7::bigint)',
  format('%s adds up to the whole', o.of)
)
from (values ('by_service'), ('by_model'), ('by_operation'), ('by_day')) o (of);
select is(
  pg_temp.summary(
    '''openai'', ' || pg_temp.whole(), 'total_calls, failed_calls, unpriced_calls, total_cost_usd, tokens_charged'
  ),
  '(3,0,0,1.5600000001,6)',
  'of one service'
);
select is(
  pg_temp.parts('by_model', '''openai'', ' || pg_temp.whole()),
  'openai ada-002 1 1.50; openai gpt-4 2 0.0600000001',
  'its models alone'
);
select is(pg_temp.parts('by_service', '''openai'', ' || pg_temp.whole()), 'openai 3 1.5600000001', 'and itself');
select is(pg_temp.summary('''unknown'', ' || pg_temp.whole()), '(0,0.00)', 'an unknown service has none');
select is(
  pg_temp.summary('null, ''all_time'', ' || pg_temp.whole(), 'total_calls', 'ben'), '(0)', 'nor has another user'
);

-- Periods: one call a day around each border, of $1 on the day that belongs and of $1000 on the one that does not

create function pg_temp.in_period(days date[], arguments text, outside date[] default '{}')
returns text
language plpgsql
as $$
declare
  v_answer text;
begin
  perform pg_temp.call(d.day, 'p', 'o', 'm', 'explicit_cost_usd => ''1''') from unnest(days) d (day);
  perform pg_temp.call(d.day, 'p', 'o', 'm', 'explicit_cost_usd => ''1000''') from unnest(outside) d (day);
  v_answer := pg_temp.summary('''p'', ' || arguments, 'first_day, last_day, total_calls, total_cost_usd');
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return v_answer;
end;
$$;
select is(
  pg_temp.in_period(p.days, p.arguments, p.outside),
  format('(%s,%s,%s,%s.00)', p.first_day, p.last_day, cardinality(p.days), cardinality(p.days)),
  format('%s (session in %s)', p.arguments, z.zone)
)
from (values (1, 'UTC'), (2, 'Pacific/Kiritimati'), (3, 'America/Los_Angeles')) z (step, zone)
cross join (
  values
    (
      1, '''current_month''', pg_temp.first_day(0), pg_temp.day(0), array[pg_temp.first_day(0), pg_temp.day(0)],
      array[pg_temp.first_day(0) - 1]
    ),
    (
      2, '''last_30_days''', pg_temp.day(29), pg_temp.day(0), array[pg_temp.day(29), pg_temp.day(0)],
      array[pg_temp.day(30)]
    ),
    (
      3, format('from_day => %L', pg_temp.day(40)), pg_temp.day(40), pg_temp.day(0), array[pg_temp.day(40), pg_temp.day(0)],
      array[pg_temp.day(41)]
    ),
    (
      4, format('from_day => %L, to_day => %1$L', pg_temp.day(40)), pg_temp.day(40), pg_temp.day(40), array[pg_temp.day(40)],
      array[pg_temp.day(41), pg_temp.day(39)]
    ),
    (
      5, format('''last_30_days'', %L, %L', pg_temp.day(60), pg_temp.day(50)), pg_temp.day(60), pg_temp.day(50),
      array[pg_temp.day(60), pg_temp.day(50)], array[pg_temp.day(61), pg_temp.day(49)]
    ),
    (
      6, format('from_day => %L, to_day => %L', date '2000-01-01', pg_temp.day(50)), date '2000-01-01', pg_temp.day(50),
      array[pg_temp.day(100)], array[pg_temp.day(49)]
    )
) p (step, arguments, first_day, last_day, days, outside)
cross join lateral (select set_config('timezone', z.zone, true)) s;
select is(set_config('timezone', 'UTC', true), 'UTC', '(and back)');
select is(
  pg_temp.in_period(array[pg_temp.day(300), pg_temp.day(0)], '''all_time'''),
  format('(%s,%s,2,2.00)', pg_temp.day(300), pg_temp.day(0)),
  'all time begins with the first call'
);
select is(
  pg_temp.in_period(array[pg_temp.day(300)], format('to_day => %L', pg_temp.day(250)), array[pg_temp.day(249)]),
  format('(%s,%s,1,1.00)', pg_temp.day(300), pg_temp.day(250)),
  'so does a period without its first day'
);

-- Refusals

select is(pg_temp.summary(r.arguments), '400 invalid_request ' || r.message, format('refused: %s', r.arguments))
from (
  values
    ('period => ''forever''', 'period must be current_month, last_30_days or all_time, got forever'),
    ('period => null', 'period must be current_month, last_30_days or all_time, got nothing'),
    ('period => ''''', 'period must be current_month, last_30_days or all_time, got '),
    ('period => ''custom''', 'A custom period needs from or to'),
    ('from_day => ''2026-01-02'', to_day => ''2026-01-01''', 'from 2026-01-02 must not be after to 2026-01-01'),
    ('from_day => pg_temp.day(-1)', format('from %s must not be after to %s', pg_temp.day(-1), pg_temp.day(0)))
) r (arguments, message);

-- The dearest

select pg_temp.new_user('many');
select count(pg_temp.track('many', 'many ' || n, 'm-' || n, format('explicit_cost_usd => ''%s''', n)))
from generate_series(1, 101) n;
select is(
  pg_temp.answer(
    $$
      select total_calls, total_cost_usd, jsonb_array_length(by_model), by_model -> 0 ->> 'model', by_model -> 99 ->> 'model'
      from summarize_usage(pg_temp.id('many'), period => 'all_time')
    $$
  ),
  '(101,5151.00,100,m-101,m-2)',
  'lists have the hundred dearest, sums have all'
);

-- It reads the daily sums alone

create function pg_temp.without_rows()
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_posting text := set_config('scrip.posting', 'on', true);
begin
  delete from public.usage_events;
  v_answer := pg_temp.summary(pg_temp.whole());
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return v_answer;
end;
$$;
select is(pg_temp.without_rows(), '(7,3.3100000001)', 'summaries outlive the rows');

-- Callers

select is(
  pg_temp.answer('select summarize_usage(pg_temp.id(''ann''))', c.role, 'ann'),
  '42501 permission denied for function summarize_usage',
  format('summarize_usage is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(
    'select total_calls from summarize_usage(pg_temp.id(''ann''), period => ''all_time'')', 'service_role'
  ),
  '(7)',
  'summarize_usage is open to service_role'
);
select is_empty('select * from verify_ledger()', 'rows, sums and journal agree');

select * from finish();

rollback;
