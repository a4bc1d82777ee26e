-- Tokens set aside for work under way. A hold lowers remaining at once and dies by itself at expires_at. It has no foreign
-- key, which reserve_tokens would pay for after updating the very row: it goes when its row of user_tokens goes.

create table public.token_holds (
  user_id uuid not null,
  operation_id text not null,
  id uuid not null default gen_random_uuid(),
  amount bigint not null,
  status public.token_hold_status not null default 'active',
  ttl_seconds integer not null default 900,
  expires_at timestamptz not null default now() + interval '15 minutes',
  remaining_after bigint not null default 0,
  settled_amount bigint,
  released_remaining bigint,
  description text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint token_holds_pkey primary key (user_id, operation_id)
)
with (fillfactor = 70);

create index token_holds_active_idx on public.token_holds (user_id, expires_at) include (amount) where status = 'active';

comment on table public.token_holds is 'Tokens set aside for work under way; they count against remaining while active.';
comment on column public.token_holds.user_id is 'Whose tokens.';
comment on column public.token_holds.operation_id is 'The caller''s idempotency key; settling and releasing name the hold by it.';
comment on column public.token_holds.id is 'The hold.';
comment on column public.token_holds.amount is 'Tokens held.';
comment on column public.token_holds.status is 'active until settled, released or expired.';
comment on column public.token_holds.ttl_seconds is 'How long it was asked to live, in seconds.';
comment on column public.token_holds.expires_at is 'From then on it no longer counts.';
comment on column public.token_holds.remaining_after is 'What the user could spend right after the hold was made.';
comment on column public.token_holds.settled_amount is 'Tokens charged when it was settled.';
comment on column public.token_holds.released_remaining is 'What the user could spend right after the hold was released.';
comment on column public.token_holds.description is 'What it is for, in the caller''s words.';
comment on column public.token_holds.metadata is 'The caller''s own data.';
comment on column public.token_holds.created_at is 'When it was made.';
comment on column public.token_holds.ended_at is 'When it was settled, released or swept as expired.';

alter table public.token_holds enable row level security;

create policy "Users read their own holds" on public.token_holds
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.token_holds from public, anon, authenticated, service_role;
grant select on table public.token_holds to authenticated, service_role;

create trigger token_holds_count
after insert or update or delete on public.token_holds
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.count_token_hold();

create trigger token_holds_no_truncate
before truncate on public.token_holds
for each statement
execute function private.refuse_truncate();
