-- Sets the rate of a day: as euros for a US dollar, or as US dollars for a euro, which is how the European Central Bank
-- publishes it; that is inverted and rounded to 10 decimals. A past day's rate is set when it has none, and never changed.
--
-- Called by  functions/admin, functions/fx-sync
-- Returns    the day's rate, and whether it is set by this call, unchanged, or overridden by hand
-- Raises     invalid_request, forbidden

create or replace function public.set_currency_rate(
  day date default null,
  usd_eur text default null,
  usd_per_eur text default null,
  source text default 'manual'
)
returns table (rate_day date, rate text, outcome text)
language plpgsql
volatile
security definer -- callers hold no DML on rates; this is the door
set search_path = ''
as $$
declare
  v_today date := (now() at time zone 'UTC')::date;
  v_rate numeric;
  v_now public.currency_rates;
begin
  rate_day := coalesce(day, v_today);
  if num_nonnulls(usd_eur, usd_per_eur) <> 1 then
    perform private.raise_error('invalid_request', 'Either usd_eur or usd_per_eur is needed, and not both');
  elsif (source in ('manual', 'ecb')) is not true then
    perform private.raise_error('invalid_request', 'source must be manual or ecb');
  elsif rate_day > v_today or rate_day < date '1999-01-01' then
    perform private.raise_error('invalid_request', format('day must be from 1999-01-01 to today, got %s', rate_day));
  elsif coalesce(usd_eur, usd_per_eur) ~ '^[0-9]{1,4}(\.[0-9]{1,10})?$' and coalesce(usd_eur, usd_per_eur) ~ '[1-9]' then
    v_rate := round(coalesce(usd_eur::numeric, 1 / usd_per_eur::numeric), 10);
  end if;
  if (v_rate > 0 and v_rate <= 1000) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'The rate must be above 0 and at most 1000 euros for a US dollar, with at most 10 decimals, got %s',
        left(coalesce(usd_eur, usd_per_eur), 40)
      )
    );
  end if;

  insert into public.currency_rates as r (day, usd_eur, source)
  values (rate_day, v_rate, set_currency_rate.source)
  on conflict on constraint currency_rates_pkey do nothing
  returning r.* into v_now;
  outcome := 'set';
  if v_now.day is null then
    select r.* into v_now from public.currency_rates r where r.day = rate_day for update;
    if v_now.source = 'manual' and source = 'ecb' then
      outcome := 'overridden';
    elsif v_now.usd_eur = v_rate and v_now.source = source then
      outcome := 'unchanged';
    else
      update public.currency_rates r
      set usd_eur = v_rate, source = set_currency_rate.source, created_at = clock_timestamp()
      where r.day = rate_day
      returning r.* into v_now;
    end if;
  end if;
  rate := private.usd_text(v_now.usd_eur);
  return next;
end;
$$;

comment on function public.set_currency_rate is 'Sets the rate of a day.';
revoke execute on function public.set_currency_rate from public, anon, authenticated;
grant execute on function public.set_currency_rate to service_role;
