-- How much of a payment is refunded and disputed, from all of its events, whatever their order. A refund counts from its
-- creation until it fails or is cancelled, which is final. What a charge says to be refunded beyond the refunds that
-- are known counts as well, until their own events come. A dispute counts once funds were withdrawn, unless they were
-- reinstated or it was won.
--
-- Called by  settle_purchase
-- Returns    one row, in the smallest unit of the currency

create or replace function private.stripe_reversals(payment_intent_ids text[])
returns table (refunded_cents bigint, disputed_cents bigint)
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select 1 from private.stripe_events e
    where e.payment_intent_id = any (payment_intent_ids)
      and (e.type like 'refund.%' or e.type like 'charge.refund%' or e.type like 'charge.dispute.%')
  ) then -- most payments
    return query select 0::bigint, 0::bigint;
    return;
  end if;
  return query
    with events as (
      select e.type, e.occurred_at, e.payload #> '{data,object}' as object
      from private.stripe_events e
      where e.payment_intent_id = any (payment_intent_ids)
    ),
    refund_states as (
      select e.object as refund, e.occurred_at from events e where e.object ->> 'object' = 'refund'
      union all
      select r.refund, e.occurred_at
      from events e
      cross join lateral jsonb_path_query(e.object, 'lax $.refunds.data[*]') r (refund)
      where e.object ->> 'object' = 'charge'
    ),
    refunds as (
      select
        s.refund ->> 'id' as id,
        max((s.refund ->> 'amount')::bigint) as amount,
        min(to_timestamp((s.refund ->> 'created')::bigint)) as created_at,
        min(s.occurred_at) filter (where s.refund ->> 'status' in ('failed', 'canceled')) as undone_at
      from refund_states s
      group by s.refund ->> 'id'
    ),
    unknown as ( -- what a charge says to be refunded beyond the refunds that it can have counted
      select max((e.object ->> 'amount_refunded')::bigint - coalesce((
        select sum(r.amount)
        from refunds r
        where r.created_at <= e.occurred_at + interval '5 seconds' -- the clocks of two objects may differ
          and (r.undone_at is null or r.undone_at >= e.occurred_at)
      ), 0)) as amount
      from events e
      where e.type = 'charge.refunded'
    ),
    disputes as (
      select
        max((e.object ->> 'amount')::bigint) as amount,
        bool_or(
          e.type = 'charge.dispute.funds_withdrawn'
          or e.object ->> 'status' = 'lost'
          or jsonb_path_exists(e.object, 'lax $.balance_transactions[*] ? (@.amount < 0)')
        ) and not bool_or(
          e.type = 'charge.dispute.funds_reinstated'
          or e.object ->> 'status' = 'won'
        ) as withdrawn
      from events e
      where e.object ->> 'object' = 'dispute'
      group by e.object ->> 'id'
    )
    select
      coalesce((select sum(r.amount) from refunds r where r.undone_at is null), 0)::bigint
      + greatest((select u.amount from unknown u), 0)::bigint,
      coalesce((select sum(d.amount) from disputes d where d.withdrawn), 0)::bigint;
end;
$$;

comment on function private.stripe_reversals is 'How much of a payment is refunded and disputed, from all of its events.';
revoke execute on function private.stripe_reversals from public;
