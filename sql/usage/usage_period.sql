-- The days of a period, both ends in it, in UTC. Days that are given make a period of their own; the end that is left out
-- is the first day of the user's usage, or today.
--
-- Called by  summarize_usage, list_usage
-- Raises     invalid_request

create or replace function private.usage_period(user_id uuid, period text, from_day date, to_day date)
returns table (first_day date, last_day date)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_today date := (now() at time zone 'UTC')::date;
  v_ever boolean := period = 'all_time' or from_day is null and to_day is not null;
begin
  if (period in ('current_month', 'last_30_days', 'all_time', 'custom')) is not true then
    perform private.raise_error(
      'invalid_request',
      format('period must be current_month, last_30_days or all_time, got %s', coalesce(left(period, 40), 'nothing'))
    );
  elsif period = 'custom' and num_nonnulls(from_day, to_day) = 0 then
    perform private.raise_error('invalid_request', 'A custom period needs from or to');
  end if;
  last_day := coalesce(to_day, v_today);
  first_day := coalesce(
    from_day,
    case
      when v_ever then coalesce(
        (select min(d.day) from public.usage_daily d where d.user_id = usage_period.user_id and d.day <= last_day),
        last_day
      )
      when period = 'last_30_days' then v_today - 29
      else date_trunc('month', v_today)::date
    end
  );
  if first_day > last_day then
    perform private.raise_error('invalid_request', format('from %s must not be after to %s', first_day, last_day));
  end if;
  return next;
end;
$$;

comment on function private.usage_period is 'The days of a period, in UTC.';
revoke execute on function private.usage_period from public;
