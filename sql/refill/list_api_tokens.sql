-- A user's API tokens, newest first, or one of them.
--
-- Called by  functions/refill
-- Raises     api_token_not_found, when the one that is asked for is not the user's

create or replace function public.list_api_tokens(
  user_id uuid,
  page_size integer default 1,
  before_created_at timestamptz default null,
  before_id uuid default null,
  token_id uuid default null
)
returns table (
  id uuid,
  kind text,
  product_id uuid,
  name text,
  status text,
  credits bigint,
  version bigint,
  hub_id text,
  key_hint text,
  created_at timestamptz,
  revoked_at timestamptz
)
language plpgsql
stable
security definer -- raise_api_token_not_found is private
set search_path = ''
as $$
begin
  return query
  select
    t.id, t.kind::text, t.product_id, t.name, t.status::text, t.credits, t.version, t.hub_id, t.key_hint, t.created_at,
    t.revoked_at
  from public.api_tokens t
  where t.user_id = list_api_tokens.user_id
    and (list_api_tokens.token_id is null or t.id = list_api_tokens.token_id)
    and (before_created_at is null or (t.created_at, t.id) < (before_created_at, before_id))
  order by t.created_at desc, t.id desc
  limit page_size;
  if not found and token_id is not null then
    perform private.raise_api_token_not_found(token_id);
  end if;
end;
$$;

comment on function public.list_api_tokens is 'A user''s API tokens, newest first, or one of them.';
revoke execute on function public.list_api_tokens from public, anon, authenticated;
grant execute on function public.list_api_tokens to service_role;
