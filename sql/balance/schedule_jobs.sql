-- Schedules Scrip's jobs where pg_cron is installed; calling it again changes nothing.
--
-- Called by  the operator, once after the first deployment
-- Returns    the jobs scheduled, none without pg_cron

create or replace function private.schedule_jobs()
returns setof text
language plpgsql
volatile
set search_path = ''
as $$
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
  end if;
end;
$$;

comment on function private.schedule_jobs is 'Schedules Scrip''s jobs where pg_cron is installed.';
revoke execute on function private.schedule_jobs from public;
