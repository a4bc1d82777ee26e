-- Paid things, one row each, written by Stripe's events alone. What is granted less what was clawed back is in the user's
-- journals under the same reference; verify_ledger compares them. There is no foreign key to the user: a deleted account's
-- payments stay, since they can still be refunded.

create table public.purchases (
  user_id uuid not null,
  id uuid not null default gen_random_uuid(),
  kind public.purchase_kind not null,
  description text not null,
  package_id uuid,
  tier text,
  amount_cents bigint not null,
  currency text not null,
  refunded_cents bigint not null default 0,
  disputed_cents bigint not null default 0,
  tokens_granted bigint not null,
  bonus_tokens bigint not null default 0,
  tokens_clawed_back bigint not null default 0,
  usd_granted numeric(24, 10) not null default 0,
  usd_clawed_back numeric(24, 10) not null default 0,
  stripe_id text not null,
  stripe_checkout_session_id text,
  stripe_payment_intent_id text,
  stripe_invoice_id text,
  stripe_subscription_id text,
  granted_period_start timestamptz,
  period_start timestamptz,
  period_end timestamptz,
  paid_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint purchases_pkey primary key (user_id, id),
  constraint purchases_stripe_id_key unique (user_id, stripe_id),
  constraint purchases_granted_period_key unique (user_id, stripe_subscription_id, granted_period_start),
  constraint purchases_amount_cents_check check (amount_cents >= 0),
  constraint purchases_tokens_check check (tokens_clawed_back between 0 and tokens_granted),
  constraint purchases_bonus_tokens_check check (bonus_tokens between 0 and tokens_granted),
  constraint purchases_usd_check check (usd_clawed_back between 0 and usd_granted)
);

-- Stripe's refunds and disputes name the payment, not the user.
create index purchases_stripe_id_idx on public.purchases (stripe_id);

comment on table public.purchases is 'Paid things: what was paid, granted, refunded and clawed back. Written by Stripe''s events alone.';
comment on column public.purchases.user_id is 'Who bought.';
comment on column public.purchases.id is 'The purchase.';
comment on column public.purchases.kind is 'What was bought.';
comment on column public.purchases.description is 'What was bought, in words.';
comment on column public.purchases.package_id is 'The package, if it was one.';
comment on column public.purchases.tier is 'The plan, if it was one.';
comment on column public.purchases.amount_cents is 'What was paid, with tax and less discounts, in the smallest unit of the currency.';
comment on column public.purchases.currency is 'ISO 4217, in lower case.';
comment on column public.purchases.refunded_cents is 'How much of it is refunded.';
comment on column public.purchases.disputed_cents is 'How much of it a dispute has taken, less what was won back.';
comment on column public.purchases.tokens_granted is 'Tokens that the payment gave, bonus included.';
comment on column public.purchases.bonus_tokens is 'How many of them are the bonus of the user''s first paid period of a plan.';
comment on column public.purchases.tokens_clawed_back is 'How many of them refunds and disputes took back: floor(tokens_granted × (refunded + disputed) ÷ amount).';
comment on column public.purchases.usd_granted is 'US dollars that the payment added to the USD balance.';
comment on column public.purchases.usd_clawed_back is 'How many of them refunds and disputes took back.';
comment on column public.purchases.stripe_id is 'Stripe''s id of the paid thing: payment intent, invoice, or the checkout session that cost nothing.';
comment on column public.purchases.stripe_checkout_session_id is 'Stripe''s checkout session.';
comment on column public.purchases.stripe_payment_intent_id is 'Stripe''s payment intent, of a one-time payment.';
comment on column public.purchases.stripe_invoice_id is 'Stripe''s invoice, of a subscription.';
comment on column public.purchases.stripe_subscription_id is 'Stripe''s subscription.';
comment on column public.purchases.granted_period_start is 'The period whose credits it gave: once each. Null for an upgrade within a period.';
comment on column public.purchases.period_start is 'From when the plan was paid for.';
comment on column public.purchases.period_end is 'Until when the plan is paid for.';
comment on column public.purchases.paid_at is 'When Stripe says that it was paid.';
comment on column public.purchases.created_at is 'When Scrip learned of it.';

alter table public.purchases enable row level security;

create policy "Users read their own purchases" on public.purchases
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.purchases from public, anon, authenticated, service_role;
grant select on table public.purchases to authenticated, service_role;

create trigger purchases_guard
before insert or update or delete on public.purchases
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_payment_change();

create trigger purchases_no_truncate
before truncate on public.purchases
for each statement
execute function private.refuse_payment_change();
