-- schedule_jobs schedules what there is where pg_cron is installed, and does nothing where it is not, as here. What a job
-- runs must exist, or it would fail every minute without anyone seeing it.

begin;

select plan(7);

select is_empty('select private.schedule_jobs()', 'schedule_jobs schedules nothing without pg_cron');
select matches(
  pg_get_functiondef('private.schedule_jobs'::regproc),
  'select public\.expire_token_holds\(\)',
  'with pg_cron it schedules the sweep of expired holds'
);
select lives_ok('select public.expire_token_holds()', 'which runs as it is scheduled');
select matches(
  pg_get_functiondef('private.schedule_jobs'::regproc),
  'select public\.prune_outbox\(\)',
  'and the pruning of the outbox'
);
select lives_ok('select public.prune_outbox()', 'which runs as it is scheduled');
select is(
  (
    select array_agg(m[1] order by m[1])
    from regexp_matches(pg_get_functiondef('private.schedule_jobs'::regproc), '\(''scrip-[a-z-]+'', ''([a-z/-]+)''\)', 'g') m
  ),
  array['auto-top-up/run', 'hub-sync'],
  'with pg_net it calls the functions that have something to do'
);
select is(
  pg_temp.answer('select private.schedule_jobs()', 'service_role'),
  '42501 permission denied for schema private',
  'schedule_jobs is for the operator alone'
);

select * from finish();
rollback;
