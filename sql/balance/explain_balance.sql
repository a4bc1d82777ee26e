-- Answers "why do I have 2500?" line by line: every grant and correction in order, then what is used, what is held,
-- and what remains. Its cost grows with the grants, not with the charges.
--
-- Called by  functions/admin; users over REST (row-level security leaves them their own rows only)
-- Returns    no lines for an unknown user

create or replace function public.explain_balance(user_id uuid)
returns table (
  line bigint,
  source text,
  amount bigint,
  running_total bigint,
  description text,
  reference text,
  operation_id text,
  created_at timestamptz
)
language sql
stable
security invoker
set search_path = ''
as $$
  with balance as (
    select b.used, b.reserved from public.get_token_balance(explain_balance.user_id) b
  ),
  grants as (
    select t.seq, t.type::text as source, t.amount, t.description, t.reference, t.operation_id, t.created_at
    from public.token_transactions t
    where t.user_id = explain_balance.user_id and t.account <> 'used'
  ),
  entries as (
    select 1 as part, g.seq, g.source, g.amount, g.description, g.reference, g.operation_id, g.created_at
    from grants g
    where exists (select 1 from balance)
    union all
    select 2, 0, 'used', -b.used, 'Charged, less refunds', null, null, null from balance b
    union all
    select 3, 0, 'reserved', -b.reserved, 'Held for work under way', null, null, null from balance b
  )
  select
    row_number() over entries_in_order,
    e.source,
    e.amount,
    (sum(e.amount) over entries_in_order)::bigint,
    e.description,
    e.reference,
    e.operation_id,
    e.created_at
  from entries e
  window entries_in_order as (order by e.part, e.seq)
  order by e.part, e.seq
$$;

comment on function public.explain_balance is 'Where a user''s tokens came from and went, line by line; the last running_total is what remains.';
revoke execute on function public.explain_balance from public, anon;
grant execute on function public.explain_balance to authenticated, service_role;
