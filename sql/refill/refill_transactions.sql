-- Refills: what each gave and cost, with the rate and the fee that it was reckoned by. A row joins a row of the USD
-- journal (the same operation_id) and a row of the token's journal (the same version).
-- It has no foreign key to the user: a deleted account's rows stay.

create table public.refill_transactions (
  user_id uuid not null,
  id uuid not null,
  token_id uuid not null,
  version bigint not null,
  mode public.refill_mode not null,
  credits_added bigint not null,
  usd_spent numeric(24, 10) not null,
  fee numeric(20, 10) not null,
  rate numeric(20, 10) not null,
  credits_after bigint not null,
  usd_balance_after numeric(24, 10) not null,
  product_id uuid,
  operation_id text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint refill_transactions_pkey primary key (user_id, id),
  constraint refill_transactions_operation_id_key unique (user_id, operation_id),
  constraint refill_transactions_credits_added_check check (credits_added > 0),
  constraint refill_transactions_fee_check check (fee >= 0),
  constraint refill_transactions_rate_check check (rate > 0)
);

comment on table public.refill_transactions is 'Refills of API tokens, append-only.';
comment on column public.refill_transactions.user_id is 'Who paid, and whose token it is.';
comment on column public.refill_transactions.id is 'The refill.';
comment on column public.refill_transactions.token_id is 'The token.';
comment on column public.refill_transactions.version is 'The token''s version since the refill.';
comment on column public.refill_transactions.mode is 'Whether US dollars or credits were asked for.';
comment on column public.refill_transactions.credits_added is 'Credits that the token got.';
comment on column public.refill_transactions.usd_spent is 'US dollars taken, the fee in them.';
comment on column public.refill_transactions.fee is 'US dollars of fee.';
comment on column public.refill_transactions.rate is 'US dollars for one credit.';
comment on column public.refill_transactions.credits_after is 'What the token held then.';
comment on column public.refill_transactions.usd_balance_after is 'US dollars that the user had left.';
comment on column public.refill_transactions.product_id is 'The product whose rate it was; null for the master rate.';
comment on column public.refill_transactions.operation_id is 'The user''s idempotency key.';
comment on column public.refill_transactions.created_at is 'When.';

alter table public.refill_transactions enable row level security;

create policy "Users read their own refills" on public.refill_transactions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.refill_transactions from public, anon, authenticated, service_role;
grant select on table public.refill_transactions to authenticated, service_role;

create trigger refill_transactions_insert_guard
before insert on public.refill_transactions
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_journal_change();

create trigger refill_transactions_append_only
before update or delete on public.refill_transactions
for each row
execute function private.refuse_journal_change();

create trigger refill_transactions_no_truncate
before truncate on public.refill_transactions
for each statement
execute function private.refuse_journal_change();

-- Even where session_replication_role turns ordinary triggers off.
alter table public.refill_transactions enable always trigger refill_transactions_append_only;
alter table public.refill_transactions enable always trigger refill_transactions_no_truncate;
