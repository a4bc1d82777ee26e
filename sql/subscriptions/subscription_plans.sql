-- The plans. Their Stripe products are made when first needed; a change of monthly_cost counts for subscriptions begun or
-- changed afterwards, as with Stripe's prices.

create table public.subscription_plans (
  tier text not null,
  name text not null,
  description text,
  monthly_cost numeric(12, 2) not null,
  currency text not null default 'eur',
  fixed_cost numeric(12, 2) not null default 0,
  credits_included bigint not null,
  bonus_credits bigint not null default 0,
  multiplier numeric(10, 4) not null default 1,
  purchase_rate numeric(10, 4) not null default 1,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  stripe_product_id text not null generated always as ('scrip_plan_' || tier) stored,
  constraint subscription_plans_pkey primary key (tier),
  constraint subscription_plans_tier_check check (tier ~ '^[a-z0-9_]{1,40}$'),
  constraint subscription_plans_name_check check (length(name) between 1 and 200),
  constraint subscription_plans_monthly_cost_check check (monthly_cost between 0.5 and 999999.99),
  constraint subscription_plans_currency_check check (currency ~ '^[a-z]{3}$'),
  constraint subscription_plans_fixed_cost_check check (fixed_cost >= 0),
  constraint subscription_plans_credits_included_check check (credits_included between 0 and 1000000000000),
  constraint subscription_plans_bonus_credits_check check (bonus_credits between 0 and 1000000000000),
  constraint subscription_plans_multiplier_check check (multiplier > 0 and multiplier <= 1000),
  constraint subscription_plans_purchase_rate_check check (purchase_rate > 0 and purchase_rate <= 1000)
);

comment on table public.subscription_plans is 'The plans that users subscribe to.';
comment on column public.subscription_plans.tier is 'The plan, such as basic.';
comment on column public.subscription_plans.name is 'Its name, which the buyer sees in the checkout.';
comment on column public.subscription_plans.description is 'What the buyer reads beside it.';
comment on column public.subscription_plans.monthly_cost is 'What a month costs, in units of the currency.';
comment on column public.subscription_plans.currency is 'ISO 4217, in lower case.';
comment on column public.subscription_plans.fixed_cost is 'How much of monthly_cost pays for the service itself and not for credits: for the operator''s books, never charged beside it.';
comment on column public.subscription_plans.credits_included is 'Tokens of each paid period.';
comment on column public.subscription_plans.bonus_credits is 'Tokens on top, in a user''s first paid period.';
comment on column public.subscription_plans.multiplier is 'What charges are multiplied by, rounded up.';
comment on column public.subscription_plans.purchase_rate is 'What tokens bought by subscription/purchase are multiplied by.';
comment on column public.subscription_plans.stripe_product_id is 'The plan''s product at Stripe.';
comment on column public.subscription_plans.active is 'Whether it can be subscribed to; existing subscriptions keep it.';
comment on column public.subscription_plans.created_at is 'When it was added.';

alter table public.subscription_plans enable row level security;

create policy "Everyone reads the plans on offer" on public.subscription_plans
for select to anon, authenticated
using (active);

revoke all on table public.subscription_plans from public, anon, authenticated, service_role;
grant select on table public.subscription_plans to anon, authenticated, service_role;
