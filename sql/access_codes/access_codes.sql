-- Codes that give tokens, stored hashed: whoever reads this table cannot activate one.

create table public.access_codes (
  id uuid not null default gen_random_uuid(),
  code_hash bytea not null,
  code_hint text not null,
  tokens_to_grant bigint not null,
  on_top boolean not null default false,
  max_uses integer not null default 1,
  uses integer not null default 0,
  email text,
  note text,
  expires_at timestamptz,
  revoked_at timestamptz,
  operation_id text not null,
  item integer not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  constraint access_codes_pkey primary key (id),
  constraint access_codes_code_hash_key unique (code_hash),
  constraint access_codes_operation_id_key unique (operation_id, item),
  constraint access_codes_tokens_to_grant_check check (tokens_to_grant between 0 and 9000000000000000),
  constraint access_codes_max_uses_check check (max_uses between 1 and 1000000000),
  constraint access_codes_uses_check check (uses between 0 and max_uses)
);

create index access_codes_created_idx on public.access_codes (created_at desc, id desc);

comment on table public.access_codes is 'Codes that give tokens when activated. Stored hashed; shown in clear once, at creation.';
comment on column public.access_codes.id is 'The code''s id.';
comment on column public.access_codes.code_hash is 'SHA-256 of the normalized code.';
comment on column public.access_codes.code_hint is 'The last four characters, to recognise it by.';
comment on column public.access_codes.tokens_to_grant is 'Tokens it gives. The first code of a user also moves the sign-up entitlement.';
comment on column public.access_codes.on_top is 'With a first code: add tokens_to_grant to the bonus instead of taking the greater of both.';
comment on column public.access_codes.max_uses is 'How many users may activate it.';
comment on column public.access_codes.uses is 'How many users have.';
comment on column public.access_codes.email is 'If set, only the user with this confirmed address may activate it.';
comment on column public.access_codes.note is 'What it is for.';
comment on column public.access_codes.expires_at is 'From then on it is refused; null for never.';
comment on column public.access_codes.revoked_at is 'When an admin revoked it; a revoked code is as if it did not exist.';
comment on column public.access_codes.operation_id is 'Idempotency key of the request that created it.';
comment on column public.access_codes.item is 'Its number within that request.';
comment on column public.access_codes.created_by is 'Who created it.';
comment on column public.access_codes.created_at is 'When.';

alter table public.access_codes enable row level security;

revoke all on table public.access_codes from public, anon, authenticated, service_role;
