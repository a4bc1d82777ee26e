-- schedule_jobs schedules what there is where pg_cron is installed, and does nothing where it is not, as here. What a job
-- runs must exist, or it would fail every minute without anyone seeing it.

begin;

select plan(9);

select is_empty('select private.schedule_jobs()', 'schedule_jobs schedules nothing without pg_cron');

create temporary view jobs as
select m[1] as name, m[2] as schedule, m[3] as work
from regexp_matches(
  pg_get_functiondef('private.schedule_jobs'::regproc), '\(''(scrip-[a-z-]+)'', ''([^'']+)'', ''([^'']+)''\)', 'g'
) m;

select results_eq(
  'select work, schedule from jobs where work like ''public.%'' order by work',
  $$
    values
      ('public.abandon_runs()', '* * * * *'),
      ('public.expire_token_holds()', '* * * * *'),
      ('public.prune_outbox()', '* * * * *'),
      ('public.prune_runs()', '* * * * *'),
      ('public.rotate_usage_months()', '37 3 * * *')
  $$,
  'with pg_cron it schedules the sweeps and what drops old rows'
);
select lives_ok('select ' || work, work || ' runs as it is scheduled') from jobs where work like 'public.%';
select results_eq(
  'select work, schedule from jobs where work not like ''public.%'' order by work',
  $$values ('auto-top-up/run', '* * * * *'), ('fx-sync', '7 * * * *'), ('hub-sync', '* * * * *')$$,
  'with pg_net it calls the functions that have something to do'
);
select is(
  pg_temp.answer('select private.schedule_jobs()', 'service_role'),
  '42501 permission denied for schema private',
  'schedule_jobs is for the operator alone'
);

select * from finish();
rollback;
