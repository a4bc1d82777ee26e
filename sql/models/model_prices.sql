-- What providers ask, by service and model, in versions: the price of a moment is the latest row that is valid by then,
-- unless that row has ended. A call keeps the price that it was reckoned by, and a row that has been in force stays.

create table public.model_prices (
  id uuid not null default gen_random_uuid(),
  service text not null,
  model text not null,
  valid_from timestamptz not null default now(),
  valid_to timestamptz,
  input_usd_per_million numeric(20, 10),
  cached_input_usd_per_million numeric(20, 10),
  output_usd_per_million numeric(20, 10),
  usd_per_call numeric(20, 10),
  usd_per_second numeric(20, 10),
  usd_per_image numeric(20, 10),
  source text not null default 'manual',
  created_at timestamptz not null default clock_timestamp(),
  constraint model_prices_pkey primary key (id),
  constraint model_prices_version_key unique (service, model, valid_from),
  constraint model_prices_service_check check (length(service) between 1 and 100),
  constraint model_prices_model_check check (length(model) between 1 and 200),
  constraint model_prices_valid_to_check check (valid_to > valid_from),
  -- The upper bounds leave no NaN and no Infinity.
  constraint model_prices_input_check check (input_usd_per_million > 0 and input_usd_per_million <= 1000000),
  constraint model_prices_cached_input_check check (
    cached_input_usd_per_million > 0 and cached_input_usd_per_million <= 1000000
  ),
  constraint model_prices_cached_check check (
    cached_input_usd_per_million is null or input_usd_per_million is not null
  ),
  constraint model_prices_output_check check (output_usd_per_million > 0 and output_usd_per_million <= 1000000),
  constraint model_prices_call_check check (usd_per_call > 0 and usd_per_call <= 1000000),
  constraint model_prices_second_check check (usd_per_second > 0 and usd_per_second <= 1000000),
  constraint model_prices_image_check check (usd_per_image > 0 and usd_per_image <= 1000000),
  constraint model_prices_price_check check (
    num_nonnulls(input_usd_per_million, output_usd_per_million, usd_per_call, usd_per_second, usd_per_image) > 0
  ),
  constraint model_prices_source_check check (source in ('manual', 'catalogue'))
);

create index model_prices_created_at_idx on public.model_prices (created_at, id);

comment on table public.model_prices is 'What providers ask, in versions: a new price is a new row.';
comment on column public.model_prices.id is 'The version of the price; calls name it.';
comment on column public.model_prices.service is 'The provider, as usage calls it.';
comment on column public.model_prices.model is 'The model, as the provider calls it.';
comment on column public.model_prices.valid_from is 'From when it counts, until the next row''s valid_from.';
comment on column public.model_prices.valid_to is 'When it ends without another; null if it does not.';
comment on column public.model_prices.input_usd_per_million is 'US dollars for a million input tokens.';
comment on column public.model_prices.cached_input_usd_per_million is 'US dollars for a million input tokens that the provider had in its cache; null for the price of the others.';
comment on column public.model_prices.output_usd_per_million is 'US dollars for a million output tokens.';
comment on column public.model_prices.usd_per_call is 'US dollars for a call.';
comment on column public.model_prices.usd_per_second is 'US dollars for a second of the provider''s hardware.';
comment on column public.model_prices.usd_per_image is 'US dollars for an image.';
comment on column public.model_prices.source is 'catalogue when npm run prices:update wrote it, which leaves rows that are manual alone.';
comment on column public.model_prices.created_at is 'When the row was written.';

alter table public.model_prices enable row level security;

revoke all on table public.model_prices from public, anon, authenticated, service_role;
grant select on table public.model_prices to service_role;

create trigger model_prices_past
before update or delete on public.model_prices
for each row
when (old.valid_from <= now())
execute function private.keep_past_price();

create trigger model_prices_no_truncate
before truncate on public.model_prices
for each statement
execute function private.refuse_truncate();
