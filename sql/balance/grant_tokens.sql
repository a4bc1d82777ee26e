-- Raises one of the columns that make up a user's total, leaving the journal row to the caller. Rows are locked in the
-- order subscribers, user_tokens, as in an edit by hand.
--
-- Called by  add_tokens, activate_access_code
-- Raises     balance_limit_exceeded, user_not_found

create or replace function private.grant_tokens(user_id uuid, account public.token_account, amount bigint)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_total bigint;
begin
  perform set_config('scrip.posting', 'on', true);
  if account in ('earned', 'admin_bonus') then
    update public.subscribers s
    set
      earned_tokens = s.earned_tokens + case account when 'earned' then grant_tokens.amount else 0 end,
      admin_bonus_tokens = s.admin_bonus_tokens + case account when 'admin_bonus' then grant_tokens.amount else 0 end
    where s.user_id = grant_tokens.user_id;
    if not found then
      perform private.raise_user_not_found(user_id);
    end if;
  end if;
  update public.user_tokens u
  set tokens_purchased = u.tokens_purchased + case account when 'purchased' then grant_tokens.amount else 0 end
  where u.user_id = grant_tokens.user_id;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
  perform set_config('scrip.posting', '', true);

  select b.total into v_total from public.get_token_balance(grant_tokens.user_id) b;
  if v_total > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded',
      format('Cannot give %s tokens: the total would be %s, at most 9000000000000000', amount, v_total)
    );
  end if;
end;
$$;

comment on function private.grant_tokens is 'Raises a column of a user''s total; the caller journals it.';
revoke execute on function private.grant_tokens from public;
