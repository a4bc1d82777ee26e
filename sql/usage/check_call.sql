-- Checks what a call says of itself.
--
-- Called by  track_usage, start_model_run, start_run, finish_run
-- Raises     invalid_request

create or replace function private.check_call(
  service text,
  operation text,
  model text,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  seconds numeric,
  images integer,
  response_time_ms integer
)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if (
    length(service) between 1 and 100 and length(operation) between 1 and 100 and length(model) between 1 and 200
  ) is not true then
    perform private.raise_error(
      'invalid_request', 'service and operation must have 1 to 100 characters, model 1 to 200'
    );
  elsif (input_tokens between 0 and 1000000000000 and output_tokens between 0 and 1000000000000) is not true then
    perform private.raise_error('invalid_request', 'input_tokens and output_tokens must be from 0 to 1000000000000');
  elsif (cached_input_tokens between 0 and input_tokens) is not true then
    perform private.raise_error('invalid_request', 'cached_input_tokens must be from 0 to input_tokens');
  elsif (seconds between 0 and 1000000000) is not true then
    perform private.raise_error('invalid_request', 'seconds must be from 0 to 1000000000');
  elsif (images between 0 and 1000000) is not true then
    perform private.raise_error('invalid_request', 'images must be from 0 to 1000000');
  elsif response_time_ms < 0 then
    perform private.raise_error('invalid_request', 'response_time_ms must not be negative');
  end if;
end;
$$;

comment on function private.check_call is 'Checks what a call says of itself.';
revoke execute on function private.check_call from public;
