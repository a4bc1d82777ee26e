-- Charges as a set every user of a batch for whom nothing can go wrong: all charges valid, their operation_ids new
-- and different, and the sum covered. The caller holds the users' queues.
--
-- Called by  charge_tokens_batch
-- Returns    the users charged

create or replace function private.charge_tokens_set(charges jsonb, actor text)
returns uuid[]
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_set uuid[];
begin
  -- Rows next, in the order of their keys, so that what is read below stays true until the end.
  perform 1
  from public.user_tokens u
  where u.user_id in (select c.user_id from jsonb_to_recordset(charges) as c (user_id uuid))
  order by u.user_id
  for update;

  select coalesce(array_agg(s.user_id), '{}') into v_set
  from (
    select c.user_id, sum(c.amount) as amount
    from jsonb_to_recordset(charges) as c (user_id uuid, amount bigint, operation_id text)
    where c.user_id is not null
    group by c.user_id
    having bool_and(coalesce(c.amount between 1 and 9000000000000000 and length(c.operation_id) between 1 and 255, false))
      and count(*) = count(distinct c.operation_id)
      and not bool_or(exists (
        select 1 from public.token_transactions t where t.user_id = c.user_id and t.operation_id = c.operation_id
      ))
      and not bool_or(exists (
        select 1 from public.token_holds h where h.user_id = c.user_id and h.operation_id = c.operation_id
      ))
  ) s
  join public.user_tokens u on u.user_id = s.user_id
  where u.journal_balance - u.tokens_reserved >= s.amount and u.holds_expire_at > now();

  perform set_config('scrip.posting', 'on', true);
  with items as (
    select
      c.*,
      count(*) over rest_in_order as items_left,
      sum(c.amount) over rest_in_order as amount_left
    from rows from (
      jsonb_to_recordset(charges) as (user_id uuid, amount bigint, operation_id text, description text, metadata jsonb)
    ) with ordinality as c (user_id, amount, operation_id, description, metadata, item)
    where c.user_id = any (v_set)
    window rest_in_order as (partition by c.user_id order by c.item desc)
  ),
  spent as (
    update public.user_tokens u
    set
      tokens_used = u.tokens_used + i.amount,
      journal_seq = u.journal_seq + i.items,
      journal_balance = u.journal_balance - i.amount
    from (
      select n.user_id, count(*) as items, sum(n.amount)::bigint as amount from items n group by n.user_id
    ) i
    where u.user_id = i.user_id
    returning u.user_id, u.journal_seq, u.journal_balance, u.tokens_reserved
  )
  insert into public.token_transactions (
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
  join spent s on s.user_id = i.user_id;
  perform set_config('scrip.posting', '', true);
  return v_set;
end;
$$;

comment on function private.charge_tokens_set is 'Charges as a set the users of a batch for whom nothing can go wrong.';
revoke execute on function private.charge_tokens_set from public;
