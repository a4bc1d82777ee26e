-- Prices in all their versions, the newest row first.
--
-- Called by  functions/admin
-- Returns    prices as decimal strings, since JSON numbers are floats

create or replace function public.list_model_prices(
  in_service text default null,
  in_model text default null,
  page_size integer default 50,
  before_created_at timestamptz default null,
  before_id uuid default null
)
returns table (
  id uuid,
  service text,
  model text,
  valid_from timestamptz,
  valid_to timestamptz,
  input_usd_per_million text,
  cached_input_usd_per_million text,
  output_usd_per_million text,
  usd_per_call text,
  usd_per_second text,
  usd_per_image text,
  source text,
  created_at timestamptz
)
language sql
stable
security definer -- usd_text is private
set search_path = ''
as $$
  select
    p.id, p.service, p.model, p.valid_from, p.valid_to, private.usd_text(p.input_usd_per_million),
    private.usd_text(p.cached_input_usd_per_million), private.usd_text(p.output_usd_per_million),
    private.usd_text(p.usd_per_call), private.usd_text(p.usd_per_second), private.usd_text(p.usd_per_image), p.source,
    p.created_at
  from public.model_prices p
  where (in_service is null or p.service = in_service)
    and (in_model is null or p.model = in_model)
    and (before_created_at is null or (p.created_at, p.id) < (before_created_at, before_id))
  order by p.created_at desc, p.id desc
  limit page_size
$$;

comment on function public.list_model_prices is 'Prices in all their versions, the newest row first.';
revoke execute on function public.list_model_prices from public, anon, authenticated;
grant execute on function public.list_model_prices to service_role;
