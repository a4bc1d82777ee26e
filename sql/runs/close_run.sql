-- Ends a run that is claimed: its hold, its usage, its row.
--
-- Called by  finish_run, abandon_runs
-- Raises     balance_limit_exceeded

create or replace function private.close_run(
  run public.runs,
  status public.run_status,
  tokens bigint,
  cost numeric,
  price_id uuid,
  result jsonb,
  error text,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer,
  response_time_ms integer,
  output_summary text,
  actor text
)
returns public.runs
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.close_run is 'Ends a run that is claimed: its hold, its usage, its row.';
revoke execute on function private.close_run from public;
