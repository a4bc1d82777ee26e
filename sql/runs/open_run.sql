-- Holds the tokens of a run and writes its row. run_before has taken the user's queue. The hold's operation_id begins with
-- run:, so that a user, who chooses the rest, cannot take the id of a backend's operation.
--
-- Called by  start_model_run, start_run
-- Returns    the run as its row has it; price_mode follows from base_tokens
-- Raises     user_not_found, invalid_amount, insufficient_tokens, operation_id_reused

create or replace function private.open_run(
  user_id uuid,
  operation_id text,
  arguments jsonb,
  attempt uuid,
  model text,
  service text,
  operation text,
  usage_model text,
  base_tokens bigint,
  cost_usd numeric,
  markup numeric,
  ttl_seconds integer,
  input_preview text
)
returns public.runs
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.open_run is 'Holds the tokens of a run and writes its row.';
revoke execute on function private.open_run from public;
