-- Notes what the provider calls a run that takes longer.
--
-- Called by  functions/run-model
-- Returns    false when the run has ended, or is another one at the provider already
-- Raises     run_not_found

create or replace function public.attach_provider_run(run_id uuid, provider_run_id text)
returns table (attached boolean)
language plpgsql
volatile
security definer -- callers hold no DML on runs; this is the door
set search_path = ''
as $$
begin
  if (length(provider_run_id) between 1 and 255) is not true then
    perform private.raise_error('invalid_request', 'provider_run_id must have 1 to 255 characters');
  end if;
  update public.runs r
  set provider_run_id = attach_provider_run.provider_run_id
  where r.id = run_id
    and r.status = 'running'
    and coalesce(r.provider_run_id, attach_provider_run.provider_run_id) = attach_provider_run.provider_run_id;
  attached := found;
  if not attached and not exists (select 1 from public.runs r where r.id = run_id) then
    perform private.raise_run_not_found(run_id);
  end if;
  return next;
end;
$$;

comment on function public.attach_provider_run is 'Notes what the provider calls a run that takes longer.';
revoke execute on function public.attach_provider_run from public, anon, authenticated;
grant execute on function public.attach_provider_run to service_role;
