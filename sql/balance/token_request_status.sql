create type public.token_request_status as enum ('pending', 'approved', 'rejected');

comment on type public.token_request_status is 'An admin approves or rejects a pending request for tokens.';
