-- Gives an API token another name, and tells the HUB. A revoked one may be renamed as well.
--
-- Called by  functions/refill
-- Returns    renamed: false when it had that name
-- Raises     invalid_request, api_token_not_found

create or replace function public.rename_api_token(user_id uuid, token_id uuid, name text)
returns table (renamed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on api_tokens; this is the door
set search_path = ''
as $$
declare
  v_token public.api_tokens;
begin
  perform private.check_api_token_name(name);
  select t.* into v_token
  from public.api_tokens t
  where t.user_id = rename_api_token.user_id and t.id = rename_api_token.token_id
  for no key update;
  if not found then
    perform private.raise_api_token_not_found(token_id);
  end if;
  renamed := v_token.name <> rename_api_token.name;
  if renamed then
    perform set_config('scrip.posting', 'on', true);
    update public.api_tokens t
    set name = rename_api_token.name, version = t.version + 1
    where t.user_id = v_token.user_id and t.id = v_token.id
    returning t.* into v_token;
    perform set_config('scrip.posting', '', true);
    perform private.tell_hub(v_token, 'updated');
  end if;
  return next;
end;
$$;

comment on function public.rename_api_token is 'Gives an API token another name.';
revoke execute on function public.rename_api_token from public, anon, authenticated;
grant execute on function public.rename_api_token to service_role;
