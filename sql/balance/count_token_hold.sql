-- Keeps user_tokens in step with holds edited by hand. A hold that has ended is a record; an active one may be
-- released, expired, resized or given more time, but only settle_tokens settles, since settling charges.
--
-- Called by  a trigger of token_holds, for edits by hand
-- Raises     hold_not_active, derived_column, invalid_amount, operation_id_reused, user_not_found

create or replace function private.count_token_hold()
returns trigger
language plpgsql
security definer -- whoever may edit the hold may not edit user_tokens
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.status <> 'active' then
    perform private.raise_error('hold_not_active', format('The hold %s is %s', old.operation_id, old.status));
  elsif tg_op <> 'DELETE' and new.status = 'settled' then
    perform private.raise_error(
      'derived_column', 'A hold is settled by charging what was used', hint => 'Call settle_tokens.'
    );
  elsif tg_op <> 'DELETE' then
    perform private.check_amount(new.amount);
  end if;
  if tg_op = 'INSERT' and exists (
    select 1 from public.token_transactions t where t.user_id = new.user_id and t.operation_id = new.operation_id
  ) then
    perform private.raise_operation_id_reused(new.operation_id);
  end if;
  perform set_config('scrip.posting', 'on', true);
  if tg_op <> 'INSERT' and old.status = 'active' then
    update public.user_tokens u set tokens_reserved = u.tokens_reserved - old.amount where u.user_id = old.user_id;
  end if;
  if tg_op <> 'DELETE' and new.status = 'active' then
    update public.user_tokens u
    set
      tokens_reserved = u.tokens_reserved + new.amount,
      holds_expire_at = least(u.holds_expire_at, new.expires_at)
    where u.user_id = new.user_id;
    if not found then
      perform private.raise_user_not_found(new.user_id);
    end if;
  end if;
  perform set_config('scrip.posting', '', true);
  return null;
end;
$$;

comment on function private.count_token_hold is 'Keeps user_tokens in step with holds edited by hand.';
revoke execute on function private.count_token_hold from public;
