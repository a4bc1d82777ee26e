-- Opens a run's operation: takes the user's queue, and finds the run of an earlier call with the same operation_id. One
-- that is under way is in progress for everybody but the attempt that started it: the connection was lost before it heard.
--
-- Called by  start_model_run, start_run
-- Returns    the earlier run, which has ended or is this attempt's own; all null when there is none
-- Raises     invalid_request, operation_id_reused, operation_in_progress

create or replace function private.run_before(user_id uuid, operation_id text, arguments jsonb, attempt uuid)
returns public.runs
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_run public.runs;
begin
  perform private.check_operation(user_id, operation_id);
  if arguments ->> 'request' is null then
    perform private.raise_error('invalid_request', 'request is missing');
  end if;
  if length(operation_id) > 251 then -- the hold's has run: before it
    perform private.raise_error('invalid_request', 'operation_id of a run must have 1 to 251 characters');
  end if;
  perform private.lock_account(user_id);
  select r.* into v_run
  from public.runs r
  where r.user_id = run_before.user_id and r.operation_id = run_before.operation_id;
  if not found then
    if exists (
      select 1 from public.token_holds h
      where h.user_id = run_before.user_id and h.operation_id = 'run:' || run_before.operation_id
    ) then -- of a run that is not kept any more
      perform private.raise_operation_id_reused(operation_id);
    end if;
    return v_run;
  elsif v_run.request_hash <> sha256(convert_to(arguments::text, 'UTF8')) then
    perform private.raise_operation_id_reused(operation_id);
  elsif v_run.status = 'running' and (v_run.attempt = run_before.attempt) is not true then
    perform private.raise_error(
      'operation_in_progress', format('The run %s of operation_id %s is under way', v_run.id, operation_id),
      v_run.id::text, 'Ask for the run, or retry with the same operation_id when it has ended.'
    );
  end if;
  return v_run;
end;
$$;

comment on function private.run_before is 'Takes the user''s queue, and finds the run of an earlier call.';
revoke execute on function private.run_before from public;
