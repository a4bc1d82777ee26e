-- Reads the threshold of a balance: whole tokens or credits, or US dollars with at most 6 decimals. Null stays null.
--
-- Called by  set_low_balance_threshold
-- Raises     invalid_request

create or replace function private.parse_threshold(balance text, threshold text)
returns numeric
language plpgsql
immutable
set search_path = ''
as $$
declare
  v_threshold numeric;
begin
  if threshold is null then
    return null;
  elsif threshold ~ (case balance when 'usd' then '^[0-9]{1,10}(\.[0-9]{1,6})?$' else '^[0-9]{1,16}$' end) then
    v_threshold := threshold::numeric;
  end if;
  if (v_threshold > 0 and v_threshold <= (case balance when 'usd' then 9000000000 else 9000000000000000 end))
    is not true
  then
    perform private.raise_error('invalid_request', format(
      'threshold must be %s, got %s',
      case balance
        when 'usd' then 'US dollars from 0.000001 to 9000000000, with at most 6 decimals'
        when 'tokens' then 'a whole number of tokens from 1 to 9000000000000000'
        else 'a whole number of credits from 1 to 9000000000000000'
      end,
      left(threshold, 40)
    ));
  end if;
  return v_threshold;
end;
$$;

comment on function private.parse_threshold is 'Reads the threshold of a balance.';
revoke execute on function private.parse_threshold from public;
