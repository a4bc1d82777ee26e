create type public.refill_mode as enum (
  'usd',
  'credits'
);

comment on type public.refill_mode is 'What a refill''s amount is: US dollars to spend, or credits to get.';
