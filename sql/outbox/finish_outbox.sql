-- Ends an attempt to deliver a row of the outbox: delivered, skipped (the destination is not configured; no attempt was
-- made), or failed. A failed one is due again in 30 s × 2^(attempts − 1), give or take a quarter, or when its receiver
-- asks for if that is later, at most an hour; after the last it is dead. What ends makes its subject's next row due.
--
-- Only the worker that has the row ends its attempt; a late one changes nothing. What the HUB calls a token is kept.
--
-- Called by  functions/_shared/outbox.ts
-- Returns    status: delivered, skipped, dead, pending; stale when the attempt is over
-- Raises     invalid_request

create or replace function public.finish_outbox(
  outbox_id uuid,
  claim_id uuid,
  outcome text,
  error text default null,
  retry_after_seconds integer default null,
  hub_id text default null
)
returns table (status text)
language plpgsql
volatile
security definer -- outbox is private
set search_path = ''
as $$
declare
  v_row private.outbox;
  v_status private.outbox_status;
begin
  if (outcome in ('delivered', 'failed', 'skipped')) is not true then
    perform private.raise_error(
      'invalid_request', format('outcome must be delivered, failed or skipped, got %s', coalesce(outcome, 'nothing'))
    );
  end if;

  -- The token's row before any of the outbox, as refills have it.
  if outcome = 'delivered' and length(hub_id) between 1 and 255 then
    perform private.save_hub_id(o.subject, finish_outbox.hub_id)
    from private.outbox o
    where o.id = outbox_id and o.claim_id = finish_outbox.claim_id and o.destination = 'hub';
  end if;

  select o.* into v_row
  from private.outbox o
  where o.id = outbox_id and o.claim_id = finish_outbox.claim_id
  for update;
  if not found then
    status := 'stale';
    return next;
    return;
  end if;

  v_status := case
    when outcome <> 'failed' then outcome::private.outbox_status
    when v_row.attempts >= private.outbox_max_attempts() then 'dead'
    else 'pending'
  end;
  update private.outbox o
  set
    status = v_status,
    attempts = case when outcome = 'skipped' then o.attempts - 1 else o.attempts end,
    due_at = case
      when v_status <> 'pending' then o.due_at
      else greatest(
        now() + interval '30 seconds' * power(2, o.attempts - 1) * (0.75 + random() / 2),
        now() + make_interval(secs => case when retry_after_seconds > 3600 then 3600 else retry_after_seconds end)
      )
    end,
    claim_id = null,
    error = case when outcome = 'failed' then left(finish_outbox.error, 500) end,
    finished_at = case when v_status <> 'pending' then now() end
  where o.id = v_row.id;

  if v_status <> 'pending' then
    -- As in claim_outbox, whatever the statistics say. Not one under way, which another worker has.
    perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
    update private.outbox o
    set due_at = now()
    where o.claim_id is null and o.due_at > now()
      and o.id = (
        select n.id
        from private.outbox n
        where n.status = 'pending' and n.destination = v_row.destination and n.subject = v_row.subject
          and n.seq > v_row.seq
        order by n.seq
        limit 1
      );
  end if;
  status := v_status;
  return next;
end;
$$;

comment on function public.finish_outbox is 'Ends an attempt to deliver a row of the outbox.';
revoke execute on function public.finish_outbox from public, anon, authenticated;
grant execute on function public.finish_outbox to service_role;
