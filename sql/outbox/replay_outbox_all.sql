-- Has the rows of the outbox that are in one status delivered again, as replay_outbox does with one: the first finished
-- first, so that calling it again goes on. Of the pending ones, those that wait. Rows that somebody else holds are left
-- out.
--
-- Called by  functions/admin
-- Returns    how many

create or replace function public.replay_outbox_all(
  status text,
  destination text default null,
  max_count integer default 1000
)
returns table (replayed bigint)
language plpgsql
volatile
security definer -- outbox is private
set search_path = ''
as $$
declare
  v_status private.outbox_status := replay_outbox_all.status;
begin
  update private.outbox o
  set
    status = 'pending',
    attempts = case when o.status = 'pending' then o.attempts else 0 end,
    due_at = now(),
    finished_at = null
  where o.id in (
    select d.id
    from private.outbox d
    where d.status = v_status
      and (replay_outbox_all.destination is null or d.destination = replay_outbox_all.destination)
      and (v_status <> 'pending' or (d.claim_id is null and d.due_at > now()))
    order by d.finished_at, d.seq
    limit max_count
    for update skip locked
  );
  get diagnostics replayed = row_count;
  return next;
end;
$$;

comment on function public.replay_outbox_all is 'Has the rows of the outbox that are in one status delivered again.';
revoke execute on function public.replay_outbox_all from public, anon, authenticated;
grant execute on function public.replay_outbox_all to service_role;
