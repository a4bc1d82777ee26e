-- The beginning of a text, without keys.
--
-- Called by  track_usage, open_run, close_run, where keeps_previews allows it

create or replace function private.preview(content text, characters integer)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  -- What lies far behind the cut need not be looked at.
  return left(private.redact(left(content, 2000)), characters);
end;
$$;

comment on function private.preview is 'The beginning of a text, without keys.';
revoke execute on function private.preview from public;
