-- Adds an API token, if its product is on offer and the user has fewer than 100, and tells the HUB. Revoked ones count
-- for a day, so that nobody fills tables and outbox by making and revoking. The caller holds the user's queue.
--
-- Called by  create_api_token
-- Returns    the token's id
-- Raises     user_not_found, product_not_found, too_many_api_tokens

create or replace function private.add_api_token(
  user_id uuid,
  kind public.api_token_kind,
  product_id uuid,
  name text,
  key_hint text
)
returns uuid
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_token public.api_tokens;
begin
  if product_id is not null then
    perform from public.products p where p.id = add_api_token.product_id and p.active for key share;
    if not found then
      perform private.raise_error('product_not_found', format('There is no product %s on offer', product_id));
    end if;
  end if;
  if (
    select count(*)
    from public.api_tokens t
    where t.user_id = add_api_token.user_id and (t.status = 'active' or t.created_at > now() - interval '1 day')
  ) >= 100 then
    perform private.raise_error(
      'too_many_api_tokens',
      'You have 100 API tokens that are active or were made within a day, and may have 100',
      hint => 'Revoke one that is not needed, or try again tomorrow.'
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  begin
    insert into public.api_tokens as t (user_id, kind, product_id, name, key_hint)
    values (add_api_token.user_id, kind, product_id, name, key_hint)
    returning t.* into v_token;
  exception
    when foreign_key_violation then
      perform private.raise_user_not_found(user_id);
  end;
  perform set_config('scrip.posting', '', true);
  perform private.tell_hub(v_token, 'created');
  return v_token.id;
end;
$$;

comment on function private.add_api_token is 'Adds an API token, and tells the HUB.';
revoke execute on function private.add_api_token from public;
