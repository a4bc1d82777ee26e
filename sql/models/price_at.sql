-- The price of a model at a moment: the latest row that is valid by then, unless it has ended.
--
-- Called by  start_model_run, finish_run; track_usage reads it inline, in the same way
-- Returns    all null when there is none

create or replace function private.price_at(service text, model text, moment timestamptz)
returns public.model_prices
language plpgsql
stable
set search_path = ''
as $$
declare
  v_price public.model_prices;
begin
  select p.* into v_price
  from public.model_prices p
  where p.service = price_at.service and p.model = price_at.model and p.valid_from <= moment
  order by p.valid_from desc
  limit 1;
  if v_price.valid_to <= moment then
    return null;
  end if;
  return v_price;
end;
$$;

comment on function private.price_at is 'The price of a model at a moment.';
revoke execute on function private.price_at from public;
