-- The tokens of a run. Fixed: base_tokens × multiplier. Metered: cost × markup ÷ usd_per_token, rounded up and at least 1,
-- × multiplier. Both rounded up, as calculate_charge does it.
--
-- Called by  open_run, finish_run
-- Returns    null when it is metered and the cost is unknown
-- Raises     invalid_amount

create or replace function private.run_tokens(
  base_tokens bigint,
  cost_usd numeric,
  markup numeric,
  usd_per_token numeric,
  multiplier numeric
)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_tokens numeric := ceil(
    case
      when base_tokens is not null then base_tokens
      when cost_usd is not null then greatest(1, ceil(cost_usd * markup / usd_per_token)) -- which passes over nulls
    end * multiplier
  );
begin
  if v_tokens > 9000000000000000 then
    perform private.raise_error('invalid_amount', format('%s tokens are more than 9000000000000000', v_tokens));
  end if;
  return v_tokens;
end;
$$;

comment on function private.run_tokens is 'The tokens of a run.';
revoke execute on function private.run_tokens from public;
