-- At what balances a user wants a notice, and whether they are low: tokens, US dollars, each active API token.
--
-- Called by  functions/notices
-- Returns    money and tokens as decimal strings; have counts what is held, as thresholds do; threshold is null for none

create or replace function public.get_low_balance_thresholds(user_id uuid)
returns table (balance text, token_id uuid, name text, have text, threshold text, low boolean)
language sql
stable
security definer -- usd_text is private
set search_path = ''
as $$
  (
    select
      'tokens', null::uuid, null::text, coalesce(u.journal_balance, 0)::text, u.low_balance_threshold::text,
      coalesce(u.journal_balance < u.low_balance_threshold, false)
    from (select 1) one
    left join public.user_tokens u on u.user_id = get_low_balance_thresholds.user_id
  )
  union all
  (
    select
      'usd', null, null, private.usd_text(coalesce(b.balance, 0)), private.usd_text(b.low_balance_threshold),
      coalesce(b.balance < b.low_balance_threshold, false)
    from (select 1) one
    left join public.usd_balances b on b.user_id = get_low_balance_thresholds.user_id
  )
  union all
  (
    select
      'api_token', t.id, t.name, t.credits::text, t.low_balance_threshold::text,
      coalesce(t.credits < t.low_balance_threshold, false)
    from public.api_tokens t
    where t.user_id = get_low_balance_thresholds.user_id and t.status = 'active'
    order by t.created_at desc, t.id desc
  )
$$;

comment on function public.get_low_balance_thresholds is 'At what balances a user wants a notice, and whether they are low.';
revoke execute on function public.get_low_balance_thresholds from public, anon, authenticated;
grant execute on function public.get_low_balance_thresholds to service_role;
