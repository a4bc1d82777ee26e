-- Whose a Stripe object is: the user that create-checkout named in the metadata, else the one whose customer it has. What
-- buyers can set themselves, such as client_reference_id, proves nothing.
--
-- Returns    null for an unknown user

create or replace function private.find_stripe_user(metadata jsonb, customer_id text)
returns uuid
language sql
stable
set search_path = ''
as $$
  select u.user_id
  from public.user_tokens u
  where u.user_id = case
    when metadata ->> 'user_id' is null
      then (select c.user_id from private.stripe_customers c where c.stripe_customer_id = customer_id)
    when pg_input_is_valid(metadata ->> 'user_id', 'uuid') then (metadata ->> 'user_id')::uuid
  end
$$;

comment on function private.find_stripe_user is 'Whose a Stripe object is; null for an unknown user.';
revoke execute on function private.find_stripe_user from public;
