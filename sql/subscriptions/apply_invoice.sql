-- Grants what a paid invoice of a subscription gives: the credits of its period, once a period; in a user's first paid
-- period the plan's bonus as well; for an upgrade within a period the difference of the credits for the rest of it. A
-- line that asked for less than the price grants its share (a free trial: none), never more than the plan.
--
-- Called by  dispatch_stripe_event

create or replace function private.apply_invoice(event private.stripe_events)
returns private.stripe_effect
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_invoice jsonb := event.payload #> '{data,object}';
  v_metadata jsonb := private.stripe_metadata(v_invoice);
  v_user_id uuid := private.find_stripe_user(v_metadata, event.customer_id);
  v_line record;
  v_plan public.subscription_plans;
  v_grant private.period_grant;
  v_upgrade_credits bigint;
  v_purchase public.purchases;
begin
  if event.subscription_id is null then
    return private.effect('ignored');
  end if;
  select l.* into v_line
  from private.invoice_lines(v_invoice) l
  order by l.is_proration, l.period_start desc, l.amount_cents desc
  limit 1;
  select p.* into v_plan from public.subscription_plans p where p.tier = v_line.tier;
  if v_plan.tier is null and v_metadata ->> 'kind' is null then
    return private.effect('ignored');
  elsif v_user_id is null then
    return private.effect('waiting', attention => format('Unknown user %s', coalesce(v_metadata ->> 'user_id', 'none')));
  elsif v_plan.tier is null then
    return private.effect('waiting', v_user_id, attention => 'Unknown plan');
  elsif v_invoice ->> 'currency' <> v_plan.currency then
    return private.effect('waiting', v_user_id, attention => format(
      'Paid in %s, the plan %s is in %s', v_invoice ->> 'currency', v_plan.tier, v_plan.currency
    ));
  end if;

  if (v_invoice #>> '{lines,has_more}')::boolean then
    return private.effect(
      'waiting', v_user_id, attention => 'The invoice has more lines than the event: grant its credits by hand'
    );
  end if;
  perform private.settle_subscription(event.subscription_id);
  perform private.lock_account(v_user_id); -- two subscriptions must not both find that the user had no bonus yet
  v_upgrade_credits := private.upgrade_credits(event.subscription_id, v_invoice);
  if v_upgrade_credits is null then -- how long the period is, another event will tell
    return private.effect('waiting', v_user_id, waits_for => event.subscription_id);
  end if;
  if not v_line.is_proration then
    v_grant := private.grant_of_period(
      v_user_id, event, v_plan, v_line.amount_cents, v_line.period_start, private.metadata_amount(
        case when v_metadata ->> 'tier' = v_plan.tier then v_metadata end, 'amount_cents'
      )
    );
  end if;
  v_purchase.tokens_granted := v_upgrade_credits + coalesce(v_grant.tokens, 0);
  v_purchase.bonus_tokens := coalesce(v_grant.bonus_tokens, 0);
  v_purchase.amount_cents := (v_invoice ->> 'amount_paid')::bigint;
  if v_purchase.tokens_granted = 0 and v_purchase.amount_cents = 0 then
    return private.effect('applied', v_user_id, attention => v_grant.attention);
  end if;

  v_purchase.user_id := v_user_id;
  v_purchase.kind := 'subscription';
  v_purchase.description := format(case when v_line.is_proration then 'Upgrade to %s' else '%s' end, v_plan.name);
  v_purchase.tier := v_plan.tier;
  v_purchase.currency := v_plan.currency;
  v_purchase.stripe_id := event.object_id;
  v_purchase.stripe_invoice_id := event.object_id;
  v_purchase.stripe_payment_intent_id := event.payment_intent_id;
  v_purchase.stripe_subscription_id := event.subscription_id;
  v_purchase.granted_period_start := case when v_grant.tokens > 0 then v_line.period_start end;
  v_purchase.period_start := v_line.period_start;
  v_purchase.period_end := v_line.period_end;
  v_purchase.paid_at := event.occurred_at;
  v_grant.attention := coalesce(private.record_stripe_purchase(v_purchase, event.id), v_grant.attention);
  if v_purchase.bonus_tokens > 0 then
    perform private.move_bonus(v_purchase, event.id);
  end if;
  return private.effect('applied', v_user_id, attention => v_grant.attention);
end;
$$;

comment on function private.apply_invoice is 'Grants what a paid invoice of a subscription gives.';
revoke execute on function private.apply_invoice from public;
