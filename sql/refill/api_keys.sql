-- The keys of API tokens, and the requests that made them. A key has more than 200 random bits, so a plain hash of it
-- cannot be reversed by trying, and how long it takes to find a row by its hash says nothing about any key.

create table private.api_keys (
  key_hash bytea not null,
  user_id uuid not null,
  token_id uuid not null,
  operation_id text not null,
  request jsonb not null,
  constraint api_keys_pkey primary key (key_hash),
  constraint api_keys_operation_id_key unique (user_id, operation_id),
  constraint api_keys_token_fkey foreign key (user_id, token_id)
    references public.api_tokens (user_id, id) on delete cascade
);

create index api_keys_token_idx on private.api_keys (user_id, token_id);

comment on table private.api_keys is 'The keys of API tokens, as hashes.';
comment on column private.api_keys.key_hash is 'SHA-256 of the key.';
comment on column private.api_keys.user_id is 'Whose token it opens.';
comment on column private.api_keys.token_id is 'The token.';
comment on column private.api_keys.operation_id is 'The owner''s idempotency key of its creation.';
comment on column private.api_keys.request is 'What was asked for then: kind, product_id, name.';

alter table private.api_keys enable row level security;

revoke all on table private.api_keys from public, anon, authenticated, service_role;
