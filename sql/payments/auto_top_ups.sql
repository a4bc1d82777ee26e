-- Who wants tokens bought by themselves: at a balance below the threshold a package is bought with the saved card. A
-- decline switches it off and says why.

create table public.auto_top_ups (
  user_id uuid not null,
  enabled boolean not null default false,
  threshold bigint not null,
  package_id uuid not null,
  price_cents bigint not null,
  currency text not null,
  monthly_cap_cents bigint not null,
  stopped_reason text,
  stopped_at timestamptz,
  created_at timestamptz not null default now(),
  constraint auto_top_ups_pkey primary key (user_id),
  constraint auto_top_ups_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint auto_top_ups_package_id_fkey foreign key (package_id) references public.token_packages (id) on delete cascade,
  constraint auto_top_ups_threshold_check check (threshold between 1 and 1000000000000),
  constraint auto_top_ups_monthly_cap_cents_check check (monthly_cap_cents between 50 and 99999999)
);

create index auto_top_ups_package_id_idx on public.auto_top_ups (package_id);
create index auto_top_ups_enabled_idx on public.auto_top_ups (user_id) where enabled;

comment on table public.auto_top_ups is 'Who wants a package bought whenever the balance falls below a threshold.';
comment on column public.auto_top_ups.user_id is 'The user.';
comment on column public.auto_top_ups.enabled is 'Whether it is on; off after a decline, a refund, or when the package got dearer.';
comment on column public.auto_top_ups.threshold is 'Buy when fewer tokens than this remain.';
comment on column public.auto_top_ups.package_id is 'What to buy.';
comment on column public.auto_top_ups.price_cents is 'What the package cost when the user agreed; a higher price is not charged.';
comment on column public.auto_top_ups.currency is 'In which currency.';
comment on column public.auto_top_ups.monthly_cap_cents is 'At most this much in a calendar month (UTC), in the smallest unit of the currency.';
comment on column public.auto_top_ups.stopped_reason is 'Why it was switched off, for the user to read; null when the user did it.';
comment on column public.auto_top_ups.stopped_at is 'When it was switched off because of a decline.';
comment on column public.auto_top_ups.created_at is 'When the user first set it up.';

alter table public.auto_top_ups enable row level security;

create policy "Users read their own auto top-up" on public.auto_top_ups
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.auto_top_ups from public, anon, authenticated, service_role;
grant select on table public.auto_top_ups to authenticated, service_role;

-- Whatever stops it gives a reason; a user who switches it off clears it.
create trigger auto_top_ups_stopped
after update of enabled on public.auto_top_ups
for each row
when (old.enabled and not new.enabled and new.stopped_reason is not null)
execute function private.notify_top_up_stopped();
