-- Work that is paid for in tokens: its hold, how it ended, and its result for as long as settings.run_result_days. The row
-- has the hold's id. Users read their runs through run-model: what the operator earns by them is not theirs to see.
-- It has no foreign key, which every run would pay for: a deleted account's runs go by forget_usage.

create table public.runs (
  user_id uuid not null,
  id uuid not null,
  operation_id text not null,
  request_hash bytea not null,
  model text,
  service text not null,
  operation text not null,
  usage_model text not null,
  price_mode public.price_mode not null,
  base_tokens bigint,
  markup numeric(10, 4) not null,
  usd_per_token numeric(20, 10) not null,
  multiplier numeric not null,
  status public.run_status not null default 'running',
  tokens_reserved bigint not null,
  tokens_used bigint,
  remaining_after bigint not null,
  provider_run_id text,
  result jsonb,
  error text,
  input_preview text,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  finished_at timestamptz,
  attempt uuid,
  constraint runs_pkey primary key (user_id, id),
  constraint runs_operation_id_key unique (user_id, operation_id)
)
with (fillfactor = 70);

create index runs_id_idx on public.runs (id);
create index runs_running_idx on public.runs (expires_at) where status = 'running';
create index runs_finished_at_idx on public.runs (finished_at) where status <> 'running';

comment on table public.runs is 'Work that is paid for in tokens.';
comment on column public.runs.user_id is 'Whose run, and whose tokens.';
comment on column public.runs.id is 'The run; its hold and the charge''s reference have the same id.';
comment on column public.runs.operation_id is 'The caller''s idempotency key; the hold and the charge have it with run: before it.';
comment on column public.runs.request_hash is 'SHA-256 of what was asked for: the same id may not ask for something else.';
comment on column public.runs.model is 'The slug of the model; null for work of other kinds.';
comment on column public.runs.service is 'Who is called, as usage calls it.';
comment on column public.runs.operation is 'What for, as usage calls it.';
comment on column public.runs.usage_model is 'The model, as usage and prices call it.';
comment on column public.runs.price_mode is 'Whether it costs base_tokens, or by what it cost at the provider; as it was at the start.';
comment on column public.runs.base_tokens is 'Tokens before the multiplier, for price mode fixed.';
comment on column public.runs.markup is 'What the provider''s cost is multiplied by; as it was at the start.';
comment on column public.runs.usd_per_token is 'US dollars for a token; as it was at the start.';
comment on column public.runs.multiplier is 'The multiplier of the user''s plan; as it was at the start.';
comment on column public.runs.status is 'How it stands.';
comment on column public.runs.tokens_reserved is 'Tokens held for it.';
comment on column public.runs.tokens_used is 'Tokens charged for it; null while it runs.';
comment on column public.runs.remaining_after is 'What the user could spend right after the start or, once it has ended, after that.';
comment on column public.runs.provider_run_id is 'What the provider calls it, when it takes longer.';
comment on column public.runs.result is 'What came out.';
comment on column public.runs.error is 'Why it failed, without keys.';
comment on column public.runs.input_preview is 'The beginning of the input, without keys; null when previews are off.';
comment on column public.runs.created_at is 'When it started.';
comment on column public.runs.expires_at is 'Until when its hold lives; then it is abandoned.';
comment on column public.runs.finished_at is 'When it ended.';
comment on column public.runs.attempt is 'Who started it: the same again goes on, since it did not hear that it had.';

alter table public.runs enable row level security;

revoke all on table public.runs from public, anon, authenticated, service_role;
grant select on table public.runs to service_role;

create trigger runs_no_truncate
before truncate on public.runs
for each statement
execute function private.refuse_truncate();
