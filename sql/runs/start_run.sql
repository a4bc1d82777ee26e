-- Starts work of the operator's own that is paid for in tokens: holds the amount times the plan's multiplier. Nothing is
-- charged before finish_run.
--
-- Called by  functions/_shared/with-tokens.ts
-- Returns    the run; replayed when an earlier call with the same operation_id started it and it has ended. The attempt
--            that started it may ask again while it runs, which others may not.
-- Raises     invalid_request, invalid_amount, user_not_found, insufficient_tokens, operation_id_reused,
--            operation_in_progress

create or replace function public.start_run(
  user_id uuid,
  operation_id text,
  request jsonb,
  amount bigint,
  service text,
  operation text,
  model text,
  ttl_seconds integer default 900,
  input_preview text default null,
  attempt uuid default null
)
returns table (
  run_id uuid,
  run_status public.run_status,
  tokens_reserved bigint,
  remaining bigint,
  expires_at timestamptz,
  replayed boolean
)
language plpgsql
volatile
security definer -- callers hold no DML on runs or holds; this is the door
set search_path = ''
as $$
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
$$;

comment on function public.start_run is 'Starts work that is paid for in tokens: holds its amount.';
revoke execute on function public.start_run from public, anon, authenticated;
grant execute on function public.start_run to service_role;
