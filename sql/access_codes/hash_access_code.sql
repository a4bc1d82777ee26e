-- How a code is stored and found: upper case, without separators, look-alikes folded (Crockford's base 32), then
-- SHA-256. Codes carry 80 random bits, so a plain hash cannot be reversed by trying.
--
-- Called by  create_access_codes, activate_access_code

create or replace function private.hash_access_code(code text)
returns bytea
language sql
immutable
set search_path = ''
as $$
  select sha256(convert_to(translate(regexp_replace(upper(code), '[^0-9A-Z]', '', 'g'), 'OIL', '011'), 'UTF8'))
$$;

comment on function private.hash_access_code is 'The hash under which an access code is stored.';
revoke execute on function private.hash_access_code from public;
