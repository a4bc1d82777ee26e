-- What a user has in US dollars, and the head of the user's USD journal. The first posting makes the row, or
-- the first threshold. It is also the mutex of that journal: whoever writes to the journal holds this row.

create table public.usd_balances (
  user_id uuid not null,
  balance numeric(24, 10) not null default 0,
  journal_seq bigint not null default 0,
  created_at timestamptz not null default now(),
  low_balance_threshold numeric(24, 10),
  constraint usd_balances_pkey primary key (user_id),
  constraint usd_balances_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint usd_balances_balance_check check (balance between -9000000000 and 9000000000), -- and no NaN
  constraint usd_balances_low_balance_threshold_check check (
    low_balance_threshold > 0 and low_balance_threshold <= 9000000000
  )
)
with (fillfactor = 50); -- room for HOT updates: this row changes with every posting

comment on table public.usd_balances is 'US dollars that users hold; a row from the first posting on. Edits are journalled.';
comment on column public.usd_balances.user_id is 'The auth user.';
comment on column public.usd_balances.balance is 'US dollars: deposits less refills. Negative when more was clawed back than was left.';
comment on column public.usd_balances.journal_seq is 'The last seq of the user''s USD journal, kept by Scrip.';
comment on column public.usd_balances.created_at is 'When the first posting or threshold made it.';
comment on column public.usd_balances.low_balance_threshold is 'The user gets a notice when the balance falls below it; null for none.';

alter table public.usd_balances enable row level security;

create policy "Users read their own USD balance" on public.usd_balances
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.usd_balances from public, anon, authenticated, service_role;
grant select on table public.usd_balances to authenticated, service_role;

-- Postings journal what they do and say so by the setting scrip.posting; all other edits come from a person.
create trigger usd_balances_journal
after insert or update or delete on public.usd_balances
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_usd_balance();

create trigger usd_balances_low_balance
after update of balance on public.usd_balances
for each row
when (new.balance < new.low_balance_threshold and old.balance >= new.low_balance_threshold)
execute function private.notify_low_balance();

create trigger usd_balances_adopt_journal
before insert on public.usd_balances
for each row
execute function private.adopt_usd_journal();

create trigger usd_balances_no_truncate
before truncate on public.usd_balances
for each statement
execute function private.refuse_truncate();
