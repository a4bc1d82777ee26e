-- Reads a refill's amount, exactly or not at all: US dollars with at most 6 decimals, or whole credits.
--
-- Called by  refill_token, preview_refill
-- Raises     invalid_request

create or replace function private.parse_refill_amount(mode text, amount text)
returns numeric
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_amount numeric;
begin
  if mode = 'usd' then
    if amount ~ '^[0-9]{1,10}(\.[0-9]{1,6})?$' then
      v_amount := amount::numeric;
    end if;
    if (v_amount > 0 and v_amount <= 1000000000) is not true then
      perform private.raise_error(
        'invalid_request',
        format(
          'amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got %s',
          coalesce(left(amount, 40), 'nothing')
        )
      );
    end if;
  elsif mode = 'credits' then
    if amount ~ '^[0-9]{1,16}$' then
      v_amount := amount::numeric;
    end if;
    if (v_amount between 1 and 9000000000000000) is not true then
      perform private.raise_error(
        'invalid_request',
        format(
          'amount must be a whole number of credits from 1 to 9000000000000000, got %s',
          coalesce(left(amount, 40), 'nothing')
        )
      );
    end if;
  else
    perform private.raise_error(
      'invalid_request', format('mode must be usd or credits, got %s', coalesce(left(mode, 40), 'nothing'))
    );
  end if;
  return v_amount;
end;
$$;

comment on function private.parse_refill_amount is 'Reads a refill''s amount, exactly or not at all.';
revoke execute on function private.parse_refill_amount from public;
