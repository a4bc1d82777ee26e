-- Charges up to 1000 operations at once. Each succeeds or is refused by itself, exactly as charge_tokens would do it
-- in the order given; the results come in that order. Users who can pay for all of their charges, none of them a
-- replay, are charged as a set; the others one by one.
--
-- Called by  functions/credits
-- Returns    for each charge either the transaction or an error {code, message, details, hint}
-- Raises     invalid_request when the batch itself is not an array of 1 to 1000 charges; PostgreSQL's own errors when an
--            item is not an object or a field of it is no uuid or bigint, which functions/credits refuses before

create or replace function public.charge_tokens_batch(charges jsonb, actor text default null)
returns table (
  user_id uuid,
  operation_id text,
  transaction_id uuid,
  charged bigint,
  remaining bigint,
  replayed boolean,
  error jsonb
)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_users uuid[];
  v_amounts bigint[];
  v_operations text[];
  v_descriptions text[];
  v_metadata jsonb[];
  v_transactions uuid[] := '{}';
  v_remaining bigint[] := '{}';
  v_done record;
begin
  if charges is null or jsonb_typeof(charges) <> 'array' or jsonb_array_length(charges) not between 1 and 1000 then
    perform private.raise_error('invalid_request', 'charges must be an array of 1 to 1000 charges');
  end if;
  select
    array_agg(c.user_id), array_agg(c.amount), array_agg(c.operation_id), array_agg(c.description), array_agg(c.metadata)
  into v_users, v_amounts, v_operations, v_descriptions, v_metadata
  from jsonb_to_recordset(charges) as c (
    user_id uuid, amount bigint, operation_id text, description text, metadata jsonb
  );

  -- All queues first, in the order of their keys: two batches never wait for each other in a circle.
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct uuid_hash_extended(c.user_id, 0) as key
    from unnest(v_users) as c (user_id)
    where c.user_id is not null
    order by 1
  ) k;

  for v_done in
    select * from private.charge_tokens_set(v_users, v_amounts, v_operations, v_descriptions, v_metadata, actor)
  loop
    v_transactions[v_done.item] := v_done.transaction_id;
    v_remaining[v_done.item] := v_done.remaining;
  end loop;

  for i in 1 .. cardinality(v_users) loop
    user_id := v_users[i];
    operation_id := v_operations[i];
    transaction_id := v_transactions[i];
    charged := v_amounts[i];
    remaining := v_remaining[i];
    replayed := false;
    error := null;
    if transaction_id is null then
      begin
        select c.transaction_id, c.charged, c.remaining, c.replayed
        into transaction_id, charged, remaining, replayed
        from public.charge_tokens(v_users[i], v_amounts[i], v_operations[i], v_descriptions[i], v_metadata[i], actor) c;
      exception
        when sqlstate 'PGRST' then
          error := sqlerrm::jsonb;
          charged := null;
          remaining := null;
          replayed := null;
      end;
    end if;
    return next;
  end loop;
end;
$$;

comment on function public.charge_tokens_batch is 'Charges up to 1000 operations at once, each as charge_tokens would.';
revoke execute on function public.charge_tokens_batch from public, anon, authenticated;
grant execute on function public.charge_tokens_batch to service_role;
