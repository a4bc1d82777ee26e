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
  v_route text;
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
    execute $job$
      select cron.schedule('scrip-prune-outbox', '17 3 * * *', 'select public.prune_outbox()')
    $job$;
    return next 'scrip-prune-outbox';
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      for v_job, v_route in
        values ('scrip-auto-top-up', 'auto-top-up/run'), ('scrip-hub-sync', 'hub-sync')
      loop
        execute $job$select cron.schedule($1, '* * * * *', $2)$job$ using v_job, format($call$
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
