-- The rates, the latest day first.
--
-- Called by  functions/admin
-- Returns    rates as decimal strings, since JSON numbers are floats

create or replace function public.list_currency_rates(page_size integer default 50, before_day date default null)
returns table (day date, usd_eur text, source text, created_at timestamptz)
language sql
stable
security definer -- usd_text is private
set search_path = ''
as $$
  select r.day, private.usd_text(r.usd_eur), r.source, r.created_at
  from public.currency_rates r
  where before_day is null or r.day < before_day
  order by r.day desc
  limit page_size
$$;

comment on function public.list_currency_rates is 'The rates, the latest day first.';
revoke execute on function public.list_currency_rates from public, anon, authenticated;
grant execute on function public.list_currency_rates to service_role;
