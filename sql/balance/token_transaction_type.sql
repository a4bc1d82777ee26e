create type public.token_transaction_type as enum (
  'purchase',
  'access_code',
  'subscription',
  'bonus',
  'referral',
  'request',
  'add',
  'charge',
  'refund',
  'clawback',
  'adjustment',
  'expire'
);

comment on type public.token_transaction_type is 'Why a journal row was written.';
