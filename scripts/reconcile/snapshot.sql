-- What Stripe says, in tables that `npm run reconcile` fills, and the views that compare it with what Scrip holds. All of
-- it is temporary.
--
-- Called by  scripts/reconcile/compare.ts

create temp table period (
  from_at timestamptz not null,
  to_at timestamptz not null
);

create temp table stripe_charges ( -- those that were paid
  payment_intent_id text primary key,
  kind text, -- null: not Scrip's, or an invoice's
  user_id text,
  customer_id text,
  amount_cents bigint not null,
  currency text not null,
  refunded_cents bigint not null,
  refund_ids text not null,
  disputed boolean not null,
  paid_at timestamptz not null
);

create temp table stripe_disputes (
  id text primary key,
  payment_intent_id text,
  status text not null,
  taken_cents bigint not null
);

create index on stripe_disputes (payment_intent_id);

create temp table stripe_bought ( -- what is paid without a charge of its own: invoices, and checkouts that cost nothing
  id text primary key,
  kind text not null,
  user_id text,
  amount_cents bigint not null,
  currency text not null,
  paid_at timestamptz not null
);

create temp table stripe_invoice_payments (
  payment_intent_id text primary key,
  invoice_id text not null
);

create temp table stripe_subscriptions (
  id text primary key,
  user_id text,
  tier text,
  status text not null,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean not null
);

create function pg_temp.money(cents bigint, currency text)
returns text
language sql
stable
as $$
  select format('%s %s', round(cents::numeric / u.units, log(u.units)::integer), upper(currency))
  from private.minor_units(currency) u (units)
$$;

create function pg_temp.moment(at timestamptz)
returns text
language sql
stable
as $$
  select coalesce(to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'none')
$$;

-- By the id that Scrip knows it by.
create temp view paid as
select b.id, b.kind, b.user_id, b.amount_cents, b.currency, b.paid_at
from stripe_bought b
union all
select c.payment_intent_id, c.kind, c.user_id, c.amount_cents, c.currency, c.paid_at
from stripe_charges c
where not exists (select 1 from stripe_invoice_payments i where i.payment_intent_id = c.payment_intent_id);

create temp view reversed as
select
  coalesce(i.invoice_id, c.payment_intent_id) as id,
  sum(c.refunded_cents)::bigint as refunded_cents,
  string_agg(nullif(c.refund_ids, ''), ' ') as refund_ids,
  coalesce(sum(d.taken_cents), 0)::bigint as disputed_cents,
  string_agg(d.described, ' ') as disputes
from stripe_charges c
left join stripe_invoice_payments i on i.payment_intent_id = c.payment_intent_id
left join (
  select d.payment_intent_id, sum(d.taken_cents) as taken_cents, string_agg(d.id || ' ' || d.status, ' ') as described
  from stripe_disputes d
  group by d.payment_intent_id
) d on d.payment_intent_id = c.payment_intent_id
group by coalesce(i.invoice_id, c.payment_intent_id);

create temp view payment_differences as
select
  'unknown' as kind, p.id, p.user_id,
  format('%s, %s, paid %s', p.kind, pg_temp.money(p.amount_cents, p.currency), pg_temp.moment(p.paid_at)) as detail
from paid p
cross join period
where p.kind is not null
  and p.paid_at >= period.from_at and p.paid_at < period.to_at
  and (p.amount_cents > 0 or p.kind <> 'plan') -- a free period may give nothing
  and not exists (select 1 from public.purchases s where s.stripe_id = p.id)
union all
select
  'unpaid', s.stripe_id, s.user_id::text,
  format('%s, %s, paid %s', s.kind, pg_temp.money(s.amount_cents, s.currency), pg_temp.moment(s.paid_at))
from public.purchases s
cross join period
where s.paid_at >= period.from_at and s.paid_at < period.to_at
  and not exists (select 1 from paid p where p.id = s.stripe_id)
union all
select
  'amount', s.stripe_id, s.user_id::text,
  format('%s at Stripe, %s in Scrip', pg_temp.money(p.amount_cents, p.currency), pg_temp.money(s.amount_cents, s.currency))
from public.purchases s
join paid p on p.id = s.stripe_id
where (s.amount_cents, s.currency) <> (p.amount_cents, p.currency)
union all
select
  'refund', s.stripe_id, s.user_id::text,
  format(
    '%s refunded at Stripe%s, %s in Scrip', pg_temp.money(coalesce(r.refunded_cents, 0), s.currency),
    ' (' || r.refund_ids || ')', pg_temp.money(s.refunded_cents, s.currency)
  )
from public.purchases s
left join reversed r on r.id = s.stripe_id
where s.refunded_cents <> coalesce(r.refunded_cents, 0)
  and (r.id is not null or exists (select 1 from paid p where p.id = s.stripe_id))
