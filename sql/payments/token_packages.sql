-- What is for sale. A change of price or tokens counts for checkouts begun afterwards: what a buyer was offered travels
-- with the payment.

create table public.token_packages (
  id uuid not null default gen_random_uuid(),
  name text not null,
  description text,
  tokens bigint not null,
  bonus_tokens bigint not null default 0,
  price_cents bigint not null,
  currency text not null default 'eur',
  active boolean not null default true,
  created_at timestamptz not null default now(),
  tokens_granted bigint generated always as (tokens + bonus_tokens) stored,
  constraint token_packages_pkey primary key (id),
  constraint token_packages_name_check check (length(name) between 1 and 200),
  constraint token_packages_tokens_check check (tokens between 1 and 1000000000000),
  constraint token_packages_bonus_tokens_check check (bonus_tokens between 0 and 1000000000000),
  constraint token_packages_price_cents_check check (price_cents between 50 and 99999999),
  constraint token_packages_currency_check check (currency ~ '^[a-z]{3}$')
);

comment on table public.token_packages is 'Packages of tokens for sale.';
comment on column public.token_packages.id is 'The package.';
comment on column public.token_packages.name is 'Its name, which the buyer sees in the checkout.';
comment on column public.token_packages.description is 'What the buyer reads beside it.';
comment on column public.token_packages.tokens is 'Tokens that are paid for.';
comment on column public.token_packages.bonus_tokens is 'Tokens on top, such as an early-bird bonus.';
comment on column public.token_packages.tokens_granted is 'What the buyer gets: tokens and bonus_tokens.';
comment on column public.token_packages.price_cents is 'The price, in the smallest unit of its currency, as Stripe counts.';
comment on column public.token_packages.currency is 'ISO 4217, in lower case.';
comment on column public.token_packages.active is 'Whether it is for sale.';
comment on column public.token_packages.created_at is 'When it was added.';

alter table public.token_packages enable row level security;

create policy "Everyone reads the packages for sale" on public.token_packages
for select to anon, authenticated
using (active);

revoke all on table public.token_packages from public, anon, authenticated, service_role;
grant select on table public.token_packages to anon, authenticated, service_role;
