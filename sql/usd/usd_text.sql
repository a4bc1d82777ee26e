-- Writes US dollars the one way in which they leave the database: exact, without trailing zeros beyond two decimals, as
-- in 25.00 and 1.0001. JSON numbers are floats.
--
-- Called by  whatever answers US dollars. get_usd_balance says the same inline, since its callers cannot look
--            into private.

create or replace function private.usd_text(usd numeric)
returns text
language plpgsql -- an SQL function would be planned at every call
immutable
set search_path = ''
as $$
begin
  return round(usd, greatest(min_scale(usd), 2))::text;
end;
$$;

comment on function private.usd_text is 'US dollars as text: exact, with two decimals or as many as it takes.';
revoke execute on function private.usd_text from public;
