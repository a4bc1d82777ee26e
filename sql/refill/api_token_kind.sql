create type public.api_token_kind as enum (
  'product',
  'master'
);

comment on type public.api_token_kind is 'Whether an API token''s credits are of one product, at its rate, or of all, at the master rate.';
