-- Whether a call of that moment can be recorded: its month is kept and was not dropped, and it is not ahead, but for clocks that differ a little.
--
-- Called by  track_usage

create or replace function private.is_kept(moment timestamptz)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
  v_keep_months integer := coalesce((select s.usage_keep_months from public.settings s), 13);
  v_since timestamp := greatest(
    date_trunc('month', now() at time zone 'UTC') - make_interval(months => v_keep_months),
    (select r.kept_since from private.usage_retention r)
  );
begin
  return moment <= clock_timestamp() + interval '1 minute' and moment at time zone 'UTC' >= v_since;
end;
$$;

comment on function private.is_kept is 'Whether a call of that moment can be recorded.';
revoke execute on function private.is_kept from public;
