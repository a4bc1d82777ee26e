-- What users are told: a balance fell below their threshold, auto top-up stopped. The app shows them, and a webhook brings
-- them to the operator.
--
-- No foreign key to the user: a charge that crosses a threshold holds the user's queue, and must not wait there for the
-- row of auth.users, which an account's deletion holds while it waits for the queue. delete_notices does its work.

create table public.notices (
  user_id uuid not null,
  id uuid not null default gen_random_uuid(),
  type public.notice_type not null,
  data jsonb not null,
  read_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  constraint notices_pkey primary key (user_id, id)
);

create index notices_created_at_idx on public.notices (user_id, created_at, id);
create index notices_token_id_idx on public.notices (user_id, (data ->> 'token_id')); -- for the token's deletion

comment on table public.notices is 'What users are told: a low balance, auto top-up that stopped.';
comment on column public.notices.user_id is 'Whom it tells.';
comment on column public.notices.id is 'The notice; its webhook has the same id.';
comment on column public.notices.type is 'What it is about.';
comment on column public.notices.data is 'The particulars: for balance.low the balance, what it has and the threshold; for auto_top_up.stopped the reason.';
comment on column public.notices.read_at is 'When the user had read it; null if not yet.';
comment on column public.notices.created_at is 'When it happened.';

alter table public.notices enable row level security;

create policy "Users read their own notices" on public.notices
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.notices from public, anon, authenticated, service_role;
grant select on table public.notices to authenticated, service_role;
