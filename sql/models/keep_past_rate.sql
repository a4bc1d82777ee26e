-- Calls have been reckoned by the rates of past days: they stay.
--
-- Called by  a trigger of currency_rates
-- Raises     forbidden

create or replace function private.keep_past_rate()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'forbidden', format('The rate of %s stays: calls were reckoned by it', old.day), hint => 'Set the rate of today.'
  );
  return null;
end;
$$;

comment on function private.keep_past_rate is 'Keeps the rates of past days.';
revoke execute on function private.keep_past_rate from public;
