-- Generated from sql/ by `npm run db:diff -- models`. Do not edit.

CREATE TYPE "public"."ai_model_kind" AS ENUM ('text', 'image', 'video', 'embedding');

CREATE TYPE "public"."price_mode" AS ENUM ('fixed', 'metered');

CREATE TYPE "public"."run_status" AS ENUM ('running', 'succeeded', 'failed', 'canceled', 'abandoned');

set local check_function_bodies = off;

DROP FUNCTION "private"."usd_text"(numeric);

CREATE TABLE "private"."usage_operations" ("user_id" uuid NOT NULL, "operation_id" text NOT NULL, "occurred_at" timestamp with time zone NOT NULL, "usage_id" uuid NOT NULL, CONSTRAINT "usage_operations_pkey" PRIMARY KEY (user_id, operation_id));

ALTER TABLE "private"."usage_operations" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "private"."usage_retention" ("id" boolean NOT NULL DEFAULT true, "kept_since" date NOT NULL, CONSTRAINT "usage_retention_id_check" CHECK (id), CONSTRAINT "usage_retention_pkey" PRIMARY KEY (id));

ALTER TABLE "private"."usage_retention" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."ai_models" ("slug" text NOT NULL, "name" text NOT NULL, "description" text, "kind" public.ai_model_kind NOT NULL, "provider" text NOT NULL, "provider_model" text NOT NULL, "provider_version" text, "service" text, "base_url" text, "api_key_variable" text, "price_mode" public.price_mode NOT NULL, "fixed_tokens" bigint, "markup" numeric(10,4) NOT NULL DEFAULT 1, "max_output_tokens" integer NOT NULL DEFAULT 4096, "timeout_seconds" integer NOT NULL DEFAULT 60, "active" boolean NOT NULL DEFAULT true, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "ai_models_api_key_variable_check" CHECK ((api_key_variable ~ '^[A-Z][A-Z0-9_]*_API_KEY$'::text)), CONSTRAINT "ai_models_base_url_check" CHECK (((base_url ~ '^https?://[^\s]+$'::text) AND (length(base_url) <= 500))), CONSTRAINT "ai_models_fixed_tokens_check" CHECK ((((price_mode = 'fixed'::public.price_mode) = (fixed_tokens IS NOT NULL)) AND (fixed_tokens >= 1) AND (fixed_tokens <= '9000000000000000'::bigint))), CONSTRAINT "ai_models_markup_check" CHECK (((markup > (0)::numeric) AND (markup <= (1000)::numeric))), CONSTRAINT "ai_models_max_output_tokens_check" CHECK (((max_output_tokens >= 1) AND (max_output_tokens <= 10000000))), CONSTRAINT "ai_models_name_check" CHECK (((length(name) >= 1) AND (length(name) <= 200))), CONSTRAINT "ai_models_pkey" PRIMARY KEY (slug), CONSTRAINT "ai_models_provider_check" CHECK (((length(provider) >= 1) AND (length(provider) <= 100))), CONSTRAINT "ai_models_provider_model_check" CHECK (((length(provider_model) >= 1) AND (length(provider_model) <= 200))), CONSTRAINT "ai_models_provider_version_check" CHECK (((length(provider_version) >= 1) AND (length(provider_version) <= 200))), CONSTRAINT "ai_models_service_check" CHECK (((length(service) >= 1) AND (length(service) <= 100))), CONSTRAINT "ai_models_slug_check" CHECK ((slug ~ '^[a-z0-9][a-z0-9._-]{0,99}$'::text)), CONSTRAINT "ai_models_timeout_seconds_check" CHECK (((timeout_seconds >= 1) AND (timeout_seconds <= 82800))));

ALTER TABLE "public"."ai_models" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."currency_rates" ("day" date NOT NULL, "usd_eur" numeric(20,10) NOT NULL, "source" text NOT NULL DEFAULT 'manual'::text, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "currency_rates_pkey" PRIMARY KEY (day), CONSTRAINT "currency_rates_source_check" CHECK ((source = ANY (ARRAY['manual'::text, 'ecb'::text]))), CONSTRAINT "currency_rates_usd_eur_check" CHECK (((usd_eur > (0)::numeric) AND (usd_eur <= (1000)::numeric))));

ALTER TABLE "public"."currency_rates" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."model_prices" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "service" text NOT NULL, "model" text NOT NULL, "valid_from" timestamp with time zone NOT NULL DEFAULT now(), "valid_to" timestamp with time zone, "input_usd_per_million" numeric(20,10), "cached_input_usd_per_million" numeric(20,10), "output_usd_per_million" numeric(20,10), "usd_per_call" numeric(20,10), "usd_per_second" numeric(20,10), "usd_per_image" numeric(20,10), "source" text NOT NULL DEFAULT 'manual'::text, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "model_prices_cached_check" CHECK (((cached_input_usd_per_million IS NULL) OR (input_usd_per_million IS NOT NULL))), CONSTRAINT "model_prices_cached_input_check" CHECK (((cached_input_usd_per_million > (0)::numeric) AND (cached_input_usd_per_million <= (1000000)::numeric))), CONSTRAINT "model_prices_call_check" CHECK (((usd_per_call > (0)::numeric) AND (usd_per_call <= (1000000)::numeric))), CONSTRAINT "model_prices_image_check" CHECK (((usd_per_image > (0)::numeric) AND (usd_per_image <= (1000000)::numeric))), CONSTRAINT "model_prices_input_check" CHECK (((input_usd_per_million > (0)::numeric) AND (input_usd_per_million <= (1000000)::numeric))), CONSTRAINT "model_prices_model_check" CHECK (((length(model) >= 1) AND (length(model) <= 200))), CONSTRAINT "model_prices_output_check" CHECK (((output_usd_per_million > (0)::numeric) AND (output_usd_per_million <= (1000000)::numeric))), CONSTRAINT "model_prices_pkey" PRIMARY KEY (id), CONSTRAINT "model_prices_price_check" CHECK ((num_nonnulls(input_usd_per_million, output_usd_per_million, usd_per_call, usd_per_second, usd_per_image) > 0)), CONSTRAINT "model_prices_second_check" CHECK (((usd_per_second > (0)::numeric) AND (usd_per_second <= (1000000)::numeric))), CONSTRAINT "model_prices_service_check" CHECK (((length(service) >= 1) AND (length(service) <= 100))), CONSTRAINT "model_prices_source_check" CHECK ((source = ANY (ARRAY['manual'::text, 'catalogue'::text]))), CONSTRAINT "model_prices_valid_to_check" CHECK ((valid_to > valid_from)), CONSTRAINT "model_prices_version_key" UNIQUE (service, model, valid_from));

ALTER TABLE "public"."model_prices" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."runs" ("user_id" uuid NOT NULL, "id" uuid NOT NULL, "operation_id" text NOT NULL, "request_hash" bytea NOT NULL, "model" text, "service" text NOT NULL, "operation" text NOT NULL, "usage_model" text NOT NULL, "price_mode" public.price_mode NOT NULL, "base_tokens" bigint, "markup" numeric(10,4) NOT NULL, "usd_per_token" numeric(20,10) NOT NULL, "multiplier" numeric NOT NULL, "status" public.run_status NOT NULL DEFAULT 'running'::public.run_status, "tokens_reserved" bigint NOT NULL, "tokens_used" bigint, "remaining_after" bigint NOT NULL, "provider_run_id" text, "result" jsonb, "error" text, "input_preview" text, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "expires_at" timestamp with time zone NOT NULL, "finished_at" timestamp with time zone, CONSTRAINT "runs_operation_id_key" UNIQUE (user_id, operation_id), CONSTRAINT "runs_pkey" PRIMARY KEY (user_id, id));

ALTER TABLE "public"."runs" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."runs" SET (fillfactor=70);

CREATE TABLE "public"."usage_daily" ("user_id" uuid NOT NULL, "day" date NOT NULL, "service" text NOT NULL, "model" text NOT NULL, "operation" text NOT NULL, "calls" bigint NOT NULL, "failed_calls" bigint NOT NULL, "unpriced_calls" bigint NOT NULL, "input_tokens" bigint NOT NULL, "cached_input_tokens" bigint NOT NULL, "output_tokens" bigint NOT NULL, "tokens_charged" bigint NOT NULL, "cost_usd" numeric(30,10) NOT NULL, "cost_eur" numeric(30,10) NOT NULL, "timed_calls" bigint NOT NULL, "response_time_ms" bigint NOT NULL, CONSTRAINT "usage_daily_pkey" PRIMARY KEY (user_id, day, service, model, operation));

ALTER TABLE "public"."usage_daily" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."usage_daily" SET (fillfactor=50);

CREATE TABLE "public"."usage_events" ("user_id" uuid NOT NULL, "occurred_at" timestamp with time zone NOT NULL, "id" uuid NOT NULL, "operation_id" text NOT NULL, "run_id" uuid, "service" text NOT NULL, "operation" text NOT NULL, "model" text NOT NULL, "input_tokens" bigint NOT NULL, "cached_input_tokens" bigint NOT NULL, "output_tokens" bigint NOT NULL, "seconds" numeric(20,6) NOT NULL, "images" integer NOT NULL, "cost_usd" numeric(20,10), "cost_eur" numeric(24,10), "price_id" uuid, "usd_eur" numeric(20,10) NOT NULL, "tokens_charged" bigint NOT NULL, "success" boolean NOT NULL, "error" text, "response_time_ms" integer, "input_preview" text, "output_summary" text) PARTITION BY RANGE (occurred_at);

ALTER TABLE "public"."usage_events" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."settings" ADD COLUMN "usd_per_token" numeric(20,10) NOT NULL DEFAULT 0.01;

ALTER TABLE "public"."settings" ADD COLUMN "run_inline_seconds" integer NOT NULL DEFAULT 30;

ALTER TABLE "public"."settings" ADD COLUMN "run_result_days" integer NOT NULL DEFAULT 30;

ALTER TABLE "public"."settings" ADD COLUMN "usage_keep_months" integer NOT NULL DEFAULT 13;

ALTER TABLE "public"."settings" ADD COLUMN "usage_previews" boolean NOT NULL DEFAULT true;

ALTER TABLE "public"."subscribers" ADD COLUMN "usage_previews" boolean NOT NULL DEFAULT true;

ALTER TABLE "public"."usage_events" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();

