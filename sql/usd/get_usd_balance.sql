-- What a user has in US dollars.
--
-- Called by  edge functions; users over REST (row-level security leaves them their own row only)
-- Returns    one row: a decimal string, as private.usd_text writes it; 0.00 for a user without a balance

create or replace function public.get_usd_balance(user_id uuid)
returns table (usd_balance text)
language sql
stable
security invoker
set search_path = ''
as $$
  select coalesce(
    (
      select round(b.balance, greatest(min_scale(b.balance), 2))::text
      from public.usd_balances b
      where b.user_id = get_usd_balance.user_id
    ),
    '0.00'
  )
$$;

comment on function public.get_usd_balance is 'What a user has in US dollars, as a decimal string; 0.00 without a balance.';
revoke execute on function public.get_usd_balance from public, anon;
grant execute on function public.get_usd_balance to authenticated, service_role;
