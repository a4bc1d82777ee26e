-- The journal of credits: one row for every change of what an API token holds, in the transaction that made it, for
-- ever. It has no foreign key to the token: a deleted one's rows stay, and sum up to zero.

create table public.api_token_transactions (
  user_id uuid not null,
  token_id uuid not null,
  version bigint not null,
  id uuid not null default gen_random_uuid(),
  type public.api_token_transaction_type not null,
  amount bigint not null,
  credits_after bigint not null,
  operation_id text,
  reference text,
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint api_token_transactions_pkey primary key (user_id, token_id, version),
  constraint api_token_transactions_operation_id_key unique (user_id, token_id, operation_id)
);

comment on table public.api_token_transactions is 'The journal of credits: every change of what an API token holds, append-only.';
comment on column public.api_token_transactions.user_id is 'Whose token it is.';
comment on column public.api_token_transactions.token_id is 'The token.';
comment on column public.api_token_transactions.version is 'The token''s version since this change; changes of other columns leave gaps.';
comment on column public.api_token_transactions.id is 'The transaction.';
comment on column public.api_token_transactions.type is 'Why the credits changed.';
comment on column public.api_token_transactions.amount is 'Credits given (positive) or spent (negative); 0 when a token without credits was deleted.';
comment on column public.api_token_transactions.credits_after is 'The sum of the token''s amounts up to this row.';
comment on column public.api_token_transactions.operation_id is 'The consumer''s idempotency key; null for refills, which have their own, and edits by hand.';
comment on column public.api_token_transactions.reference is 'The refill.';
comment on column public.api_token_transactions.actor is 'Who did it: the user''s id that the caller named, else the database role.';
comment on column public.api_token_transactions.created_at is 'When.';

alter table public.api_token_transactions enable row level security;

create policy "Users read the journals of their own API tokens" on public.api_token_transactions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.api_token_transactions from public, anon, authenticated, service_role;
grant select on table public.api_token_transactions to authenticated, service_role;

create trigger api_token_transactions_insert_guard
before insert on public.api_token_transactions
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_journal_change();

create trigger api_token_transactions_append_only
before update or delete on public.api_token_transactions
for each row
execute function private.refuse_journal_change();

create trigger api_token_transactions_no_truncate
before truncate on public.api_token_transactions
for each statement
execute function private.refuse_journal_change();

-- Even where session_replication_role turns ordinary triggers off.
alter table public.api_token_transactions enable always trigger api_token_transactions_append_only;
alter table public.api_token_transactions enable always trigger api_token_transactions_no_truncate;
