-- Calls are kept by the month: a partition is made when its first call comes, or ahead of that, and dropped when it is older
-- than settings say. Dropped months stay in the sums, and their operation_ids stay taken.

begin;

set local timezone to 'America/Los_Angeles';

select plan(41);

select pg_temp.new_user('ann', 100);

create function pg_temp.name(months_ago integer)
returns text
language sql
as $$select 'usage_events_' || to_char(pg_temp.month(months_ago) at time zone 'UTC', 'YYYY_MM')$$;

create function pg_temp.partitions()
returns text
language sql
as $$
  select coalesce(string_agg(c.relname::text, ' ' order by c.relname desc), 'none')
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'public.usage_events'::regclass
$$;

create function pg_temp.rotate()
returns text
language sql
as $$select format('created %s, dropped %s', r.created, r.dropped) from public.rotate_usage_months() r$$;

-- Made on demand

select is(pg_temp.partitions(), 'none', '(no partition without calls)');
select is(
  pg_temp.track('ann', 'op 0', 'gpt-4', 'explicit_cost_usd => ''1'''),
  '(1.00,0.85,f,0,,f,f)',
  'the first call of a month is recorded'
);
select is(pg_temp.partitions(), pg_temp.name(0), 'in a partition that it made');
select is(pg_temp.track('ann', 'op 0b', 'gpt-4'), '(,,t,0,,f,f)', 'the second finds it');
select is(
  pg_temp.track(
    'ann', 'op ' || m.ago, 'gpt-4',
    format('explicit_cost_usd => ''1'', tokens => 1, occurred_at => %L', pg_temp.month(m.ago)), 'cost_usd'
  ),
  '(1.00)',
  format('a call of %s months ago makes its own', m.ago)
)
from (values (13), (3), (12)) m (ago);
select is(
  pg_temp.partitions(), concat_ws(' ', pg_temp.name(0), pg_temp.name(3), pg_temp.name(12), pg_temp.name(13)),
  'each month one'
);
select is(
  (select pg_get_expr(c.relpartbound, c.oid) from pg_class c where c.oid = ('private.' || pg_temp.name(3))::regclass),
  format('FOR VALUES FROM (%L) TO (%L)', pg_temp.month(3), pg_temp.month(2)),
  'from midnight to midnight in UTC, whatever the session''s time zone'
);
select is(
  pg_temp.answer(format('select private.create_usage_month(%L)', d.day)), '()',
  'create_usage_month finds what is there: ' || d.what
)
from (
  values ('by its first day', (pg_temp.month(3) at time zone 'UTC')::date), ('by its last', (pg_temp.month(2) at time zone 'UTC')::date - 1)
) d (what, day);
select is(
  pg_temp.answer(format('select private.create_usage_month(%L)', d.day)), format('(usage_events_%s)', d.name),
  'create_usage_month: ' || d.name
)
from (values (date '2024-02-29', '2024_02'), ('2023-12-31', '2023_12'), ('2024-01-01', '2024_01'), ('1999-01-31', '1999_01')) d (day, name);
select is(
  (select obj_description('private.usage_events_2024_02'::regclass, 'pg_class')), 'The calls of February 2024',
  'a partition has a comment'
);

-- Rotated

