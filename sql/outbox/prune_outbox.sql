-- Deletes what was delivered or skipped more than so many days ago; what is dead stays. A backlog is worked off run by
-- run.
--
-- Called by  pg_cron every minute where it exists (schedule_jobs)
-- Returns    how many

create or replace function public.prune_outbox(keep_days integer default 30, max_rows integer default 10000)
returns table (deleted bigint)
language plpgsql
volatile
security definer -- outbox is private
set search_path = ''
as $$
begin
  delete from private.outbox o
  where o.id in (
    select d.id
    from private.outbox d
    where d.status in ('delivered', 'skipped') and d.finished_at < now() - make_interval(days => keep_days)
    order by d.finished_at
    limit max_rows
    for update skip locked
  );
  get diagnostics deleted = row_count;
  return next;
end;
$$;

comment on function public.prune_outbox is 'Deletes what was delivered or skipped more than so many days ago.';
revoke execute on function public.prune_outbox from public, anon, authenticated;
grant execute on function public.prune_outbox to service_role;
