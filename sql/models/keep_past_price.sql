-- Calls have been reckoned by a price that has been in force: it stays as it was. It may end, now or later.
--
-- Called by  a trigger of model_prices
-- Raises     forbidden

create or replace function private.keep_past_price()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE'
    and to_jsonb(new) - 'valid_to' = to_jsonb(old) - 'valid_to'
    and coalesce(old.valid_to, 'infinity') > now()
    and coalesce(new.valid_to, 'infinity') >= now()
  then
    return new;
  end if;
  perform private.raise_error(
    'forbidden',
    format('The price of %s %s from %s has been in force: it stays', old.service, old.model, old.valid_from),
    hint => 'Add a row with the new price, or set valid_to to now or later.'
  );
  return null;
end;
$$;

comment on function private.keep_past_price is 'Keeps prices that have been in force.';
revoke execute on function private.keep_past_price from public;
