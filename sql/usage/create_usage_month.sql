-- Makes the partition for a month's calls, unless it is there. It is built aside and attached, which lets other calls go on.
--
-- Called by  record_usage when the first call of a month comes, rotate_usage_months ahead of that
-- Returns    the partition's name, null when it was there

create or replace function private.create_usage_month(month date)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_first date := date_trunc('month', month);
  v_name text := 'usage_events_' || to_char(v_first, 'YYYY_MM');
begin
  perform pg_advisory_xact_lock(hashtextextended('scrip.usage_months', 0));
  -- Not to_regclass: its cache may not have heard of what others made while this waited.
  if exists (
    select 1 from pg_catalog.pg_class c
    where c.relnamespace = 'private'::regnamespace and c.relname = v_name
  ) then
    return null;
  end if;
  execute format('create table private.%I (like public.usage_events including all)', v_name);
  execute format('alter table private.%I enable row level security', v_name);
  execute format('revoke all on table private.%I from public, anon, authenticated, service_role', v_name);
  execute format('comment on table private.%I is %L', v_name, 'The calls of ' || to_char(v_first, 'FMMonth YYYY'));
  execute format(
    'alter table public.usage_events attach partition private.%I for values from (%L) to (%L)', v_name,
    v_first || ' 00:00:00+00', (v_first + interval '1 month')::date || ' 00:00:00+00'
  );
  execute format(
    'create trigger %I before truncate on private.%I for each statement execute function private.refuse_usage_change()',
    v_name || '_no_truncate', v_name
  );
  return v_name;
end;
$$;

comment on function private.create_usage_month is 'Makes the partition for a month''s calls, unless it is there.';
revoke execute on function private.create_usage_month from public;
