-- A user's journal, newest first.
--
-- Called by  functions/subscription

create or replace function public.list_token_transactions(user_id uuid, page_size integer, before_seq bigint default null)
returns table (
  id uuid,
  seq bigint,
  type text,
  amount bigint,
  balance_after bigint,
  remaining_after bigint,
  operation_id text,
  reference text,
  description text,
  created_at timestamptz
)
language sql
stable
security invoker
set search_path = ''
as $$
  select
    t.id, t.seq, t.type::text, t.amount, t.balance_after, t.remaining_after, t.operation_id, t.reference, t.description,
    t.created_at
  from public.token_transactions t
  where t.user_id = list_token_transactions.user_id and t.seq < coalesce(before_seq, 9223372036854775807)
  order by t.seq desc
  limit page_size
$$;

comment on function public.list_token_transactions is 'A user''s journal, newest first.';
revoke execute on function public.list_token_transactions from public, anon, authenticated;
grant execute on function public.list_token_transactions to service_role;
