-- Reads an amount of money that a user wants to pay: a decimal string with at most two decimals, from 0.50, Stripe's least
-- charge, to 100000.
--
-- Called by  quote_checkout
-- Raises     invalid_request

create or replace function private.check_money(amount text)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
declare
  v_amount numeric;
begin
  if amount ~ '^[0-9]{1,6}(\.[0-9]{1,2})?$' then
    v_amount := amount;
  end if;
  if (v_amount between 0.5 and 100000) is not true then
    perform private.raise_error(
      'invalid_request', format('amount must be from 0.50 to 100000 with at most two decimals, got %s', coalesce(amount, 'nothing'))
    );
  end if;
  return v_amount;
end;
$$;

comment on function private.check_money is 'Reads an amount of money that a user wants to pay.';
revoke execute on function private.check_money from public;
