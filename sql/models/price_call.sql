-- What a call costs at a price:
--
--   (input - cached) × input price + cached × cached price (the input price without one) + output × output price, by the
--   million, + price a call + seconds × price a second + images × price an image, rounded to 10 decimals
--
-- Called by  track_usage, start_model_run, finish_run
-- Returns    null when there is no price, or none for what was used: unpriced
-- Raises     invalid_request

create or replace function private.price_call(
  price public.model_prices,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer
)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  v_by_tokens boolean := coalesce(price.input_usd_per_million, price.output_usd_per_million) is not null;
  v_cost numeric;
begin
  if not (
    -- By tokens, each kind that was used has a price; and something that was used has one.
    (not v_by_tokens or input_tokens = 0 or price.input_usd_per_million is not null)
    and (not v_by_tokens or output_tokens = 0 or price.output_usd_per_million is not null)
    and (
      v_by_tokens and input_tokens + output_tokens > 0
      or price.usd_per_call is not null
      or seconds > 0 and price.usd_per_second is not null
      or images > 0 and price.usd_per_image is not null
    )
  ) then
    return null;
  end if;
  v_cost := round(
    (
      (input_tokens - cached_input_tokens) * coalesce(price.input_usd_per_million, 0)
      + cached_input_tokens * coalesce(price.cached_input_usd_per_million, price.input_usd_per_million, 0)
      + output_tokens * coalesce(price.output_usd_per_million, 0)
    ) * 0.000001
      + coalesce(price.usd_per_call, 0)
      + seconds * coalesce(price.usd_per_second, 0)
      + images * coalesce(price.usd_per_image, 0),
    10
  );
  if v_cost >= 1000000000 then
    perform private.raise_error('invalid_request', 'A call cannot cost 1000000000 US dollars or more');
  end if;
  return v_cost;
end;
$$;

comment on function private.price_call is 'What a call costs at a price.';
revoke execute on function private.price_call from public;
