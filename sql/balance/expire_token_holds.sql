-- Sweeps holds past their expiry. They stopped counting when they expired, and a user's next operation would sweep
-- them; this does it for users who don't come back. Users with an operation under way are left for the next sweep, so
-- that it never waits and never deadlocks.
--
-- Each user takes a lock until the end, and the server's lock table is finite: a backlog is worked off run by run.
--
-- Called by  pg_cron every minute where it exists (schedule_jobs)
-- Returns    the number of holds swept

create or replace function public.expire_token_holds(max_users integer default 1000)
returns bigint
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_user_id uuid;
  v_swept bigint := 0;
begin
  for v_user_id in
    select distinct h.user_id
    from public.token_holds h
    where h.status = 'active' and h.expires_at <= now()
    limit max_users
  loop
    if pg_try_advisory_xact_lock(uuid_hash_extended(v_user_id, 0)) then
      v_swept := v_swept + private.sweep_holds(v_user_id);
    end if;
  end loop;
  return v_swept;
end;
$$;

comment on function public.expire_token_holds is 'Sweeps holds past their expiry; returns how many.';
revoke execute on function public.expire_token_holds from public, anon, authenticated;
grant execute on function public.expire_token_holds to service_role;
