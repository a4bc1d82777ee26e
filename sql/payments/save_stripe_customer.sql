-- Remembers which customer of Stripe's a user is; the first one stays.
--
-- Called by  functions/create-checkout, functions/subscription, apply_checkout_session
-- Returns    the customer that counts
-- Raises     user_not_found

create or replace function public.save_stripe_customer(user_id uuid, stripe_customer_id text)
returns table (customer_id text)
language plpgsql
volatile
security definer -- callers hold no DML on stripe_customers; this is the door
set search_path = ''
as $$
begin
  if not exists (select 1 from public.user_tokens u where u.user_id = save_stripe_customer.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  insert into private.stripe_customers (user_id, stripe_customer_id)
  values (save_stripe_customer.user_id, save_stripe_customer.stripe_customer_id)
  on conflict do nothing;
  return query
    select c.stripe_customer_id from private.stripe_customers c where c.user_id = save_stripe_customer.user_id;
end;
$$;

comment on function public.save_stripe_customer is 'Remembers which customer of Stripe''s a user is; the first one stays.';
revoke execute on function public.save_stripe_customer from public, anon, authenticated;
grant execute on function public.save_stripe_customer to service_role;
