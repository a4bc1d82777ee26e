-- Ends a run, once: a success settles its hold with what it really cost, anything else releases it, and either is recorded
-- as usage, in one transaction. Ending it again changes nothing and answers how it ended.
--
-- A hold that was settled or released by other means stays as it is: the operator's word counts.
--
-- Called by  functions/_shared/runs.ts
-- Returns    the run; replayed when it had ended before; reason is the error without keys
-- Raises     invalid_request, invalid_amount, run_not_found, balance_limit_exceeded

create or replace function public.finish_run(
  run_id uuid,
  outcome text,
  result jsonb default null,
  error text default null,
  tokens bigint default null,
  input_tokens bigint default 0,
  cached_input_tokens bigint default 0,
  output_tokens bigint default 0,
  seconds numeric default 0,
  images integer default 0,
  explicit_cost_usd text default null,
  response_time_ms integer default null,
  output_summary text default null,
  actor text default null
)
returns table (
  owner_id uuid,
  run_status public.run_status,
  tokens_used bigint,
  remaining bigint,
  overdrawn boolean,
  reason text,
  replayed boolean
)
language plpgsql
volatile
security definer -- callers hold no DML on runs, holds or usage; this is the door
set search_path = ''
as $$
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
$$;

comment on function public.finish_run is 'Ends a run, once: charges a success, releases anything else, records either.';
revoke execute on function public.finish_run from public, anon, authenticated;
grant execute on function public.finish_run to service_role;
