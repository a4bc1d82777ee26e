-- usage_daily is, at every moment, the sum of a user's calls by day of UTC, service, model and operation, to the last digit.
-- Rows and sums that are there stay, and verify_ledger finds whatever disagrees.

begin;

select plan(79);

select pg_temp.new_user('ann', 100000);
select pg_temp.new_user('ben', 100);
select pg_temp.settings('{"usage_keep_months": 1200}');

-- Many small calls

insert into model_prices (service, model, valid_from, input_usd_per_million, output_usd_per_million)
values ('openai', 'ada-002', pg_temp.month(39), 0.10, null), ('openai', 'gpt-4', pg_temp.month(39), 30, 60);
select is(
  (
    select count(*)
    from generate_series(1, 10000) n
    cross join lateral track_usage(
      pg_temp.id('ann'), 'small ' || n, 'openai', 'embed', 'ada-002', 1, response_time_ms => 3, occurred_at => now()
    ) t
    where t.cost_usd = '0.0000001' and t.cost_eur = '0.000000085'
  ),
  10000::bigint,
  '10,000 calls of one token each cost $0.0000001 and €0.000000085'
);
select results_eq(
  $$
    select
      sum(calls), sum(failed_calls), sum(unpriced_calls), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens),
      sum(tokens_charged), sum(cost_usd), sum(cost_eur), sum(timed_calls), sum(response_time_ms), count(*)
    from usage_daily where user_id = pg_temp.id('ann')
  $$,
  'values (10000.0, 0.0, 0.0, 10000.0, 0.0, 0.0, 0.0, 0.001, 0.00085, 10000.0, 30000.0, 1::bigint)',
  'together exactly $0.001 and €0.00085, in one row'
);
select results_eq(
  $$select sum(cost_usd), sum(cost_eur), count(*) from usage_events where user_id = pg_temp.id('ann')$$,
  $$select sum(cost_usd), sum(cost_eur), 10000::bigint from usage_daily where user_id = pg_temp.id('ann')$$,
  'the rows add up to the same'
);
select is(
  pg_temp.answer($$
    select total_calls, total_tokens, total_cost_usd, total_cost_eur, average_response_time_ms from summarize_usage(pg_temp.id('ann'), period => 'last_30_days')
  $$),
  '(10000,10000,0.001,0.00085,3)',
  'and so does the summary'
);

-- The borders of days and months, whatever the session's time zone

select pg_temp.new_user('cal');
create temporary table borders as
select b.border, b.what
from (
  values
    ((extract(year from now() at time zone 'UTC')::integer || '-01-01')::date, 'a year'),
    (
      make_date(
        extract(year from now() at time zone 'UTC')::integer - case when extract(month from now() at time zone 'UTC') < 3 then 1 else 0 end,
        3, 1
      ),
      'February'
    ),
    ('2024-02-29'::date, 'the 28th of February of a leap year'),
    ('2024-03-01', 'a February of 29 days'),
    ('2025-03-30', 'the day before clocks go forward'),
    ('2024-10-28', 'the day of 25 hours')
) b (border, what);
select is(set_config('timezone', 'Pacific/Kiritimati', true), 'Pacific/Kiritimati', '(fourteen hours ahead)');
select is(
  (
    select count(*)
    from borders b
    cross join (values ('-1 microsecond'::interval), ('0')) o (off)
    cross join lateral track_usage(
      pg_temp.id('cal'), 'far ' || b.what || o.off, 's', b.what, 'm', explicit_cost_usd => '1',
      occurred_at => b.border::timestamp at time zone 'UTC' + o.off
    ) t
  ),
  12::bigint,
  '(calls at 23:59:59.999999 and at 00:00:00 UTC)'
);
select is(set_config('timezone', 'America/Los_Angeles', true), 'America/Los_Angeles', '(eight hours behind)');
select is(
  (
    select count(*)
    from borders b
    cross join (values ('-1 microsecond'::interval), ('0')) o (off)
    cross join lateral track_usage(
      pg_temp.id('cal'), 'near ' || b.what || o.off, 's', b.what, 'm', explicit_cost_usd => '1',
      occurred_at => b.border::timestamp at time zone 'UTC' + o.off
    ) t
  ),
  12::bigint,
  '(the same once more)'
);
select is(
  (
    select string_agg(format('%s %s', d.day - b.border, d.calls), ', ' order by d.day)
    from usage_daily d where d.user_id = pg_temp.id('cal') and d.operation = b.what
  ),
  '-1 2, 0 2',
  format('the end of %s is midnight in UTC', b.what)
)
from borders b;
select is(
  (
    select string_agg(format('%s %s', s.first_day - b.border, s.total_calls), ', ' order by s.first_day)
    from (
      select * from summarize_usage(pg_temp.id('cal'), 's', from_day => b.border - 1, to_day => b.border - 1)
      union all
      select * from summarize_usage(pg_temp.id('cal'), 's', from_day => b.border, to_day => b.border)
    ) s
  ),
  '-1 2, 0 2',
  format('also in summaries: %s', b.what)
)
from borders b
where b.what not in ('the 28th of February of a leap year', 'a February of 29 days');
select is_empty(
  $$
    select e.occurred_at, e.tableoid::regclass
    from usage_events e
    where e.tableoid::regclass::text <> 'private.usage_events_' || to_char(e.occurred_at at time zone 'UTC', 'YYYY_MM')
  $$,
  'each call is in the partition of its month of UTC'
);
select is(set_config('timezone', 'UTC', true), 'UTC', '(and back)');

