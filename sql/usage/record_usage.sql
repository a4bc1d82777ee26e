-- Writes a call, at most once per operation_id: its row, with the rate of its day, and the day's sums, in the caller's
-- transaction. The caller holds the user's queue, has checked the call, and knows its price. Previews come as they are to
-- be kept. What ends a run happens once by itself, and its operation_id is not one of track_usage's.
--
-- Called by  track_usage, close_run
-- Returns    euros for a US dollar on that day; null when the operation_id is taken or the user unknown

create or replace function private.record_usage(
  user_id uuid,
  occurred_at timestamptz,
  usage_id uuid,
  operation_id text,
  run_id uuid,
  service text,
  operation text,
  model text,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer,
  cost numeric,
  price_id uuid,
  tokens_charged bigint,
  success boolean,
  error text,
  response_time_ms integer,
  input_preview text,
  output_summary text
)
returns numeric
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.record_usage is 'Writes a call and the day''s sums.';
revoke execute on function private.record_usage from public;
