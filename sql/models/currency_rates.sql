-- What a US dollar is worth in euros, by the day. A day without a row has the rate of the latest day before it, and 0.85
-- before the first. A call keeps the rate that it was reckoned by.

create table public.currency_rates (
  day date not null,
  usd_eur numeric(20, 10) not null,
  source text not null default 'manual',
  created_at timestamptz not null default clock_timestamp(),
  constraint currency_rates_pkey primary key (day),
  constraint currency_rates_usd_eur_check check (usd_eur > 0 and usd_eur <= 1000), -- and no NaN
  constraint currency_rates_source_check check (source in ('manual', 'ecb'))
);

comment on table public.currency_rates is 'What a US dollar is worth in euros, by the day.';
comment on column public.currency_rates.day is 'From this day (UTC), until the next row''s.';
comment on column public.currency_rates.usd_eur is 'Euros for a US dollar.';
comment on column public.currency_rates.source is 'ecb when fx-sync had it from the European Central Bank, which leaves rows that are manual alone.';
comment on column public.currency_rates.created_at is 'When the row was written.';

alter table public.currency_rates enable row level security;

revoke all on table public.currency_rates from public, anon, authenticated, service_role;
grant select on table public.currency_rates to service_role;

create trigger currency_rates_past
before update or delete on public.currency_rates
for each row
when (old.day < (now() at time zone 'UTC')::date)
execute function private.keep_past_rate();

create trigger currency_rates_no_truncate
before truncate on public.currency_rates
for each statement
execute function private.refuse_truncate();
