-- Makes the body of an error answer: {code, message, details, hint, status, retry_after}.
--
-- Called by  private.raise_error; functions that must commit what they refuse (activate_access_code)
-- Raises     nothing; a code outside the registry is a bug and becomes internal_error

create or replace function private.error_body(
  code text,
  message text,
  details text default null,
  hint text default null,
  retry_after_seconds integer default null
)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'code', coalesce(e.code, 'internal_error'),
    'message', message,
    'details', details,
    'hint', hint,
    'status', coalesce(e.http_status, 500),
    'retry_after', retry_after_seconds
  )
  from (select 1) one
  left join private.error_codes() e on e.code = error_body.code
$$;

comment on function private.error_body is 'The JSON of an error answer, its status taken from the registry.';
revoke execute on function private.error_body from public;
