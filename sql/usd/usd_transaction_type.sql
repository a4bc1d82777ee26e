create type public.usd_transaction_type as enum (
  'deposit',
  'refill',
  'clawback',
  'adjustment'
);

comment on type public.usd_transaction_type is 'Why a row of the USD journal was written.';
