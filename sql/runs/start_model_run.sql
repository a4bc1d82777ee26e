-- Starts a run of a model: holds the fixed price, or what the most that it can use costs, times the plan's multiplier.
-- Nothing is charged before finish_run.
--
-- Called by  functions/run-model
-- Returns    the run; replayed when an earlier call with the same operation_id started it and it has ended. The attempt
--            that started it may ask again while it runs, which others may not.
-- Raises     invalid_request, invalid_amount, model_not_found, model_unavailable, user_not_found, insufficient_tokens,
--            operation_id_reused, operation_in_progress

create or replace function public.start_model_run(
  user_id uuid,
  slug text,
  operation_id text,
  request jsonb,
  input_tokens bigint default 0,
  output_tokens bigint default 0,
  seconds numeric default 0,
  images integer default 0,
  operation text default null,
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
$$;

comment on function public.start_model_run is 'Starts a run of a model: holds what it costs at most.';
revoke execute on function public.start_model_run from public, anon, authenticated;
grant execute on function public.start_model_run to service_role;
