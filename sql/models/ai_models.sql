-- The models that users can run. Clients get what list_ai_models() tells of them; where and how a model runs is the
-- operator's business.

create table public.ai_models (
  slug text not null,
  name text not null,
  description text,
  kind public.ai_model_kind not null,
  provider text not null,
  provider_model text not null,
  provider_version text,
  service text,
  base_url text,
  api_key_variable text,
  price_mode public.price_mode not null,
  fixed_tokens bigint,
  markup numeric(10, 4) not null default 1,
  max_output_tokens integer not null default 4096,
  timeout_seconds integer not null default 60,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint ai_models_pkey primary key (slug),
  constraint ai_models_slug_check check (slug ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
  constraint ai_models_name_check check (length(name) between 1 and 200),
  constraint ai_models_provider_check check (length(provider) between 1 and 100),
  constraint ai_models_provider_model_check check (length(provider_model) between 1 and 200),
  constraint ai_models_provider_version_check check (length(provider_version) between 1 and 200),
  constraint ai_models_service_check check (length(service) between 1 and 100),
  constraint ai_models_base_url_check check (base_url ~ '^https?://[^\s]+$' and length(base_url) <= 500),
  -- No other secret of the functions' environment can be sent to a base_url.
  constraint ai_models_api_key_variable_check check (
    api_key_variable ~ '^[A-Z][A-Z0-9_]*_API_KEY$' and api_key_variable <> 'HUB_API_KEY'
  ),
  constraint ai_models_fixed_tokens_check check (
    (price_mode = 'fixed') = (fixed_tokens is not null) and fixed_tokens >= 1 and fixed_tokens <= 9000000000000000
  ),
  constraint ai_models_markup_check check (markup > 0 and markup <= 1000),
  constraint ai_models_max_output_tokens_check check (max_output_tokens between 1 and 10000000),
  constraint ai_models_timeout_seconds_check check (timeout_seconds between 1 and 82800)
);

comment on table public.ai_models is 'The models that users can run.';
comment on column public.ai_models.slug is 'What callers of run-model call it.';
comment on column public.ai_models.name is 'Its name, for users.';
comment on column public.ai_models.description is 'What it is, for users.';
comment on column public.ai_models.kind is 'What it makes.';
comment on column public.ai_models.provider is 'Who runs it: demo, openai (any OpenAI-compatible endpoint) or replicate.';
comment on column public.ai_models.provider_model is 'What the provider calls it; usage and prices too.';
comment on column public.ai_models.provider_version is 'The version of a model of Replicate''s that is not an official one.';
comment on column public.ai_models.service is 'What usage and prices call the provider; null for its own name.';
comment on column public.ai_models.base_url is 'The endpoint of an OpenAI-compatible server; null for OpenAI.';
comment on column public.ai_models.api_key_variable is 'The functions'' variable with the key for base_url; null for none, or for the provider''s own.';
comment on column public.ai_models.price_mode is 'Whether a call costs fixed_tokens, or by what it cost at the provider.';
comment on column public.ai_models.fixed_tokens is 'Tokens a call, for price mode fixed; the plan''s multiplier applies.';
comment on column public.ai_models.markup is 'What the provider''s cost is multiplied by, for price mode metered; the plan''s multiplier applies on top.';
comment on column public.ai_models.max_output_tokens is 'The most output tokens that a call may ask for, and what it gets when it asks for no number.';
comment on column public.ai_models.timeout_seconds is 'How long a call may take, in seconds.';
comment on column public.ai_models.active is 'Whether it is on offer.';
comment on column public.ai_models.created_at is 'When it was added.';

alter table public.ai_models enable row level security;

revoke all on table public.ai_models from public, anon, authenticated, service_role;
grant select on table public.ai_models to service_role;
