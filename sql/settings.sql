-- What the operator sets: one row. Without it the defaults of the columns count, which each reader knows.

create table public.settings (
  id boolean not null default true,
  base_rate numeric(20, 6) not null default 10000,
  purchase_currencies text[] not null default '{eur,usd}',
  past_due_grace_days integer not null default 7,
  refill_fee_usd numeric(20, 10) not null default 0.0001,
  master_rate_usd numeric(20, 10) not null default 0.001,
  usd_per_token numeric(20, 10) not null default 0.01,
  run_inline_seconds integer not null default 30,
  run_result_days integer not null default 30,
  usage_keep_months integer not null default 13,
  usage_previews boolean not null default true,
  constraint settings_pkey primary key (id),
  constraint settings_id_check check (id),
  constraint settings_base_rate_check check (base_rate > 0 and base_rate <= 1000000000),
  constraint settings_past_due_grace_days_check check (past_due_grace_days between 0 and 90),
  constraint settings_refill_fee_usd_check check (refill_fee_usd between 0 and 1000),
  constraint settings_master_rate_usd_check check (master_rate_usd > 0 and master_rate_usd <= 1000000000),
  constraint settings_usd_per_token_check check (usd_per_token > 0 and usd_per_token <= 1000000),
  constraint settings_run_inline_seconds_check check (run_inline_seconds between 0 and 140),
  constraint settings_run_result_days_check check (run_result_days between 1 and 3650),
  constraint settings_usage_keep_months_check check (usage_keep_months between 1 and 1200)
);

comment on table public.settings is 'What the operator sets: one row.';
comment on column public.settings.id is 'Always true: there is one row.';
comment on column public.settings.base_rate is 'Tokens for one unit of money (one euro, one dollar) in subscription/purchase, before the plan''s purchase_rate.';
comment on column public.settings.purchase_currencies is 'Currencies that subscription/purchase takes, in lower case; one unit of each buys base_rate tokens.';
comment on column public.settings.past_due_grace_days is 'For how many days a plan stays in force after a failed payment.';
comment on column public.settings.refill_fee_usd is 'US dollars that each refill costs on top of its credits.';
comment on column public.settings.master_rate_usd is 'US dollars for one credit of a master token.';
comment on column public.settings.usd_per_token is 'US dollars that a token stands for in the price of metered models.';
comment on column public.settings.run_inline_seconds is 'How long run-model waits for a provider that can finish later, in seconds; then it answers 202.';
comment on column public.settings.run_result_days is 'For how many days the results of runs are kept.';
comment on column public.settings.usage_keep_months is 'For how many months before the current one calls are kept; their daily sums stay.';
comment on column public.settings.usage_previews is 'Whether the beginnings of inputs and outputs are kept with calls.';

alter table public.settings enable row level security;

revoke all on table public.settings from public, anon, authenticated, service_role;
grant select on table public.settings to service_role;
