-- Proves that the USD journal and the USD balances agree, for every user: seq without gaps, each balance_after the one
-- before plus the amount, the balance the sum of the amounts, journal_seq the last seq.
--
-- Called by  verify_ledger
-- Returns    a row for each problem; none when all is well

create or replace function private.verify_usd_ledger()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
set search_path = ''
as $$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::numeric) over in_order + t.amount as expected_balance
    from public.usd_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, sum(j.amount) as balance, max(j.seq) as seq from journal j group by j.user_id
  )
  select j.user_id, 'USD seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('USD balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select coalesce(s.user_id, b.user_id), 'USD balance', coalesce(s.balance, 0), coalesce(b.balance, 0)
  from sums s
  full join public.usd_balances b on b.user_id = s.user_id
  where coalesce(s.balance, 0) <> coalesce(b.balance, 0)
  union all
  select b.user_id, 'USD journal_seq', coalesce(s.seq, 0), b.journal_seq
  from public.usd_balances b
  left join sums s on s.user_id = b.user_id
  where b.journal_seq <> coalesce(s.seq, 0)
$$;

comment on function private.verify_usd_ledger is 'A row for each disagreement between the USD journal and the USD balances; none when all is well.';
revoke execute on function private.verify_usd_ledger from public;
