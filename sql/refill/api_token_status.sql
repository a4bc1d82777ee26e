create type public.api_token_status as enum (
  'active',
  'revoked'
);

comment on type public.api_token_status is 'Whether an API token can be refilled and spent.';
