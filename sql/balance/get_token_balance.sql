-- The balance, from its one source: what was bought, earned, granted and approved, less what is used and held.
-- A hold past its expiry no longer counts, whether or not it has been swept.
--
-- Called by  functions/get-token-balance, functions/credits, every operation that refuses; users over REST (row-level
--            security leaves them their own rows only)
-- Returns    one row, or none for an unknown user

create or replace function public.get_token_balance(user_id uuid)
returns table (
  purchased bigint,
  earned bigint,
  admin_bonus bigint,
  approved_requests bigint,
  total bigint,
  used bigint,
  reserved bigint,
  remaining bigint
)
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  select
    u.tokens_purchased,
    coalesce(s.earned_tokens, 0),
    coalesce(s.admin_bonus_tokens, 0),
    coalesce((
      select sum(r.amount)::bigint
      from public.token_requests r
      where r.user_id = get_token_balance.user_id and r.status = 'approved'
    ), 0),
    u.tokens_used,
    case
      when u.holds_expire_at > current_timestamp then u.tokens_reserved
      else coalesce((
        select sum(h.amount)::bigint
        from public.token_holds h
        where h.user_id = get_token_balance.user_id and h.status = 'active' and h.expires_at > current_timestamp
      ), 0)
    end
  into purchased, earned, admin_bonus, approved_requests, used, reserved
  from public.user_tokens u
  left join public.subscribers s on s.user_id = get_token_balance.user_id
  where u.user_id = get_token_balance.user_id;
  if found then
    total := purchased + earned + admin_bonus + approved_requests;
    remaining := total - used - reserved;
    return next;
  end if;
end;
$$;

comment on function public.get_token_balance is 'The balance of a user, part by part; no row for an unknown user.';
revoke execute on function public.get_token_balance from public, anon;
grant execute on function public.get_token_balance to authenticated, service_role;
