-- What a code gives this user: the grant, and with the first code the sign-up entitlement, which is then spent.
--
-- Called by  activate_access_code
-- Raises     user_not_found

create or replace function private.claim_entitlement(user_id uuid, tokens_to_grant bigint, on_top boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_subscriber public.subscribers;
begin
  select s.* into v_subscriber from public.subscribers s where s.user_id = claim_entitlement.user_id for update;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
  if v_subscriber.entitlement_granted_at is not null then
    return tokens_to_grant;
  end if;
  update public.subscribers s set entitlement_granted_at = now() where s.id = v_subscriber.id;
  return v_subscriber.base_tokens + case
    when on_top then v_subscriber.bonus_tokens + tokens_to_grant
    else greatest(v_subscriber.bonus_tokens, tokens_to_grant)
  end;
end;
$$;

comment on function private.claim_entitlement is 'What a code gives a user, with the sign-up entitlement if it is the first.';
revoke execute on function private.claim_entitlement from public;
