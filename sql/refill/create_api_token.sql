-- Creates an API token and its key, at most once per operation_id. Only the key's hash is kept, so the key is in the
-- first answer and nowhere else: a replay names the token, with api_key null.
--
-- Called by  functions/refill
-- Raises     invalid_request, user_not_found, product_not_found, too_many_api_tokens, operation_id_reused

create or replace function public.create_api_token(
  user_id uuid,
  kind text,
  name text,
  operation_id text,
  product_id uuid default null
)
returns table (token_id uuid, api_key text, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on api_tokens; this is the door
set search_path = ''
as $$
declare
  v_request jsonb := jsonb_build_object('kind', kind, 'product_id', product_id, 'name', name);
  v_first jsonb;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.check_api_token_name(name);
  if (kind = 'product' and product_id is not null or kind = 'master' and product_id is null) is not true then
    perform private.raise_error('invalid_request', 'kind must be product, with a product_id, or master, without one');
  end if;
  perform private.lock_account(user_id);

  select k.token_id, k.request into token_id, v_first
  from private.api_keys k
  where k.user_id = create_api_token.user_id and k.operation_id = create_api_token.operation_id;
  replayed := found;
  if replayed and v_first <> v_request then
    perform private.raise_operation_id_reused(operation_id);
  elsif not replayed then
    api_key := private.generate_api_key();
    token_id := private.add_api_token(user_id, kind::public.api_token_kind, product_id, name, right(api_key, 4));
    insert into private.api_keys (key_hash, user_id, token_id, operation_id, request)
    values (private.hash_api_key(api_key), user_id, token_id, operation_id, v_request);
  end if;
  return next;
end;
$$;

comment on function public.create_api_token is 'Creates an API token and returns its key in clear, once.';
revoke execute on function public.create_api_token from public, anon, authenticated;
grant execute on function public.create_api_token to service_role;
