-- What a call costs by the price of its moment, which is the latest row that is valid by then, unless it has ended:
--
--   (input - cached) × input price + cached × cached price (the input price without one) + output × output price, by the
--   million, + price a call + seconds × price a second + images × price an image, rounded to 10 decimals
--
-- By tokens, each kind that was used has to have a price; and something that was used has to have one.
--
-- Called by  track_usage, start_model_run, finish_run
-- Returns    the cost, and the row of model_prices; null when there is none, or none for what was used: unpriced
-- Raises     invalid_request

create or replace function private.price_call(
  service text,
  model text,
  moment timestamptz,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer,
  out cost numeric,
  out price_id uuid
)
language plpgsql
stable
set search_path = ''
as $$
begin
  select
    case
      when (m.valid_to is null or m.valid_to > moment)
        and (m.input_usd_per_million is not null or m.output_usd_per_million is null or input_tokens = 0)
        and (m.output_usd_per_million is not null or m.input_usd_per_million is null or output_tokens = 0)
        and (
          input_tokens + output_tokens > 0 and coalesce(m.input_usd_per_million, m.output_usd_per_million) is not null
          or m.usd_per_call is not null
          or seconds > 0 and m.usd_per_second is not null
          or images > 0 and m.usd_per_image is not null
        )
      then
        round(
          (
            (input_tokens - cached_input_tokens) * coalesce(m.input_usd_per_million, 0)
            + cached_input_tokens * coalesce(m.cached_input_usd_per_million, m.input_usd_per_million, 0)
            + output_tokens * coalesce(m.output_usd_per_million, 0)
          ) * 0.000001
            + coalesce(m.usd_per_call, 0)
            + seconds * coalesce(m.usd_per_second, 0)
            + images * coalesce(m.usd_per_image, 0),
          10
        )
    end,
    m.id
  into cost, price_id
  from public.model_prices m
  where m.service = price_call.service and m.model = price_call.model and m.valid_from <= moment
  order by m.valid_from desc
  limit 1;
  if cost is null then
    price_id := null;
  elsif cost >= 1000000000 then
    perform private.raise_error('invalid_request', 'A call cannot cost 1000000000 US dollars or more');
  end if;
end;
$$;

comment on function private.price_call is 'What a call costs by the price of its moment.';
revoke execute on function private.price_call from public;
