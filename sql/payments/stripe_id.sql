-- The id of a Stripe object that another refers to: Stripe sends the id, or the object itself where it was expanded.

create or replace function private.stripe_id(reference jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case jsonb_typeof(reference) when 'string' then reference #>> '{}' when 'object' then reference ->> 'id' end;
end;
$$;

comment on function private.stripe_id is 'The id of a Stripe object that another refers to.';
revoke execute on function private.stripe_id from public;