-- Random calls

select is(setseed(0.25) is not null, true, '(the random calls are the same each time)');
select cmp_ok(
  (
    select count(*)
    from generate_series(1, 600) n
    cross join lateral (
      select
        (array['ann', 'ben'])[1 + floor(random() * 2)::integer] as name,
        (array['openai', 'other'])[1 + floor(random() * 2)::integer] as service,
        (array['chat', 'embed'])[1 + floor(random() * 2)::integer] as operation,
        (array['gpt-4', 'ada-002', 'unknown'])[1 + floor(random() * 3)::integer] as model,
        floor(random() * 100000)::bigint as input,
        random() as share, floor(random() * 2000)::bigint as output, random() < 0.8 as success,
        case when random() < 0.2 then round(random()::numeric, 10)::text end as cost,
        case when random() < 0.7 then floor(random() * 5000)::integer end as response_time_ms,
        case when random() < 0.3 then floor(random() * 3)::bigint end as tokens,
        now() - random() * interval '900 days' as occurred_at
      where n > 0
    ) c
    cross join lateral pg_temp.answer(format(
      $$
        select usage_id is not null
        from track_usage(
          %L, %L, %L, %L, %L, %L, %L, %L, explicit_cost_usd => %L, tokens => %L, success => %L, response_time_ms => %L, occurred_at => %L
        )
      $$,
      pg_temp.id(c.name), 'random ' || n, c.service, c.operation, c.model, c.input, floor(c.input * c.share)::bigint,
      c.output, c.cost,
      c.tokens, c.success, c.response_time_ms, c.occurred_at
    )) a
    where a = '(t)'
  ),
  '>', 500::bigint,
  '600 random calls, of which some are refused'
);
select is_empty('select * from verify_ledger()', 'rows, sums and journal agree');
select is(
  (
    select count(distinct (d.user_id, d.day, d.service, d.model, d.operation)) = count(*) and count(*) > 300 from usage_daily d
  ),
  true,
  '(they are spread over many days)'
);

-- No other changes

