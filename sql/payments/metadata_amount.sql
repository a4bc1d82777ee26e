-- A whole number that create-checkout wrote into metadata.
--
-- Returns    null when there is none, or something else

create or replace function private.metadata_amount(metadata jsonb, key text)
returns bigint
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when metadata ->> key ~ '^[0-9]{1,15}$' then (metadata ->> key)::bigint end;
end;
$$;

comment on function private.metadata_amount is 'A whole number that create-checkout wrote into metadata.';
revoke execute on function private.metadata_amount from public;
