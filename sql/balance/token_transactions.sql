-- The journal: one row for every change of a balance column, in the transaction that made it, for ever.
-- It has no foreign key to the user: a deleted account's rows stay, and sum up to zero.

create table public.token_transactions (
  user_id uuid not null,
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  type public.token_transaction_type not null,
  account public.token_account not null,
  amount bigint not null,
  balance_after bigint not null,
  remaining_after bigint not null,
  operation_id text,
  reference text,
  description text,
  metadata jsonb not null default '{}',
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint token_transactions_pkey primary key (user_id, seq),
  constraint token_transactions_operation_id_key unique (user_id, operation_id)
);

create index token_transactions_grants_idx on public.token_transactions (user_id, seq) where account <> 'used';
create index token_transactions_refunds_idx on public.token_transactions (user_id, reference) where type = 'refund';

comment on table public.token_transactions is 'The journal: every change of a balance, append-only.';
comment on column public.token_transactions.user_id is 'Whose balance changed.';
comment on column public.token_transactions.seq is 'Number of the row among the user''s, from 1, without gaps.';
comment on column public.token_transactions.id is 'The transaction.';
comment on column public.token_transactions.type is 'Why it changed.';
comment on column public.token_transactions.account is 'Which part of the balance changed.';
comment on column public.token_transactions.amount is 'Tokens given (positive) or taken (negative).';
comment on column public.token_transactions.balance_after is 'The sum of the user''s amounts up to this row: total less used.';
comment on column public.token_transactions.remaining_after is 'What the user could spend after this row: balance_after less what was held.';
comment on column public.token_transactions.operation_id is 'The caller''s idempotency key, or null for an edit by hand.';
comment on column public.token_transactions.reference is 'What it is about: an access code, a hold, the charge of a refund, a Stripe object.';
comment on column public.token_transactions.description is 'What it was for, in the caller''s words.';
comment on column public.token_transactions.metadata is 'The caller''s own data.';
comment on column public.token_transactions.actor is 'Who did it: the user''s id that the caller named, else the database role.';
comment on column public.token_transactions.created_at is 'When.';

alter table public.token_transactions enable row level security;

create policy "Users read their own transactions" on public.token_transactions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.token_transactions from public, anon, authenticated, service_role;
grant select on table public.token_transactions to authenticated, service_role;

create trigger token_transactions_insert_guard
before insert on public.token_transactions
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_journal_change();

create trigger token_transactions_append_only
before update or delete on public.token_transactions
for each row
execute function private.refuse_journal_change();

create trigger token_transactions_no_truncate
before truncate on public.token_transactions
for each statement
execute function private.refuse_journal_change();

-- Even where session_replication_role turns ordinary triggers off.
alter table public.token_transactions enable always trigger token_transactions_append_only;
alter table public.token_transactions enable always trigger token_transactions_no_truncate;
