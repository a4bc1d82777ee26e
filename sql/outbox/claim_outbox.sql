-- Hands out rows of the outbox that are due, the longest due first, to one worker each: until the lease is over nobody
-- else gets them. Of a destination's subject only the first pending row is handed out; one that is not the first is put
-- off until that one is due, or finish_outbox calls it. Rows that another transaction holds are left to it.
--
-- An attempt whose lease ran out has failed: its worker died. After the last, the row is dead.
--
-- Called by  functions/hub-sync every minute by cron, functions/refill in the background

create or replace function public.claim_outbox(max_count integer, lease_seconds integer)
returns table (
  id uuid,
  claim_id uuid,
  destination text,
  event text,
  payload jsonb,
  attempts integer,
  created_at timestamptz
)
language plpgsql
volatile
security definer -- outbox is private
set search_path = ''
as $$
declare
  v_row record;
  v_first private.outbox;
  v_claimed integer := 0;
begin
  -- Statistics of a queue are often of when it was empty, and give plans that read all of it for each row.
  perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  for v_row in
    select o.id, o.destination, o.subject, o.claim_id
    from private.outbox o
    where o.status = 'pending' and o.due_at <= now()
    order by o.due_at, o.seq
    limit 10000 -- a run that put off a million would be stopped by the statement's timeout, and every other after it
  loop
    exit when v_claimed >= max_count;

    -- The subject's first is locked before any other is. Whoever holds it takes or ends it, and asks for the next then.
    select f.* into v_first
    from private.outbox f
    where f.id = (
      select e.id
      from private.outbox e
      where e.status = 'pending' and e.destination = v_row.destination and e.subject = v_row.subject
      order by e.seq
      limit 1
    )
    for update skip locked;
    continue when not found or v_first.status <> 'pending';

    if v_first.due_at > now() then
      update private.outbox o
      set due_at = v_first.due_at, claim_id = null
      where o.id = v_row.id and o.id <> v_first.id and o.finished_at is null
        and o.claim_id is not distinct from v_row.claim_id;
      continue;
    end if;

    if v_first.attempts >= private.outbox_max_attempts() then
      update private.outbox o
      set status = 'dead', finished_at = now(), claim_id = null, error = 'The worker did not come back'
      where o.id = v_first.id;
      continue;
    end if;

    v_claimed := v_claimed + 1;
    return query
      update private.outbox o
      set claim_id = gen_random_uuid(), attempts = o.attempts + 1, due_at = now() + make_interval(secs => lease_seconds)
      where o.id = v_first.id
      returning o.id, o.claim_id, o.destination, o.event, o.payload, o.attempts, o.created_at;
  end loop;
end;
$$;

comment on function public.claim_outbox is 'Hands out rows of the outbox that are due, to one worker each.';
revoke execute on function public.claim_outbox from public, anon, authenticated;
grant execute on function public.claim_outbox to service_role;