select is(
  pg_temp.rotate(),
  format(
    'created {%s}, dropped {usage_events_1999_01,usage_events_2023_12,usage_events_2024_01,usage_events_2024_02}',
    pg_temp.name(-1)
  ),
  'rotate_usage_months makes the next month, and drops those of more than 13 months ago'
);
select is_empty('select * from verify_ledger()', 'rows, sums and journal agree');
select pg_temp.settings('{"usage_keep_months": 12}');
select is(pg_temp.rotate(), format('created {}, dropped {%s}', pg_temp.name(13)), 'or of more than settings say');
select is(
  pg_temp.partitions(), concat_ws(' ', pg_temp.name(-1), pg_temp.name(0), pg_temp.name(3), pg_temp.name(12)),
  'the others stay'
);
select is(pg_temp.rotate(), 'created {}, dropped {}', 'again it finds nothing to do');
select is(current_setting('lock_timeout'), '0', 'and leaves the session as it was');
select is(
  pg_temp.answer(
    'select total_calls, total_cost_usd from summarize_usage(pg_temp.id(''ann''), period => ''all_time'')'
  ),
  '(5,4.00)',
  'the sums of a dropped month stay'
);
select is(
  pg_temp.answer('select operation_id from list_usage(pg_temp.id(''ann'')) order by occurred_at'),
  '("op 12") ("op 3") ("op 0") ("op 0b")', 'its rows are gone'
);
select is(
  pg_temp.track('ann', 'op 13', 'gpt-4', 'explicit_cost_usd => ''1'', tokens => 1' || o.more),
  format(
    '409 operation_id_reused operation_id op 13 was recorded at %s; its row is not kept any more', pg_temp.month(13)
  ),
  'its operation_ids stay taken: ' || o.what
)
from (
  values
    ('a retry of now', ''), ('a retry of a month that is kept', format(', occurred_at => %L', pg_temp.month(12))),
    ('a retry of then', format(', occurred_at => %L', pg_temp.month(13)))
) o (what, more);
select is(pg_temp.balance('ann'), 'total 100, used 3, reserved 0, remaining 97', 'nothing is charged twice');
select is(
  pg_temp.track('ann', 'too late', 'gpt-4', format('occurred_at => %L', pg_temp.month(13))),
  '400 invalid_request occurred_at must be within the months that are kept, and not in the future',
  'no call comes for a dropped month'
);
select pg_temp.settings('{"usage_keep_months": 1}');
select is(
  pg_temp.rotate(), format('created {}, dropped {%s,%s}', pg_temp.name(12), pg_temp.name(3)),
  'fewer months take effect at the next rotation'
);
select is_empty('select * from verify_ledger()', 'rows, sums and journal agree, as far as there are rows');
select pg_temp.settings('{"usage_keep_months": 13}');
select is(
  pg_temp.track('ann', 'back', 'gpt-4', format('occurred_at => %L', pg_temp.month(m.ago))), m.answer,
  format('with more months again, a call of %s months ago', m.ago)
)
from (
  values
    (3, '400 invalid_request occurred_at must be within the months that are kept, and not in the future'),
    (2, '(,,t,0,,f,f)')
) m (ago, answer);
select is_empty('select * from verify_ledger()', 'and still they agree: months that were dropped stay so');
select pg_temp.settings('{"usage_keep_months": 1}');
select is(pg_temp.rotate(), format('created {}, dropped {%s}', pg_temp.name(2)), '(and fewer again)');

-- Shape of a partition

select results_eq(
  $$
    select c.relrowsecurity, count(distinct i.indexrelid), count(distinct t.oid) filter (where not t.tgisinternal)
    from pg_class c
    join pg_index i on i.indrelid = c.oid
    left join pg_trigger t on t.tgrelid = c.oid
    where c.oid = ('private.' || pg_temp.name(0))::regclass
    group by 1
  $$,
  $$
    select true, count(distinct i.indexrelid), 2::bigint
    from pg_index i where i.indrelid = 'public.usage_events'::regclass
  $$,
  'a partition has row level security, the indexes of the whole, once each, and both guards'
);
select is_empty(
  $$
    select a.attname from pg_attribute a
    where a.attrelid = ('private.' || pg_temp.name(0))::regclass and a.attnum > 0 and col_description(a.attrelid, a.attnum) is null
  $$,
  'and the comments of its columns'
);

-- Callers

select is(
  pg_temp.answer('select rotate_usage_months()', c.role, 'ann'),
  '42501 permission denied for function rotate_usage_months',
  format('rotate_usage_months is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select dropped from rotate_usage_months()', 'service_role'), '({})',
  'rotate_usage_months is open to service_role'
);
select is(pg_temp.track('ann', 'after', 'gpt-4', null, 'unpriced'), '(t)', 'calls go on');

select * from finish();

rollback;
