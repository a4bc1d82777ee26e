-- The USD journal: one row for every change of a USD balance, in the transaction that made it, for ever.
-- It has no foreign key to the user: a deleted account's rows stay, and sum up to zero.

create table public.usd_transactions (
  user_id uuid not null,
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  type public.usd_transaction_type not null,
  amount numeric(24, 10) not null,
  balance_after numeric(24, 10) not null,
  operation_id text,
  reference text,
  description text,
  metadata jsonb not null default '{}',
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint usd_transactions_pkey primary key (user_id, seq),
  constraint usd_transactions_operation_id_key unique (user_id, operation_id)
);

comment on table public.usd_transactions is 'The USD journal: every change of a USD balance, append-only.';
comment on column public.usd_transactions.user_id is 'Whose balance changed.';
comment on column public.usd_transactions.seq is 'Number of the row among the user''s, from 1, without gaps.';
comment on column public.usd_transactions.id is 'The transaction.';
comment on column public.usd_transactions.type is 'Why it changed.';
comment on column public.usd_transactions.amount is 'US dollars given (positive) or taken (negative).';
comment on column public.usd_transactions.balance_after is 'The sum of the user''s amounts up to this row.';
comment on column public.usd_transactions.operation_id is 'The caller''s idempotency key, or null for an edit by hand.';
comment on column public.usd_transactions.reference is 'What it is about: a Stripe object, a refill.';
comment on column public.usd_transactions.description is 'What it was for, in the caller''s words.';
comment on column public.usd_transactions.metadata is 'The caller''s own data.';
comment on column public.usd_transactions.actor is 'Who did it: the user''s id that the caller named, else the database role.';
comment on column public.usd_transactions.created_at is 'When.';

alter table public.usd_transactions enable row level security;

create policy "Users read their own USD transactions" on public.usd_transactions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.usd_transactions from public, anon, authenticated, service_role;
grant select on table public.usd_transactions to authenticated, service_role;

create trigger usd_transactions_insert_guard
before insert on public.usd_transactions
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_journal_change();

create trigger usd_transactions_append_only
before update or delete on public.usd_transactions
for each row
execute function private.refuse_journal_change();

create trigger usd_transactions_no_truncate
before truncate on public.usd_transactions
for each statement
execute function private.refuse_journal_change();

-- Even where session_replication_role turns ordinary triggers off.
alter table public.usd_transactions enable always trigger usd_transactions_append_only;
alter table public.usd_transactions enable always trigger usd_transactions_no_truncate;
