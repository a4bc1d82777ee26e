-- Users ask for tokens; an approved request counts at once, and undoing it takes the tokens back.

create table public.token_requests (
  user_id uuid not null default auth.uid(),
  id uuid not null default gen_random_uuid(),
  amount bigint not null,
  reason text,
  status public.token_request_status not null default 'pending',
  created_at timestamptz not null default now(),
  constraint token_requests_pkey primary key (user_id, id),
  constraint token_requests_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint token_requests_amount_check check (amount between 1 and 9000000000000000),
  constraint token_requests_reason_check check (length(reason) <= 2000)
);

create index token_requests_approved_idx on public.token_requests (user_id) include (amount) where status = 'approved';

comment on table public.token_requests is 'Requests for tokens; approved ones count in the balance. Edits are journalled.';
comment on column public.token_requests.user_id is 'Who asks.';
comment on column public.token_requests.id is 'The request.';
comment on column public.token_requests.amount is 'Tokens asked for.';
comment on column public.token_requests.reason is 'Why, in the user''s words.';
comment on column public.token_requests.status is 'Set it to approved and the tokens count at once.';
comment on column public.token_requests.created_at is 'When the user asked.';

alter table public.token_requests enable row level security;

create policy "Users read their own requests" on public.token_requests
for select to authenticated
using ((select auth.uid()) = user_id);

create policy "Users ask for tokens" on public.token_requests
for insert to authenticated
with check ((select auth.uid()) = user_id and status = 'pending');

revoke all on table public.token_requests from public, anon, authenticated, service_role;
grant select on table public.token_requests to authenticated, service_role;
grant insert (user_id, amount, reason) on table public.token_requests to authenticated;

create trigger token_requests_journal
after insert or update or delete on public.token_requests
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_token_request();

create trigger token_requests_no_truncate
before truncate on public.token_requests
for each statement
execute function private.refuse_truncate();
