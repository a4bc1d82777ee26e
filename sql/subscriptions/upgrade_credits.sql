-- What the prorations of an invoice give: the credits of the new plan for the rest of the period less those of the old one,
-- rounded down; nothing for a downgrade, since credits are never taken back by a change of plan. What was paid out of the
-- customer's balance gives none: a downgrade may have put it there, and up and down would give credits for nothing.
-- How long the period is, the events of the subscription and of its invoices tell.
--
-- Called by  apply_invoice
-- Returns    null as long as no event has come that tells the period

create or replace function private.upgrade_credits(stripe_subscription_id text, invoice jsonb)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_total_cents numeric := greatest((invoice ->> 'total')::bigint, 0);
  v_paid_cents numeric := least((invoice ->> 'amount_paid')::bigint, v_total_cents);
  v_change record;
  v_start timestamptz;
  v_credits bigint := 0;
begin
  if v_total_cents = 0 then -- a discount of all of it
    v_total_cents := 1;
    v_paid_cents := 1;
  end if;
  for v_change in
    select l.period_start, l.period_end, sum(sign(l.amount_cents::numeric) * p.credits_included) as credits
    from private.invoice_lines(invoice) l
    join public.subscription_plans p on p.tier = l.tier
    where l.is_proration
    group by l.period_start, l.period_end
    having sum(sign(l.amount_cents::numeric) * p.credits_included) > 0
  loop
    select max(k.period_start) into v_start
    from (
      select
        to_timestamp(coalesce(i.item ->> 'current_period_start', o.object ->> 'current_period_start')::bigint),
        to_timestamp(coalesce(i.item ->> 'current_period_end', o.object ->> 'current_period_end')::bigint)
      from private.stripe_events e
      cross join lateral (select e.payload #> '{data,object}') o (object)
      cross join lateral jsonb_path_query(o.object, 'lax $.items.data[*]') i (item)
      where e.subscription_id = upgrade_credits.stripe_subscription_id
        and e.type in (
          'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted'
        )
      union all
      select l.period_start, l.period_end
      from private.stripe_events e
      cross join lateral private.invoice_lines(e.payload #> '{data,object}') l
      where e.subscription_id = upgrade_credits.stripe_subscription_id
        and e.type = 'invoice.paid'
        and not l.is_proration
    ) k (period_start, period_end)
    where k.period_end = v_change.period_end and k.period_start <= v_change.period_start;
    if v_start is null then
      return null;
    end if;
    v_credits := v_credits + floor(
      v_change.credits * extract(epoch from v_change.period_end - v_change.period_start) * v_paid_cents
      / (extract(epoch from v_change.period_end - v_start) * v_total_cents)
    );
  end loop;
  return v_credits;
end;
$$;

comment on function private.upgrade_credits is 'What the prorations of an invoice give.';
revoke execute on function private.upgrade_credits from public;
