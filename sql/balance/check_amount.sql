-- Refuses amounts that are not 1 … 9 000 000 000 000 000 tokens, the range that JSON carries exactly.
--
-- Called by  every operation that takes an amount
-- Raises     invalid_amount

create or replace function private.check_amount(amount bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if amount is null or amount not between 1 and 9000000000000000 then
    perform private.raise_error(
      'invalid_amount',
      format('amount must be from 1 to 9000000000000000 tokens, got %s', coalesce(amount::text, 'nothing'))
    );
  end if;
end;
$$;

comment on function private.check_amount is 'Refuses amounts out of bounds.';
revoke execute on function private.check_amount from public;
