-- Attempts to top up, one at most in flight for each user: the partial index sees to it. An attempt is charged under its
-- own idempotency key at Stripe, so that doing it again is the same payment.

create table private.top_ups (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  package_id uuid not null,
  description text not null,
  amount_cents bigint not null,
  currency text not null,
  tokens bigint not null,
  status text not null default 'in_flight',
  reason text,
  claimed_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint top_ups_pkey primary key (id),
  constraint top_ups_status_check check (status in ('in_flight', 'succeeded', 'failed', 'unknown'))
);

create unique index top_ups_in_flight_key on private.top_ups (user_id) where status = 'in_flight';
create index top_ups_user_idx on private.top_ups (user_id, created_at);

comment on table private.top_ups is 'Attempts to buy a package automatically.';
comment on column private.top_ups.id is 'The attempt; part of the idempotency key at Stripe.';
comment on column private.top_ups.user_id is 'For whom.';
comment on column private.top_ups.package_id is 'What is bought.';
comment on column private.top_ups.description is 'The name of the package.';
comment on column private.top_ups.amount_cents is 'Its price when the attempt was made.';
comment on column private.top_ups.currency is 'ISO 4217, in lower case.';
comment on column private.top_ups.tokens is 'What it gives.';
comment on column private.top_ups.status is 'in_flight, succeeded, failed, or unknown: given up, and perhaps paid.';
comment on column private.top_ups.reason is 'Why it failed.';
comment on column private.top_ups.claimed_at is 'When it was last handed to a worker.';
comment on column private.top_ups.created_at is 'When it was made.';

alter table private.top_ups enable row level security;

revoke all on table private.top_ups from public, anon, authenticated, service_role;
