-- Calls of AI models and services: one row a call, failed ones too, with what it cost and the price and rate that this was
-- reckoned by. Partitioned by month, so that old months are dropped and not deleted; usage_daily keeps their sums. The
-- partitions are in private, made when the first call of a month comes (create_usage_month).
-- It has no foreign key, which every call would pay for: a deleted account's rows go by forget_usage.

create table public.usage_events (
  user_id uuid not null,
  occurred_at timestamptz not null,
  id uuid not null default gen_random_uuid(),
  operation_id text not null,
  run_id uuid,
  service text not null,
  operation text not null,
  model text not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  seconds numeric(20, 6) not null,
  images integer not null,
  cost_usd numeric(20, 10),
  cost_eur numeric(24, 10),
  price_id uuid,
  usd_eur numeric(20, 10) not null,
  tokens_charged bigint not null,
  success boolean not null,
  error text,
  response_time_ms integer,
  input_preview text,
  output_summary text,
  constraint usage_events_pkey primary key (user_id, occurred_at, id)
)
partition by range (occurred_at);

create index usage_events_service_idx on public.usage_events (user_id, service, occurred_at, id);

comment on table public.usage_events is 'Calls of AI models and services, one row a call, append-only.';
comment on column public.usage_events.user_id is 'Who made the call.';
comment on column public.usage_events.occurred_at is 'When; prices and rates of that moment count.';
comment on column public.usage_events.id is 'The call.';
comment on column public.usage_events.operation_id is 'The caller''s idempotency key.';
comment on column public.usage_events.run_id is 'The run, for calls that Scrip made.';
comment on column public.usage_events.service is 'Who was called, such as openai.';
comment on column public.usage_events.operation is 'What for, such as chat.';
comment on column public.usage_events.model is 'The model, as the service calls it.';
comment on column public.usage_events.input_tokens is 'Input tokens, those from the cache among them.';
comment on column public.usage_events.cached_input_tokens is 'Input tokens that the service had in its cache.';
comment on column public.usage_events.output_tokens is 'Output tokens.';
comment on column public.usage_events.seconds is 'Seconds of the service''s hardware.';
comment on column public.usage_events.images is 'Images.';
comment on column public.usage_events.cost_usd is 'What it cost in US dollars; null when there is no price for it: unpriced, not free.';
comment on column public.usage_events.cost_eur is 'The same in euros.';
comment on column public.usage_events.price_id is 'The row of model_prices; null when unpriced, failed, or the cost came with the call.';
comment on column public.usage_events.usd_eur is 'Euros for a US dollar on that day.';
comment on column public.usage_events.tokens_charged is 'Scrip''s tokens that were charged for it.';
comment on column public.usage_events.success is 'Whether it succeeded.';
comment on column public.usage_events.error is 'Why not.';
comment on column public.usage_events.response_time_ms is 'How long it took, in milliseconds.';
comment on column public.usage_events.input_preview is 'The first 100 characters of the input, without keys; null when previews are off.';
comment on column public.usage_events.output_summary is 'The first 200 characters of the output, without keys; null when previews are off.';

alter table public.usage_events enable row level security;

create policy "Users read their own calls" on public.usage_events
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.usage_events from public, anon, authenticated, service_role;
grant select on table public.usage_events to authenticated, service_role;

create trigger usage_events_guard
before update or delete on public.usage_events
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_usage_change();

create trigger usage_events_no_truncate
before truncate on public.usage_events
for each statement
execute function private.refuse_usage_change();
