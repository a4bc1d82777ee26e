-- What a user bought, spent and holds, and the head of the user's journal. The other parts of the balance are in
-- subscribers and token_requests; get_token_balance adds them up. This row is also the user's mutex: whoever writes to
-- the journal updates it. A check constraint would be parsed anew by every operation, so bounds are kept by the operations
-- and, for edits by hand, by the trigger.

create table public.user_tokens (
  user_id uuid not null,
  tokens_purchased bigint not null default 0,
  tokens_used bigint not null default 0,
  tokens_reserved bigint not null default 0,
  holds_expire_at timestamptz not null default 'infinity',
  journal_seq bigint not null default 0,
  journal_balance bigint not null default 0,
  created_at timestamptz not null default now(),
  low_balance_threshold bigint,
  constraint user_tokens_pkey primary key (user_id),
  constraint user_tokens_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
)
with (fillfactor = 50); -- room for HOT updates: this row changes with every operation

comment on table public.user_tokens is 'Tokens that a user bought, spent and holds; one row a user. Edits are journalled.';
comment on column public.user_tokens.user_id is 'The auth user.';
comment on column public.user_tokens.tokens_purchased is 'Tokens bought or activated: packages, access codes, subscription credits.';
comment on column public.user_tokens.tokens_used is 'Tokens spent.';
comment on column public.user_tokens.tokens_reserved is 'Tokens held by active holds: the sum over token_holds, kept by Scrip.';
comment on column public.user_tokens.holds_expire_at is 'No active hold expires before then, kept by Scrip; infinity without holds.';
comment on column public.user_tokens.journal_seq is 'The last seq of the user''s journal, kept by Scrip.';
comment on column public.user_tokens.journal_balance is 'The last balance_after of the user''s journal: total less used, kept by Scrip.';
comment on column public.user_tokens.created_at is 'When the user signed up.';
comment on column public.user_tokens.low_balance_threshold is 'The user gets a notice when total less used falls below it; null for none.';

alter table public.user_tokens enable row level security;

create policy "Users read their own tokens" on public.user_tokens
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.user_tokens from public, anon, authenticated, service_role;
grant select on table public.user_tokens to authenticated, service_role;

-- Operations journal what they do and say so by the setting scrip.posting; all other edits come from a person.
create trigger user_tokens_journal
after insert or update or delete on public.user_tokens
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_user_tokens();

-- Tokens that are held count until they are charged. Every charge parses the condition: the function looks at the balance
-- before, and updates that leave the balance alone, as holds do, are spared both.
create trigger user_tokens_low_balance
after update of journal_balance on public.user_tokens
for each row
when (new.journal_balance < new.low_balance_threshold)
execute function private.notify_low_balance();

-- Before an insert only: a trigger before updates would lock the row of every operation once more.
create trigger user_tokens_adopt_journal
before insert on public.user_tokens
for each row
execute function private.adopt_journal();

create trigger user_tokens_no_truncate
before truncate on public.user_tokens
for each statement
execute function private.refuse_truncate();
