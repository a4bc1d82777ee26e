-- Records up to 500 calls at once. Each is recorded or refused by itself, exactly as track_usage would do it in the order
-- given; the results come in that order.
--
-- Called by  functions/usage
-- Returns    for each call either what track_usage returns or an error {code, message, details, hint}
-- Raises     invalid_request when the batch itself is not an array of 1 to 500 calls; PostgreSQL's own errors when an
--            item is not an object or a field of it is of another type, which functions/usage refuses before

create or replace function public.track_usage_batch(calls jsonb, actor text default null)
returns table (
  item integer,
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
  replayed boolean,
  error jsonb
)
language plpgsql
volatile
security definer -- callers hold no DML on usage or balances; this is the door
set search_path = ''
as $$
declare
  c record;
begin
  if calls is null or jsonb_typeof(calls) <> 'array' or jsonb_array_length(calls) not between 1 and 500 then
    perform private.raise_error('invalid_request', 'calls must be an array of 1 to 500 calls');
  end if;
  -- An account's deletion holds its row of auth.users while it waits for the queue, and so has the row to come first.
  perform from auth.users u
  where u.id in (select (e.value ->> 'user_id')::uuid from jsonb_array_elements(calls) e)
  order by u.id
  for key share;
  -- All queues first, in the order of their keys: two batches never wait for each other in a circle.
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct uuid_hash_extended((e.value ->> 'user_id')::uuid, 0) as key
    from jsonb_array_elements(calls) e
    where e.value ->> 'user_id' is not null
    order by 1
  ) k;

  item := 0;
  for c in
    select r.*
    from jsonb_array_elements(calls) with ordinality e (value, number)
    cross join lateral jsonb_to_record(e.value) as r (
      user_id uuid, operation_id text, service text, operation text, model text, input_tokens bigint,
      cached_input_tokens bigint, output_tokens bigint, seconds numeric, images integer, explicit_cost_usd text,
      tokens bigint, success boolean, error text, response_time_ms integer, input_preview text, output_summary text,
      occurred_at timestamptz
    )
    order by e.number
  loop
    item := item + 1;
    error := null;
    begin
      select t.*
      into
        usage_id, recorded_at, cost_usd, cost_eur, price_id, usd_eur, unpriced, tokens_charged, remaining, overdrawn,
        replayed
      from public.track_usage(
        c.user_id, c.operation_id, c.service, c.operation, c.model, coalesce(c.input_tokens, 0),
        coalesce(c.cached_input_tokens, 0), coalesce(c.output_tokens, 0), coalesce(c.seconds, 0),
        coalesce(c.images, 0), c.explicit_cost_usd, c.tokens, coalesce(c.success, true), c.error, c.response_time_ms,
        c.input_preview, c.output_summary, c.occurred_at, track_usage_batch.actor
      ) t;
    exception
      when sqlstate 'PGRST' then
        usage_id := null;
        recorded_at := null;
        cost_usd := null;
        cost_eur := null;
        price_id := null;
        usd_eur := null;
        unpriced := null;
        tokens_charged := null;
        remaining := null;
        overdrawn := null;
        replayed := null;
        error := sqlerrm::jsonb;
    end;
    return next;
  end loop;
end;
$$;

comment on function public.track_usage_batch is 'Records up to 500 calls at once, each as track_usage would.';
revoke execute on function public.track_usage_batch from public, anon, authenticated;
grant execute on function public.track_usage_batch to service_role;
