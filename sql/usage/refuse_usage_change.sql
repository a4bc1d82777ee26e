-- Calls, their ids and their daily sums stay as operations wrote them, and so agree.
--
-- Called by  triggers of usage_events, usage_operations and usage_daily
-- Raises     journal_append_only

create or replace function private.refuse_usage_change()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on recorded usage is refused: it is append-only', initcap(tg_op)),
    hint => 'Record a call with track_usage; old months go by rotate_usage_months.'
  );
  return null;
end;
$$;

comment on function private.refuse_usage_change is 'Refuses every change of recorded usage but what operations append.';
revoke execute on function private.refuse_usage_change from public;
