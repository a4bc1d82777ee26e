-- Proves that purchases and journals agree: what each purchase granted, less what was clawed back, is what the buyer's
-- journals have under its stripe_id. Deleted users are left out: of them nothing can be taken back.
--
-- Called by  verify_ledger

create or replace function private.verify_purchases()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
set search_path = ''
as $$
  with tokens as (
    select t.user_id, t.reference, sum(t.amount) as amount
    from public.token_transactions t
    where t.type in ('purchase', 'subscription', 'clawback') and t.operation_id like 'stripe:%'
    group by t.user_id, t.reference
  ),
  usd as (
    select t.user_id, t.reference, sum(t.amount) as amount
    from public.usd_transactions t
    where t.type in ('deposit', 'clawback') and t.operation_id like 'stripe:%'
    group by t.user_id, t.reference
  )
  select
    coalesce(p.user_id, t.user_id), format('tokens of purchase %s', coalesce(p.stripe_id, t.reference)),
    coalesce(p.tokens_granted - p.tokens_clawed_back, 0), coalesce(t.amount, 0)
  from public.purchases p
  full join tokens t on t.user_id = p.user_id and t.reference = p.stripe_id
  where coalesce(t.amount, 0) <> coalesce(p.tokens_granted - p.tokens_clawed_back, 0)
    and exists (select 1 from public.user_tokens u where u.user_id = coalesce(p.user_id, t.user_id))
  union all
  select
    coalesce(p.user_id, t.user_id), format('USD of purchase %s', coalesce(p.stripe_id, t.reference)),
    coalesce(p.usd_granted - p.usd_clawed_back, 0), coalesce(t.amount, 0)
  from public.purchases p
  full join usd t on t.user_id = p.user_id and t.reference = p.stripe_id
  where coalesce(t.amount, 0) <> coalesce(p.usd_granted - p.usd_clawed_back, 0)
    and exists (select 1 from auth.users u where u.id = coalesce(p.user_id, t.user_id))
$$;

comment on function private.verify_purchases is 'A row for each purchase whose grants the journals don''t have.';
revoke execute on function private.verify_purchases from public;
