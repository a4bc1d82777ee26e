-- Answers whether a user could spend an amount now. Nothing is set aside: reserve_tokens does that.
--
-- Called by  functions/credits
-- Raises     invalid_amount, user_not_found

create or replace function public.check_tokens(user_id uuid, amount bigint)
returns table (allowed boolean, have bigint, need bigint)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
begin
  perform private.check_amount(amount);
  return query
  select b.remaining >= check_tokens.amount, b.remaining, check_tokens.amount
  from public.get_token_balance(check_tokens.user_id) b;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
end;
$$;

comment on function public.check_tokens is 'Whether a user could spend an amount now.';
revoke execute on function public.check_tokens from public, anon, authenticated;
grant execute on function public.check_tokens to service_role;
