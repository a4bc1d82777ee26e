-- Takes a run to end it: the queue of its user, and then the row as it is by then.
--
-- Called by  finish_run
-- Raises     run_not_found

create or replace function private.claim_run(run_id uuid)
returns public.runs
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_user_id uuid;
  v_run public.runs;
begin
  select r.user_id into v_user_id from public.runs r where r.id = run_id;
  if found then
    perform private.lock_account(v_user_id);
    select r.* into v_run from public.runs r where r.user_id = v_user_id and r.id = run_id for update;
  end if;
  if v_run.id is null then
    perform private.raise_run_not_found(run_id);
  end if;
  return v_run;
end;
$$;

comment on function private.claim_run is 'Takes a run to end it.';
revoke execute on function private.claim_run from public;
