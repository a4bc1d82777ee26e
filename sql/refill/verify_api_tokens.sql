-- Proves that API tokens, their journal, the refills and the USD journal agree: each credits_after is the one before
-- plus the amount, the credits are the sum of the amounts, no version is behind its journal; each refill has its rows
-- in both journals and they have theirs, and it gave and cost what its rate and fee say.
--
-- Called by  verify_ledger
-- Returns    a row for each problem; none when all is well

create or replace function private.verify_api_tokens()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
set search_path = ''
as $$
  with journal as (
    select
      t.*,
      lag(t.credits_after, 1, 0::bigint) over (partition by t.user_id, t.token_id order by t.version) + t.amount
        as expected_credits
    from public.api_token_transactions t
  ),
  sums as (
    select j.user_id, j.token_id, sum(j.amount) as credits, max(j.version) as version
    from journal j
    group by j.user_id, j.token_id
  )
  select
    j.user_id, format('credits_after of token %s, version %s', j.token_id, j.version), j.expected_credits,
    j.credits_after
  from journal j
  where j.credits_after <> j.expected_credits
  union all
  select
    coalesce(s.user_id, t.user_id), format('credits of token %s', coalesce(s.token_id, t.id)), coalesce(s.credits, 0),
    coalesce(t.credits, 0)
  from sums s
  full join public.api_tokens t on t.user_id = s.user_id and t.id = s.token_id
  where coalesce(s.credits, 0) <> coalesce(t.credits, 0)
  union all
  select t.user_id, format('version of token %s', t.id), s.version, t.version
  from public.api_tokens t
  join sums s on s.user_id = t.user_id and s.token_id = t.id
  where t.version < s.version
  union all
  select
    coalesce(r.user_id, j.user_id), format('refill %s and its credits', coalesce(r.id::text, j.reference)),
    r.credits_added, j.amount
  from public.refill_transactions r
  full join (select * from journal where type = 'refill') j
    on j.user_id = r.user_id and j.token_id = r.token_id and j.version = r.version
  where (j.amount = r.credits_added and j.credits_after = r.credits_after and j.reference = r.id::text) is not true
  union all
  select
    coalesce(r.user_id, u.user_id),
    format('refill %s and its US dollars', coalesce(r.operation_id, u.operation_id)), -r.usd_spent, u.amount
  from public.refill_transactions r
  full join (select * from public.usd_transactions where type = 'refill') u
    on u.user_id = r.user_id and u.operation_id = r.operation_id
  where (
    u.amount = -r.usd_spent and u.balance_after = r.usd_balance_after and u.reference = r.token_id::text
  ) is not true
  union all
  select
    r.user_id, format('formula of refill %s', r.id),
    case r.mode when 'usd' then div(r.usd_spent - r.fee, r.rate) else r.credits_added * r.rate + r.fee end,
    case r.mode when 'usd' then r.credits_added else r.usd_spent end
  from public.refill_transactions r
  where case r.mode
    when 'usd' then r.credits_added <> div(r.usd_spent - r.fee, r.rate)
    else r.usd_spent <> r.credits_added * r.rate + r.fee
  end
$$;

comment on function private.verify_api_tokens is 'A row for each disagreement among API tokens, refills and their journals; none when all is well.';
revoke execute on function private.verify_api_tokens from public;
