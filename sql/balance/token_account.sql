-- The balance column that a journal row changed, named as in the answer of get_token_balance.

create type public.token_account as enum (
  'purchased',
  'earned',
  'admin_bonus',
  'approved_requests',
  'used'
);

comment on type public.token_account is 'The part of the balance that a journal row changed.';
