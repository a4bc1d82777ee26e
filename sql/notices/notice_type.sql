create type public.notice_type as enum (
  'balance.low',
  'auto_top_up.stopped'
);

comment on type public.notice_type is 'What a notice is about.';
