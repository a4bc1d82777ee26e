-- A user's calls, newest first.
--
-- Called by  functions/usage
-- Returns    costs as decimal strings, since JSON numbers are floats; null when unpriced

create or replace function public.list_usage(
  user_id uuid,
  in_service text default null,
  page_size integer default 10,
  first_day date default null,
  last_day date default null,
  before_occurred_at timestamptz default null,
  before_id uuid default null
)
returns table (
  id uuid,
  occurred_at timestamptz,
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
  cost_usd text,
  cost_eur text,
  price_id uuid,
  usd_eur text,
  tokens_charged bigint,
  success boolean,
  error text,
  response_time_ms integer,
  input_preview text,
  output_summary text
)
language plpgsql
stable
security definer -- usd_text is private
set search_path = ''
as $$
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
$$;

comment on function public.list_usage is 'A user''s calls, newest first.';
revoke execute on function public.list_usage from public, anon, authenticated;
grant execute on function public.list_usage to service_role;
