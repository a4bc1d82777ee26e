-- What the prorations of an invoice give: the credits of the new plan for the rest of the period less those of the old one,
-- rounded down; nothing for a downgrade, since credits are never taken back by a change of plan. What a dearer plan gave in the
-- same period is not given again. How long the period is, the events of the subscription and of its invoices tell.
--
-- Called by  apply_invoice
-- Returns    null as long as no event has come that tells the period

create or replace function private.upgrade_credits(user_id uuid, stripe_subscription_id text, invoice jsonb)
returns bigint
language plpgsql
stable
set search_path = ''
as $$
declare
  v_change record;
  v_start timestamptz;
  v_credits bigint := 0;
begin
  for v_change in
    select
      l.period_start, l.period_end,
      max(p.credits_included) filter (where l.amount_cents > 0) as gained,
      sum(sign(l.amount_cents::numeric) * p.credits_included) as credits
    from private.invoice_lines(invoice) l
    join public.subscription_plans p on p.tier = l.tier
    where l.is_proration
    group by l.period_start, l.period_end
  loop
    select v_change.gained - greatest(v_change.gained - v_change.credits, max(p.credits_included)) into v_change.credits
    from public.purchases paid
    join public.subscription_plans p on p.tier = paid.tier
    where paid.user_id = upgrade_credits.user_id
      and paid.stripe_subscription_id = upgrade_credits.stripe_subscription_id
      and paid.period_end = v_change.period_end
      and paid.period_start < v_change.period_start
      and paid.stripe_id <> upgrade_credits.invoice ->> 'id';
    continue when v_change.credits > 0 is not true;
    select max(k.period_start) into v_start
    from (
      select
        to_timestamp(coalesce(i.item ->> 'current_period_start', o.object ->> 'current_period_start')::bigint),
        to_timestamp(coalesce(i.item ->> 'current_period_end', o.object ->> 'current_period_end')::bigint)
      from private.stripe_events e
      cross join lateral (select e.payload #> '{data,object}') o (object)
      cross join lateral jsonb_path_query(o.object, 'lax $.items.data[*]') i (item)
      where e.subscription_id = upgrade_credits.stripe_subscription_id
        and e.type in ('customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted')
      union all
      select l.period_start, l.period_end
      from private.stripe_events e
      cross join lateral private.invoice_lines(e.payload #> '{data,object}') l
      where e.subscription_id = upgrade_credits.stripe_subscription_id and e.type = 'invoice.paid' and not l.is_proration
    ) k (period_start, period_end)
    where k.period_end = v_change.period_end and k.period_start <= v_change.period_start;
    if v_start is null then
      return null;
    end if;
    v_credits := v_credits + floor(
      v_change.credits * extract(epoch from v_change.period_end - v_change.period_start)
      / extract(epoch from v_change.period_end - v_start)
    );
  end loop;
  return v_credits;
end;
$$;

comment on function private.upgrade_credits is 'What the prorations of an invoice give.';
revoke execute on function private.upgrade_credits from public;