select is(
  pg_temp.answer(e.statement),
  '403 journal_append_only ' || e.command || ' on recorded usage is refused: it is append-only',
  format('refused by hand: %s', e.statement)
)
from (
  values
    ('Update', 'update usage_events set cost_usd = 0 where operation_id = ''small 1'''),
    ('Update', 'update usage_events set input_preview = null where operation_id = ''small 1'''),
    ('Delete', 'delete from usage_events where operation_id = ''small 1'''),
    ('Truncate', 'truncate usage_events'),
    ('Update', 'update usage_daily set calls = 0'),
    ('Delete', 'delete from usage_daily'),
    ('Truncate', 'truncate usage_daily'),
    ('Update', 'update private.usage_operations set operation_id = operation_id'),
    ('Delete', 'delete from private.usage_operations'),
    ('Truncate', 'truncate private.usage_operations')
) e (command, statement);
select is(
  pg_temp.answer(format('update private.%I set cost_usd = 0', c.relname)),
  '403 journal_append_only Update on recorded usage is refused: it is append-only',
  'refused by hand in a partition too'
)
from pg_class c
where c.relname = 'usage_events_' || to_char(now() at time zone 'UTC', 'YYYY_MM') and c.relkind = 'r';
select is(
  pg_temp.answer(format('%s %s', w.command, t.name), c.role, 'ann'),
  format('42501 permission denied for %s', w.denied),
  format('%s: closed to %s', format('%s %s', w.command, t.name), c.role)
)
from (values ('anon'), ('authenticated'), ('service_role')) c (role)
cross join (values ('usage_events'), ('usage_daily'), ('runs')) t (name)
cross join lateral (values ('delete from', 'table ' || t.name)) w (command, denied);
select is(
  pg_temp.answer('select 1 from private.usage_operations', 'authenticated', 'ann'),
  '42501 permission denied for schema private',
  'clients don''t see operations'
);

-- Who sees what

select is(
  pg_temp.answer(
    format('select bool_and(user_id = %L) as own, count(*) > 10 as some from %I', pg_temp.id('ben'), t.name), 'authenticated', 'ben'
  ),
  '(t,t)',
  format('users see their own rows of %s only', t.name)
)
from (values ('usage_events'), ('usage_daily')) t (name);
select is(
  pg_temp.answer(format('select 1 from %I', t.name), 'anon'),
  format('42501 permission denied for table %s', t.name),
  format('anon sees none of %s', t.name)
)
from (values ('usage_events'), ('usage_daily')) t (name);
select is(
  (
    select string_agg(
      distinct pg_temp.answer(format('select 1 from private.%I limit 1', c.relname), r.role, 'ann'), '; '
    )
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join (values ('anon'), ('authenticated'), ('service_role')) r (role)
    where i.inhparent = 'public.usage_events'::regclass
  ),
  '42501 permission denied for schema private',
  'nobody reads a partition itself'
);
select is_empty(
  $$
    select c.relname, r.role
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join (values ('anon'), ('authenticated'), ('service_role')) r (role)
    where i.inhparent = 'public.usage_events'::regclass
      and (not c.relrowsecurity or has_table_privilege(r.role, c.oid, 'select, insert, update, delete, truncate, references, trigger'))
  $$,
  'a partition has row level security, and no privileges'
);

-- verify_ledger

create function pg_temp.found(statement text)
returns text
language plpgsql
as $$
declare
  v_problems text;
  v_posting text;
