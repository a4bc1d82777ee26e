-- Generated from sql/ by `npm run db:diff -- recorded_calls --allow-drops`. Do not edit.

set local check_function_bodies = off;

ALTER TABLE "public"."ai_models" DROP CONSTRAINT "ai_models_api_key_variable_check";

DROP FUNCTION "private"."charge_multiplier"(uuid);

DROP FUNCTION "private"."current_subscription"(uuid);

DROP FUNCTION "private"."hash_api_key"(text);

DROP FUNCTION "private"."open_run"(uuid, text, jsonb, text, text, text, text, bigint, numeric, numeric, integer, text);

DROP FUNCTION "private"."preview"(text, integer);

DROP FUNCTION "private"."price_at"(text, text, timestamp with time zone);

DROP FUNCTION "private"."price_call"(public.model_prices, bigint, bigint, bigint, numeric, integer);

DROP FUNCTION "private"."redact"(text);

DROP FUNCTION "private"."run_before"(uuid, text, jsonb);

DROP FUNCTION "private"."settle_call"(uuid, text, bigint, text);

DROP FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text);

DROP FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text);

ALTER TABLE "public"."runs" ADD COLUMN "attempt" uuid;

CREATE OR REPLACE FUNCTION private.charge_multiplier(user_id uuid)
 RETURNS numeric
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(
    (select (c.plan).multiplier from private.current_subscription(charge_multiplier.user_id) c), 1
  );
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
    perform private.lock_account(v_user_id);
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
    private.redact(output_summary, 200)
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

CREATE OR REPLACE FUNCTION private.current_subscription(user_id uuid)
 RETURNS TABLE(subscription public.subscriptions, plan public.subscription_plans)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return query
  select s, p
  from public.subscriptions s
  join public.subscription_plans billed on billed.tier = s.tier
  join public.subscription_plans p
    on p.tier = s.tier
      or s.stripe_subscription_id is not null
        and p.monthly_cost > billed.monthly_cost
        and exists (
          select 1 from public.purchases paid
          where paid.user_id = s.user_id
            and paid.stripe_subscription_id = s.stripe_subscription_id
            and paid.tier = p.tier
            and paid.period_end > now()
            and (paid.amount_cents = 0 or paid.refunded_cents + paid.disputed_cents < paid.amount_cents)
        )
  where s.user_id = current_subscription.user_id
    and case s.status
      when 'trialing' then true
      when 'active' then s.stripe_subscription_id is not null or s.current_period_end > now()
      when 'past_due' then s.past_due_since + make_interval(
        days => coalesce((select o.past_due_grace_days from public.settings o), 7)
      ) > now()
    end
  order by p.monthly_cost desc, s.created_at
  limit 1;
end;
$function$;

CREATE OR REPLACE FUNCTION private.hash_api_key(api_key text)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return sha256(convert_to(api_key, 'UTF8'));
end;
$function$;

CREATE OR REPLACE FUNCTION private.link_subscriber(user_id uuid, email text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_own public.subscribers;
  v_waiting public.subscribers;
begin
  perform private.lock_user(user_id);
  select s.* into v_waiting
  from public.subscribers s
  where s.user_id is null and lower(s.email) = lower(link_subscriber.email)
  for update;
  if not found then
    return;
  end if;
  delete from public.subscribers s where s.user_id = link_subscriber.user_id returning s.* into v_own;
  update public.subscribers s
  set
    user_id = link_subscriber.user_id,
    display_name = coalesce(v_own.display_name, s.display_name),
    locale = coalesce(v_own.locale, s.locale),
    usage_previews = s.usage_previews and coalesce(v_own.usage_previews, true),
    entitlement_granted_at = coalesce(v_own.entitlement_granted_at, s.entitlement_granted_at),
    earned_tokens = s.earned_tokens + coalesce(v_own.earned_tokens, 0),
    admin_bonus_tokens = s.admin_bonus_tokens + coalesce(v_own.admin_bonus_tokens, 0)
  where s.id = v_waiting.id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.open_run(user_id uuid, operation_id text, arguments jsonb, attempt uuid, model text, service text, operation text, usage_model text, base_tokens bigint, cost_usd numeric, markup numeric, ttl_seconds integer, input_preview text)
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
    user_id, v_tokens, 'run:' || operation_id, ttl_seconds, usage_model
  ) h;
  insert into public.runs as r (
    user_id, id, operation_id, request_hash, attempt, model, service, operation, usage_model, price_mode, base_tokens,
    markup, usd_per_token, multiplier, tokens_reserved, remaining_after, input_preview, expires_at
  )
  values (
    open_run.user_id, v_hold.hold_id, open_run.operation_id, sha256(convert_to(arguments::text, 'UTF8')),
    open_run.attempt, open_run.model, open_run.service, open_run.operation, open_run.usage_model,
    case when base_tokens is null then 'metered' else 'fixed' end::public.price_mode, open_run.base_tokens,
    open_run.markup, v_usd_per_token, v_multiplier, v_hold.held, v_hold.remaining,
    case when private.keeps_previews(open_run.user_id) then private.redact(open_run.input_preview, 100) end,
    v_hold.expires_at
  )
  returning r.* into v_run;
  return v_run;
