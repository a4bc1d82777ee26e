-- Reads a price: US dollars above 0, of at most 10 decimals. Null is no price.
--
-- Called by  set_model_price
-- Raises     invalid_request

create or replace function private.parse_price(field text, price text)
returns numeric
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_price numeric;
begin
  if price is null then
    return null;
  elsif price ~ '^[0-9]{1,7}(\.[0-9]{1,10})?$' then
    v_price := price;
  end if;
  if (v_price > 0 and v_price <= 1000000) is not true then
    perform private.raise_error(
      'invalid_request',
      format('%s must be US dollars above 0, at most 1000000 and with at most 10 decimals, got %s', field, left(price, 40))
    );
  end if;
  return v_price;
end;
$$;

comment on function private.parse_price is 'Reads a price, exactly or not at all.';
revoke execute on function private.parse_price from public;
