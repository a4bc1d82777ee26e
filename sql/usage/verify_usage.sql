-- Proves that daily sums are the sums of their calls, for the months whose calls are kept; that each operation_id and each
-- run that has ended is one call; that tokens which calls and runs say they were charged are charges in the journal.
--
-- Called by  verify_ledger

create or replace function private.verify_usage()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
set search_path = ''
as $$
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
$$;

comment on function private.verify_usage is 'A row for each disagreement between calls, their sums, runs and the journal.';
revoke execute on function private.verify_usage from public;
