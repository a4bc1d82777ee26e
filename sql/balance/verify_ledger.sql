-- Proves that the journal and the balance columns agree, for every user: seq without gaps, each balance_after the one
-- before plus the amount, each column the sum of its rows, the head on user_tokens the last row, holds adding up and
-- due in time, no charge refunded beyond its amount; the same for US dollars and for the credits of API tokens; every
-- purchase granted and every refill done as it says; the sums of usage, and the charges of runs and calls.
-- It reads everything: for tests, benchmarks and an operator's nightly check.
--
-- Called by  tests, benchmarks, operators
-- Returns    a row for each problem; none when all is well

create or replace function public.verify_ledger()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
security definer -- its parts are private; what it reads, service_role may read as well
set search_path = ''
as $$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::bigint) over in_order + t.amount as expected_balance
    from public.token_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, j.account, sum(j.amount) as amount from journal j group by j.user_id, j.account
  ),
  columns as (
    select u.user_id, 'purchased'::public.token_account as account, u.tokens_purchased::numeric as amount
    from public.user_tokens u
    union all
    select u.user_id, 'used', -u.tokens_used from public.user_tokens u
    union all
    select s.user_id, 'earned', s.earned_tokens from public.subscribers s where s.user_id is not null
    union all
    select s.user_id, 'admin_bonus', s.admin_bonus_tokens from public.subscribers s where s.user_id is not null
    union all
    select r.user_id, 'approved_requests', sum(r.amount)
    from public.token_requests r
    where r.status = 'approved'
    group by r.user_id
  ),
  holds as (
    select h.user_id, sum(h.amount) as amount, min(h.expires_at) as expires_at
    from public.token_holds h
    where h.status = 'active'
    group by h.user_id
  ),
  refunds as (
    select r.user_id, r.reference, sum(r.amount) as amount
    from public.token_transactions r
    where r.type = 'refund'
    group by r.user_id, r.reference
  )
  select j.user_id, 'seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select
    coalesce(s.user_id, c.user_id),
    format('journal of %s', coalesce(s.account, c.account)),
    coalesce(c.amount, 0),
    coalesce(s.amount, 0)
  from sums s
  full join columns c on c.user_id = s.user_id and c.account = s.account
  where coalesce(s.amount, 0) <> coalesce(c.amount, 0)
  union all
  select u.user_id, 'journal_seq', coalesce(max(j.seq), 0), u.journal_seq
  from public.user_tokens u
  left join journal j on j.user_id = u.user_id
  group by u.user_id
  having u.journal_seq <> coalesce(max(j.seq), 0)
  union all
  select u.user_id, 'journal_balance', coalesce(sum(s.amount), 0), u.journal_balance
  from public.user_tokens u
  left join sums s on s.user_id = u.user_id
  group by u.user_id
  having u.journal_balance <> coalesce(sum(s.amount), 0)
  union all
  select u.user_id, 'tokens_reserved', coalesce(h.amount, 0), u.tokens_reserved
  from public.user_tokens u
  left join holds h on h.user_id = u.user_id
  where u.tokens_reserved <> coalesce(h.amount, 0)
  union all
  select u.user_id, 'holds_expire_at', extract(epoch from h.expires_at), extract(epoch from u.holds_expire_at)
  from public.user_tokens u
  join holds h on h.user_id = u.user_id
  where u.holds_expire_at > h.expires_at
  union all
  select h.user_id, format('hold %s and its charge', h.operation_id), h.settled_amount, -t.amount
  from public.token_holds h
  left join public.token_transactions t
    on t.user_id = h.user_id and t.operation_id = h.operation_id and t.type = 'charge'
  where case h.status
    when 'settled' then t.amount is null or -t.amount <> h.settled_amount
    else t.amount is not null
  end
  union all
  select r.user_id, format('refunds of %s', r.reference), -t.amount, r.amount
  from refunds r
  left join public.token_transactions t
    on t.user_id = r.user_id and t.operation_id = r.reference and t.type = 'charge'
  where t.amount is null or r.amount > -t.amount
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usd_ledger() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_purchases() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_api_tokens() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usage() v
$$;

comment on function public.verify_ledger is 'A row for each disagreement between the journal and the balances; none when all is well.';
revoke execute on function public.verify_ledger from public, anon, authenticated;
grant execute on function public.verify_ledger to service_role;
