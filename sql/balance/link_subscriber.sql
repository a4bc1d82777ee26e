-- Links the waiting-list row of a confirmed address to its user. The row that the user got at sign-up is folded into
-- it, so that no token granted in between is lost; the triggers of subscribers journal both. The sign-up entitlement is
-- the one of the waiting list.
--
-- Called by  subscribe_user

create or replace function private.link_subscriber(user_id uuid, email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_own public.subscribers;
  v_waiting public.subscribers;
begin
  perform private.lock_user(user_id);
  select s.* into v_waiting
  from public.subscribers s
  where s.user_id is null and lower(s.email) = lower(link_subscriber.email)
  for update;
  if not found then
    return;
  end if;
  delete from public.subscribers s where s.user_id = link_subscriber.user_id returning s.* into v_own;
  update public.subscribers s
  set
    user_id = link_subscriber.user_id,
    display_name = coalesce(v_own.display_name, s.display_name),
    locale = coalesce(v_own.locale, s.locale),
    usage_previews = s.usage_previews and coalesce(v_own.usage_previews, true),
    entitlement_granted_at = coalesce(v_own.entitlement_granted_at, s.entitlement_granted_at),
    earned_tokens = s.earned_tokens + coalesce(v_own.earned_tokens, 0),
    admin_bonus_tokens = s.admin_bonus_tokens + coalesce(v_own.admin_bonus_tokens, 0)
  where s.id = v_waiting.id;
end;
$$;

comment on function private.link_subscriber is 'Links the waiting-list row of a confirmed address to its user.';
revoke execute on function private.link_subscriber from public;
