-- Records a call of an AI model or service, at most once per operation_id: its row with what it cost by the price and the
-- rate of its moment, and the day's sums, in one transaction. The cost may come with the call instead; a failed call cost
-- nothing unless its cost comes with it; without either it is unpriced. With tokens it charges them too, or settles the
-- hold of the same operation_id: if the user lacks them, nothing is recorded.
--
-- A call may be told later, as far back as raw rows are kept, but not ahead.
--
-- Called by  functions/usage, track_usage_batch
-- Returns    money as decimal strings, since JSON numbers are floats; unpriced = the cost is unknown; remaining is null
--            when no tokens were asked for
-- Raises     invalid_request, invalid_amount, user_not_found, operation_id_reused, insufficient_tokens, hold_not_active,
--            balance_limit_exceeded

create or replace function public.track_usage(
  user_id uuid,
  operation_id text,
  service text,
  operation text,
  model text,
  input_tokens bigint default 0,
  cached_input_tokens bigint default 0,
  output_tokens bigint default 0,
  seconds numeric default 0,
  images integer default 0,
  explicit_cost_usd text default null,
  tokens bigint default null,
  success boolean default true,
  error text default null,
  response_time_ms integer default null,
  input_preview text default null,
  output_summary text default null,
  occurred_at timestamptz default null,
  actor text default null
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
volatile
security definer -- callers hold no DML on usage or balances; this is the door
set search_path = ''
as $$
declare
  v_price record;
  v_explicit numeric;
  v_cost numeric;
  v_settled record;
  v_usd_eur numeric;
  v_keep boolean;
  v_locked boolean;
begin
  if (
    user_id is not null and length(operation_id) between 1 and 255 and not starts_with(operation_id, 'stripe:')
    and not starts_with(operation_id, 'run:')
    and length(service) between 1 and 100 and length(operation) between 1 and 100 and length(model) between 1 and 200
    and input_tokens between 0 and 1000000000000 and cached_input_tokens between 0 and input_tokens
    and output_tokens between 0 and 1000000000000 and seconds between 0 and 1000000000
    and images between 0 and 1000000 and coalesce(response_time_ms, 0) >= 0
  ) is not true then
    perform private.check_operation(user_id, operation_id);
    if starts_with(operation_id, 'run:') then
      perform private.raise_error('invalid_request', 'operation_id must not begin with run:, which runs begin with');
    end if;
    perform private.check_call(
      service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds, images, response_time_ms
    );
  elsif success is null or tokens not between 0 and 9000000000000000 then
    perform private.raise_error('invalid_request', 'success must be true or false, tokens from 0 to 9000000000000000');
  end if;
  seconds := round(seconds, 6); -- as the row has it
  recorded_at := coalesce(occurred_at, clock_timestamp());
  if explicit_cost_usd is not null then
    v_explicit := private.parse_cost(explicit_cost_usd);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;
  if v_explicit is not null or not success then
    v_cost := coalesce(v_explicit, 0);
  else
    v_price := private.price_call(
      service, model, recorded_at, input_tokens, cached_input_tokens, output_tokens, seconds, images
    );
    v_cost := v_price.cost;
    price_id := v_price.price_id;
  end if;
  if error is not null then
    error := private.redact(error, 500);
  end if;
  if coalesce(input_preview, output_summary) is not null then
    v_keep := private.keeps_previews(user_id);
    input_preview := case when v_keep then private.redact(input_preview, 100) end;
    output_summary := case when v_keep then private.redact(output_summary, 200) end;
  end if;
  if occurred_at is null or private.is_kept(occurred_at) then
    usage_id := gen_random_uuid();
    tokens_charged := coalesce(tokens, 0);
    v_usd_eur := private.record_usage(
      user_id, recorded_at, usage_id, operation_id, null, service, operation, model, input_tokens, cached_input_tokens,
      output_tokens, seconds, images, v_cost, price_id, tokens_charged, success, error, response_time_ms,
      input_preview, output_summary
    );
  end if;
  if v_usd_eur is null then
    return query
    select * from private.tracked_before(
      user_id, operation_id, service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds,
      images, v_explicit, tokens, success, occurred_at
    );
    return;
  end if;
  overdrawn := false;
  if tokens is not null then
    v_settled := private.settle_call(user_id, operation_id, tokens, actor);
    remaining := v_settled.remaining;
    overdrawn := v_settled.overdrawn;
  end if;
  cost_usd := private.usd_text(v_cost);
  cost_eur := private.usd_text(round(v_cost * v_usd_eur, 10));
  usd_eur := private.usd_text(v_usd_eur);
  unpriced := v_cost is null;
  replayed := false;
  return next;
end;
$$;

comment on function public.track_usage is 'Records a call with what it cost, at most once per operation_id.';
revoke execute on function public.track_usage from public, anon, authenticated;
grant execute on function public.track_usage to service_role;
