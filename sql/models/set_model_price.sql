-- Sets the price of a model from now, or from a moment to come: a new row, unless the price in force then is the same.
-- The catalogue never replaces what was set by hand.
--
-- Called by  functions/admin, scripts/prices.ts
-- Returns    the row in force, and whether it is set by this call, unchanged, or overridden by hand
-- Raises     invalid_request

create or replace function public.set_model_price(
  service text,
  model text,
  input_usd_per_million text default null,
  cached_input_usd_per_million text default null,
  output_usd_per_million text default null,
  usd_per_call text default null,
  usd_per_second text default null,
  usd_per_image text default null,
  source text default 'manual',
  valid_from timestamptz default null
)
returns table (price_id uuid, in_force_from timestamptz, outcome text)
language plpgsql
volatile
security definer -- callers hold no DML on prices; this is the door
set search_path = ''
as $$
declare
  v_from timestamptz := coalesce(valid_from, now());
  v_now public.model_prices;
  v_new public.model_prices;
begin
  v_new.input_usd_per_million := private.parse_price('input_usd_per_million', input_usd_per_million);
  v_new.cached_input_usd_per_million := private.parse_price('cached_input_usd_per_million', cached_input_usd_per_million);
  v_new.output_usd_per_million := private.parse_price('output_usd_per_million', output_usd_per_million);
  v_new.usd_per_call := private.parse_price('usd_per_call', usd_per_call);
  v_new.usd_per_second := private.parse_price('usd_per_second', usd_per_second);
  v_new.usd_per_image := private.parse_price('usd_per_image', usd_per_image);
  if (length(service) between 1 and 100 and length(model) between 1 and 200) is not true then
    perform private.raise_error('invalid_request', 'service must have 1 to 100 characters, model 1 to 200');
  elsif (source in ('manual', 'catalogue')) is not true then
    perform private.raise_error('invalid_request', 'source must be manual or catalogue');
  elsif v_from < now() or not isfinite(v_from) then
    perform private.raise_error('invalid_request', 'valid_from must not be in the past: calls were reckoned by what counted then');
  elsif num_nonnulls(
    v_new.input_usd_per_million, v_new.output_usd_per_million, v_new.usd_per_call, v_new.usd_per_second, v_new.usd_per_image
  ) = 0 then
    perform private.raise_error('invalid_request', 'A price is missing: for input, output, a call, a second or an image');
  elsif v_new.cached_input_usd_per_million is not null and v_new.input_usd_per_million is null then
    perform private.raise_error('invalid_request', 'cached_input_usd_per_million needs input_usd_per_million');
  end if;

  perform pg_advisory_xact_lock(hashtextextended('model_prices ' || service || ' ' || model, 0));
  select p.* into v_now
  from public.model_prices p
  where p.service = set_model_price.service and p.model = set_model_price.model and p.valid_from <= v_from
  order by p.valid_from desc
  limit 1;
  if v_now.source = 'manual' and source = 'catalogue' and coalesce(v_now.valid_to, 'infinity') > v_from then
    outcome := 'overridden';
  elsif v_now.source = source and (v_now.valid_to is null or source = 'catalogue' and v_now.valid_to > v_from) and (
    v_now.input_usd_per_million, v_now.cached_input_usd_per_million, v_now.output_usd_per_million,
    v_now.usd_per_call, v_now.usd_per_second, v_now.usd_per_image
  ) is not distinct from (
    v_new.input_usd_per_million, v_new.cached_input_usd_per_million, v_new.output_usd_per_million,
    v_new.usd_per_call, v_new.usd_per_second, v_new.usd_per_image
  ) then
    outcome := 'unchanged';
  elsif v_now.valid_from = v_from then
    perform private.raise_error('invalid_request', format('There is a price from %s already', v_from));
  else
    insert into public.model_prices as p (
      service, model, valid_from, input_usd_per_million, cached_input_usd_per_million, output_usd_per_million,
      usd_per_call, usd_per_second, usd_per_image, source
    )
    values (
      set_model_price.service, set_model_price.model, v_from, v_new.input_usd_per_million,
      v_new.cached_input_usd_per_million, v_new.output_usd_per_million, v_new.usd_per_call, v_new.usd_per_second,
      v_new.usd_per_image, set_model_price.source
    )
    returning p.* into v_now;
    outcome := 'set';
  end if;
  price_id := v_now.id;
  in_force_from := v_now.valid_from;
  return next;
end;
$$;

comment on function public.set_model_price is 'Sets the price of a model from now, or from a moment to come.';
revoke execute on function public.set_model_price from public, anon, authenticated;
grant execute on function public.set_model_price to service_role;
