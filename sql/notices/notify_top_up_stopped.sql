-- Writes the notice of an auto top-up that stopped by itself, whatever the reason; a user who switches it off gives none.
--
-- Called by  a trigger of auto_top_ups

create or replace function private.notify_top_up_stopped()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write notices
set search_path = ''
as $$
begin
  perform private.write_notice(
    new.user_id, 'auto_top_up.stopped', jsonb_build_object('reason', new.stopped_reason)
  );
  return null;
end;
$$;

comment on function private.notify_top_up_stopped is 'Writes the notice of an auto top-up that stopped by itself.';
revoke execute on function private.notify_top_up_stopped from public;
