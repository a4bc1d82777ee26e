create type public.run_status as enum ('running', 'succeeded', 'failed', 'canceled', 'abandoned');

comment on type public.run_status is 'running until it ends; abandoned when nobody ended it in time. Only succeeded is charged.';
