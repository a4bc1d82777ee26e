-- API tokens and the credits they hold. The row is the mutex of the token's journal: whoever writes there holds it.
-- Its key is in private.api_keys, as a hash.

create table public.api_tokens (
  user_id uuid not null,
  id uuid not null default gen_random_uuid(),
  kind public.api_token_kind not null,
  product_id uuid,
  name text not null,
  status public.api_token_status not null default 'active',
  credits bigint not null default 0,
  version bigint not null default 1,
  hub_id text,
  key_hint text,
  low_balance_threshold bigint,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  constraint api_tokens_pkey primary key (user_id, id),
  constraint api_tokens_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint api_tokens_product_id_fkey foreign key (product_id) references public.products (id) on delete restrict,
  constraint api_tokens_kind_check check ((kind = 'product') = (product_id is not null)),
  constraint api_tokens_name_check check (length(name) between 1 and 100),
  constraint api_tokens_credits_check check (credits between 0 and 9000000000000000),
  constraint api_tokens_hub_id_check check (length(hub_id) between 1 and 255),
  constraint api_tokens_low_balance_threshold_check check (low_balance_threshold between 1 and 9000000000000000)
)
with (fillfactor = 50); -- room for HOT updates: this row changes whenever credits are spent

create index api_tokens_id_idx on public.api_tokens (id);
create index api_tokens_product_id_idx on public.api_tokens (product_id);
create index api_tokens_created_at_idx on public.api_tokens (user_id, created_at, id);

comment on table public.api_tokens is 'API tokens and the credits they hold. Edits are journalled, and the HUB is told.';
comment on column public.api_tokens.user_id is 'Whose token it is.';
comment on column public.api_tokens.id is 'The token.';
comment on column public.api_tokens.kind is 'For one product, or for all.';
comment on column public.api_tokens.product_id is 'The product, for kind product.';
comment on column public.api_tokens.name is 'The name that its owner gave it.';
comment on column public.api_tokens.status is 'A revoked token keeps its credits, and can be neither refilled nor spent.';
comment on column public.api_tokens.credits is 'What it holds: refilled less consumed.';
comment on column public.api_tokens.version is 'Rises with every change that the HUB may hear of; kept by Scrip.';
comment on column public.api_tokens.hub_id is 'What the HUB calls it, once the HUB has said so.';
comment on column public.api_tokens.key_hint is 'The last four characters of its key; null for a token without a key.';
comment on column public.api_tokens.low_balance_threshold is 'Its owner gets a notice when fewer credits than this are left; null for none.';
comment on column public.api_tokens.created_at is 'When it was created.';
comment on column public.api_tokens.revoked_at is 'When it was revoked.';

alter table public.api_tokens enable row level security;

create policy "Users read their own API tokens" on public.api_tokens
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.api_tokens from public, anon, authenticated, service_role;
grant select on table public.api_tokens to authenticated, service_role;

-- Operations journal what they do and say so by the setting scrip.posting; all other edits come from a person.
create trigger api_tokens_journal
after insert or update or delete on public.api_tokens
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_api_token();

create trigger api_tokens_adopt_journal
before insert on public.api_tokens
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.adopt_api_token_journal();

create trigger api_tokens_low_balance
after update of credits on public.api_tokens
for each row
when (new.credits < new.low_balance_threshold and old.credits >= new.low_balance_threshold)
execute function private.notify_low_balance();

create trigger api_tokens_no_truncate
before truncate on public.api_tokens
for each statement
execute function private.refuse_truncate();
