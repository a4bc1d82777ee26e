-- Ends the runs that nobody ended while their holds lived, because the process that ran them died: nothing is charged, and
-- the call is recorded as failed. What others hold is left for the next sweep, so that it doesn't wait for them; and it
-- takes few users at a time, since they wait for it.
--
-- Called by  pg_cron every minute where it exists (schedule_jobs)
-- Returns    the number of runs abandoned

create or replace function public.abandon_runs(max_runs integer default 200)
returns bigint
language plpgsql
volatile
security definer -- callers hold no DML on runs, holds or usage; this is the door
set search_path = ''
as $$
declare
  v_due record;
  v_run public.runs;
  v_over boolean;
  v_abandoned bigint := 0;
begin
  for v_due in
    select r.user_id, r.id
    from public.runs r
    where r.status = 'running' and r.expires_at <= now()
    order by r.expires_at
    limit max_runs
  loop
    -- As lock_account does it, but without waiting.
    perform from auth.users u where u.id = v_due.user_id for key share skip locked;
    continue when not found;
    continue when not pg_try_advisory_xact_lock(uuid_hash_extended(v_due.user_id, 0));
    select r.* into v_run
    from public.runs r
    where r.user_id = v_due.user_id and r.id = v_due.id and r.status = 'running' and r.expires_at <= now()
    for update skip locked;
    continue when not found;
    -- Its hold may be in somebody's hands, or have been given more time.
    select h.status <> 'active' or h.expires_at <= now() into v_over
    from public.token_holds h
    where h.user_id = v_run.user_id and h.operation_id = 'run:' || v_run.operation_id
    for update skip locked;
    continue when not coalesce(v_over, not exists (
      select 1 from public.token_holds h
      where h.user_id = v_run.user_id and h.operation_id = 'run:' || v_run.operation_id
    ));
    perform private.close_run(
      v_run, 'abandoned', null, 0, null, null, 'The run was not finished in time', 0, 0, 0, 0, 0, null, null, null
    );
    v_abandoned := v_abandoned + 1;
  end loop;
  return v_abandoned;
end;
$$;

comment on function public.abandon_runs is 'Ends the runs that nobody ended in time; returns how many.';
revoke execute on function public.abandon_runs from public, anon, authenticated;
grant execute on function public.abandon_runs to service_role;
