-- A run, as it stands; with a user, only that user's.
--
-- Called by  functions/_shared/runs.ts
-- Raises     run_not_found

create or replace function public.get_run(run_id uuid, user_id uuid default null)
returns table (
  owner_id uuid,
  model text,
  run_status public.run_status,
  provider_run_id text,
  result jsonb,
  reason text,
  tokens_used bigint,
  remaining bigint,
  created_at timestamptz,
  expires_at timestamptz,
  finished_at timestamptz
)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
begin
  return query
  select
    r.user_id, r.model, r.status, r.provider_run_id, r.result, r.error, r.tokens_used, r.remaining_after, r.created_at,
    r.expires_at, r.finished_at
  from public.runs r
  where r.id = run_id and (get_run.user_id is null or r.user_id = get_run.user_id);
  if not found then
    perform private.raise_run_not_found(run_id);
  end if;
end;
$$;

comment on function public.get_run is 'A run, as it stands.';
revoke execute on function public.get_run from public, anon, authenticated;
grant execute on function public.get_run to service_role;