CREATE OR REPLACE FUNCTION private.check_call(service text, operation text, model text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, response_time_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if (
    length(service) between 1 and 100 and length(operation) between 1 and 100 and length(model) between 1 and 200
  ) is not true then
    perform private.raise_error(
      'invalid_request', 'service and operation must have 1 to 100 characters, model 1 to 200'
    );
  elsif (input_tokens between 0 and 1000000000000 and output_tokens between 0 and 1000000000000) is not true then
    perform private.raise_error('invalid_request', 'input_tokens and output_tokens must be from 0 to 1000000000000');
  elsif (cached_input_tokens between 0 and input_tokens) is not true then
    perform private.raise_error('invalid_request', 'cached_input_tokens must be from 0 to input_tokens');
  elsif (seconds between 0 and 1000000000) is not true then
    perform private.raise_error('invalid_request', 'seconds must be from 0 to 1000000000');
  elsif (images between 0 and 1000000) is not true then
    perform private.raise_error('invalid_request', 'images must be from 0 to 1000000');
  elsif response_time_ms < 0 then
    perform private.raise_error('invalid_request', 'response_time_ms must not be negative');
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.claim_run(run_id uuid)
 RETURNS public.runs
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
  v_run public.runs;
begin
  select r.user_id into v_user_id from public.runs r where r.id = run_id;
  if found then
    perform private.lock_user(v_user_id);
    select r.* into v_run from public.runs r where r.user_id = v_user_id and r.id = run_id for update;
  end if;
  if v_run.id is null then
    perform private.raise_run_not_found(run_id);
  end if;
  return v_run;
end;
$function$;

CREATE OR REPLACE FUNCTION private.close_run(run public.runs, status public.run_status, tokens bigint, cost numeric, price_id uuid, result jsonb, error text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, response_time_ms integer, output_summary text, actor text)
 RETURNS public.runs
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_operation_id text := 'run:' || run.operation_id;
  v_hold public.token_holds;
begin
  select h.* into v_hold
  from public.token_holds h
  where h.user_id = run.user_id and h.operation_id = v_operation_id;
  if not private.keeps_previews(run.user_id) then
    run.input_preview := null;
    output_summary := null;
  end if;
  run.tokens_used := 0;
  if v_hold.status in ('active', 'expired') and status = 'succeeded' then
    select s.charged, s.remaining into run.tokens_used, run.remaining_after
    from public.settle_tokens(run.user_id, v_operation_id, tokens, actor) s;
  elsif v_hold.status in ('active', 'expired') then
    select r.remaining into run.remaining_after from public.release_tokens(run.user_id, v_operation_id) r;
  else
    run.tokens_used := coalesce(v_hold.settled_amount, 0);
    select u.journal_balance - u.tokens_reserved into run.remaining_after
    from public.user_tokens u
    where u.user_id = run.user_id;
  end if;

  perform private.record_usage(
    run.user_id, run.created_at, gen_random_uuid(), run.operation_id, run.id, run.service, run.operation,
    run.usage_model, input_tokens, cached_input_tokens, output_tokens, seconds, images, cost, price_id,
    run.tokens_used, status = 'succeeded', error, response_time_ms, run.input_preview,
    private.preview(output_summary, 200)
  );
  update public.runs r
  set
    status = close_run.status,
    tokens_used = run.tokens_used,
    remaining_after = coalesce(run.remaining_after, 0),
    result = close_run.result,
    input_preview = run.input_preview,
    error = close_run.error,
    finished_at = clock_timestamp()
  where r.user_id = run.user_id and r.id = run.id
  returning r.* into run;
  return run;
end;
$function$;

CREATE OR REPLACE FUNCTION private.create_usage_month(month date)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first date := date_trunc('month', month);
  v_name text := 'usage_events_' || to_char(v_first, 'YYYY_MM');
begin
  perform pg_advisory_xact_lock(hashtextextended('scrip.usage_months', 0));
  -- Not to_regclass: its cache may not have heard of what others made while this waited.
  if exists (
    select 1 from pg_catalog.pg_class c
    where c.relnamespace = 'private'::regnamespace and c.relname = v_name
  ) then
    return null;
  end if;
  execute format('create table private.%I (like public.usage_events including all)', v_name);
  execute format('alter table private.%I enable row level security', v_name);
  execute format('revoke all on table private.%I from public, anon, authenticated, service_role', v_name);
  execute format('comment on table private.%I is %L', v_name, 'The calls of ' || to_char(v_first, 'FMMonth YYYY'));
  execute format(
    'alter table public.usage_events attach partition private.%I for values from (%L) to (%L)', v_name,
    v_first || ' 00:00:00+00', (v_first + interval '1 month')::date || ' 00:00:00+00'
  );
  execute format(
    'create trigger %I before truncate on private.%I for each statement execute function private.refuse_usage_change()',
    v_name || '_no_truncate', v_name
  );
  return v_name;
end;
$function$;

CREATE OR REPLACE FUNCTION private.error_codes()
 RETURNS TABLE(code text, http_status integer, meaning text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  values
    ('invalid_request', 400, 'The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.'),
    ('invalid_amount', 400, 'The amount is not a whole number of tokens from 1 to 9000000000000000.'),
    ('balance_limit_exceeded', 400, 'The balance would exceed 9000000000000000 tokens or credits, the largest that JSON carries exactly, or 9000000000 US dollars.'),
    ('invalid_signature', 400, 'The webhook''s signature is missing, wrong or too old.'),
    ('livemode_mismatch', 400, 'The event is of Stripe''s test mode and this is live, or the reverse.'),
    ('refill_too_small', 400, 'The amount does not pay for the fee and one credit.'),
    ('unauthorized', 401, 'The credentials are missing, malformed, expired or not signed by this project.'),
    ('insufficient_tokens', 403, 'The user has fewer tokens than the operation needs.'),
    ('insufficient_usd', 403, 'The user''s USD balance is smaller than the refill costs.'),
    ('insufficient_credits', 403, 'The API token has fewer credits than are to be spent.'),
    ('forbidden', 403, 'The caller is known but may not do this.'),
    ('journal_append_only', 403, 'Journal rows are written by operations only, and are never changed or deleted.'),
    ('not_found', 404, 'There is no such route.'),
    ('user_not_found', 404, 'There is no such user.'),
    ('charge_not_found', 404, 'The user has no charge with this operation_id.'),
    ('hold_not_found', 404, 'The user has no hold with this operation_id.'),
    ('code_not_found', 404, 'There is no such access code.'),
    ('package_not_found', 404, 'There is no such package for sale.'),
    ('plan_not_found', 404, 'There is no such plan on offer.'),
    ('api_token_not_found', 404, 'There is no such API token, or it is somebody else''s.'),
    ('product_not_found', 404, 'There is no such product on offer.'),
    ('notice_not_found', 404, 'The user has no such notice.'),
    ('stripe_event_not_found', 404, 'There is no such event of Stripe''s.'),
    ('delivery_not_found', 404, 'There is no such row in the outbox.'),
    ('model_not_found', 404, 'There is no such model on offer.'),
    ('run_not_found', 404, 'There is no such run, it is not kept any more, or it is somebody else''s.'),
    ('method_not_allowed', 405, 'The route exists, but not for this method.'),
    ('operation_id_reused', 409, 'This operation_id was used before with other arguments.'),
    ('operation_in_progress', 409, 'The operation of this operation_id is still under way.'),
    ('hold_not_active', 409, 'The hold has ended in another way: it is settled or released.'),
    ('refund_exceeds_charge', 409, 'The refund is more than what is left of the charge.'),
    ('derived_column', 409, 'The column is kept by Scrip from other rows; change those instead.'),
    ('code_already_used', 409, 'The access code is used up, or this user has used it.'),
    ('already_subscribed', 409, 'The user has a subscription already.'),
    ('payment_method_required', 409, 'There is no saved card that can be charged.'),
    ('api_token_revoked', 409, 'The API token is revoked.'),
    ('product_unavailable', 409, 'The token''s product is not on offer any more, or has no valid rate.'),
    ('model_unavailable', 409, 'The model cannot be run at the moment: it has no price.'),
    ('too_many_api_tokens', 409, 'The user has as many API tokens that are active or were made within a day as are allowed.'),
    ('code_expired', 410, 'The access code has expired.'),
    ('rate_limited', 429, 'Too many attempts; Retry-After says in how many seconds to try again.'),
    ('internal_error', 500, 'Scrip failed; the log has the cause under the request id.'),
    ('provider_failed', 502, 'Stripe or another provider failed or refused; the message says why.'),
    ('service_unavailable', 503, 'The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.')
$function$;

CREATE OR REPLACE FUNCTION private.forget_usage()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_posting text := current_setting('scrip.posting', true);
begin
  perform set_config('scrip.posting', 'on', true);
  delete from public.usage_events e where e.user_id = old.id;
  delete from public.usage_daily d where d.user_id = old.id;
  delete from private.usage_operations o where o.user_id = old.id;
  delete from public.runs r where r.user_id = old.id;
  perform set_config('scrip.posting', coalesce(v_posting, ''), true);
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.is_kept(moment timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_keep_months integer := coalesce((select s.usage_keep_months from public.settings s), 13);
  v_since timestamp := greatest(
    date_trunc('month', now() at time zone 'UTC') - make_interval(months => v_keep_months),
    (select r.kept_since from private.usage_retention r)
  );
begin
  return moment <= clock_timestamp() + interval '1 minute' and moment at time zone 'UTC' >= v_since;
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_past_price()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'UPDATE'
    and to_jsonb(new) - 'valid_to' = to_jsonb(old) - 'valid_to'
    and coalesce(old.valid_to, 'infinity') > now()
    and coalesce(new.valid_to, 'infinity') >= now()
  then
    return new;
  end if;
  perform private.raise_error(
    'forbidden',
    format('The price of %s %s from %s has been in force: it stays', old.service, old.model, old.valid_from),
    hint => 'Add a row with the new price, or set valid_to to now or later.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_past_rate()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'forbidden', format('The rate of %s stays: calls were reckoned by it', old.day), hint => 'Set the rate of today.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.keeps_previews(user_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce((select s.usage_previews from public.settings s), true)
    and coalesce((select s.usage_previews from public.subscribers s where s.user_id = keeps_previews.user_id), true);
end;
$function$;

CREATE OR REPLACE FUNCTION private.open_run(user_id uuid, operation_id text, arguments jsonb, model text, service text, operation text, usage_model text, base_tokens bigint, cost_usd numeric, markup numeric, ttl_seconds integer, input_preview text)
 RETURNS public.runs
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_usd_per_token numeric := coalesce((select s.usd_per_token from public.settings s), 0.01);
  v_multiplier numeric := private.charge_multiplier(user_id);
  v_tokens bigint := private.run_tokens(base_tokens, cost_usd, markup, v_usd_per_token, v_multiplier);
  v_hold record;
  v_run public.runs;
begin
  select h.* into v_hold
  from public.reserve_tokens(
    user_id, v_tokens, 'run:' || operation_id, ttl_seconds, usage_model, jsonb_build_object('operation', operation)
  ) h;
  insert into public.runs as r (
    user_id, id, operation_id, request_hash, model, service, operation, usage_model, price_mode, base_tokens, markup,
    usd_per_token, multiplier, tokens_reserved, remaining_after, input_preview, expires_at
  )
  values (
    open_run.user_id, v_hold.hold_id, open_run.operation_id, sha256(convert_to(arguments::text, 'UTF8')), open_run.model,
    open_run.service, open_run.operation, open_run.usage_model,
    case when base_tokens is null then 'metered' else 'fixed' end::public.price_mode, open_run.base_tokens,
    open_run.markup, v_usd_per_token, v_multiplier, v_hold.held, v_hold.remaining,
    case when private.keeps_previews(open_run.user_id) then private.preview(open_run.input_preview, 100) end,
    v_hold.expires_at
  )
  returning r.* into v_run;
  return v_run;
end;
$function$;

CREATE OR REPLACE FUNCTION private.parse_cost(cost text)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if cost is not null and cost !~ '^[0-9]{1,9}(\.[0-9]{1,10})?$' then
    perform private.raise_error(
      'invalid_request',
      format(
        'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got %s', left(cost, 40)
      )
    );
  end if;
  return cost::numeric;
end;
$function$;

CREATE OR REPLACE FUNCTION private.parse_price(field text, price text)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_price numeric;
begin
  if price is null then
    return null;
  elsif price ~ '^[0-9]{1,7}(\.[0-9]{1,10})?$' then
    v_price := price;
  end if;
  if (v_price > 0 and v_price <= 1000000) is not true then
    perform private.raise_error(
      'invalid_request',
      format('%s must be US dollars above 0, at most 1000000 and with at most 10 decimals, got %s', field, left(price, 40))
    );
  end if;
  return v_price;
end;
$function$;

CREATE OR REPLACE FUNCTION private.preview(content text, characters integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  -- What lies far behind the cut need not be looked at.
  return left(private.redact(left(content, 2000)), characters);
end;
$function$;

CREATE OR REPLACE FUNCTION private.price_at(service text, model text, moment timestamp with time zone)
 RETURNS public.model_prices
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_price public.model_prices;
begin
  select p.* into v_price
  from public.model_prices p
  where p.service = price_at.service and p.model = price_at.model and p.valid_from <= moment
  order by p.valid_from desc
  limit 1;
  if v_price.valid_to <= moment then
    return null;
  end if;
  return v_price;
end;
$function$;

CREATE OR REPLACE FUNCTION private.price_call(price public.model_prices, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer)
 RETURNS numeric
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_by_tokens boolean := coalesce(price.input_usd_per_million, price.output_usd_per_million) is not null;
  v_cost numeric;
begin
  if not (
    -- By tokens, each kind that was used has a price; and something that was used has one.
    (not v_by_tokens or input_tokens = 0 or price.input_usd_per_million is not null)
    and (not v_by_tokens or output_tokens = 0 or price.output_usd_per_million is not null)
    and (
      v_by_tokens and input_tokens + output_tokens > 0
      or price.usd_per_call is not null
      or seconds > 0 and price.usd_per_second is not null
      or images > 0 and price.usd_per_image is not null
    )
  ) then
    return null;
  end if;
  v_cost := round(
    (
      (input_tokens - cached_input_tokens) * coalesce(price.input_usd_per_million, 0)
      + cached_input_tokens * coalesce(price.cached_input_usd_per_million, price.input_usd_per_million, 0)
      + output_tokens * coalesce(price.output_usd_per_million, 0)
    ) * 0.000001
      + coalesce(price.usd_per_call, 0)
      + seconds * coalesce(price.usd_per_second, 0)
      + images * coalesce(price.usd_per_image, 0),
    10
  );
  if v_cost >= 1000000000 then
    perform private.raise_error('invalid_request', 'A call cannot cost 1000000000 US dollars or more');
  end if;
  return v_cost;
end;
$function$;

CREATE OR REPLACE FUNCTION private.raise_model_not_found(slug text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error('model_not_found', format('There is no model %s', coalesce(left(slug, 100), 'without a name')));
end;
$function$;

CREATE OR REPLACE FUNCTION private.raise_run_not_found(run_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error('run_not_found', format('There is no run %s', run_id));
end;
$function$;

CREATE OR REPLACE FUNCTION private.record_usage(user_id uuid, occurred_at timestamp with time zone, usage_id uuid, operation_id text, run_id uuid, service text, operation text, model text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, cost numeric, price_id uuid, tokens_charged bigint, success boolean, error text, response_time_ms integer, input_preview text, output_summary text)
 RETURNS numeric
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_day date := (occurred_at at time zone 'UTC')::date;
  v_usd_eur numeric;
  v_posting text;
begin
  if to_regclass('private.usage_events_' || to_char(v_day, 'YYYY_MM')) is null then
    perform private.create_usage_month(v_day);
  end if;
  v_posting := set_config('scrip.posting', 'on', true);
  with event as (
    insert into public.usage_events (
      user_id, occurred_at, id, operation_id, run_id, service, operation, model, input_tokens, cached_input_tokens,
      output_tokens, seconds, images, cost_usd, cost_eur, price_id, usd_eur, tokens_charged, success, error,
      response_time_ms, input_preview, output_summary
    )
    select
      record_usage.user_id, record_usage.occurred_at, record_usage.usage_id, record_usage.operation_id,
      record_usage.run_id, record_usage.service, record_usage.operation, record_usage.model,
      record_usage.input_tokens, record_usage.cached_input_tokens, record_usage.output_tokens, record_usage.seconds,
      record_usage.images, cost, round(cost * r.usd_eur, 10), record_usage.price_id, r.usd_eur,
      record_usage.tokens_charged, record_usage.success, record_usage.error, record_usage.response_time_ms,
      record_usage.input_preview, record_usage.output_summary
    from (
      select coalesce(
        (select c.usd_eur from public.currency_rates c where c.day <= v_day order by c.day desc limit 1), 0.85
      ) as usd_eur
    ) r
    returning usd_eur, cost_eur
  ),
  summed as (
    insert into public.usage_daily as d (
      user_id, day, service, model, operation, calls, failed_calls, unpriced_calls, input_tokens, cached_input_tokens,
      output_tokens, tokens_charged, cost_usd, cost_eur, timed_calls, response_time_ms
    )
    select
      record_usage.user_id, v_day, record_usage.service, record_usage.model, record_usage.operation, 1,
      (not success)::integer, (cost is null)::integer, record_usage.input_tokens, record_usage.cached_input_tokens,
      record_usage.output_tokens, record_usage.tokens_charged, coalesce(cost, 0), coalesce(e.cost_eur, 0),
      (record_usage.response_time_ms is not null)::integer, coalesce(record_usage.response_time_ms, 0)
    from event e
    on conflict on constraint usage_daily_pkey do update
    set
      calls = d.calls + 1,
      failed_calls = d.failed_calls + excluded.failed_calls,
      unpriced_calls = d.unpriced_calls + excluded.unpriced_calls,
      input_tokens = d.input_tokens + excluded.input_tokens,
      cached_input_tokens = d.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = d.output_tokens + excluded.output_tokens,
      tokens_charged = d.tokens_charged + excluded.tokens_charged,
      cost_usd = d.cost_usd + excluded.cost_usd,
      cost_eur = d.cost_eur + excluded.cost_eur,
      timed_calls = d.timed_calls + excluded.timed_calls,
      response_time_ms = d.response_time_ms + excluded.response_time_ms
  )
  select e.usd_eur into v_usd_eur from event e;
  v_posting := set_config('scrip.posting', '', true);
  return v_usd_eur;
end;
$function$;

CREATE OR REPLACE FUNCTION private.redact(content text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if strpos(content, '-----BEGIN') > 0 then
    content := regexp_replace(content, '-----BEGIN [A-Z ]*KEY.*', '[redacted]');
  end if;
  -- The tests are cheap, and most texts have nothing of the kind.
  if content ~ '[A-Za-z0-9_-]{13}|ya29\.|SG\.|/' then
    content := regexp_replace(
      content,
      '\m(sk|pk|rk|whsec|sb_secret|sb_publishable|r8|gh[opsu]|github_pat|glpat|xox[a-z]|hf|gsk|scrip|key|pat|npm)[-_][A-Za-z0-9_-]{10,}[A-Za-z0-9_./+=-]*'
      || '|\m(AIza|AKIA|ASIA)[A-Za-z0-9_-]{12,}'
      || '|\mdapi[0-9a-f]{16,}'
      || '|\m(SG|ya29)\.[A-Za-z0-9_.-]{10,}'
      || '|\meyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]*'
      || '|\m[A-Za-z0-9_-]{40,}'
      || '|(?<![A-Za-z0-9/+])(?=[A-Za-z/+]*[0-9])(?=[a-z0-9/+]*[A-Z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])',
      '[redacted]', 'g'
    );
  end if;
  if content ~ '[=:]|[Bb]earer|BEARER' then
    content := regexp_replace(content, '(://[^\s/:@]*:)[^\s@]+(?=@)', '\1[redacted]', 'g');
    content := regexp_replace(
      content,
      '((?:(?:api|access|secret|private)[-_ ]?key|secret|token|passw(?:or)?d|\mpass(?:phrase)?|pwd|authorization|cookie'
      || '|session|credentials?)["'']?\s*[:=]\s*)'
      || '(?:"[^"]{4,}(?:"|$)|''[^'']{4,}(?:''|$)|(?:(?:bearer|basic|digest|token|apikey)\s+)?[^\s"'',;&\[]{4,})'
      || '|(\mBearer\s+)[^\s"'',;&\[]{4,}',
      '\1\2[redacted]', 'gi'
    );
  end if;
  return content;
end;
$function$;

CREATE OR REPLACE FUNCTION private.refuse_usage_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on recorded usage is refused: it is append-only', initcap(tg_op)),
    hint => 'Record a call with track_usage; old months go by rotate_usage_months.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.run_before(user_id uuid, operation_id text, arguments jsonb)
 RETURNS public.runs
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_run public.runs;
begin
  perform private.check_operation(user_id, operation_id);
  if arguments ->> 'request' is null then
    perform private.raise_error('invalid_request', 'request is missing');
  end if;
  if length(operation_id) > 251 then -- the hold's has run: before it
    perform private.raise_error('invalid_request', 'operation_id of a run must have 1 to 251 characters');
  end if;
  perform private.lock_user(user_id);
  select r.* into v_run
  from public.runs r
  where r.user_id = run_before.user_id and r.operation_id = run_before.operation_id;
  if not found then
    if exists (
      select 1 from public.token_holds h
      where h.user_id = run_before.user_id and h.operation_id = 'run:' || run_before.operation_id
    ) then -- of a run that is not kept any more
      perform private.raise_operation_id_reused(operation_id);
    end if;
    return v_run;
  elsif v_run.request_hash <> sha256(convert_to(arguments::text, 'UTF8')) then
    perform private.raise_operation_id_reused(operation_id);
  elsif v_run.status = 'running' then
    perform private.raise_error(
      'operation_in_progress', format('The run %s of operation_id %s is under way', v_run.id, operation_id),
      v_run.id::text, 'Ask for the run, or retry with the same operation_id when it has ended.'
    );
  end if;
  return v_run;
end;
$function$;

CREATE OR REPLACE FUNCTION private.run_tokens(base_tokens bigint, cost_usd numeric, markup numeric, usd_per_token numeric, multiplier numeric)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_tokens numeric := ceil(
    case
      when base_tokens is not null then base_tokens
      when cost_usd is not null then greatest(1, ceil(cost_usd * markup / usd_per_token)) -- which passes over nulls
    end * multiplier
  );
begin
  if v_tokens > 9000000000000000 then
    perform private.raise_error('invalid_amount', format('%s tokens are more than 9000000000000000', v_tokens));
  end if;
  return v_tokens;
end;
$function$;

CREATE OR REPLACE FUNCTION private.schedule_jobs()
 RETURNS SETOF text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_job text;
  v_schedule text;
  v_route text;
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    for v_job, v_schedule, v_route in
      values
        ('scrip-expire-token-holds', '* * * * *', 'public.expire_token_holds()'),
        ('scrip-abandon-runs', '* * * * *', 'public.abandon_runs()'),
        ('scrip-prune-outbox', '17 3 * * *', 'public.prune_outbox()'),
        ('scrip-prune-runs', '27 3 * * *', 'public.prune_runs()'),
        ('scrip-rotate-usage-months', '37 3 * * *', 'public.rotate_usage_months()')
    loop
      execute 'select cron.schedule($1, $2, $3)' using v_job, v_schedule, 'select ' || v_route;
      return next v_job;
    end loop;
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      for v_job, v_schedule, v_route in
        values
          ('scrip-auto-top-up', '* * * * *', 'auto-top-up/run'),
          ('scrip-hub-sync', '* * * * *', 'hub-sync'),
          ('scrip-fx-sync', '7 * * * *', 'fx-sync')
      loop
        execute 'select cron.schedule($1, $2, $3)' using v_job, v_schedule, format($call$
          select net.http_post(
            url := url.decrypted_secret || '/functions/v1/%s',
            headers := jsonb_build_object('apikey', key.decrypted_secret),
            timeout_milliseconds := 60000
          )
          from vault.decrypted_secrets url
          join vault.decrypted_secrets key on key.name = 'scrip_secret_key'
          where url.name = 'scrip_url'
        $call$, v_route);
        return next v_job;
      end loop;
    end if;
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.settle_call(user_id uuid, operation_id text, tokens bigint, actor text, OUT charged bigint, OUT remaining bigint, OUT overdrawn boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_held boolean := exists (
    select 1 from public.token_holds h
    where h.user_id = settle_call.user_id and h.operation_id = settle_call.operation_id
  );
begin
  charged := 0;
  overdrawn := false;
  if tokens > 0 and v_held then
    select s.charged, s.remaining, s.overdrawn into charged, remaining, overdrawn
    from public.settle_tokens(user_id, operation_id, tokens, actor) s;
  elsif tokens > 0 then
    select c.charged, c.remaining into charged, remaining
    from public.charge_tokens(user_id, tokens, operation_id, actor => settle_call.actor) c;
  elsif v_held then
    select r.remaining into remaining from public.release_tokens(user_id, operation_id) r;
    overdrawn := remaining < 0;
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.tracked_before(user_id uuid, operation_id text, service text, operation text, model text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, cost numeric, tokens bigint, success boolean, occurred_at timestamp with time zone)
 RETURNS TABLE(usage_id uuid, recorded_at timestamp with time zone, cost_usd text, cost_eur text, price_id uuid, usd_eur text, unpriced boolean, tokens_charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_first private.usage_operations;
  v_call public.usage_events;
begin
  select o.* into v_first
  from private.usage_operations o
  where o.user_id = tracked_before.user_id and o.operation_id = tracked_before.operation_id;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
  select e.* into v_call
  from public.usage_events e
  where e.user_id = tracked_before.user_id and e.occurred_at = v_first.occurred_at and e.id = v_first.usage_id;
  if not found then
    perform private.raise_error(
      'operation_id_reused',
      format('operation_id %s was recorded at %s; its row is not kept any more', operation_id, v_first.occurred_at)
    );
  elsif (
    v_call.service, v_call.operation, v_call.model, v_call.input_tokens, v_call.cached_input_tokens,
    v_call.output_tokens, v_call.seconds, v_call.images, v_call.success, v_call.tokens_charged
  ) is distinct from (
    tracked_before.service, tracked_before.operation, tracked_before.model, tracked_before.input_tokens,
    tracked_before.cached_input_tokens, tracked_before.output_tokens, tracked_before.seconds,
    tracked_before.images, tracked_before.success, coalesce(tokens, 0)
  )
    or v_call.cost_usd <> cost or cost is not null and v_call.cost_usd is null
    or cost is null and v_call.price_id is null and (v_call.cost_usd > 0 or v_call.success and v_call.cost_usd = 0)
    or tokens = 0 and exists (
      select 1 from public.token_holds h
      where h.user_id = tracked_before.user_id and h.operation_id = tracked_before.operation_id and h.status = 'active'
    )
    or v_call.occurred_at <> tracked_before.occurred_at
  then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  usage_id := v_call.id;
  recorded_at := v_call.occurred_at;
  cost_usd := private.usd_text(v_call.cost_usd);
  cost_eur := private.usd_text(v_call.cost_eur);
  price_id := v_call.price_id;
  usd_eur := private.usd_text(v_call.usd_eur);
  unpriced := v_call.cost_usd is null;
  tokens_charged := v_call.tokens_charged;
  select t.remaining_after into remaining
  from public.token_transactions t
  where t.user_id = tracked_before.user_id and t.operation_id = tracked_before.operation_id and tokens > 0;
  if tokens = 0 then
    select h.released_remaining into remaining
    from public.token_holds h
    where h.user_id = tracked_before.user_id and h.operation_id = tracked_before.operation_id;
  end if;
  overdrawn := coalesce(remaining < 0, false);
  replayed := true;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION private.usage_period(user_id uuid, period text, from_day date, to_day date)
 RETURNS TABLE(first_day date, last_day date)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_today date := (now() at time zone 'UTC')::date;
  v_ever boolean := period = 'all_time' or from_day is null and to_day is not null;
begin
  if (period in ('current_month', 'last_30_days', 'all_time', 'custom')) is not true then
    perform private.raise_error(
      'invalid_request',
      format('period must be current_month, last_30_days or all_time, got %s', coalesce(left(period, 40), 'nothing'))
    );
  elsif period = 'custom' and num_nonnulls(from_day, to_day) = 0 then
    perform private.raise_error('invalid_request', 'A custom period needs from or to');
  end if;
  last_day := coalesce(to_day, v_today);
  first_day := coalesce(
    from_day,
    case
      when v_ever then coalesce(
        (select min(d.day) from public.usage_daily d where d.user_id = usage_period.user_id and d.day <= last_day),
        last_day
      )
      when period = 'last_30_days' then v_today - 29
      else date_trunc('month', v_today)::date
    end
  );
  if first_day > last_day then
    perform private.raise_error('invalid_request', format('from %s must not be after to %s', first_day, last_day));
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION private.usd_text(usd numeric)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return round(usd, greatest(min_scale(usd), 2))::text;
end;
$function$;

CREATE OR REPLACE FUNCTION private.verify_usage()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with raw as materialized (
    select
      e.user_id, (e.occurred_at at time zone 'UTC')::date as day, e.service, e.model, e.operation,
      jsonb_build_object(
        'calls', count(*),
        'failed_calls', count(*) filter (where not e.success),
        'unpriced_calls', count(*) filter (where e.cost_usd is null),
        'input_tokens', sum(e.input_tokens),
        'cached_input_tokens', sum(e.cached_input_tokens),
        'output_tokens', sum(e.output_tokens),
        'tokens_charged', sum(e.tokens_charged),
        'cost_usd', coalesce(sum(e.cost_usd), 0),
        'cost_eur', coalesce(sum(e.cost_eur), 0),
        'timed_calls', count(e.response_time_ms),
        'response_time_ms', coalesce(sum(e.response_time_ms), 0)
      ) as sums
    from public.usage_events e
    group by 1, 2, 3, 4, 5
  ),
  daily as materialized (
    select
      d.user_id, d.day, d.service, d.model, d.operation,
      to_jsonb(d) - '{user_id,day,service,model,operation}'::text[] as sums
    from public.usage_daily d
    where d.day >= coalesce((select r.kept_since from private.usage_retention r), '-infinity')
  )
  select
    coalesce(r.user_id, d.user_id),
    format('%s of %s %s %s on %s', s.key, coalesce(r.service, d.service), coalesce(r.model, d.model),
      coalesce(r.operation, d.operation), coalesce(r.day, d.day)),
    coalesce(r.sums ->> s.key, '0')::numeric,
    coalesce(d.sums ->> s.key, '0')::numeric
  from raw r
  full join daily d
    on d.user_id = r.user_id and d.day = r.day and d.service = r.service and d.model = r.model
      and d.operation = r.operation
  cross join lateral jsonb_object_keys(coalesce(r.sums, d.sums)) s (key)
  where r.sums is distinct from d.sums
    and coalesce(r.sums ->> s.key, '0')::numeric <> coalesce(d.sums ->> s.key, '0')::numeric
  union all
  select e.user_id, format('the charge of call %s', e.id), e.tokens_charged, -t.amount
  from public.usage_events e
  left join public.token_transactions t
    on t.user_id = e.user_id
      and t.operation_id = case when e.run_id is null then '' else 'run:' end || e.operation_id
      and t.type = 'charge'
  where e.tokens_charged > 0 and e.tokens_charged is distinct from -t.amount
  union all
  select e.user_id, format('calls of the charge of %s', e.operation_id), 1, count(*)
  from public.usage_events e
  where e.tokens_charged > 0
  group by e.user_id, e.operation_id, e.run_id
  having count(*) > 1
  union all
  select r.user_id, format('the charge of run %s', r.id), coalesce(r.tokens_used, 0), coalesce(-t.amount, 0)
  from public.runs r
  left join public.token_transactions t
    on t.user_id = r.user_id and t.operation_id = 'run:' || r.operation_id and t.type = 'charge'
      and t.reference = r.id::text
  where r.status <> 'running' and coalesce(r.tokens_used, 0) <> coalesce(-t.amount, 0)
$function$;

CREATE OR REPLACE FUNCTION public.abandon_runs(max_runs integer DEFAULT 200)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_due record;
  v_run public.runs;
  v_over boolean;
  v_abandoned bigint := 0;
begin
  for v_due in
    select r.user_id, r.id
    from public.runs r
    where r.status = 'running' and r.expires_at <= now()
    order by r.expires_at
    limit max_runs
  loop
    continue when not pg_try_advisory_xact_lock(uuid_hash_extended(v_due.user_id, 0));
    select r.* into v_run
    from public.runs r
    where r.user_id = v_due.user_id and r.id = v_due.id and r.status = 'running' and r.expires_at <= now()
    for update skip locked;
    continue when not found;
    -- Its hold may be in somebody's hands, or have been given more time.
    select h.status <> 'active' or h.expires_at <= now() into v_over
    from public.token_holds h
    where h.user_id = v_run.user_id and h.operation_id = 'run:' || v_run.operation_id
    for update skip locked;
    continue when not coalesce(v_over, not exists (
      select 1 from public.token_holds h
      where h.user_id = v_run.user_id and h.operation_id = 'run:' || v_run.operation_id
    ));
    perform private.close_run(
      v_run, 'abandoned', null, 0, null, null, 'The run was not finished in time', 0, 0, 0, 0, 0, null, null, null
    );
    v_abandoned := v_abandoned + 1;
  end loop;
  return v_abandoned;
end;
$function$;

CREATE OR REPLACE FUNCTION public.attach_provider_run(run_id uuid, provider_run_id text)
 RETURNS TABLE(attached boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if (length(provider_run_id) between 1 and 255) is not true then
    perform private.raise_error('invalid_request', 'provider_run_id must have 1 to 255 characters');
  end if;
  update public.runs r
  set provider_run_id = attach_provider_run.provider_run_id
  where r.id = run_id
    and r.status = 'running'
    and coalesce(r.provider_run_id, attach_provider_run.provider_run_id) = attach_provider_run.provider_run_id;
  attached := found;
  if not attached and not exists (select 1 from public.runs r where r.id = run_id) then
    perform private.raise_run_not_found(run_id);
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.finish_run(run_id uuid, outcome text, result jsonb DEFAULT NULL::jsonb, error text DEFAULT NULL::text, tokens bigint DEFAULT NULL::bigint, input_tokens bigint DEFAULT 0, cached_input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, explicit_cost_usd text DEFAULT NULL::text, response_time_ms integer DEFAULT NULL::integer, output_summary text DEFAULT NULL::text, actor text DEFAULT NULL::text)
 RETURNS TABLE(owner_id uuid, run_status public.run_status, tokens_used bigint, remaining bigint, overdrawn boolean, reason text, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_run public.runs;
  v_cost numeric := private.parse_cost(explicit_cost_usd);
  v_price public.model_prices;
  v_tokens bigint;
begin
  if (outcome in ('succeeded', 'failed', 'canceled')) is not true then
    perform private.raise_error('invalid_request', 'outcome must be succeeded, failed or canceled');
  elsif tokens not between 1 and 9000000000000000 then
    perform private.check_amount(tokens);
  end if;
  v_run := private.claim_run(run_id);
  replayed := v_run.status <> 'running';
  seconds := round(seconds, 6); -- as the call's row has it
  if not replayed then
    perform private.check_call(
      v_run.service, v_run.operation, v_run.usage_model, input_tokens, cached_input_tokens, output_tokens, seconds,
      images, response_time_ms
    );
    if v_cost is null and outcome = 'succeeded' then
      v_price := private.price_at(v_run.service, v_run.usage_model, v_run.created_at);
      v_cost := private.price_call(
        v_price, input_tokens, cached_input_tokens, output_tokens, seconds, images
      );
    elsif v_cost is null then
      v_cost := 0;
    end if;
    if outcome = 'succeeded' then
      v_tokens := coalesce(
        private.run_tokens(
          coalesce(tokens, v_run.base_tokens), v_cost, v_run.markup, v_run.usd_per_token, v_run.multiplier
        ),
        v_run.tokens_reserved -- metered, and the price covers other things than were used: never free
      );
    end if;
    v_run := private.close_run(
      v_run, outcome::public.run_status, v_tokens, v_cost,
      case when v_cost is not null then v_price.id end, result,
      left(private.redact(left(error, 2000)), 500),
      input_tokens, cached_input_tokens, output_tokens, seconds, images, response_time_ms, output_summary, actor
    );
  end if;
  owner_id := v_run.user_id;
  run_status := v_run.status;
  tokens_used := v_run.tokens_used;
  remaining := v_run.remaining_after;
  overdrawn := remaining < 0;
  reason := v_run.error;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.get_ai_model(slug text)
 RETURNS TABLE(model text, kind public.ai_model_kind, provider text, provider_model text, provider_version text, base_url text, api_key_variable text, max_output_tokens integer, timeout_seconds integer, inline_seconds integer, active boolean)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
  select
    m.slug, m.kind, m.provider, m.provider_model, m.provider_version, m.base_url, m.api_key_variable,
    m.max_output_tokens, m.timeout_seconds, coalesce((select s.run_inline_seconds from public.settings s), 30),
    m.active
  from public.ai_models m
  where m.slug = get_ai_model.slug;
  if not found then
    perform private.raise_model_not_found(slug);
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION public.get_run(run_id uuid, user_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(owner_id uuid, model text, run_status public.run_status, provider_run_id text, result jsonb, reason text, tokens_used bigint, remaining bigint, created_at timestamp with time zone, expires_at timestamp with time zone, finished_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
  select
    r.user_id, r.model, r.status, r.provider_run_id, r.result, r.error, r.tokens_used, r.remaining_after, r.created_at,
    r.expires_at, r.finished_at
  from public.runs r
  where r.id = run_id and (get_run.user_id is null or r.user_id = get_run.user_id);
  if not found then
    perform private.raise_run_not_found(run_id);
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION public.list_ai_models()
 RETURNS TABLE(slug text, name text, description text, kind public.ai_model_kind, price_mode public.price_mode, fixed_tokens bigint, max_output_tokens integer)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select m.slug, m.name, m.description, m.kind, m.price_mode, m.fixed_tokens, m.max_output_tokens
  from public.ai_models m
  where m.active
  order by m.kind, m.slug
$function$;

CREATE OR REPLACE FUNCTION public.list_currency_rates(page_size integer DEFAULT 50, before_day date DEFAULT NULL::date)
 RETURNS TABLE(day date, usd_eur text, source text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select r.day, private.usd_text(r.usd_eur), r.source, r.created_at
  from public.currency_rates r
  where before_day is null or r.day < before_day
  order by r.day desc
  limit page_size
$function$;

CREATE OR REPLACE FUNCTION public.list_model_prices(in_service text DEFAULT NULL::text, in_model text DEFAULT NULL::text, page_size integer DEFAULT 50, before_created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(id uuid, service text, model text, valid_from timestamp with time zone, valid_to timestamp with time zone, input_usd_per_million text, cached_input_usd_per_million text, output_usd_per_million text, usd_per_call text, usd_per_second text, usd_per_image text, source text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select
    p.id, p.service, p.model, p.valid_from, p.valid_to, private.usd_text(p.input_usd_per_million),
    private.usd_text(p.cached_input_usd_per_million), private.usd_text(p.output_usd_per_million),
    private.usd_text(p.usd_per_call), private.usd_text(p.usd_per_second), private.usd_text(p.usd_per_image), p.source,
    p.created_at
  from public.model_prices p
  where (in_service is null or p.service = in_service)
    and (in_model is null or p.model = in_model)
    and (before_created_at is null or (p.created_at, p.id) < (before_created_at, before_id))
  order by p.created_at desc, p.id desc
  limit page_size
$function$;

CREATE OR REPLACE FUNCTION public.list_usage(user_id uuid, in_service text DEFAULT NULL::text, page_size integer DEFAULT 10, first_day date DEFAULT NULL::date, last_day date DEFAULT NULL::date, before_occurred_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(id uuid, occurred_at timestamp with time zone, operation_id text, run_id uuid, service text, operation text, model text, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, cost_usd text, cost_eur text, price_id uuid, usd_eur text, tokens_charged bigint, success boolean, error text, response_time_ms integer, input_preview text, output_summary text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_from timestamptz := coalesce(first_day::timestamp at time zone 'UTC', '-infinity');
  v_until timestamptz := coalesce((last_day + 1)::timestamp at time zone 'UTC', 'infinity');
begin
  -- Planned for what is asked: each case has its index.
  return query execute format(
    $query$
      select
        e.id, e.occurred_at, e.operation_id, e.run_id, e.service, e.operation, e.model, e.input_tokens,
        e.cached_input_tokens, e.output_tokens, trim_scale(e.seconds), e.images, private.usd_text(e.cost_usd),
        private.usd_text(e.cost_eur), e.price_id, private.usd_text(e.usd_eur), e.tokens_charged, e.success, e.error,
        e.response_time_ms, e.input_preview, e.output_summary
      from public.usage_events e
      where e.user_id = $1 and e.occurred_at >= $2 and e.occurred_at < $3 %s %s
      order by e.occurred_at desc, e.id desc
      limit $7
    $query$,
    case when in_service is not null then 'and e.service = $4' end,
    case when before_occurred_at is not null then 'and (e.occurred_at, e.id) < ($5, $6)' end
  )
  using user_id, v_from, v_until, in_service, before_occurred_at, before_id, page_size;
end;
$function$;

CREATE OR REPLACE FUNCTION public.prune_runs(max_runs integer DEFAULT 10000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_days integer := coalesce((select s.run_result_days from public.settings s), 30);
  v_deleted bigint;
begin
  delete from public.runs r
  using (
    select o.user_id, o.id
    from public.runs o
    where o.status <> 'running' and o.finished_at < now() - make_interval(days => v_days)
    order by o.finished_at
    limit max_runs
    for update skip locked
  ) old
  where r.user_id = old.user_id and r.id = old.id;
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$function$;

CREATE OR REPLACE FUNCTION public.rotate_usage_months()
 RETURNS TABLE(created text[], dropped text[])
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_month date := date_trunc('month', now() at time zone 'UTC');
  v_keep_months integer := coalesce((select s.usage_keep_months from public.settings s), 13);
  v_name text;
  v_lock_timeout text := current_setting('lock_timeout');
begin
  created := array_remove(
    array[private.create_usage_month(v_month), private.create_usage_month((v_month + interval '1 month')::date)], null
  );
  dropped := '{}';
  perform set_config('lock_timeout', '500ms', true);
  for v_name in
    select c.relname
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.usage_events'::regclass
      and c.relname < 'usage_events_' || to_char(v_month - make_interval(months => v_keep_months), 'YYYY_MM')
    order by c.relname
  loop
    begin
      execute format('drop table private.%I', v_name);
      dropped := dropped || v_name;
      insert into private.usage_retention as r (kept_since)
      values ((to_date(right(v_name, 7), 'YYYY_MM') + interval '1 month')::date)
      on conflict on constraint usage_retention_pkey do update
      set kept_since = greatest(r.kept_since, excluded.kept_since);
    exception
      when lock_not_available or deadlock_detected then
        exit;
    end;
  end loop;
  perform set_config('lock_timeout', v_lock_timeout, true);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.set_currency_rate(day date DEFAULT NULL::date, usd_eur text DEFAULT NULL::text, usd_per_eur text DEFAULT NULL::text, source text DEFAULT 'manual'::text)
 RETURNS TABLE(rate_day date, rate text, outcome text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_today date := (now() at time zone 'UTC')::date;
  v_rate numeric;
  v_now public.currency_rates;
begin
  rate_day := coalesce(day, v_today);
  if num_nonnulls(usd_eur, usd_per_eur) <> 1 then
    perform private.raise_error('invalid_request', 'Either usd_eur or usd_per_eur is needed, and not both');
  elsif (source in ('manual', 'ecb')) is not true then
    perform private.raise_error('invalid_request', 'source must be manual or ecb');
  elsif rate_day > v_today or rate_day < date '1999-01-01' then
    perform private.raise_error('invalid_request', format('day must be from 1999-01-01 to today, got %s', rate_day));
  elsif coalesce(usd_eur, usd_per_eur) ~ '^[0-9]{1,4}(\.[0-9]{1,10})?$' and coalesce(usd_eur, usd_per_eur) ~ '[1-9]' then
    v_rate := round(coalesce(usd_eur::numeric, 1 / usd_per_eur::numeric), 10);
  end if;
  if (v_rate > 0 and v_rate <= 1000) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'The rate must be above 0 and at most 1000 euros for a US dollar, with at most 10 decimals, got %s',
        left(coalesce(usd_eur, usd_per_eur), 40)
      )
    );
  end if;

  insert into public.currency_rates as r (day, usd_eur, source)
  values (rate_day, v_rate, set_currency_rate.source)
  on conflict on constraint currency_rates_pkey do nothing
  returning r.* into v_now;
  outcome := 'set';
  if v_now.day is null then
    select r.* into v_now from public.currency_rates r where r.day = rate_day for update;
    if v_now.source = 'manual' and source = 'ecb' then
      outcome := 'overridden';
    elsif v_now.usd_eur = v_rate and v_now.source = source then
      outcome := 'unchanged';
    else
      update public.currency_rates r
      set usd_eur = v_rate, source = set_currency_rate.source, created_at = clock_timestamp()
      where r.day = rate_day
      returning r.* into v_now;
    end if;
  end if;
  rate := private.usd_text(v_now.usd_eur);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.set_model_price(service text, model text, input_usd_per_million text DEFAULT NULL::text, cached_input_usd_per_million text DEFAULT NULL::text, output_usd_per_million text DEFAULT NULL::text, usd_per_call text DEFAULT NULL::text, usd_per_second text DEFAULT NULL::text, usd_per_image text DEFAULT NULL::text, source text DEFAULT 'manual'::text, valid_from timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS TABLE(price_id uuid, in_force_from timestamp with time zone, outcome text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_from timestamptz := coalesce(valid_from, now());
  v_now public.model_prices;
  v_new public.model_prices;
begin
  v_new.input_usd_per_million := private.parse_price('input_usd_per_million', input_usd_per_million);
  v_new.cached_input_usd_per_million := private.parse_price('cached_input_usd_per_million', cached_input_usd_per_million);
  v_new.output_usd_per_million := private.parse_price('output_usd_per_million', output_usd_per_million);
  v_new.usd_per_call := private.parse_price('usd_per_call', usd_per_call);
  v_new.usd_per_second := private.parse_price('usd_per_second', usd_per_second);
  v_new.usd_per_image := private.parse_price('usd_per_image', usd_per_image);
  if (length(service) between 1 and 100 and length(model) between 1 and 200) is not true then
    perform private.raise_error('invalid_request', 'service must have 1 to 100 characters, model 1 to 200');
  elsif (source in ('manual', 'catalogue')) is not true then
    perform private.raise_error('invalid_request', 'source must be manual or catalogue');
  elsif v_from < now() or not isfinite(v_from) then
    perform private.raise_error('invalid_request', 'valid_from must not be in the past: calls were reckoned by what counted then');
  elsif num_nonnulls(
    v_new.input_usd_per_million, v_new.output_usd_per_million, v_new.usd_per_call, v_new.usd_per_second, v_new.usd_per_image
  ) = 0 then
    perform private.raise_error('invalid_request', 'A price is missing: for input, output, a call, a second or an image');
  elsif v_new.cached_input_usd_per_million is not null and v_new.input_usd_per_million is null then
    perform private.raise_error('invalid_request', 'cached_input_usd_per_million needs input_usd_per_million');
  end if;

  perform pg_advisory_xact_lock(hashtextextended('model_prices ' || service || ' ' || model, 0));
  select p.* into v_now
  from public.model_prices p
  where p.service = set_model_price.service and p.model = set_model_price.model and p.valid_from <= v_from
  order by p.valid_from desc
  limit 1;
  if v_now.source = 'manual' and source = 'catalogue' and coalesce(v_now.valid_to, 'infinity') > v_from then
    outcome := 'overridden';
  elsif v_now.source = source and coalesce(v_now.valid_to, 'infinity') > v_from and (
    v_now.input_usd_per_million, v_now.cached_input_usd_per_million, v_now.output_usd_per_million,
    v_now.usd_per_call, v_now.usd_per_second, v_now.usd_per_image
  ) is not distinct from (
    v_new.input_usd_per_million, v_new.cached_input_usd_per_million, v_new.output_usd_per_million,
    v_new.usd_per_call, v_new.usd_per_second, v_new.usd_per_image
  ) then
    outcome := 'unchanged';
  elsif v_now.valid_from = v_from then
    perform private.raise_error('invalid_request', format('There is a price from %s already', v_from));
  else
    insert into public.model_prices as p (
      service, model, valid_from, input_usd_per_million, cached_input_usd_per_million, output_usd_per_million,
      usd_per_call, usd_per_second, usd_per_image, source
    )
    values (
      set_model_price.service, set_model_price.model, v_from, v_new.input_usd_per_million,
      v_new.cached_input_usd_per_million, v_new.output_usd_per_million, v_new.usd_per_call, v_new.usd_per_second,
      v_new.usd_per_image, set_model_price.source
    )
    returning p.* into v_now;
    outcome := 'set';
  end if;
  price_id := v_now.id;
  in_force_from := v_now.valid_from;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.start_model_run(user_id uuid, slug text, operation_id text, request jsonb, input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, operation text DEFAULT NULL::text, input_preview text DEFAULT NULL::text)
 RETURNS TABLE(run_id uuid, run_status public.run_status, tokens_reserved bigint, remaining bigint, expires_at timestamp with time zone, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_arguments jsonb := jsonb_build_object('model', slug, 'operation', operation, 'request', request);
  v_run public.runs := private.run_before(user_id, operation_id, v_arguments);
  v_model public.ai_models;
  v_service text;
  v_cost numeric;
begin
  replayed := v_run.id is not null;
  if not replayed then
    select m.* into v_model from public.ai_models m where m.slug = start_model_run.slug and m.active;
    if not found then
      perform private.raise_model_not_found(slug);
    end if;
    v_service := coalesce(v_model.service, v_model.provider);
    operation := coalesce(operation, v_model.kind::text);
    perform private.check_call(
      v_service, operation, v_model.provider_model, input_tokens, 0, output_tokens, seconds, images, null
    );
    if v_model.price_mode = 'metered' then
      v_cost := private.price_call(
        private.price_at(v_service, v_model.provider_model, clock_timestamp()), input_tokens, 0, output_tokens, seconds,
        images
      );
      if v_cost is null then
        perform private.raise_error(
          'model_unavailable', format('The model %s has no price at the moment', slug), v_service || ' ' || v_model.provider_model
        );
      end if;
    end if;
    v_run := private.open_run(
      user_id, operation_id, v_arguments, slug, v_service, operation, v_model.provider_model, v_model.fixed_tokens,
      v_cost, v_model.markup, v_model.timeout_seconds + 300, input_preview
    );
  end if;
  return query
  select v_run.id, v_run.status, v_run.tokens_reserved, v_run.remaining_after, v_run.expires_at, replayed;
end;
$function$;

CREATE OR REPLACE FUNCTION public.start_run(user_id uuid, operation_id text, request jsonb, amount bigint, service text, operation text, model text, ttl_seconds integer DEFAULT 900, input_preview text DEFAULT NULL::text)
 RETURNS TABLE(run_id uuid, run_status public.run_status, tokens_reserved bigint, remaining bigint, expires_at timestamp with time zone, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_arguments jsonb := jsonb_build_object(
    'amount', amount, 'service', service, 'operation', operation, 'model', model, 'request', request
  );
  v_run public.runs := private.run_before(user_id, operation_id, v_arguments);
begin
  replayed := v_run.id is not null;
  if not replayed then
    perform private.check_amount(amount);
    perform private.check_call(service, operation, model, 0, 0, 0, 0, 0, null);
    v_run := private.open_run(
      user_id, operation_id, v_arguments, null, service, operation, model, amount, null, 1, ttl_seconds, input_preview
    );
  end if;
  return query
  select v_run.id, v_run.status, v_run.tokens_reserved, v_run.remaining_after, v_run.expires_at, replayed;
end;
$function$;

CREATE OR REPLACE FUNCTION public.summarize_usage(user_id uuid, service text DEFAULT NULL::text, period text DEFAULT 'current_month'::text, from_day date DEFAULT NULL::date, to_day date DEFAULT NULL::date, with_days boolean DEFAULT false)
 RETURNS TABLE(first_day date, last_day date, total_calls bigint, failed_calls bigint, unpriced_calls bigint, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, total_tokens bigint, tokens_charged bigint, total_cost_usd text, total_cost_eur text, average_response_time_ms integer, by_service jsonb, by_model jsonb, by_operation jsonb, by_day jsonb)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_of jsonb;
begin
  select p.first_day, p.last_day into first_day, last_day
  from private.usage_period(user_id, period, from_day, to_day) p;

  with daily as materialized (
    select *
    from public.usage_daily d
    where d.user_id = summarize_usage.user_id
      and d.day between summarize_usage.first_day and summarize_usage.last_day
      and (summarize_usage.service is null or d.service = summarize_usage.service)
  ),
  sums as (
    select
      case
        when grouping(d.day) = 0 then 'day'
        when grouping(d.operation) = 0 then 'operation'
        when grouping(d.model) = 0 then 'model'
        when grouping(d.service) = 0 then 'service'
        else 'all'
      end as of,
      d.day, d.service, d.model, d.operation,
      coalesce(sum(d.calls), 0)::bigint as calls,
      coalesce(sum(d.failed_calls), 0)::bigint as failed_calls,
      coalesce(sum(d.unpriced_calls), 0)::bigint as unpriced_calls,
      coalesce(sum(d.input_tokens), 0)::bigint as input_tokens,
      coalesce(sum(d.cached_input_tokens), 0)::bigint as cached_input_tokens,
      coalesce(sum(d.output_tokens), 0)::bigint as output_tokens,
      coalesce(sum(d.tokens_charged), 0)::bigint as tokens_charged,
      coalesce(sum(d.cost_usd), 0) as cost_usd,
      coalesce(sum(d.cost_eur), 0) as cost_eur,
      (sum(d.response_time_ms) / nullif(sum(d.timed_calls), 0))::integer as average_response_time_ms
    from daily d
    group by grouping sets ((), (d.service), (d.service, d.model), (d.operation), (d.day))
    having with_days or grouping(d.day) = 1
  )
  select jsonb_object_agg(g.of, g.rows) into v_of
  from (
    select
      s.of,
      jsonb_agg(
        case s.of
          when 'day' then jsonb_build_object('day', s.day)
          when 'operation' then jsonb_build_object('operation', s.operation)
          when 'model' then jsonb_build_object('service', s.service, 'model', s.model)
          when 'service' then jsonb_build_object('service', s.service)
          else '{}'
        end || jsonb_build_object(
          'calls', s.calls, 'failed_calls', s.failed_calls, 'unpriced_calls', s.unpriced_calls, 'input_tokens',
          s.input_tokens, 'cached_input_tokens', s.cached_input_tokens, 'output_tokens', s.output_tokens,
          'total_tokens', s.input_tokens + s.output_tokens, 'tokens_charged', s.tokens_charged, 'cost_usd',
          private.usd_text(s.cost_usd), 'cost_eur', private.usd_text(s.cost_eur), 'average_response_time_ms',
          s.average_response_time_ms
        )
        order by s.day, s.cost_usd desc, s.calls desc, s.service, s.model, s.operation
      ) as rows
    from (
      select
        a.*,
        row_number() over (partition by a.of order by a.cost_usd desc, a.calls desc, a.service, a.model, a.operation) as place
      from sums a
    ) s
    where s.of = 'day' or s.place <= 100 -- users choose the names of operations
    group by s.of
  ) g;

  total_calls := v_of #>> '{all,0,calls}';
  failed_calls := v_of #>> '{all,0,failed_calls}';
  unpriced_calls := v_of #>> '{all,0,unpriced_calls}';
  input_tokens := v_of #>> '{all,0,input_tokens}';
  cached_input_tokens := v_of #>> '{all,0,cached_input_tokens}';
  output_tokens := v_of #>> '{all,0,output_tokens}';
  total_tokens := input_tokens + output_tokens;
  tokens_charged := v_of #>> '{all,0,tokens_charged}';
  total_cost_usd := v_of #>> '{all,0,cost_usd}';
  total_cost_eur := v_of #>> '{all,0,cost_eur}';
  average_response_time_ms := v_of #>> '{all,0,average_response_time_ms}';
  by_service := coalesce(v_of -> 'service', '[]');
  by_model := coalesce(v_of -> 'model', '[]');
  by_operation := coalesce(v_of -> 'operation', '[]');
  by_day := case when with_days then coalesce(v_of -> 'day', '[]') end;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.track_usage(user_id uuid, operation_id text, service text, operation text, model text, input_tokens bigint DEFAULT 0, cached_input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, explicit_cost_usd text DEFAULT NULL::text, tokens bigint DEFAULT NULL::bigint, success boolean DEFAULT true, error text DEFAULT NULL::text, response_time_ms integer DEFAULT NULL::integer, input_preview text DEFAULT NULL::text, output_summary text DEFAULT NULL::text, occurred_at timestamp with time zone DEFAULT NULL::timestamp with time zone, actor text DEFAULT NULL::text)
 RETURNS TABLE(usage_id uuid, recorded_at timestamp with time zone, cost_usd text, cost_eur text, price_id uuid, usd_eur text, unpriced boolean, tokens_charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_op record;
  v_cost numeric;
  v_settled record;
  v_usd_eur numeric;
  v_keep boolean;
  v_locked boolean;
begin
  if (
    user_id is not null and length(operation_id) between 1 and 255 and not starts_with(operation_id, 'stripe:')
    and not starts_with(operation_id, 'run:')
    and length(service) between 1 and 100 and length(operation) between 1 and 100 and length(model) between 1 and 200
    and input_tokens between 0 and 1000000000000 and cached_input_tokens between 0 and input_tokens
    and output_tokens between 0 and 1000000000000 and seconds between 0 and 1000000000
    and images between 0 and 1000000 and coalesce(response_time_ms, 0) >= 0
  ) is not true then
    perform private.check_operation(user_id, operation_id);
    if starts_with(operation_id, 'run:') then
      perform private.raise_error('invalid_request', 'operation_id must not begin with run:, which runs begin with');
    end if;
    perform private.check_call(
      service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds, images, response_time_ms
    );
  elsif success is null or tokens not between 0 and 9000000000000000 then
    perform private.raise_error('invalid_request', 'success must be true or false, tokens from 0 to 9000000000000000');
  end if;
  seconds := round(seconds, 6); -- as the row has it
  recorded_at := coalesce(occurred_at, clock_timestamp());
  if explicit_cost_usd is not null then
    v_cost := private.parse_cost(explicit_cost_usd);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;
  with op as (
    insert into private.usage_operations (user_id, operation_id, occurred_at, usage_id)
    select track_usage.user_id, track_usage.operation_id, recorded_at, gen_random_uuid()
    from public.user_tokens u
    where u.user_id = track_usage.user_id
    on conflict on constraint usage_operations_pkey do nothing
    returning usage_operations.usage_id
  )
  select op.usage_id, p.price into v_op
  from op
  left join lateral (
    select m as price
    from public.model_prices m
    where m.service = track_usage.service and m.model = track_usage.model and m.valid_from <= recorded_at
    order by m.valid_from desc
    limit 1
  ) p on (p.price).valid_to is null or (p.price).valid_to > recorded_at;
  usage_id := v_op.usage_id;
  if usage_id is null then
    return query
    select * from private.tracked_before(
      user_id, operation_id, service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds,
      images, v_cost, tokens, success, occurred_at
    );
    return;
  elsif occurred_at is not null and not private.is_kept(occurred_at) then
    perform private.raise_error(
      'invalid_request', 'occurred_at must be within the months that are kept, and not in the future'
    );
  end if;

  if v_cost is null and success then
    v_cost := private.price_call(v_op.price, input_tokens, cached_input_tokens, output_tokens, seconds, images);
    price_id := case when v_cost is not null then (v_op.price).id end;
  elsif v_cost is null then
    v_cost := 0;
  end if;
  tokens_charged := 0;
  overdrawn := false;
  if tokens is not null then
    v_settled := private.settle_call(user_id, operation_id, tokens, actor);
    tokens_charged := v_settled.charged;
    remaining := v_settled.remaining;
    overdrawn := v_settled.overdrawn;
  end if;
  if error is not null then
    error := left(private.redact(left(error, 2000)), 500);
  end if;
  if coalesce(input_preview, output_summary) is not null then
    v_keep := private.keeps_previews(user_id);
    input_preview := case when v_keep then private.preview(input_preview, 100) end;
    output_summary := case when v_keep then private.preview(output_summary, 200) end;
  end if;
  v_usd_eur := private.record_usage(
    user_id, recorded_at, usage_id, operation_id, null, service, operation, model, input_tokens, cached_input_tokens,
    output_tokens, seconds, images, v_cost, price_id, tokens_charged, success, error, response_time_ms, input_preview,
    output_summary
  );
  cost_usd := private.usd_text(v_cost);
  cost_eur := private.usd_text(round(v_cost * v_usd_eur, 10));
  usd_eur := private.usd_text(v_usd_eur);
  unpriced := v_cost is null;
  replayed := false;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.track_usage_batch(calls jsonb, actor text DEFAULT NULL::text)
 RETURNS TABLE(item integer, usage_id uuid, recorded_at timestamp with time zone, cost_usd text, cost_eur text, price_id uuid, usd_eur text, unpriced boolean, tokens_charged bigint, remaining bigint, overdrawn boolean, replayed boolean, error jsonb)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  c record;
begin
  if calls is null or jsonb_typeof(calls) <> 'array' or jsonb_array_length(calls) not between 1 and 500 then
    perform private.raise_error('invalid_request', 'calls must be an array of 1 to 500 calls');
  end if;
  -- An account's deletion holds its row of auth.users while it waits for the queue, and so has the row to come first.
  perform from auth.users u
  where u.id in (select (e.value ->> 'user_id')::uuid from jsonb_array_elements(calls) e)
  order by u.id
  for key share;
  -- All queues first, in the order of their keys: two batches never wait for each other in a circle.
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct uuid_hash_extended((e.value ->> 'user_id')::uuid, 0) as key
    from jsonb_array_elements(calls) e
    where e.value ->> 'user_id' is not null
    order by 1
  ) k;

  item := 0;
  for c in
    select r.*
    from jsonb_array_elements(calls) with ordinality e (value, number)
    cross join lateral jsonb_to_record(e.value) as r (
      user_id uuid, operation_id text, service text, operation text, model text, input_tokens bigint,
      cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, explicit_cost_usd text,
      tokens bigint, success boolean, error text, response_time_ms integer, input_preview text, output_summary text,
      occurred_at timestamptz
    )
    order by e.number
  loop
    item := item + 1;
    error := null;
    begin
      select t.*
      into
        usage_id, recorded_at, cost_usd, cost_eur, price_id, usd_eur, unpriced, tokens_charged, remaining, overdrawn,
        replayed
      from public.track_usage(
        c.user_id, c.operation_id, c.service, c.operation, c.model, coalesce(c.input_tokens, 0),
        coalesce(c.cached_input_tokens, 0), coalesce(c.output_tokens, 0), coalesce(c.seconds, 0),
        coalesce(c.images, 0), c.explicit_cost_usd, c.tokens, coalesce(c.success, true), c.error, c.response_time_ms,
        c.input_preview, c.output_summary, c.occurred_at, track_usage_batch.actor
      ) t;
    exception
      when sqlstate 'PGRST' then
        usage_id := null;
        recorded_at := null;
        cost_usd := null;
        cost_eur := null;
        price_id := null;
        usd_eur := null;
        unpriced := null;
        tokens_charged := null;
        remaining := null;
        overdrawn := null;
        replayed := null;
        error := sqlerrm::jsonb;
    end;
    return next;
  end loop;
end;
$function$;

CREATE OR REPLACE FUNCTION public.verify_ledger()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::bigint) over in_order + t.amount as expected_balance
    from public.token_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, j.account, sum(j.amount) as amount from journal j group by j.user_id, j.account
  ),
  columns as (
    select u.user_id, 'purchased'::public.token_account as account, u.tokens_purchased::numeric as amount
    from public.user_tokens u
    union all
    select u.user_id, 'used', -u.tokens_used from public.user_tokens u
    union all
    select s.user_id, 'earned', s.earned_tokens from public.subscribers s where s.user_id is not null
    union all
    select s.user_id, 'admin_bonus', s.admin_bonus_tokens from public.subscribers s where s.user_id is not null
    union all
    select r.user_id, 'approved_requests', sum(r.amount)
    from public.token_requests r
    where r.status = 'approved'
    group by r.user_id
  ),
  holds as (
    select h.user_id, sum(h.amount) as amount, min(h.expires_at) as expires_at
    from public.token_holds h
    where h.status = 'active'
    group by h.user_id
  ),
  refunds as (
    select r.user_id, r.reference, sum(r.amount) as amount
    from public.token_transactions r
    where r.type = 'refund'
    group by r.user_id, r.reference
  )
  select j.user_id, 'seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select
    coalesce(s.user_id, c.user_id),
    format('journal of %s', coalesce(s.account, c.account)),
    coalesce(c.amount, 0),
    coalesce(s.amount, 0)
  from sums s
  full join columns c on c.user_id = s.user_id and c.account = s.account
  where coalesce(s.amount, 0) <> coalesce(c.amount, 0)
  union all
  select u.user_id, 'journal_seq', coalesce(max(j.seq), 0), u.journal_seq
  from public.user_tokens u
  left join journal j on j.user_id = u.user_id
  group by u.user_id
  having u.journal_seq <> coalesce(max(j.seq), 0)
  union all
  select u.user_id, 'journal_balance', coalesce(sum(s.amount), 0), u.journal_balance
  from public.user_tokens u
  left join sums s on s.user_id = u.user_id
  group by u.user_id
  having u.journal_balance <> coalesce(sum(s.amount), 0)
  union all
  select u.user_id, 'tokens_reserved', coalesce(h.amount, 0), u.tokens_reserved
  from public.user_tokens u
  left join holds h on h.user_id = u.user_id
  where u.tokens_reserved <> coalesce(h.amount, 0)
  union all
  select u.user_id, 'holds_expire_at', extract(epoch from h.expires_at), extract(epoch from u.holds_expire_at)
  from public.user_tokens u
  join holds h on h.user_id = u.user_id
  where u.holds_expire_at > h.expires_at
  union all
  select h.user_id, format('hold %s and its charge', h.operation_id), h.settled_amount, -t.amount
  from public.token_holds h
  left join public.token_transactions t
    on t.user_id = h.user_id and t.operation_id = h.operation_id and t.type = 'charge'
  where case h.status
    when 'settled' then t.amount is null or -t.amount <> h.settled_amount
    else t.amount is not null
  end
  union all
  select r.user_id, format('refunds of %s', r.reference), -t.amount, r.amount
  from refunds r
  left join public.token_transactions t
    on t.user_id = r.user_id and t.operation_id = r.reference and t.type = 'charge'
  where t.amount is null or r.amount > -t.amount
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usd_ledger() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_purchases() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_api_tokens() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usage() v
$function$;

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_run_inline_seconds_check" CHECK (((run_inline_seconds >= 0) AND (run_inline_seconds <= 140)));

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_run_result_days_check" CHECK (((run_result_days >= 1) AND (run_result_days <= 3650)));

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_usage_keep_months_check" CHECK (((usage_keep_months >= 1) AND (usage_keep_months <= 1200)));

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_usd_per_token_check" CHECK (((usd_per_token > (0)::numeric) AND (usd_per_token <= (1000000)::numeric)));

ALTER TABLE "public"."usage_events" ADD CONSTRAINT "usage_events_pkey" PRIMARY KEY (user_id, occurred_at, id);

CREATE INDEX model_prices_created_at_idx ON public.model_prices USING btree (created_at, id);

CREATE INDEX runs_finished_at_idx ON public.runs USING btree (finished_at) WHERE (status <> 'running'::public.run_status);

CREATE INDEX runs_id_idx ON public.runs USING btree (id);

CREATE INDEX runs_running_idx ON public.runs USING btree (expires_at) WHERE (status = 'running'::public.run_status);

CREATE INDEX usage_events_service_idx ON ONLY public.usage_events USING btree (user_id, service, occurred_at, id);

CREATE TRIGGER scrip_forget_usage AFTER DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION private.forget_usage();

CREATE TRIGGER currency_rates_no_truncate BEFORE TRUNCATE ON public.currency_rates FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();

CREATE TRIGGER currency_rates_past BEFORE DELETE OR UPDATE ON public.currency_rates FOR EACH ROW WHEN ((old.day < ((now() AT TIME ZONE 'UTC'::text))::date)) EXECUTE FUNCTION private.keep_past_rate();

CREATE TRIGGER model_prices_no_truncate BEFORE TRUNCATE ON public.model_prices FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();

CREATE TRIGGER model_prices_past BEFORE DELETE OR UPDATE ON public.model_prices FOR EACH ROW WHEN ((old.valid_from <= now())) EXECUTE FUNCTION private.keep_past_price();

CREATE TRIGGER runs_no_truncate BEFORE TRUNCATE ON public.runs FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();

CREATE TRIGGER usage_daily_guard BEFORE DELETE OR UPDATE ON public.usage_daily FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_usage_change();

CREATE TRIGGER usage_daily_no_truncate BEFORE TRUNCATE ON public.usage_daily FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_usage_change();

CREATE TRIGGER usage_events_guard BEFORE DELETE OR UPDATE ON public.usage_events FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_usage_change();

CREATE TRIGGER usage_events_no_truncate BEFORE TRUNCATE ON public.usage_events FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_usage_change();

CREATE POLICY "Users read their own sums" ON "public"."usage_daily" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Users read their own calls" ON "public"."usage_events" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

COMMENT ON COLUMN "private"."usage_operations"."occurred_at" IS 'When it was made, by which its row is found.';

COMMENT ON COLUMN "private"."usage_operations"."operation_id" IS 'The caller''s idempotency key.';

COMMENT ON COLUMN "private"."usage_operations"."usage_id" IS 'The row of usage_events.';

COMMENT ON COLUMN "private"."usage_operations"."user_id" IS 'Whose call.';

COMMENT ON COLUMN "private"."usage_retention"."id" IS 'Always true: there is one row.';

COMMENT ON COLUMN "private"."usage_retention"."kept_since" IS 'The first day of the first month that was never dropped.';

COMMENT ON COLUMN "public"."ai_models"."active" IS 'Whether it is on offer.';

COMMENT ON COLUMN "public"."ai_models"."api_key_variable" IS 'The functions'' variable with the key for base_url; null for none, or for the provider''s own.';

COMMENT ON COLUMN "public"."ai_models"."base_url" IS 'The endpoint of an OpenAI-compatible server; null for OpenAI.';

COMMENT ON COLUMN "public"."ai_models"."created_at" IS 'When it was added.';

COMMENT ON COLUMN "public"."ai_models"."description" IS 'What it is, for users.';

COMMENT ON COLUMN "public"."ai_models"."fixed_tokens" IS 'Tokens a call, for price mode fixed; the plan''s multiplier applies.';

COMMENT ON COLUMN "public"."ai_models"."kind" IS 'What it makes.';

COMMENT ON COLUMN "public"."ai_models"."markup" IS 'What the provider''s cost is multiplied by, for price mode metered; the plan''s multiplier applies on top.';

COMMENT ON COLUMN "public"."ai_models"."max_output_tokens" IS 'The most output tokens that a call may ask for, and what it gets when it asks for no number.';

COMMENT ON COLUMN "public"."ai_models"."name" IS 'Its name, for users.';

COMMENT ON COLUMN "public"."ai_models"."price_mode" IS 'Whether a call costs fixed_tokens, or by what it cost at the provider.';

COMMENT ON COLUMN "public"."ai_models"."provider" IS 'Who runs it: demo, openai (any OpenAI-compatible endpoint) or replicate.';

COMMENT ON COLUMN "public"."ai_models"."provider_model" IS 'What the provider calls it; usage and prices too.';

COMMENT ON COLUMN "public"."ai_models"."provider_version" IS 'The version of a model of Replicate''s that is not an official one.';

COMMENT ON COLUMN "public"."ai_models"."service" IS 'What usage and prices call the provider; null for its own name.';

COMMENT ON COLUMN "public"."ai_models"."slug" IS 'What callers of run-model call it.';

COMMENT ON COLUMN "public"."ai_models"."timeout_seconds" IS 'How long a call may take, in seconds.';

COMMENT ON COLUMN "public"."currency_rates"."created_at" IS 'When the row was written.';

COMMENT ON COLUMN "public"."currency_rates"."day" IS 'From this day (UTC), until the next row''s.';

COMMENT ON COLUMN "public"."currency_rates"."source" IS 'ecb when fx-sync had it from the European Central Bank, which leaves rows that are manual alone.';

COMMENT ON COLUMN "public"."currency_rates"."usd_eur" IS 'Euros for a US dollar.';

COMMENT ON COLUMN "public"."model_prices"."cached_input_usd_per_million" IS 'US dollars for a million input tokens that the provider had in its cache; null for the price of the others.';

COMMENT ON COLUMN "public"."model_prices"."created_at" IS 'When the row was written.';

COMMENT ON COLUMN "public"."model_prices"."id" IS 'The version of the price; calls name it.';

COMMENT ON COLUMN "public"."model_prices"."input_usd_per_million" IS 'US dollars for a million input tokens.';

COMMENT ON COLUMN "public"."model_prices"."model" IS 'The model, as the provider calls it.';

COMMENT ON COLUMN "public"."model_prices"."output_usd_per_million" IS 'US dollars for a million output tokens.';

COMMENT ON COLUMN "public"."model_prices"."service" IS 'The provider, as usage calls it.';

COMMENT ON COLUMN "public"."model_prices"."source" IS 'catalogue when npm run prices:update wrote it, which leaves rows that are manual alone.';

COMMENT ON COLUMN "public"."model_prices"."usd_per_call" IS 'US dollars for a call.';

COMMENT ON COLUMN "public"."model_prices"."usd_per_image" IS 'US dollars for an image.';

COMMENT ON COLUMN "public"."model_prices"."usd_per_second" IS 'US dollars for a second of the provider''s hardware.';

COMMENT ON COLUMN "public"."model_prices"."valid_from" IS 'From when it counts, until the next row''s valid_from.';

COMMENT ON COLUMN "public"."model_prices"."valid_to" IS 'When it ends without another; null if it does not.';

COMMENT ON COLUMN "public"."runs"."base_tokens" IS 'Tokens before the multiplier, for price mode fixed.';

COMMENT ON COLUMN "public"."runs"."created_at" IS 'When it started.';

COMMENT ON COLUMN "public"."runs"."error" IS 'Why it failed, without keys.';

COMMENT ON COLUMN "public"."runs"."expires_at" IS 'Until when its hold lives; then it is abandoned.';

COMMENT ON COLUMN "public"."runs"."finished_at" IS 'When it ended.';

COMMENT ON COLUMN "public"."runs"."id" IS 'The run; its hold and the charge''s reference have the same id.';

COMMENT ON COLUMN "public"."runs"."input_preview" IS 'The beginning of the input, without keys; null when previews are off.';

COMMENT ON COLUMN "public"."runs"."markup" IS 'What the provider''s cost is multiplied by; as it was at the start.';

COMMENT ON COLUMN "public"."runs"."model" IS 'The slug of the model; null for work of other kinds.';

COMMENT ON COLUMN "public"."runs"."multiplier" IS 'The multiplier of the user''s plan; as it was at the start.';

COMMENT ON COLUMN "public"."runs"."operation" IS 'What for, as usage calls it.';

COMMENT ON COLUMN "public"."runs"."operation_id" IS 'The caller''s idempotency key; the hold and the charge have it with run: before it.';

COMMENT ON COLUMN "public"."runs"."price_mode" IS 'Whether it costs base_tokens, or by what it cost at the provider; as it was at the start.';

COMMENT ON COLUMN "public"."runs"."provider_run_id" IS 'What the provider calls it, when it takes longer.';

COMMENT ON COLUMN "public"."runs"."remaining_after" IS 'What the user could spend right after the start or, once it has ended, after that.';

COMMENT ON COLUMN "public"."runs"."request_hash" IS 'SHA-256 of what was asked for: the same id may not ask for something else.';

COMMENT ON COLUMN "public"."runs"."result" IS 'What came out.';

COMMENT ON COLUMN "public"."runs"."service" IS 'Who is called, as usage calls it.';

COMMENT ON COLUMN "public"."runs"."status" IS 'How it stands.';

COMMENT ON COLUMN "public"."runs"."tokens_reserved" IS 'Tokens held for it.';

COMMENT ON COLUMN "public"."runs"."tokens_used" IS 'Tokens charged for it; null while it runs.';

COMMENT ON COLUMN "public"."runs"."usage_model" IS 'The model, as usage and prices call it.';

COMMENT ON COLUMN "public"."runs"."usd_per_token" IS 'US dollars for a token; as it was at the start.';

COMMENT ON COLUMN "public"."runs"."user_id" IS 'Whose run, and whose tokens.';

COMMENT ON COLUMN "public"."settings"."run_inline_seconds" IS 'How long run-model waits for a provider that can finish later, in seconds; then it answers 202.';

COMMENT ON COLUMN "public"."settings"."run_result_days" IS 'For how many days the results of runs are kept.';

COMMENT ON COLUMN "public"."settings"."usage_keep_months" IS 'For how many months before the current one calls are kept; their daily sums stay.';

COMMENT ON COLUMN "public"."settings"."usage_previews" IS 'Whether the beginnings of inputs and outputs are kept with calls.';

COMMENT ON COLUMN "public"."settings"."usd_per_token" IS 'US dollars that a token stands for in the price of metered models.';

COMMENT ON COLUMN "public"."subscribers"."usage_previews" IS 'Whether the beginnings of the person''s inputs and outputs are kept with calls; the user may change it.';

COMMENT ON COLUMN "public"."usage_daily"."cached_input_tokens" IS 'Input tokens from the services'' caches.';

COMMENT ON COLUMN "public"."usage_daily"."calls" IS 'How many calls, failed and unpriced ones among them.';

COMMENT ON COLUMN "public"."usage_daily"."cost_eur" IS 'The same in euros, each call at the rate of its day.';

COMMENT ON COLUMN "public"."usage_daily"."cost_usd" IS 'The known costs in US dollars.';

COMMENT ON COLUMN "public"."usage_daily"."day" IS 'The day, in UTC.';

COMMENT ON COLUMN "public"."usage_daily"."failed_calls" IS 'How many of them failed.';

COMMENT ON COLUMN "public"."usage_daily"."input_tokens" IS 'Input tokens, those from the cache among them.';

COMMENT ON COLUMN "public"."usage_daily"."model" IS 'The model.';

COMMENT ON COLUMN "public"."usage_daily"."operation" IS 'What for.';

COMMENT ON COLUMN "public"."usage_daily"."output_tokens" IS 'Output tokens.';

COMMENT ON COLUMN "public"."usage_daily"."response_time_ms" IS 'How long those took together, in milliseconds.';

COMMENT ON COLUMN "public"."usage_daily"."service" IS 'Who was called.';

COMMENT ON COLUMN "public"."usage_daily"."timed_calls" IS 'How many calls said how long they took.';

COMMENT ON COLUMN "public"."usage_daily"."tokens_charged" IS 'Scrip''s tokens charged.';

COMMENT ON COLUMN "public"."usage_daily"."unpriced_calls" IS 'How many of them have no known cost.';

COMMENT ON COLUMN "public"."usage_daily"."user_id" IS 'Who made the calls.';

COMMENT ON COLUMN "public"."usage_events"."cached_input_tokens" IS 'Input tokens that the service had in its cache.';

COMMENT ON COLUMN "public"."usage_events"."cost_eur" IS 'The same in euros.';

COMMENT ON COLUMN "public"."usage_events"."cost_usd" IS 'What it cost in US dollars; null when there is no price for it: unpriced, not free.';

COMMENT ON COLUMN "public"."usage_events"."error" IS 'Why not.';

COMMENT ON COLUMN "public"."usage_events"."id" IS 'The call.';

COMMENT ON COLUMN "public"."usage_events"."images" IS 'Images.';

COMMENT ON COLUMN "public"."usage_events"."input_preview" IS 'The first 100 characters of the input, without keys; null when previews are off.';

COMMENT ON COLUMN "public"."usage_events"."input_tokens" IS 'Input tokens, those from the cache among them.';

COMMENT ON COLUMN "public"."usage_events"."model" IS 'The model, as the service calls it.';

COMMENT ON COLUMN "public"."usage_events"."occurred_at" IS 'When; prices and rates of that moment count.';

COMMENT ON COLUMN "public"."usage_events"."operation" IS 'What for, such as chat.';

COMMENT ON COLUMN "public"."usage_events"."operation_id" IS 'The caller''s idempotency key.';

COMMENT ON COLUMN "public"."usage_events"."output_summary" IS 'The first 200 characters of the output, without keys; null when previews are off.';

COMMENT ON COLUMN "public"."usage_events"."output_tokens" IS 'Output tokens.';

COMMENT ON COLUMN "public"."usage_events"."price_id" IS 'The row of model_prices; null when unpriced, failed, or the cost came with the call.';

COMMENT ON COLUMN "public"."usage_events"."response_time_ms" IS 'How long it took, in milliseconds.';

COMMENT ON COLUMN "public"."usage_events"."run_id" IS 'The run, for calls that Scrip made.';

COMMENT ON COLUMN "public"."usage_events"."seconds" IS 'Seconds of the service''s hardware.';

COMMENT ON COLUMN "public"."usage_events"."service" IS 'Who was called, such as openai.';

COMMENT ON COLUMN "public"."usage_events"."success" IS 'Whether it succeeded.';

COMMENT ON COLUMN "public"."usage_events"."tokens_charged" IS 'Scrip''s tokens that were charged for it.';

COMMENT ON COLUMN "public"."usage_events"."usd_eur" IS 'Euros for a US dollar on that day.';

COMMENT ON COLUMN "public"."usage_events"."user_id" IS 'Who made the call.';

COMMENT ON FUNCTION "private"."check_call"(text, text, text, bigint, bigint, bigint, numeric, integer, integer) IS 'Checks what a call says of itself.';

COMMENT ON FUNCTION "private"."claim_run"(uuid) IS 'Takes a run to end it.';

COMMENT ON FUNCTION "private"."close_run"(public.runs, public.run_status, bigint, numeric, uuid, jsonb, text, bigint, bigint, bigint, numeric, integer, integer, text, text) IS 'Ends a run that is claimed: its hold, its usage, its row.';

COMMENT ON FUNCTION "private"."create_usage_month"(date) IS 'Makes the partition for a month''s calls, unless it is there.';

COMMENT ON FUNCTION "private"."forget_usage"() IS 'Deletes a deleted account''s calls, sums and runs.';

COMMENT ON FUNCTION "private"."is_kept"(timestamp with time zone) IS 'Whether a call of that moment can be recorded.';

COMMENT ON FUNCTION "private"."keep_past_price"() IS 'Keeps prices that have been in force.';

COMMENT ON FUNCTION "private"."keep_past_rate"() IS 'Keeps the rates of past days.';

COMMENT ON FUNCTION "private"."keeps_previews"(uuid) IS 'Whether the beginnings of a user''s inputs and outputs are kept.';

COMMENT ON FUNCTION "private"."open_run"(uuid, text, jsonb, text, text, text, text, bigint, numeric, numeric, integer, text) IS 'Holds the tokens of a run and writes its row.';

COMMENT ON FUNCTION "private"."parse_cost"(text) IS 'Reads a cost that comes with a call, exactly or not at all.';

COMMENT ON FUNCTION "private"."parse_price"(text, text) IS 'Reads a price, exactly or not at all.';

COMMENT ON FUNCTION "private"."preview"(text, integer) IS 'The beginning of a text, without keys.';

COMMENT ON FUNCTION "private"."price_at"(text, text, timestamp with time zone) IS 'The price of a model at a moment.';

COMMENT ON FUNCTION "private"."price_call"(public.model_prices, bigint, bigint, bigint, numeric, integer) IS 'What a call costs at a price.';

COMMENT ON FUNCTION "private"."raise_model_not_found"(text) IS 'Refuses a model that is not there, or not on offer.';

COMMENT ON FUNCTION "private"."raise_run_not_found"(uuid) IS 'Refuses a run that is not there.';

COMMENT ON FUNCTION "private"."record_usage"(uuid, timestamp with time zone, uuid, text, uuid, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, uuid, bigint, boolean, text, integer, text, text) IS 'Writes a call and the day''s sums.';

COMMENT ON FUNCTION "private"."redact"(text) IS 'Takes out what looks like a key, token or password.';

COMMENT ON FUNCTION "private"."refuse_usage_change"() IS 'Refuses every change of recorded usage but what operations append.';

COMMENT ON FUNCTION "private"."run_before"(uuid, text, jsonb) IS 'Takes the user''s queue, and finds the run of an earlier call.';

COMMENT ON FUNCTION "private"."run_tokens"(bigint, numeric, numeric, numeric, numeric) IS 'The tokens of a run.';

COMMENT ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) IS 'Takes the tokens of a call that another backend made.';

COMMENT ON FUNCTION "private"."tracked_before"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, bigint, boolean, timestamp with time zone) IS 'The first result of a recorded call.';

COMMENT ON FUNCTION "private"."usage_period"(uuid, text, date, date) IS 'The days of a period, in UTC.';

COMMENT ON FUNCTION "private"."usd_text"(numeric) IS 'US dollars as text: exact, with two decimals or as many as it takes.';

COMMENT ON FUNCTION "private"."verify_usage"() IS 'A row for each disagreement between calls, their sums, runs and the journal.';

COMMENT ON FUNCTION "public"."abandon_runs"(integer) IS 'Ends the runs that nobody ended in time; returns how many.';

COMMENT ON FUNCTION "public"."attach_provider_run"(uuid, text) IS 'Notes what the provider calls a run that takes longer.';

COMMENT ON FUNCTION "public"."finish_run"(uuid, text, jsonb, text, bigint, bigint, bigint, bigint, numeric, integer, text, integer, text, text) IS 'Ends a run, once: charges a success, releases anything else, records either.';

COMMENT ON FUNCTION "public"."get_ai_model"(text) IS 'Where and how a model runs.';

COMMENT ON FUNCTION "public"."get_run"(uuid, uuid) IS 'A run, as it stands.';

COMMENT ON FUNCTION "public"."list_ai_models"() IS 'The models on offer.';

COMMENT ON FUNCTION "public"."list_currency_rates"(integer, date) IS 'The rates, the latest day first.';

COMMENT ON FUNCTION "public"."list_model_prices"(text, text, integer, timestamp with time zone, uuid) IS 'Prices in all their versions, the newest row first.';

COMMENT ON FUNCTION "public"."list_usage"(uuid, text, integer, date, date, timestamp with time zone, uuid) IS 'A user''s calls, newest first.';

COMMENT ON FUNCTION "public"."prune_runs"(integer) IS 'Deletes runs whose results are not kept any more; returns how many.';

COMMENT ON FUNCTION "public"."rotate_usage_months"() IS 'Makes the next month''s partition of usage_events, and drops old ones.';

COMMENT ON FUNCTION "public"."set_currency_rate"(date, text, text, text) IS 'Sets the rate of a day.';

COMMENT ON FUNCTION "public"."set_model_price"(text, text, text, text, text, text, text, text, text, timestamp with time zone) IS 'Sets the price of a model from now, or from a moment to come.';

COMMENT ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text) IS 'Starts a run of a model: holds what it costs at most.';

COMMENT ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text) IS 'Starts work that is paid for in tokens: holds its amount.';

COMMENT ON FUNCTION "public"."summarize_usage"(uuid, text, text, date, date, boolean) IS 'What a user spent on what, in a period.';

COMMENT ON FUNCTION "public"."track_usage"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, text, bigint, boolean, text, integer, text, text, timestamp with time zone, text) IS 'Records a call with what it cost, at most once per operation_id.';

COMMENT ON FUNCTION "public"."track_usage_batch"(jsonb, text) IS 'Records up to 500 calls at once, each as track_usage would.';

COMMENT ON TABLE "private"."usage_operations" IS 'Which operation_id was which call, for ever.';

COMMENT ON TABLE "private"."usage_retention" IS 'Since when every call is kept.';

COMMENT ON TABLE "public"."ai_models" IS 'The models that users can run.';

COMMENT ON TABLE "public"."currency_rates" IS 'What a US dollar is worth in euros, by the day.';

COMMENT ON TABLE "public"."model_prices" IS 'What providers ask, in versions: a new price is a new row.';

COMMENT ON TABLE "public"."runs" IS 'Work that is paid for in tokens.';

COMMENT ON TABLE "public"."usage_daily" IS 'The sums of a user''s calls by day.';

COMMENT ON TABLE "public"."usage_events" IS 'Calls of AI models and services, one row a call, append-only.';

COMMENT ON TYPE "public"."ai_model_kind" IS 'What a model makes.';

COMMENT ON TYPE "public"."price_mode" IS 'fixed: so many tokens a call. metered: by what the call cost at the provider.';

COMMENT ON TYPE "public"."run_status" IS 'running until it ends; abandoned when nobody ended it in time. Only succeeded is charged.';

REVOKE ALL ON FUNCTION "private"."check_call"(text, text, text, bigint, bigint, bigint, numeric, integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."check_call"(text, text, text, bigint, bigint, bigint, numeric, integer, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."claim_run"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."claim_run"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."close_run"(public.runs, public.run_status, bigint, numeric, uuid, jsonb, text, bigint, bigint, bigint, numeric, integer, integer, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."close_run"(public.runs, public.run_status, bigint, numeric, uuid, jsonb, text, bigint, bigint, bigint, numeric, integer, integer, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."create_usage_month"(date) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."create_usage_month"(date) TO "postgres";

REVOKE ALL ON FUNCTION "private"."forget_usage"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."forget_usage"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."is_kept"(timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."is_kept"(timestamp with time zone) TO "postgres";

REVOKE ALL ON FUNCTION "private"."keep_past_price"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."keep_past_price"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."keep_past_rate"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."keep_past_rate"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."keeps_previews"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."keeps_previews"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."open_run"(uuid, text, jsonb, text, text, text, text, bigint, numeric, numeric, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."open_run"(uuid, text, jsonb, text, text, text, text, bigint, numeric, numeric, integer, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."parse_cost"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."parse_cost"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."parse_price"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."parse_price"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."preview"(text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."preview"(text, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."price_at"(text, text, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."price_at"(text, text, timestamp with time zone) TO "postgres";

REVOKE ALL ON FUNCTION "private"."price_call"(public.model_prices, bigint, bigint, bigint, numeric, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."price_call"(public.model_prices, bigint, bigint, bigint, numeric, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."raise_model_not_found"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."raise_model_not_found"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."raise_run_not_found"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."raise_run_not_found"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."record_usage"(uuid, timestamp with time zone, uuid, text, uuid, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, uuid, bigint, boolean, text, integer, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."record_usage"(uuid, timestamp with time zone, uuid, text, uuid, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, uuid, bigint, boolean, text, integer, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."redact"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."redact"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."refuse_usage_change"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."refuse_usage_change"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."run_before"(uuid, text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."run_before"(uuid, text, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."run_tokens"(bigint, numeric, numeric, numeric, numeric) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."run_tokens"(bigint, numeric, numeric, numeric, numeric) TO "postgres";

REVOKE ALL ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."tracked_before"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, bigint, boolean, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."tracked_before"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, numeric, bigint, boolean, timestamp with time zone) TO "postgres";

REVOKE ALL ON FUNCTION "private"."usage_period"(uuid, text, date, date) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."usage_period"(uuid, text, date, date) TO "postgres";

REVOKE ALL ON FUNCTION "private"."usd_text"(numeric) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."usd_text"(numeric) TO "postgres";

REVOKE ALL ON FUNCTION "private"."verify_usage"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."verify_usage"() TO "postgres";

REVOKE ALL ON FUNCTION "public"."abandon_runs"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."abandon_runs"(integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."attach_provider_run"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."attach_provider_run"(uuid, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."finish_run"(uuid, text, jsonb, text, bigint, bigint, bigint, bigint, numeric, integer, text, integer, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."finish_run"(uuid, text, jsonb, text, bigint, bigint, bigint, bigint, numeric, integer, text, integer, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_ai_model"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_ai_model"(text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_run"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_run"(uuid, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_ai_models"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_ai_models"() TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_currency_rates"(integer, date) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_currency_rates"(integer, date) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_model_prices"(text, text, integer, timestamp with time zone, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_model_prices"(text, text, integer, timestamp with time zone, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_usage"(uuid, text, integer, date, date, timestamp with time zone, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_usage"(uuid, text, integer, date, date, timestamp with time zone, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."prune_runs"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."prune_runs"(integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."rotate_usage_months"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."rotate_usage_months"() TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."set_currency_rate"(date, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."set_currency_rate"(date, text, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."set_model_price"(text, text, text, text, text, text, text, text, text, timestamp with time zone) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."set_model_price"(text, text, text, text, text, text, text, text, text, timestamp with time zone) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."summarize_usage"(uuid, text, text, date, date, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."summarize_usage"(uuid, text, text, date, date, boolean) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."track_usage"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, text, bigint, boolean, text, integer, text, text, timestamp with time zone, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."track_usage"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, text, bigint, boolean, text, integer, text, text, timestamp with time zone, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."track_usage_batch"(jsonb, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."track_usage_batch"(jsonb, text) TO "postgres", "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."usage_operations" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."usage_retention" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."ai_models" TO "postgres";

REVOKE ALL ON TABLE "public"."ai_models" FROM "service_role";

GRANT SELECT ON TABLE "public"."ai_models" TO "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."currency_rates" TO "postgres";

REVOKE ALL ON TABLE "public"."currency_rates" FROM "service_role";

GRANT SELECT ON TABLE "public"."currency_rates" TO "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."model_prices" TO "postgres";

REVOKE ALL ON TABLE "public"."model_prices" FROM "service_role";

GRANT SELECT ON TABLE "public"."model_prices" TO "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."runs" TO "postgres";

REVOKE ALL ON TABLE "public"."runs" FROM "service_role";

GRANT SELECT ON TABLE "public"."runs" TO "service_role";

REVOKE ALL ("usage_previews") ON TABLE "public"."subscribers" FROM "authenticated";

GRANT UPDATE ("usage_previews") ON TABLE "public"."subscribers" TO "authenticated";

REVOKE ALL ON TABLE "public"."usage_daily" FROM "authenticated";

GRANT SELECT ON TABLE "public"."usage_daily" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."usage_daily" TO "postgres";

REVOKE ALL ON TABLE "public"."usage_daily" FROM "service_role";

GRANT SELECT ON TABLE "public"."usage_daily" TO "service_role";

REVOKE ALL ON TABLE "public"."usage_events" FROM "authenticated";

GRANT SELECT ON TABLE "public"."usage_events" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."usage_events" TO "postgres";

REVOKE ALL ON TABLE "public"."usage_events" FROM "service_role";

GRANT SELECT ON TABLE "public"."usage_events" TO "service_role";

set local check_function_bodies = off;

REVOKE ALL ON FUNCTION "public"."abandon_runs"(integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."abandon_runs"(integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."attach_provider_run"(uuid, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."attach_provider_run"(uuid, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."finish_run"(uuid, text, jsonb, text, bigint, bigint, bigint, bigint, numeric, integer, text, integer, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."finish_run"(uuid, text, jsonb, text, bigint, bigint, bigint, bigint, numeric, integer, text, integer, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_ai_model"(text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."get_ai_model"(text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_run"(uuid, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."get_run"(uuid, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_ai_models"() FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_ai_models"() FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_currency_rates"(integer, date) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_currency_rates"(integer, date) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_model_prices"(text, text, integer, timestamp with time zone, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_model_prices"(text, text, integer, timestamp with time zone, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_usage"(uuid, text, integer, date, date, timestamp with time zone, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_usage"(uuid, text, integer, date, date, timestamp with time zone, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."prune_runs"(integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."prune_runs"(integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."rotate_usage_months"() FROM "anon";

REVOKE ALL ON FUNCTION "public"."rotate_usage_months"() FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."set_currency_rate"(date, text, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."set_currency_rate"(date, text, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."set_model_price"(text, text, text, text, text, text, text, text, text, timestamp with time zone) FROM "anon";

REVOKE ALL ON FUNCTION "public"."set_model_price"(text, text, text, text, text, text, text, text, text, timestamp with time zone) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."summarize_usage"(uuid, text, text, date, date, boolean) FROM "anon";

REVOKE ALL ON FUNCTION "public"."summarize_usage"(uuid, text, text, date, date, boolean) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."track_usage"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, text, bigint, boolean, text, integer, text, text, timestamp with time zone, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."track_usage"(uuid, text, text, text, text, bigint, bigint, bigint, numeric, integer, text, bigint, boolean, text, integer, text, text, timestamp with time zone, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."track_usage_batch"(jsonb, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."track_usage_batch"(jsonb, text) FROM "authenticated";

REVOKE ALL ON TABLE "public"."ai_models" FROM "anon";

REVOKE ALL ON TABLE "public"."ai_models" FROM "authenticated";

REVOKE ALL ON TABLE "public"."currency_rates" FROM "anon";

REVOKE ALL ON TABLE "public"."currency_rates" FROM "authenticated";

REVOKE ALL ON TABLE "public"."model_prices" FROM "anon";

REVOKE ALL ON TABLE "public"."model_prices" FROM "authenticated";

REVOKE ALL ON TABLE "public"."runs" FROM "anon";

REVOKE ALL ON TABLE "public"."runs" FROM "authenticated";

REVOKE ALL ON TABLE "public"."usage_daily" FROM "anon";

REVOKE ALL ON TABLE "public"."usage_events" FROM "anon";
