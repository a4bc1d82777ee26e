-- What API tokens of kind product are for. A change of rate counts for refills from then on: each refill keeps its own.

create table public.products (
  id uuid not null default gen_random_uuid(),
  name text not null,
  description text,
  value_credits_usd numeric(20, 10),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint products_pkey primary key (id),
  constraint products_name_check check (length(name) between 1 and 200),
  constraint products_value_credits_usd_check check (
    value_credits_usd > 0 and value_credits_usd <= 1000000000 -- and no NaN
  )
);

comment on table public.products is 'Products whose credits API tokens hold.';
comment on column public.products.id is 'The product.';
comment on column public.products.name is 'Its name.';
comment on column public.products.description is 'What it is, for users.';
comment on column public.products.value_credits_usd is 'US dollars for one credit; without it, tokens of the product cannot be refilled.';
comment on column public.products.active is 'Whether it is on offer: otherwise its tokens are neither created nor refilled.';
comment on column public.products.created_at is 'When it was added.';

alter table public.products enable row level security;

create policy "Everyone reads the products on offer" on public.products
for select to anon, authenticated
using (active);

revoke all on table public.products from public, anon, authenticated, service_role;
grant select on table public.products to anon, authenticated, service_role;
