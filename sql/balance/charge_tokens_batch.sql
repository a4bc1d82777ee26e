-- Charges up to 1000 operations at once. Each succeeds or is refused by itself, exactly as charge_tokens would do it
-- in the order given; the results come in that order. Users who can pay for all of their charges, none of them a
-- replay, are charged as a set; the others one by one.
--
-- Called by  functions/credits
-- Returns    for each charge either the transaction or an error {code, message, details, hint}
-- Raises     invalid_request when the batch itself is not an array of 1 to 1000 charges

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
  v_item record;
  v_set uuid[];
  v_errors jsonb[];
  v_replayed boolean[];
begin
  if charges is null or jsonb_typeof(charges) <> 'array' or jsonb_array_length(charges) not between 1 and 1000 then
    perform private.raise_error('invalid_request', 'charges must be an array of 1 to 1000 charges');
  end if;
  v_errors := array_fill(null::jsonb, array[jsonb_array_length(charges)]);
  v_replayed := array_fill(false, array[jsonb_array_length(charges)]);

  -- All queues first, in the order of their keys: two batches never wait for each other in a circle.
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct uuid_hash_extended(c.user_id, 0) as key
    from jsonb_to_recordset(charges) as c (user_id uuid)
    where c.user_id is not null
    order by 1
  ) k;

  v_set := private.charge_tokens_set(charges, actor);

  for v_item in
    select c.*
    from rows from (
      jsonb_to_recordset(charges) as (user_id uuid, amount bigint, operation_id text, description text, metadata jsonb)
    ) with ordinality as c (user_id, amount, operation_id, description, metadata, item)
    where c.user_id is null or c.user_id <> all (v_set)
    order by c.item
  loop
    begin
      v_replayed[v_item.item] := (
        select c.replayed
        from public.charge_tokens(
          v_item.user_id, v_item.amount, v_item.operation_id, v_item.description, v_item.metadata, actor
        ) c
      );
    exception
      when sqlstate 'PGRST' then
        v_errors[v_item.item] := sqlerrm::jsonb;
    end;
  end loop;

  return query
  select
    c.user_id,
    c.operation_id,
    t.id,
    -t.amount,
    t.remaining_after,
    case when t.id is not null then v_replayed[c.item] end,
    v_errors[c.item]
  from rows from (
    jsonb_to_recordset(charges) as (user_id uuid, operation_id text)
  ) with ordinality as c (user_id, operation_id, item)
  left join public.token_transactions t
    on v_errors[c.item] is null and t.user_id = c.user_id and t.operation_id = c.operation_id
  order by c.item;
end;
$$;

comment on function public.charge_tokens_batch is 'Charges up to 1000 operations at once, each as charge_tokens would.';
revoke execute on function public.charge_tokens_batch from public, anon, authenticated;
grant execute on function public.charge_tokens_batch to service_role;
