-- What a user spent on what, from the daily sums: in all and by service, model, operation and, if wanted, day. Days and
-- months are those of UTC, and a period's last day belongs to it. Of services, models and operations it has the hundred
-- dearest.
--
-- Called by  functions/usage
-- Returns    costs as decimal strings, since JSON numbers are floats; they are the known costs, beside which
--            unpriced_calls counts the calls without one
-- Raises     invalid_request

create or replace function public.summarize_usage(
  user_id uuid,
  service text default null,
  period text default 'current_month',
  from_day date default null,
  to_day date default null,
  with_days boolean default false
)
returns table (
  first_day date,
  last_day date,
  total_calls bigint,
  failed_calls bigint,
  unpriced_calls bigint,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  total_tokens bigint,
  tokens_charged bigint,
  total_cost_usd text,
  total_cost_eur text,
  average_response_time_ms integer,
  by_service jsonb,
  by_model jsonb,
  by_operation jsonb,
  by_day jsonb
)
language plpgsql
stable
security definer -- usage_period and usd_text are private
set search_path = ''
as $$
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
$$;

comment on function public.summarize_usage is 'What a user spent on what, in a period.';
revoke execute on function public.summarize_usage from public, anon, authenticated;
grant execute on function public.summarize_usage to service_role;
