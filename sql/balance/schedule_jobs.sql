-- Schedules Scrip's jobs where pg_cron is installed; calling it again changes nothing. What is more than SQL is a function's
-- route, called through pg_net with the project's URL and a secret key out of Vault.
--
-- Called by  the operator, once after the first deployment
-- Returns    the jobs scheduled, none without pg_cron

create or replace function private.schedule_jobs()
returns setof text
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_job text;
  v_schedule text;
  v_route text;
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    for v_job, v_schedule, v_route in
      values
        ('scrip-expire-token-holds', '* * * * *', 'public.expire_token_holds()'),
        ('scrip-abandon-runs', '* * * * *', 'public.abandon_runs()'),
        ('scrip-prune-outbox', '* * * * *', 'public.prune_outbox()'),
        ('scrip-prune-runs', '* * * * *', 'public.prune_runs()'),
        ('scrip-rotate-usage-months', '37 3 * * *', 'public.rotate_usage_months()')
    loop
      execute 'select cron.schedule($1, $2, $3)' using v_job, v_schedule, 'select ' || v_route;
      return next v_job;
    end loop;
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      for v_job, v_schedule, v_route in
        values
          ('scrip-auto-top-up', '* * * * *', 'auto-top-up/run'),
          ('scrip-hub-sync', '* * * * *', 'hub-sync'),
          ('scrip-fx-sync', '7 * * * *', 'fx-sync')
      loop
        execute 'select cron.schedule($1, $2, $3)' using v_job, v_schedule, format($call$
          select net.http_post(
            url := url.decrypted_secret || '/functions/v1/%s',
            headers := jsonb_build_object('apikey', key.decrypted_secret),
            timeout_milliseconds := 60000
          )
          from vault.decrypted_secrets url
          join vault.decrypted_secrets key on key.name = 'scrip_secret_key'
          where url.name = 'scrip_url'
        $call$, v_route);
        return next v_job;
      end loop;
    end if;
  end if;
end;
$$;

comment on function private.schedule_jobs is 'Schedules Scrip''s jobs where pg_cron is installed.';
revoke execute on function private.schedule_jobs from public;