end;
$function$;

CREATE OR REPLACE FUNCTION private.price_call(service text, model text, moment timestamp with time zone, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, OUT cost numeric, OUT price_id uuid)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  select
    case
      when (m.valid_to is null or m.valid_to > moment)
        and (m.input_usd_per_million is not null or m.output_usd_per_million is null or input_tokens = 0)
        and (m.output_usd_per_million is not null or m.input_usd_per_million is null or output_tokens = 0)
        and (
          input_tokens + output_tokens > 0 and coalesce(m.input_usd_per_million, m.output_usd_per_million) is not null
          or m.usd_per_call is not null
          or seconds > 0 and m.usd_per_second is not null
          or images > 0 and m.usd_per_image is not null
        )
      then
        round(
          (
            (input_tokens - cached_input_tokens) * coalesce(m.input_usd_per_million, 0)
            + cached_input_tokens * coalesce(m.cached_input_usd_per_million, m.input_usd_per_million, 0)
            + output_tokens * coalesce(m.output_usd_per_million, 0)
          ) * 0.000001
            + coalesce(m.usd_per_call, 0)
            + seconds * coalesce(m.usd_per_second, 0)
            + images * coalesce(m.usd_per_image, 0),
          10
        )
    end,
    m.id
  into cost, price_id
  from public.model_prices m
  where m.service = price_call.service and m.model = price_call.model and m.valid_from <= moment
  order by m.valid_from desc
  limit 1;
  if cost is null then
    price_id := null;
  elsif cost >= 1000000000 then
    perform private.raise_error('invalid_request', 'A call cannot cost 1000000000 US dollars or more');
  end if;
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
  with taken as (
    insert into private.usage_operations (user_id, operation_id, occurred_at, usage_id)
    select record_usage.user_id, record_usage.operation_id, record_usage.occurred_at, record_usage.usage_id
    from public.user_tokens u
    where record_usage.run_id is null and u.user_id = record_usage.user_id
    on conflict on constraint usage_operations_pkey do nothing
    returning true
  ),
  event as (
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
    where record_usage.run_id is not null or exists (select from taken)
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

CREATE OR REPLACE FUNCTION private.redact(content text, characters integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  content := left(content, 2000); -- what lies far behind the cut need not be looked at
  -- Whatever is taken out below matches one of these, which are cheap, and most texts match neither.
  if content ~ '[A-Za-z0-9_./+-]{13}'
    or content ~ '[delnstyDELNSTY]["'']?\s*[:=]|[aA][rR][eE][rR]\s|:/|-----'
  then
    content := regexp_replace(content, '-----BEGIN [A-Z ]*KEY.*', '[redacted]');
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
  return left(content, characters);
end;
$function$;

CREATE OR REPLACE FUNCTION private.run_before(user_id uuid, operation_id text, arguments jsonb, attempt uuid)
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
  perform private.lock_account(user_id);
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
  elsif v_run.status = 'running' and (v_run.attempt = run_before.attempt) is not true then
    perform private.raise_error(
      'operation_in_progress', format('The run %s of operation_id %s is under way', v_run.id, operation_id),
      v_run.id::text, 'Ask for the run, or retry with the same operation_id when it has ended.'
    );
  end if;
  return v_run;
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
        ('scrip-prune-outbox', '* * * * *', 'public.prune_outbox()'),
        ('scrip-prune-runs', '* * * * *', 'public.prune_runs()'),
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

CREATE OR REPLACE FUNCTION private.settle_call(user_id uuid, operation_id text, tokens bigint, actor text, OUT remaining bigint, OUT overdrawn boolean)
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
  overdrawn := false;
  if tokens > 0 and v_held then
    select s.remaining, s.overdrawn into remaining, overdrawn
    from public.settle_tokens(user_id, operation_id, tokens, actor) s;
  elsif tokens > 0 then
    select c.remaining into remaining
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
  if not found and exists (select from public.user_tokens u where u.user_id = tracked_before.user_id) then
    perform private.raise_error(
      'invalid_request', 'occurred_at must be within the months that are kept, and not in the future'
    );
  elsif not found then
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
  where case
    when e.run_id is null then e.tokens_charged > 0 and e.tokens_charged is distinct from -t.amount
    else e.tokens_charged <> coalesce(-t.amount, 0)
  end
  union all
  select
    coalesce(e.user_id, o.user_id), format('call %s of %s', coalesce(e.id, o.usage_id), coalesce(e.operation_id, o.operation_id)),
    (o.usage_id is not null)::integer, (e.id is not null)::integer
  from (select * from public.usage_events c where c.run_id is null) e
  full join (
    select *
    from private.usage_operations c
    where c.occurred_at at time zone 'UTC' >= coalesce((select r.kept_since from private.usage_retention r), '-infinity')
  ) o
    on o.user_id = e.user_id and o.operation_id = e.operation_id and o.usage_id = e.id and o.occurred_at = e.occurred_at
  where e.id is null or o.usage_id is null
  union all
  select r.user_id, format('calls of run %s', r.id), 1, count(e.id)
  from public.runs r
  left join public.usage_events e on e.user_id = r.user_id and e.occurred_at = r.created_at and e.run_id = r.id
  where r.status <> 'running'
    and r.created_at at time zone 'UTC' >= coalesce((select k.kept_since from private.usage_retention k), '-infinity')
  group by r.user_id, r.id
  having count(e.id) <> 1
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
    -- As lock_account does it, but without waiting.
    perform from auth.users u where u.id = v_due.user_id for key share skip locked;
    continue when not found;
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

CREATE OR REPLACE FUNCTION public.finish_run(run_id uuid, outcome text, result jsonb DEFAULT NULL::jsonb, error text DEFAULT NULL::text, tokens bigint DEFAULT NULL::bigint, input_tokens bigint DEFAULT 0, cached_input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, explicit_cost_usd text DEFAULT NULL::text, response_time_ms integer DEFAULT NULL::integer, output_summary text DEFAULT NULL::text, actor text DEFAULT NULL::text)
 RETURNS TABLE(owner_id uuid, run_status public.run_status, tokens_used bigint, remaining bigint, overdrawn boolean, reason text, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_run public.runs;
  v_cost numeric := private.parse_cost(explicit_cost_usd);
  v_price_id uuid;
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
      select p.cost, p.price_id into v_cost, v_price_id
      from private.price_call(
        v_run.service, v_run.usage_model, v_run.created_at, input_tokens, cached_input_tokens, output_tokens, seconds,
        images
      ) p;
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
      v_run, outcome::public.run_status, v_tokens, v_cost, v_price_id, result, private.redact(error, 500),
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
  elsif v_now.source = source and (v_now.valid_to is null or source = 'catalogue' and v_now.valid_to > v_from) and (
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

CREATE OR REPLACE FUNCTION public.start_model_run(user_id uuid, slug text, operation_id text, request jsonb, input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, operation text DEFAULT NULL::text, input_preview text DEFAULT NULL::text, attempt uuid DEFAULT NULL::uuid)
 RETURNS TABLE(run_id uuid, run_status public.run_status, tokens_reserved bigint, remaining bigint, expires_at timestamp with time zone, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_arguments jsonb := jsonb_build_object('model', slug, 'operation', operation, 'request', request);
  v_run public.runs := private.run_before(user_id, operation_id, v_arguments, attempt);
  v_model public.ai_models;
  v_service text;
  v_cost numeric;
begin
  replayed := coalesce(v_run.status <> 'running', false);
  if v_run.id is null then
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
      select p.cost into v_cost
      from private.price_call(
        v_service, v_model.provider_model, clock_timestamp(), input_tokens, 0, output_tokens, seconds, images
      ) p;
      if v_cost is null then
        perform private.raise_error(
          'model_unavailable', format('The model %s has no price at the moment', slug), v_service || ' ' || v_model.provider_model
        );
      end if;
    end if;
    v_run := private.open_run(
      user_id, operation_id, v_arguments, attempt, slug, v_service, operation, v_model.provider_model, v_model.fixed_tokens,
      v_cost, v_model.markup, v_model.timeout_seconds + 300, input_preview
    );
  end if;
  return query
  select v_run.id, v_run.status, v_run.tokens_reserved, v_run.remaining_after, v_run.expires_at, replayed;
end;
$function$;

CREATE OR REPLACE FUNCTION public.start_run(user_id uuid, operation_id text, request jsonb, amount bigint, service text, operation text, model text, ttl_seconds integer DEFAULT 900, input_preview text DEFAULT NULL::text, attempt uuid DEFAULT NULL::uuid)
 RETURNS TABLE(run_id uuid, run_status public.run_status, tokens_reserved bigint, remaining bigint, expires_at timestamp with time zone, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_arguments jsonb := jsonb_build_object(
    'amount', amount, 'service', service, 'operation', operation, 'model', model, 'request', request
  );
  v_run public.runs := private.run_before(user_id, operation_id, v_arguments, attempt);
begin
  replayed := coalesce(v_run.status <> 'running', false);
  if v_run.id is null then
    perform private.check_amount(amount);
    perform private.check_call(service, operation, model, 0, 0, 0, 0, 0, null);
    v_run := private.open_run(
      user_id, operation_id, v_arguments, attempt, null, service, operation, model, amount, null, 1, ttl_seconds, input_preview
    );
  end if;
  return query
  select v_run.id, v_run.status, v_run.tokens_reserved, v_run.remaining_after, v_run.expires_at, replayed;
end;
$function$;

CREATE OR REPLACE FUNCTION public.track_usage(user_id uuid, operation_id text, service text, operation text, model text, input_tokens bigint DEFAULT 0, cached_input_tokens bigint DEFAULT 0, output_tokens bigint DEFAULT 0, seconds numeric DEFAULT 0, images integer DEFAULT 0, explicit_cost_usd text DEFAULT NULL::text, tokens bigint DEFAULT NULL::bigint, success boolean DEFAULT true, error text DEFAULT NULL::text, response_time_ms integer DEFAULT NULL::integer, input_preview text DEFAULT NULL::text, output_summary text DEFAULT NULL::text, occurred_at timestamp with time zone DEFAULT NULL::timestamp with time zone, actor text DEFAULT NULL::text)
 RETURNS TABLE(usage_id uuid, recorded_at timestamp with time zone, cost_usd text, cost_eur text, price_id uuid, usd_eur text, unpriced boolean, tokens_charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_price record;
  v_explicit numeric;
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
    v_explicit := private.parse_cost(explicit_cost_usd);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;
  if v_explicit is not null or not success then
    v_cost := coalesce(v_explicit, 0);
  else
    v_price := private.price_call(
      service, model, recorded_at, input_tokens, cached_input_tokens, output_tokens, seconds, images
    );
    v_cost := v_price.cost;
    price_id := v_price.price_id;
  end if;
  if error is not null then
    error := private.redact(error, 500);
  end if;
  if coalesce(input_preview, output_summary) is not null then
    v_keep := private.keeps_previews(user_id);
    input_preview := case when v_keep then private.redact(input_preview, 100) end;
    output_summary := case when v_keep then private.redact(output_summary, 200) end;
  end if;
  if occurred_at is null or private.is_kept(occurred_at) then
    usage_id := gen_random_uuid();
    tokens_charged := coalesce(tokens, 0);
    v_usd_eur := private.record_usage(
      user_id, recorded_at, usage_id, operation_id, null, service, operation, model, input_tokens, cached_input_tokens,
      output_tokens, seconds, images, v_cost, price_id, tokens_charged, success, error, response_time_ms,
      input_preview, output_summary
    );
  end if;
  if v_usd_eur is null then
    return query
    select * from private.tracked_before(
      user_id, operation_id, service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds,
      images, v_explicit, tokens, success, occurred_at
    );
    return;
  end if;
  overdrawn := false;
  if tokens is not null then
    v_settled := private.settle_call(user_id, operation_id, tokens, actor);
    remaining := v_settled.remaining;
    overdrawn := v_settled.overdrawn;
  end if;
  cost_usd := private.usd_text(v_cost);
  cost_eur := private.usd_text(round(v_cost * v_usd_eur, 10));
  usd_eur := private.usd_text(v_usd_eur);
  unpriced := v_cost is null;
  replayed := false;
  return next;
end;
$function$;

ALTER TABLE "public"."ai_models" ADD CONSTRAINT "ai_models_api_key_variable_check" CHECK (((api_key_variable ~ '^[A-Z][A-Z0-9_]*_API_KEY$'::text) AND (api_key_variable <> 'HUB_API_KEY'::text)));

CREATE TRIGGER usage_operations_guard BEFORE DELETE OR UPDATE ON private.usage_operations FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_usage_change();

CREATE TRIGGER usage_operations_no_truncate BEFORE TRUNCATE ON private.usage_operations FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_usage_change();

COMMENT ON COLUMN "public"."runs"."attempt" IS 'Who started it: the same again goes on, since it did not hear that it had.';

COMMENT ON FUNCTION "private"."charge_multiplier"(uuid) IS 'The multiplier of a user''s charges: 1 without a plan.';

COMMENT ON FUNCTION "private"."current_subscription"(uuid) IS 'The subscription that counts for a user, and its plan in force.';

COMMENT ON FUNCTION "private"."hash_api_key"(text) IS 'The hash under which an API key is stored.';

COMMENT ON FUNCTION "private"."open_run"(uuid, text, jsonb, uuid, text, text, text, text, bigint, numeric, numeric, integer, text) IS 'Holds the tokens of a run and writes its row.';

COMMENT ON FUNCTION "private"."price_call"(text, text, timestamp with time zone, bigint, bigint, bigint, numeric, integer) IS 'What a call costs by the price of its moment.';

COMMENT ON FUNCTION "private"."redact"(text, integer) IS 'The beginning of a text, without what looks like a key, token or password.';

COMMENT ON FUNCTION "private"."run_before"(uuid, text, jsonb, uuid) IS 'Takes the user''s queue, and finds the run of an earlier call.';

COMMENT ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) IS 'Takes the tokens of a call that another backend made.';

COMMENT ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text, uuid) IS 'Starts a run of a model: holds what it costs at most.';

COMMENT ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text, uuid) IS 'Starts work that is paid for in tokens: holds its amount.';

REVOKE ALL ON FUNCTION "private"."charge_multiplier"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."charge_multiplier"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."current_subscription"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."current_subscription"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."hash_api_key"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."hash_api_key"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."open_run"(uuid, text, jsonb, uuid, text, text, text, text, bigint, numeric, numeric, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."open_run"(uuid, text, jsonb, uuid, text, text, text, text, bigint, numeric, numeric, integer, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."price_call"(text, text, timestamp with time zone, bigint, bigint, bigint, numeric, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."price_call"(text, text, timestamp with time zone, bigint, bigint, bigint, numeric, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."redact"(text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."redact"(text, integer) TO "postgres";

REVOKE ALL ON FUNCTION "private"."run_before"(uuid, text, jsonb, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."run_before"(uuid, text, jsonb, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."settle_call"(uuid, text, bigint, text) TO "postgres";

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text, uuid) TO "postgres", "service_role";

set local check_function_bodies = off;

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."start_model_run"(uuid, text, text, jsonb, bigint, bigint, numeric, integer, text, text, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."start_run"(uuid, text, jsonb, bigint, text, text, text, integer, text, uuid) FROM "authenticated";
