-- Subscriptions as Stripe's events tell, and those paid for by other means (stripe_subscription_id is null; one a user),
-- which change_subscription keeps. What is paid for is in purchases.

create table public.subscriptions (
  user_id uuid not null,
  id uuid not null default gen_random_uuid(),
  tier text not null,
  next_tier text,
  status text not null,
  current_period_start timestamptz not null,
  current_period_end timestamptz not null,
  cancel_at_period_end boolean not null default false,
  past_due_since timestamptz,
  payment_failed_at timestamptz,
  stripe_subscription_id text,
  stripe_item_id text,
  created_at timestamptz not null default now(),
  constraint subscriptions_pkey primary key (user_id, id),
  constraint subscriptions_stripe_subscription_id_key unique nulls not distinct (user_id, stripe_subscription_id),
  constraint subscriptions_tier_fkey foreign key (tier) references public.subscription_plans (tier)
    on update cascade on delete restrict,
  constraint subscriptions_next_tier_fkey foreign key (next_tier) references public.subscription_plans (tier)
    on update cascade on delete restrict
);

create index subscriptions_tier_idx on public.subscriptions (tier);
create index subscriptions_next_tier_idx on public.subscriptions (next_tier);
create index subscriptions_stripe_subscription_id_idx on public.subscriptions (stripe_subscription_id);

comment on table public.subscriptions is 'Who subscribes to which plan. Those of Stripe follow its events.';
comment on column public.subscriptions.user_id is 'The subscriber.';
comment on column public.subscriptions.id is 'The subscription.';
comment on column public.subscriptions.tier is 'The plan that is billed next; until the end of the period, a higher one that is paid for counts.';
comment on column public.subscriptions.next_tier is 'Of a plan not paid through Stripe: what follows at the end of the period, if something else.';
comment on column public.subscriptions.status is 'As at Stripe: trialing, active, past_due, unpaid, incomplete, incomplete_expired, paused, canceled.';
comment on column public.subscriptions.current_period_start is 'When the period began.';
comment on column public.subscriptions.current_period_end is 'When it ends.';
comment on column public.subscriptions.cancel_at_period_end is 'Whether it ends with the period.';
comment on column public.subscriptions.past_due_since is 'Since when a payment is overdue; null if none is.';
comment on column public.subscriptions.payment_failed_at is 'When a payment failed last, unless one has succeeded since.';
comment on column public.subscriptions.stripe_subscription_id is 'Stripe''s subscription; null when it is paid for by other means.';
comment on column public.subscriptions.stripe_item_id is 'The item of Stripe''s subscription that is the plan.';
comment on column public.subscriptions.created_at is 'When Scrip learned of it.';

alter table public.subscriptions enable row level security;

create policy "Users read their own subscriptions" on public.subscriptions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.subscriptions from public, anon, authenticated, service_role;
grant select on table public.subscriptions to authenticated, service_role;
