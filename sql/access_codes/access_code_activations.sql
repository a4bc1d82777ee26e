-- Who activated which code: once a user and code.

create table public.access_code_activations (
  user_id uuid not null,
  access_code_id uuid not null,
  tokens_granted bigint not null,
  created_at timestamptz not null default now(),
  constraint access_code_activations_pkey primary key (user_id, access_code_id),
  constraint access_code_activations_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint access_code_activations_access_code_id_fkey
    foreign key (access_code_id) references public.access_codes (id) on delete restrict
);

create index access_code_activations_access_code_id_idx on public.access_code_activations (access_code_id);

comment on table public.access_code_activations is 'Which user activated which access code.';
comment on column public.access_code_activations.user_id is 'Who.';
comment on column public.access_code_activations.access_code_id is 'Which code.';
comment on column public.access_code_activations.tokens_granted is 'Tokens it gave, entitlement included.';
comment on column public.access_code_activations.created_at is 'When.';

alter table public.access_code_activations enable row level security;

create policy "Users read their own activations" on public.access_code_activations
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.access_code_activations from public, anon, authenticated, service_role;
grant select on table public.access_code_activations to authenticated, service_role;
