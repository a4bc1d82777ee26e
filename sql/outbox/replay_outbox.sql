-- Has a row of the outbox delivered again, whatever became of it, as if it had never been tried; one that is pending is
-- only made due. An attempt under way goes on, alone.
--
-- Called by  functions/admin
-- Returns    status: pending
-- Raises     delivery_not_found

create or replace function public.replay_outbox(outbox_id uuid)
returns table (id uuid, status text)
language plpgsql
volatile
security definer -- outbox is private
set search_path = ''
as $$
begin
  return query
    update private.outbox o
    set
      status = 'pending',
      attempts = case when o.status = 'pending' then o.attempts else 0 end,
      due_at = case when o.claim_id is null then now() else o.due_at end,
      finished_at = null
    where o.id = outbox_id
    returning o.id, o.status::text;
  if not found then
    perform private.raise_error('delivery_not_found', format('There is no delivery %s', outbox_id));
  end if;
end;
$$;

comment on function public.replay_outbox is 'Has a row of the outbox delivered again.';
revoke execute on function public.replay_outbox from public, anon, authenticated;
grant execute on function public.replay_outbox to service_role;
