-- Whose a Stripe object is: the user that create-checkout named in the metadata, else the one whose customer it has. What
-- buyers can set themselves, such as client_reference_id, proves nothing.
--
-- Returns    null for an unknown user

create or replace function private.find_stripe_user(metadata jsonb, customer_id text)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
declare
  v_user_id uuid;
begin
  if metadata ->> 'user_id' is null then
    select c.user_id into v_user_id from private.stripe_customers c where c.stripe_customer_id = customer_id;
  elsif pg_input_is_valid(metadata ->> 'user_id', 'uuid') then
    v_user_id := metadata ->> 'user_id';
  end if;
  select u.user_id into v_user_id from public.user_tokens u where u.user_id = v_user_id;
  return v_user_id;
end;
$$;

comment on function private.find_stripe_user is 'Whose a Stripe object is; null for an unknown user.';
revoke execute on function private.find_stripe_user from public;
