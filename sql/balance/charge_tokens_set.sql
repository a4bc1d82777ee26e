-- Charges as a set every user of a batch for whom nothing can go wrong: all charges valid, their operation_ids new
-- and different, and the sum covered. The caller holds the users' queues.
--
-- Called by  charge_tokens_batch
-- Returns    the items charged; those of the other users are missing

create or replace function private.charge_tokens_set(
  users uuid[],
  amounts bigint[],
  operations text[],
  descriptions text[],
  metadata jsonb[],
  actor text
)
returns table (item bigint, transaction_id uuid, remaining bigint)
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('scrip.posting', 'on', true);
  return query
  with items as (
    select
      c.*,
      count(*) over rest_in_order as items_left,
      sum(c.amount) over rest_in_order as amount_left
    from unnest(users, amounts, operations, descriptions, charge_tokens_set.metadata)
      with ordinality as c (user_id, amount, operation_id, description, metadata, item)
    window rest_in_order as (partition by c.user_id order by c.item desc)
  ),
  payable as (
    select i.user_id, count(*) as items, sum(i.amount) as amount
    from items i
    where i.user_id is not null
    group by i.user_id
    having bool_and(
        coalesce(
          i.amount between 1 and 9000000000000000 and length(i.operation_id) between 1 and 255
          and not starts_with(i.operation_id, 'stripe:'),
          false
        )
      )
      and count(*) = count(distinct i.operation_id)
      and not bool_or(exists (
        select 1 from public.token_transactions t where t.user_id = i.user_id and t.operation_id = i.operation_id
      ))
      and not bool_or(exists (
        select 1 from public.token_holds h where h.user_id = i.user_id and h.operation_id = i.operation_id
      ))
  ),
  spent as (
    update public.user_tokens u
    set
      tokens_used = u.tokens_used + p.amount::bigint,
      journal_seq = u.journal_seq + p.items,
      journal_balance = u.journal_balance - p.amount::bigint
    from payable p
    where u.user_id = p.user_id
      and u.journal_balance - u.tokens_reserved >= p.amount
      and u.holds_expire_at > current_timestamp
    returning u.user_id, u.journal_seq, u.journal_balance, u.tokens_reserved
  ),
  written as (
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, description, metadata, actor
    )
    select
      i.user_id,
      s.journal_seq - i.items_left + 1,
      'charge',
      'used',
      -i.amount,
      s.journal_balance + i.amount_left - i.amount,
      s.journal_balance + i.amount_left - i.amount - s.tokens_reserved,
      i.operation_id,
      i.description,
      coalesce(i.metadata, '{}'),
      coalesce(charge_tokens_set.actor, nullif(current_setting('role'), 'none'), session_user)
    from items i
    join spent s on s.user_id = i.user_id
    order by i.item
    returning t.user_id, t.operation_id, t.id, t.remaining_after
  )
  select i.item, w.id, w.remaining_after
  from written w
  join items i on i.user_id = w.user_id and i.operation_id = w.operation_id;
  perform set_config('scrip.posting', '', true);
end;
$$;

comment on function private.charge_tokens_set is 'Charges as a set the users of a batch for whom nothing can go wrong.';
revoke execute on function private.charge_tokens_set from public;
