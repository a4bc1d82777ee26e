-- Refuses a run that is not there, not kept any more, or somebody else's.
--
-- Called by  get_run, finish_run, attach_provider_run
-- Raises     run_not_found

create or replace function private.raise_run_not_found(run_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('run_not_found', format('There is no run %s', run_id));
end;
$$;

comment on function private.raise_run_not_found is 'Refuses a run that is not there.';
revoke execute on function private.raise_run_not_found from public;
