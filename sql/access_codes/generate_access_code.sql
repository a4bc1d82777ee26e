-- Makes a code such as 7KQM-2XW9-0RTB-HC5E: 80 bits in Crockford's base 32 alphabet, which has no look-alikes.
-- The randomness is that of gen_random_uuid, PostgreSQL's CSPRNG; hashing two spreads their fixed bits.
--
-- Called by  create_access_codes
-- Source     https://www.crockford.com/base32.html

create or replace function private.generate_access_code()
returns text
language sql
volatile
set search_path = ''
as $$
  select string_agg(
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (get_byte(random.bytes, i) & 31) + 1, 1)
      || case when i in (3, 7, 11) then '-' else '' end,
    '' order by i
  )
  from (select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) as bytes) random
  cross join generate_series(0, 15) as i
$$;

comment on function private.generate_access_code is 'A random access code.';
revoke execute on function private.generate_access_code from public;
