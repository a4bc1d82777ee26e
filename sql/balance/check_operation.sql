-- Checks what every operation is named by.
--
-- Called by  every operation
-- Raises     invalid_request

create or replace function private.check_operation(user_id uuid, operation_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if user_id is null then
    perform private.raise_error('invalid_request', 'user_id is missing');
  elsif operation_id is null or length(operation_id) not between 1 and 255 then
    perform private.raise_error('invalid_request', 'operation_id must have 1 to 255 characters');
  elsif starts_with(operation_id, 'stripe:') then
    perform private.raise_error('invalid_request', 'operation_id must not begin with stripe:, which payments begin with');
  end if;
end;
$$;

comment on function private.check_operation is 'Refuses an operation without a user or a usable operation_id.';
revoke execute on function private.check_operation from public;
