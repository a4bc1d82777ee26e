-- Revokes an API token, for ever, and tells the HUB: it can be neither refilled nor spent, and keeps its credits.
--
-- Called by  functions/refill
-- Returns    revoked: false when it was revoked already
-- Raises     api_token_not_found

create or replace function public.revoke_api_token(user_id uuid, token_id uuid)
returns table (revoked boolean)
language plpgsql
volatile
security definer -- callers hold no DML on api_tokens; this is the door
set search_path = ''
as $$
declare
  v_token public.api_tokens;
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set status = 'revoked', revoked_at = now(), version = t.version + 1
  where t.user_id = revoke_api_token.user_id and t.id = revoke_api_token.token_id and t.status = 'active'
  returning t.* into v_token;
  revoked := found;
  perform set_config('scrip.posting', '', true);
  if revoked then
    perform private.tell_hub(v_token, 'revoked');
  elsif not exists (
    select 1 from public.api_tokens t
    where t.user_id = revoke_api_token.user_id and t.id = revoke_api_token.token_id
  ) then
    perform private.raise_api_token_not_found(token_id);
  end if;
  return next;
end;
$$;

comment on function public.revoke_api_token is 'Revokes an API token.';
revoke execute on function public.revoke_api_token from public, anon, authenticated;
grant execute on function public.revoke_api_token to service_role;
