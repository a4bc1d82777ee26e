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
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      execute $job$
        select cron.schedule('scrip-auto-top-up', '* * * * *', $call$
          select net.http_post(
            url := url.decrypted_secret || '/functions/v1/auto-top-up/run',
            headers := jsonb_build_object('apikey', key.decrypted_secret),
            timeout_milliseconds := 60000
          )
          from vault.decrypted_secrets url
          join vault.decrypted_secrets key on key.name = 'scrip_secret_key'
          where url.name = 'scrip_url'
        $call$)
      $job$;
      return next 'scrip-auto-top-up';
    end if;
  end if;
end;
$$;

comment on function private.schedule_jobs is 'Schedules Scrip''s jobs where pg_cron is installed.';
revoke execute on function private.schedule_jobs from public;
