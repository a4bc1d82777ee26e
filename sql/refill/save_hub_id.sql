-- Keeps what the HUB calls a token, if it has not said so before. No version: the HUB knows.
--
-- Called by  finish_outbox

create or replace function private.save_hub_id(token_id uuid, hub_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set hub_id = save_hub_id.hub_id
  where t.id = save_hub_id.token_id and t.hub_id is null;
  perform set_config('scrip.posting', '', true);
end;
$$;

comment on function private.save_hub_id is 'Keeps what the HUB calls a token.';
revoke execute on function private.save_hub_id from public;