union all
select
  'refund', p.id, p.user_id,
  format(
    '%s refunded at Stripe (%s), of a payment of %s unknown to Scrip', pg_temp.money(r.refunded_cents, p.currency),
    r.refund_ids, pg_temp.moment(p.paid_at)
  )
from reversed r
join paid p on p.id = r.id
cross join period
where r.refunded_cents > 0
  and p.kind is not null
  and p.paid_at < period.from_at -- otherwise it is among the unknown ones
  and not exists (select 1 from public.purchases s where s.stripe_id = p.id)
union all
select
  'dispute', s.stripe_id, s.user_id::text,
  format(
    '%s taken at Stripe%s, %s in Scrip', pg_temp.money(coalesce(r.disputed_cents, 0), s.currency),
    ' (' || r.disputes || ')', pg_temp.money(s.disputed_cents, s.currency)
  )
from public.purchases s
left join reversed r on r.id = s.stripe_id
where s.disputed_cents <> coalesce(r.disputed_cents, 0)
  and (r.id is not null or exists (select 1 from paid p where p.id = s.stripe_id));

create temp view subscription_differences as
select 'subscription' as kind, c.id, c.user_id, c.detail
from (
  select
    coalesce(s.id, h.stripe_subscription_id) as id,
    coalesce(h.user_id::text, s.user_id) as user_id,
    case
      when h.id is null then format('%s, %s at Stripe, unknown to Scrip', coalesce(s.tier, 'no plan'), s.status)
      when s.id is null then format('%s, %s in Scrip, unknown at Stripe', h.tier, h.status)
      else (
        select string_agg(format('%s %s at Stripe, %s in Scrip', f.name, f.stripe, f.scrip), '; ')
        from (values
          ('status', s.status, h.status),
          ('tier', coalesce(s.tier, 'none'), h.tier),
          ('period start', pg_temp.moment(s.current_period_start), pg_temp.moment(h.current_period_start)),
          ('period end', pg_temp.moment(s.current_period_end), pg_temp.moment(h.current_period_end)),
          ('cancel_at_period_end', s.cancel_at_period_end::text, h.cancel_at_period_end::text)
        ) f (name, stripe, scrip)
        where f.stripe <> f.scrip and (f.name = 'status' or s.status not in ('canceled', 'incomplete_expired'))
      )
    end as detail,
    coalesce(s.status, h.status) in ('canceled', 'incomplete_expired') and (s.id is null or h.id is null) as is_over
  from stripe_subscriptions s
  full join (
    select h.*
    from public.subscriptions h
    cross join period
    where h.stripe_subscription_id is not null and h.created_at < period.to_at
  ) h on h.stripe_subscription_id = s.id
) c
where c.detail is not null and not c.is_over;

-- What waits without needing attention is a debit under way, or belongs to a payment that isn't Scrip's, unless Stripe says
-- that what it waits for is there.
create temp view event_differences as
select
  'event' as kind, e.id, e.user_id::text,
  format('%s %s: %s', e.type, e.outcome, coalesce(e.attention, e.error, format('waits for %s', e.waits_for))) as detail
from private.stripe_events e
cross join period
where (e.attention is not null or e.waits_for is not null)
  and e.created_at < period.to_at
  and case
    when e.outcome = 'failed' or e.outcome = 'waiting' and e.attention is not null then true
    when e.attention is not null then e.created_at >= period.from_at
    when e.outcome = 'waiting' then exists (
      select 1 from paid p where p.kind is not null and p.id in (e.waits_for, e.payment_intent_id, e.invoice_id)
    ) or exists (
      select 1 from stripe_subscriptions s where s.id = e.waits_for
    )
  end;

create temp view differences as
select d.kind, d.id, d.user_id, d.detail from payment_differences d
union all
select d.kind, d.id, d.user_id, d.detail from subscription_differences d
union all
select d.kind, d.id, d.user_id, d.detail from event_differences d
union all
select 'ledger', null, v.user_id::text, format('%s: %s expected, %s found', v.problem, v.expected, v.actual)
from public.verify_ledger() v;

-- Payments of the period that are not Scrip's.
create temp view other_payments as
select c.payment_intent_id
from stripe_charges c
cross join period
where c.kind is null
  and c.paid_at >= period.from_at and c.paid_at < period.to_at
  and not exists (select 1 from public.purchases s where s.stripe_id = c.payment_intent_id)
  and not exists (
    select 1
    from stripe_invoice_payments i
    where i.payment_intent_id = c.payment_intent_id
      and (
        exists (select 1 from stripe_bought b where b.id = i.invoice_id)
        or exists (select 1 from public.purchases s where s.stripe_id = i.invoice_id)
      )
  );
