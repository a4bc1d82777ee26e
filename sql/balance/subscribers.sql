-- A person known to Scrip: a user, or someone on the waiting list who has not signed up (user_id is null).

create table public.subscribers (
  id uuid not null default gen_random_uuid(),
  user_id uuid,
  email text,
  display_name text,
  locale text,
  base_tokens bigint not null default 1000,
  bonus_tokens bigint not null default 1500,
  entitlement_granted_at timestamptz,
  earned_tokens bigint not null default 0,
  admin_bonus_tokens bigint not null default 0,
  created_at timestamptz not null default now(),
  usage_previews boolean not null default true,
  constraint subscribers_pkey primary key (id),
  constraint subscribers_user_id_key unique (user_id),
  constraint subscribers_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint subscribers_identified_check check (user_id is not null or email is not null),
  constraint subscribers_email_check check (length(email) between 3 and 320),
  constraint subscribers_display_name_check check (length(display_name) <= 200),
  constraint subscribers_locale_check check (locale ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' and length(locale) <= 35),
  constraint subscribers_base_tokens_check check (base_tokens between 0 and 9000000000000000),
  constraint subscribers_bonus_tokens_check check (bonus_tokens between 0 and 9000000000000000),
  constraint subscribers_earned_tokens_check check (earned_tokens between 0 and 9000000000000000),
  constraint subscribers_admin_bonus_tokens_check check (admin_bonus_tokens between 0 and 9000000000000000)
);

-- One place on the waiting list an address; users are told apart by user_id, since an unconfirmed address proves nothing.
create unique index subscribers_waiting_email_key on public.subscribers (lower(email)) where user_id is null;

comment on table public.subscribers is 'People: users, and those on the waiting list (user_id is null). Edits of earned and bonus tokens are journalled.';
comment on column public.subscribers.id is 'The subscriber.';
comment on column public.subscribers.user_id is 'The auth user, or null on the waiting list.';
comment on column public.subscribers.email is 'The e-mail address, as signed up with.';
comment on column public.subscribers.display_name is 'What the person wants to be called; the user may change it.';
comment on column public.subscribers.locale is 'Language tag such as en or de-AT; the user may change it.';
comment on column public.subscribers.base_tokens is 'Sign-up entitlement, moved into tokens_purchased by the first access code; never part of a sum.';
comment on column public.subscribers.bonus_tokens is 'Early-bird entitlement, moved with base_tokens; never part of a sum.';
comment on column public.subscribers.entitlement_granted_at is 'When base_tokens and bonus_tokens were moved into tokens_purchased; null if not yet.';
comment on column public.subscribers.earned_tokens is 'Referral rewards.';
comment on column public.subscribers.admin_bonus_tokens is 'Extra grants by an admin.';
comment on column public.subscribers.created_at is 'When the person joined.';
comment on column public.subscribers.usage_previews is 'Whether the beginnings of the person''s inputs and outputs are kept with calls; the user may change it.';

alter table public.subscribers enable row level security;

create policy "Users read their own subscriber" on public.subscribers
for select to authenticated
using ((select auth.uid()) = user_id);

create policy "Users change their own name and locale" on public.subscribers
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

revoke all on table public.subscribers from public, anon, authenticated, service_role;
grant select on table public.subscribers to authenticated, service_role;
grant update (display_name, locale, usage_previews) on table public.subscribers to authenticated;

create trigger subscribers_journal
after insert or update or delete on public.subscribers
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_subscriber();

create trigger subscribers_no_truncate
before truncate on public.subscribers
for each statement
execute function private.refuse_truncate();
