-- Raises     operation_id_reused

create or replace function private.raise_operation_id_reused(operation_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error(
    'operation_id_reused',
    format('operation_id %s was used before with other arguments', operation_id),
    hint => 'Retry with the same arguments, or use a new operation_id.'
  );
end;
$$;

comment on function private.raise_operation_id_reused is 'Refuses an operation_id that stands for something else.';
revoke execute on function private.raise_operation_id_reused from public;
