-- The sums of a user's calls by day, written with each call. Summaries read these alone, so they cost as much after a
-- million calls as after a hundred, and outlive the months of raw rows. No two users share a row.

create table public.usage_daily (
  user_id uuid not null,
  day date not null,
  service text not null,
  model text not null,
  operation text not null,
  calls bigint not null,
  failed_calls bigint not null,
  unpriced_calls bigint not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  tokens_charged bigint not null,
  cost_usd numeric(30, 10) not null,
  cost_eur numeric(30, 10) not null,
  timed_calls bigint not null,
  response_time_ms bigint not null,
  constraint usage_daily_pkey primary key (user_id, day, service, model, operation)
)
with (fillfactor = 50); -- room for HOT updates: today's rows change with every call

comment on table public.usage_daily is 'The sums of a user''s calls by day.';
comment on column public.usage_daily.user_id is 'Who made the calls.';
comment on column public.usage_daily.day is 'The day, in UTC.';
comment on column public.usage_daily.service is 'Who was called.';
comment on column public.usage_daily.model is 'The model.';
comment on column public.usage_daily.operation is 'What for.';
comment on column public.usage_daily.calls is 'How many calls, failed and unpriced ones among them.';
comment on column public.usage_daily.failed_calls is 'How many of them failed.';
comment on column public.usage_daily.unpriced_calls is 'How many of them have no known cost.';
comment on column public.usage_daily.input_tokens is 'Input tokens, those from the cache among them.';
comment on column public.usage_daily.cached_input_tokens is 'Input tokens from the services'' caches.';
comment on column public.usage_daily.output_tokens is 'Output tokens.';
comment on column public.usage_daily.tokens_charged is 'Scrip''s tokens charged.';
comment on column public.usage_daily.cost_usd is 'The known costs in US dollars.';
comment on column public.usage_daily.cost_eur is 'The same in euros, each call at the rate of its day.';
comment on column public.usage_daily.timed_calls is 'How many calls said how long they took.';
comment on column public.usage_daily.response_time_ms is 'How long those took together, in milliseconds.';

alter table public.usage_daily enable row level security;

create policy "Users read their own sums" on public.usage_daily
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.usage_daily from public, anon, authenticated, service_role;
grant select on table public.usage_daily to authenticated, service_role;

create trigger usage_daily_guard
before update or delete on public.usage_daily
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_usage_change();

create trigger usage_daily_no_truncate
before truncate on public.usage_daily
for each statement
execute function private.refuse_usage_change();
