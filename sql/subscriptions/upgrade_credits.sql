-- What the prorations of an invoice give: the credits of the new plan for the rest of the period less those of the old one,
-- rounded down; nothing for a downgrade, since credits are never taken back by a change of plan.
--
-- Called by  apply_invoice

create or replace function private.upgrade_credits(stripe_subscription_id text, invoice jsonb)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce(sum(greatest(floor(
    change.credits * extract(epoch from change.period_end - change.period_start)
    / extract(epoch from change.period_end - coalesce(
      (
        select paid.granted_period_start
        from public.subscriptions s
        join public.purchases paid
          on paid.user_id = s.user_id and paid.stripe_subscription_id = s.stripe_subscription_id
        where s.stripe_subscription_id = upgrade_credits.stripe_subscription_id
          and paid.period_end = change.period_end
          and paid.granted_period_start is not null
      ),
      change.period_end - interval '1 month'
    ))
  ), 0)), 0)::bigint
  from (
    select l.period_start, l.period_end, sum(sign(l.amount_cents::numeric) * p.credits_included) as credits
    from private.invoice_lines(invoice) l
    join public.subscription_plans p on p.tier = l.tier
    where l.is_proration
    group by l.period_start, l.period_end
  ) change
$$;

comment on function private.upgrade_credits is 'What the prorations of an invoice give.';
revoke execute on function private.upgrade_credits from public;
