-- Deletes runs that ended more than settings.run_result_days ago, with their results. Their operation_ids stay taken, by
-- their holds; what they cost stays in usage and the journal.
--
-- Called by  pg_cron every minute where it exists (schedule_jobs)
-- Returns    the number of runs deleted

create or replace function public.prune_runs(max_runs integer default 10000)
returns bigint
language plpgsql
volatile
security definer -- callers hold no DML on runs; this is the door
set search_path = ''
as $$
declare
  v_days integer := coalesce((select s.run_result_days from public.settings s), 30);
  v_deleted bigint;
begin
  delete from public.runs r
  using (
    select o.user_id, o.id
    from public.runs o
    where o.status <> 'running' and o.finished_at < now() - make_interval(days => v_days)
    order by o.finished_at
    limit max_runs
    for update skip locked
  ) old
  where r.user_id = old.user_id and r.id = old.id;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;

comment on function public.prune_runs is 'Deletes runs whose results are not kept any more; returns how many.';
revoke execute on function public.prune_runs from public, anon, authenticated;
grant execute on function public.prune_runs to service_role;
