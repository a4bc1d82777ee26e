-- Ends a hold without charging anything, also one that has expired: it can no longer be settled then.
--
-- Called by  functions/credits
-- Raises     invalid_request, hold_not_found, hold_not_active

create or replace function public.release_tokens(user_id uuid, operation_id text)
returns table (hold_id uuid, released bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_hold public.token_holds;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_user(user_id);
  perform private.sweep_holds(user_id);
  select h.* into v_hold
  from public.token_holds h
  where h.user_id = release_tokens.user_id and h.operation_id = release_tokens.operation_id
  for update;
  if not found then
    perform private.raise_error('hold_not_found', format('The user has no hold %s', operation_id));
  elsif v_hold.status = 'settled' then
    perform private.raise_error('hold_not_active', format('The hold %s is settled', operation_id));
  end if;

  replayed := v_hold.released_remaining is not null;
  if not replayed then
    perform set_config('scrip.posting', 'on', true);
    update public.user_tokens u
    set tokens_reserved = u.tokens_reserved - case v_hold.status when 'active' then v_hold.amount else 0 end
    where u.user_id = release_tokens.user_id
    returning u.journal_balance - u.tokens_reserved into v_hold.released_remaining;
    update public.token_holds h
    set
      status = 'released',
      ended_at = coalesce(h.ended_at, now()),
      released_remaining = v_hold.released_remaining
    where h.user_id = release_tokens.user_id and h.operation_id = release_tokens.operation_id;
    perform set_config('scrip.posting', '', true);
  end if;
  hold_id := v_hold.id;
  released := v_hold.amount;
  remaining := v_hold.released_remaining;
  return next;
end;
$$;

comment on function public.release_tokens is 'Ends a hold without charging anything.';
revoke execute on function public.release_tokens from public, anon, authenticated;
grant execute on function public.release_tokens to service_role;
