-- Raises an error of the registry, in the form that PostgREST turns into the HTTP answer.
--
-- Called by  every SQL function that refuses something
-- Source     PostgREST, "RAISE errors with HTTP status codes": SQLSTATE PGRST, message = body, detail = status and headers

create or replace function private.raise_error(
  code text,
  message text,
  details text default null,
  hint text default null,
  retry_after_seconds integer default null
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_body jsonb := private.error_body(code, message, details, hint, retry_after_seconds);
begin
  raise sqlstate 'PGRST' using
    message = (v_body - 'status' - 'retry_after')::text,
    detail = jsonb_build_object(
      'status', v_body -> 'status',
      'headers', jsonb_strip_nulls(jsonb_build_object('Retry-After', v_body ->> 'retry_after'))
    )::text;
end;
$$;

comment on function private.raise_error is 'Raises a registered error as PostgREST expects it: body, status and headers.';
revoke execute on function private.raise_error from public;
