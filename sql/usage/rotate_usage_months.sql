-- Makes the partitions for this month and the next, and drops the months that are older than settings.usage_keep_months.
-- Dropping waits half a second for readers, and is left for the next run if they take longer: calls queue behind it.
--
-- Called by  pg_cron every day where it exists (schedule_jobs)
-- Returns    the partitions made and dropped

create or replace function public.rotate_usage_months()
returns table (created text[], dropped text[])
language plpgsql
volatile
security definer -- callers own no partitions; this is the door
set search_path = ''
as $$
declare
  v_month date := date_trunc('month', now() at time zone 'UTC');
  v_keep_months integer := coalesce((select s.usage_keep_months from public.settings s), 13);
  v_name text;
  v_lock_timeout text := current_setting('lock_timeout');
begin
  created := array_remove(
    array[private.create_usage_month(v_month), private.create_usage_month((v_month + interval '1 month')::date)], null
  );
  dropped := '{}';
  perform set_config('lock_timeout', '500ms', true);
  for v_name in
    select c.relname
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.usage_events'::regclass
      and c.relname < 'usage_events_' || to_char(v_month - make_interval(months => v_keep_months), 'YYYY_MM')
    order by c.relname
  loop
    begin
      execute format('drop table private.%I', v_name);
      dropped := dropped || v_name;
      insert into private.usage_retention as r (kept_since)
      values ((to_date(right(v_name, 7), 'YYYY_MM') + interval '1 month')::date)
      on conflict on constraint usage_retention_pkey do update
      set kept_since = greatest(r.kept_since, excluded.kept_since);
    exception
      when lock_not_available or deadlock_detected then
        exit;
    end;
  end loop;
  perform set_config('lock_timeout', v_lock_timeout, true);
  return next;
end;
$$;

comment on function public.rotate_usage_months is 'Makes the next month''s partition of usage_events, and drops old ones.';
revoke execute on function public.rotate_usage_months from public, anon, authenticated;
grant execute on function public.rotate_usage_months to service_role;
