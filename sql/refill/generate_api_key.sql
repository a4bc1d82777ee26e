-- Makes an API key: scrip_, 40 random characters of base 62, and a checksum by which a scanner for leaked keys tells
-- one from look-alikes without asking: the first 8 hexadecimal digits of the SHA-256 of what stands before it.
-- The randomness is that of gen_random_uuid, PostgreSQL's CSPRNG; hashing three spreads their fixed bits. Bytes of 248
-- and more are left out: with them some characters would come more often than others.
--
-- Called by  create_api_token

create or replace function private.generate_api_key()
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_key text := 'scrip_';
  v_bytes bytea;
  v_byte integer;
begin
  while length(v_key) < 46 loop
    v_bytes := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    for i in 0..31 loop
      v_byte := get_byte(v_bytes, i);
      if v_byte < 248 then
        v_key := v_key || substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', v_byte % 62 + 1, 1);
      end if;
    end loop;
  end loop;
  v_key := left(v_key, 46);
  return v_key || left(encode(sha256(convert_to(v_key, 'UTF8')), 'hex'), 8);
end;
$$;

comment on function private.generate_api_key is 'A random API key, with its checksum.';
revoke execute on function private.generate_api_key from public;