begin
  v_posting := set_config('scrip.posting', 'on', true);
  execute statement;
  select string_agg(
    format(
      '%s: %s, not %s', regexp_replace(v.problem, '[0-9a-f-]{36}', 'id'), trim_scale(v.expected), trim_scale(v.actual)
    ),
    '; ' order by v.problem collate "C"
  )
  into v_problems
  from public.verify_ledger() v;
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return coalesce(v_problems, 'nothing');
end;
$$;
select pg_temp.new_user('ver', 100);
select is(
  pg_temp.track(
    'ver', 'one', 'gpt-4',
    '1000, 400, 500, tokens => 7, response_time_ms => 9, success => false, explicit_cost_usd => ''0.5'', occurred_at => ''2025-06-05T00:00:00Z'''
  ),
  '(0.50,0.425,f,7,93,f,f)', '(a call)'
);
select pg_temp.new_model('demo');
select is(
  pg_temp.answer($$
    select f.run_status, f.tokens_used
    from start_model_run(pg_temp.id('ver'), 'demo', 'run', '{}') s, finish_run(s.run_id, 'succeeded') f
  $$),
  '(succeeded,1)', '(a run)'
);
select is(pg_temp.found('select 1'), 'nothing', 'verify_ledger is content');
select is(
  pg_temp.found(
    format('update usage_daily set %s = %1$s + 1 where user_id = pg_temp.id(''ver'') and model = ''gpt-4''', c.name)
  ),
  format('%s of openai gpt-4 chat on 2025-06-05: %s, not %s', c.name, c.value, c.value + 1),
  format('verify_ledger finds a wrong sum: %s', c.name)
)
from (
  values
    ('calls', 1), ('failed_calls', 1), ('unpriced_calls', 0), ('input_tokens', 1000), ('cached_input_tokens', 400),
    ('output_tokens', 500),
    ('tokens_charged', 7), ('cost_usd', 0.5), ('cost_eur', 0.425), ('timed_calls', 1), ('response_time_ms', 9)
) c (name, value);
select matches(pg_temp.found(f.statement), f.problem, format('verify_ledger finds %s', f.what))
from (
  values
    (
      'a sum that is missing', 'delete from usage_daily where user_id = pg_temp.id(''ver'') and model = ''gpt-4''',
      'calls of openai gpt-4 chat on 2025-06-05: 1, not 0'
    ),
    (
      'a row that is missing', 'delete from usage_events where user_id = pg_temp.id(''ver'') and model = ''gpt-4''',
      'calls of openai gpt-4 chat on 2025-06-05: 0, not 1'
    ),
    (
      'a row that was added by hand',
      'insert into usage_events select (jsonb_populate_record(e, ''{"id": "b54adc00-67f9-11d9-9669-0800200c9a66"}'')).* from usage_events e where user_id = pg_temp.id(''ver'') and model = ''gpt-4''',
      'calls of openai gpt-4 chat on 2025-06-05: 2, not 1'
    ),
    (
      'a call that was charged otherwise',
      'update usage_events set tokens_charged = 8 where user_id = pg_temp.id(''ver'') and model = ''gpt-4''',
      'the charge of call id: 8, not 7'
    ),
    (
      'a call without its operation_id',
      'delete from private.usage_operations where user_id = pg_temp.id(''ver'')', '^call id of one: 0, not 1$'
    ),
    (
      'an operation_id without its call',
      'delete from usage_events where user_id = pg_temp.id(''ver'') and run_id is null', 'call id of one: 1, not 0'
    ),
    (
      'a run without its call',
      'delete from usage_events where user_id = pg_temp.id(''ver'') and run_id is not null', 'calls of run id: 1, not 0'
    ),
    (
      'a run with two',
      'insert into usage_events select (jsonb_populate_record(e, ''{"id": "b54adc00-67f9-11d9-9669-0800200c9a66"}'')).* from usage_events e where user_id = pg_temp.id(''ver'') and run_id is not null',
      'calls of run id: 1, not 2'
    ),
    (
      'a call of a run that says it was free',
      'update usage_events set tokens_charged = 0 where user_id = pg_temp.id(''ver'') and run_id is not null',
      'the charge of call id: 0, not 1'
    ),
    (
      'a run that was charged otherwise', 'update runs set tokens_used = 2 where user_id = pg_temp.id(''ver'')',
      '^the charge of run id: 2, not 1$'
    ),
    (
      'a failed run that was charged',
      'update runs set status = ''failed'', tokens_used = 0 where user_id = pg_temp.id(''ver'')',
      '^the charge of run id: 0, not 1$'
    )
) f (what, statement, problem);

-- A deleted account

delete from auth.users where id = pg_temp.id('ver');
select is_empty(
  $$
    select 'usage_events' from usage_events where user_id = pg_temp.id('ver')
    union all
    select 'usage_daily' from usage_daily where user_id = pg_temp.id('ver')
    union all
    select 'runs' from runs where user_id = pg_temp.id('ver')
    union all
    select 'usage_operations' from private.usage_operations where user_id = pg_temp.id('ver')
  $$,
  'a deleted account''s calls, sums, runs and operations go with it'
);
select cmp_ok(
  (select count(*) from usage_events where user_id = pg_temp.id('ben')), '>', 10::bigint, 'and nobody else''s'
);
select is_empty('select * from verify_ledger()', 'rows, sums and journal agree');

select * from finish();

rollback;
