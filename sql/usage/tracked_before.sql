-- Answers for a call that was not recorded: with the first result, if its operation_id stands for the same call already.
--
-- Called by  track_usage
-- Raises     user_not_found, operation_id_reused, invalid_request

create or replace function private.tracked_before(
  user_id uuid,
  operation_id text,
  service text,
  operation text,
  model text,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer,
  cost numeric,
  tokens bigint,
  success boolean,
  occurred_at timestamptz
)
returns table (
  usage_id uuid,
  recorded_at timestamptz,
  cost_usd text,
  cost_eur text,
  price_id uuid,
  usd_eur text,
  unpriced boolean,
  tokens_charged bigint,
  remaining bigint,
  overdrawn boolean,
  replayed boolean
)
language plpgsql
stable
set search_path = ''
as $$
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
$$;

comment on function private.tracked_before is 'The first result of a recorded call.';
revoke execute on function private.tracked_before from public;
