create table private.stripe_customers (
  user_id uuid not null,
  stripe_customer_id text not null,
  created_at timestamptz not null default now(),
  constraint stripe_customers_pkey primary key (user_id),
  constraint stripe_customers_stripe_customer_id_key unique (stripe_customer_id)
);

comment on table private.stripe_customers is 'Which customer of Stripe''s a user is. Rows stay when the user is deleted: payments can still be refunded.';
comment on column private.stripe_customers.user_id is 'The user.';
comment on column private.stripe_customers.stripe_customer_id is 'Stripe''s customer.';
comment on column private.stripe_customers.created_at is 'When the customer was made.';

alter table private.stripe_customers enable row level security;

revoke all on table private.stripe_customers from public, anon, authenticated, service_role;
