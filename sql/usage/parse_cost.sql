-- Reads a cost that comes with a call: US dollars, of at most 10 decimals. Null is none.
--
-- Called by  track_usage, finish_run
-- Raises     invalid_request

create or replace function private.parse_cost(cost text)
returns numeric
language plpgsql
immutable
set search_path = ''
as $$
begin
  if cost is not null and cost !~ '^[0-9]{1,9}(\.[0-9]{1,10})?$' then
    perform private.raise_error(
      'invalid_request',
      format(
        'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got %s', left(cost, 40)
      )
    );
  end if;
  return cost::numeric;
end;
$$;

comment on function private.parse_cost is 'Reads a cost that comes with a call, exactly or not at all.';
revoke execute on function private.parse_cost from public;
