-- Hands out the top-ups to charge now: those that fell due, one at most a user, within each user's monthly cap; and those
-- handed out more than two minutes ago whose end is unknown, since charging them again under their own idempotency key is
-- the same payment. Stripe keeps such keys for a day: an attempt older than 23 hours is given up, and auto top-up stops.
--
-- Called by  functions/auto-top-up, every minute by cron

create or replace function public.claim_auto_top_ups(max_count integer default 50)
returns table (
  top_up_id uuid,
  user_id uuid,
  stripe_customer_id text,
  package_id uuid,
  amount_cents bigint,
  currency text,
  tokens bigint,
  description text
)
language plpgsql
volatile
security definer -- callers hold no DML on top_ups; this is the door
set search_path = ''
as $$
begin
  -- One at a time: what others claimed, and what it cost, is then seen.
  perform pg_advisory_xact_lock(hashtextextended('claim_auto_top_ups', 1));
  with given_up as ( -- perhaps paid: they go on counting against the cap
    update private.top_ups t
    set status = 'unknown', reason = 'Whether the payment went through is not known; see your card statement'
    where t.status = 'in_flight' and t.created_at < now() - interval '23 hours'
    returning t.user_id, t.reason
  )
  update public.auto_top_ups a
  set enabled = false, stopped_reason = g.reason, stopped_at = now()
  from given_up g
  where a.user_id = g.user_id;

  update public.auto_top_ups a
  set
    enabled = false,
    stopped_reason = 'The package is no longer for sale at the price agreed; switch auto top-up on again to accept its terms',
    stopped_at = now()
  from public.token_packages p
  where a.enabled
    and p.id = a.package_id
    and not (p.active and p.currency = a.currency and p.price_cents <= a.price_cents);

  insert into private.top_ups (user_id, package_id, description, amount_cents, currency, tokens, claimed_at)
  select a.user_id, p.id, p.name, p.price_cents, p.currency, p.tokens_granted, '-infinity'
  from public.auto_top_ups a
  join public.token_packages p on p.id = a.package_id
  join public.user_tokens u on u.user_id = a.user_id
  join private.stripe_customers c on c.user_id = a.user_id
  where a.enabled
    and u.journal_balance - u.tokens_reserved < a.threshold -- before the exact balance, for its speed
    and (select b.remaining from public.get_token_balance(a.user_id) b) < a.threshold
    and private.top_up_spent_cents(a.user_id, p.currency) + p.price_cents <= a.monthly_cap_cents
    and not exists (select 1 from private.top_ups t where t.user_id = a.user_id and t.status = 'in_flight')
  limit max_count
  on conflict do nothing;

  return query
    update private.top_ups t
    set claimed_at = now()
    from private.stripe_customers c
    where c.user_id = t.user_id
      and t.id in (
        select due.id
        from private.top_ups due
        where due.status = 'in_flight' and due.claimed_at < now() - interval '2 minutes'
          and exists (select 1 from public.user_tokens u where u.user_id = due.user_id)
        order by due.created_at
        limit max_count
        for update skip locked
      )
    returning t.id, t.user_id, c.stripe_customer_id, t.package_id, t.amount_cents, t.currency, t.tokens, t.description;
end;
$$;

comment on function public.claim_auto_top_ups is 'Hands out the automatic top-ups to charge now.';
revoke execute on function public.claim_auto_top_ups from public, anon, authenticated;
grant execute on function public.claim_auto_top_ups to service_role;
