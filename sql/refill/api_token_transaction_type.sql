create type public.api_token_transaction_type as enum (
  'refill',
  'consume',
  'adjustment'
);

comment on type public.api_token_transaction_type is 'Why a row of an API token''s journal was written.';
