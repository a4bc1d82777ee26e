-- Generated from sql/ by `npm run db:diff -- payments`. Do not edit.

CREATE TYPE "private"."period_grant" AS ("tokens" bigint, "bonus_tokens" bigint, "attention" text);

CREATE TYPE "private"."stripe_effect" AS ("outcome" text, "waits_for" text, "attention" text, "user_id" uuid);

CREATE TYPE "public"."purchase_kind" AS ENUM ('package', 'tokens', 'subscription', 'top_up', 'usd_deposit');

CREATE TYPE "public"."usd_transaction_type" AS ENUM ('deposit', 'refill', 'clawback', 'adjustment');

set local check_function_bodies = off;

CREATE TABLE "private"."stripe_customers" ("user_id" uuid NOT NULL, "stripe_customer_id" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "stripe_customers_pkey" PRIMARY KEY (user_id), CONSTRAINT "stripe_customers_stripe_customer_id_key" UNIQUE (stripe_customer_id));

ALTER TABLE "private"."stripe_customers" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "private"."stripe_events" ("id" text NOT NULL, "type" text NOT NULL, "livemode" boolean NOT NULL, "object_id" text, "payment_intent_id" text, "invoice_id" text, "subscription_id" text, "customer_id" text, "user_id" uuid, "outcome" text NOT NULL DEFAULT 'applied'::text, "waits_for" text, "attention" text, "error" text, "payload" jsonb NOT NULL, "occurred_at" timestamp with time zone NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "stripe_events_outcome_check" CHECK ((outcome = ANY (ARRAY['applied'::text, 'waiting'::text, 'ignored'::text, 'failed'::text]))), CONSTRAINT "stripe_events_pkey" PRIMARY KEY (id));

ALTER TABLE "private"."stripe_events" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "private"."subscription_changes" ("user_id" uuid NOT NULL, "operation_id" text NOT NULL, "tier" text NOT NULL, "action" text NOT NULL, "effective_at" timestamp with time zone NOT NULL, "tokens_granted" bigint NOT NULL, "remaining" bigint NOT NULL, "actor" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "subscription_changes_pkey" PRIMARY KEY (user_id, operation_id));

ALTER TABLE "private"."subscription_changes" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "private"."top_ups" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "user_id" uuid NOT NULL, "package_id" uuid NOT NULL, "description" text NOT NULL, "amount_cents" bigint NOT NULL, "currency" text NOT NULL, "tokens" bigint NOT NULL, "status" text NOT NULL DEFAULT 'in_flight'::text, "reason" text, "claimed_at" timestamp with time zone NOT NULL DEFAULT now(), "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "top_ups_pkey" PRIMARY KEY (id), CONSTRAINT "top_ups_status_check" CHECK ((status = ANY (ARRAY['in_flight'::text, 'succeeded'::text, 'failed'::text, 'unknown'::text]))));

ALTER TABLE "private"."top_ups" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."auto_top_ups" ("user_id" uuid NOT NULL, "enabled" boolean NOT NULL DEFAULT false, "threshold" bigint NOT NULL, "package_id" uuid NOT NULL, "price_cents" bigint NOT NULL, "currency" text NOT NULL, "monthly_cap_cents" bigint NOT NULL, "stopped_reason" text, "stopped_at" timestamp with time zone, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "auto_top_ups_monthly_cap_cents_check" CHECK (((monthly_cap_cents >= 50) AND (monthly_cap_cents <= 99999999))), CONSTRAINT "auto_top_ups_pkey" PRIMARY KEY (user_id), CONSTRAINT "auto_top_ups_threshold_check" CHECK (((threshold >= 1) AND (threshold <= '1000000000000'::bigint))));

ALTER TABLE "public"."auto_top_ups" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."purchases" ("user_id" uuid NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "kind" public.purchase_kind NOT NULL, "description" text NOT NULL, "package_id" uuid, "tier" text, "amount_cents" bigint NOT NULL, "currency" text NOT NULL, "refunded_cents" bigint NOT NULL DEFAULT 0, "disputed_cents" bigint NOT NULL DEFAULT 0, "tokens_granted" bigint NOT NULL, "bonus_tokens" bigint NOT NULL DEFAULT 0, "tokens_clawed_back" bigint NOT NULL DEFAULT 0, "usd_granted" numeric(24,10) NOT NULL DEFAULT 0, "usd_clawed_back" numeric(24,10) NOT NULL DEFAULT 0, "stripe_id" text NOT NULL, "stripe_checkout_session_id" text, "stripe_payment_intent_id" text, "stripe_invoice_id" text, "stripe_subscription_id" text, "granted_period_start" timestamp with time zone, "period_start" timestamp with time zone, "period_end" timestamp with time zone, "paid_at" timestamp with time zone NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "purchases_amount_cents_check" CHECK ((amount_cents >= 0)), CONSTRAINT "purchases_bonus_tokens_check" CHECK (((bonus_tokens >= 0) AND (bonus_tokens <= tokens_granted))), CONSTRAINT "purchases_granted_period_key" UNIQUE (user_id, stripe_subscription_id, granted_period_start), CONSTRAINT "purchases_pkey" PRIMARY KEY (user_id, id), CONSTRAINT "purchases_stripe_id_key" UNIQUE (user_id, stripe_id), CONSTRAINT "purchases_tokens_check" CHECK (((tokens_clawed_back >= 0) AND (tokens_clawed_back <= tokens_granted))), CONSTRAINT "purchases_usd_check" CHECK (((usd_clawed_back >= (0)::numeric) AND (usd_clawed_back <= usd_granted))));

ALTER TABLE "public"."purchases" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."settings" ("id" boolean NOT NULL DEFAULT true, "base_rate" numeric(20,6) NOT NULL DEFAULT 10000, "purchase_currencies" text[] NOT NULL DEFAULT '{eur,usd}'::text[], "past_due_grace_days" integer NOT NULL DEFAULT 7, CONSTRAINT "settings_base_rate_check" CHECK (((base_rate > (0)::numeric) AND (base_rate <= (1000000000)::numeric))), CONSTRAINT "settings_id_check" CHECK (id), CONSTRAINT "settings_past_due_grace_days_check" CHECK (((past_due_grace_days >= 0) AND (past_due_grace_days <= 90))), CONSTRAINT "settings_pkey" PRIMARY KEY (id));

ALTER TABLE "public"."settings" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."subscription_plans" ("tier" text NOT NULL, "name" text NOT NULL, "description" text, "monthly_cost" numeric(12,2) NOT NULL, "currency" text NOT NULL DEFAULT 'eur'::text, "fixed_cost" numeric(12,2) NOT NULL DEFAULT 0, "credits_included" bigint NOT NULL, "bonus_credits" bigint NOT NULL DEFAULT 0, "multiplier" numeric(10,4) NOT NULL DEFAULT 1, "purchase_rate" numeric(10,4) NOT NULL DEFAULT 1, "active" boolean NOT NULL DEFAULT true, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "subscription_plans_bonus_credits_check" CHECK (((bonus_credits >= 0) AND (bonus_credits <= '1000000000000'::bigint))), CONSTRAINT "subscription_plans_credits_included_check" CHECK (((credits_included >= 0) AND (credits_included <= '1000000000000'::bigint))), CONSTRAINT "subscription_plans_currency_check" CHECK ((currency ~ '^[a-z]{3}$'::text)), CONSTRAINT "subscription_plans_fixed_cost_check" CHECK ((fixed_cost >= (0)::numeric)), CONSTRAINT "subscription_plans_monthly_cost_check" CHECK (((monthly_cost >= 0.5) AND (monthly_cost <= 999999.99))), CONSTRAINT "subscription_plans_multiplier_check" CHECK (((multiplier > (0)::numeric) AND (multiplier <= (1000)::numeric))), CONSTRAINT "subscription_plans_name_check" CHECK (((length(name) >= 1) AND (length(name) <= 200))), CONSTRAINT "subscription_plans_pkey" PRIMARY KEY (tier), CONSTRAINT "subscription_plans_purchase_rate_check" CHECK (((purchase_rate > (0)::numeric) AND (purchase_rate <= (1000)::numeric))), CONSTRAINT "subscription_plans_tier_check" CHECK ((tier ~ '^[a-z0-9_]{1,40}$'::text)));

ALTER TABLE "public"."subscription_plans" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."subscriptions" ("user_id" uuid NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "tier" text NOT NULL, "next_tier" text, "status" text NOT NULL, "current_period_start" timestamp with time zone NOT NULL, "current_period_end" timestamp with time zone NOT NULL, "cancel_at_period_end" boolean NOT NULL DEFAULT false, "past_due_since" timestamp with time zone, "payment_failed_at" timestamp with time zone, "stripe_subscription_id" text, "stripe_item_id" text, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "subscriptions_pkey" PRIMARY KEY (user_id, id), CONSTRAINT "subscriptions_stripe_subscription_id_key" UNIQUE NULLS NOT DISTINCT (user_id, stripe_subscription_id));

ALTER TABLE "public"."subscriptions" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."token_packages" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "name" text NOT NULL, "description" text, "tokens" bigint NOT NULL, "bonus_tokens" bigint NOT NULL DEFAULT 0, "price_cents" bigint NOT NULL, "currency" text NOT NULL DEFAULT 'eur'::text, "active" boolean NOT NULL DEFAULT true, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "token_packages_bonus_tokens_check" CHECK (((bonus_tokens >= 0) AND (bonus_tokens <= '1000000000000'::bigint))), CONSTRAINT "token_packages_currency_check" CHECK ((currency ~ '^[a-z]{3}$'::text)), CONSTRAINT "token_packages_name_check" CHECK (((length(name) >= 1) AND (length(name) <= 200))), CONSTRAINT "token_packages_pkey" PRIMARY KEY (id), CONSTRAINT "token_packages_price_cents_check" CHECK (((price_cents >= 50) AND (price_cents <= 99999999))), CONSTRAINT "token_packages_tokens_check" CHECK (((tokens >= 1) AND (tokens <= '1000000000000'::bigint))));

ALTER TABLE "public"."token_packages" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."usd_balances" ("user_id" uuid NOT NULL, "balance" numeric(24,10) NOT NULL DEFAULT 0, "journal_seq" bigint NOT NULL DEFAULT 0, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "usd_balances_balance_check" CHECK (((balance >= ('-9000000000'::bigint)::numeric) AND (balance <= ('9000000000'::bigint)::numeric))), CONSTRAINT "usd_balances_pkey" PRIMARY KEY (user_id));

ALTER TABLE "public"."usd_balances" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."usd_balances" SET (fillfactor=50);

CREATE TABLE "public"."usd_transactions" ("user_id" uuid NOT NULL, "seq" bigint NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "type" public.usd_transaction_type NOT NULL, "amount" numeric(24,10) NOT NULL, "balance_after" numeric(24,10) NOT NULL, "operation_id" text, "reference" text, "description" text, "metadata" jsonb NOT NULL DEFAULT '{}'::jsonb, "actor" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "usd_transactions_operation_id_key" UNIQUE (user_id, operation_id), CONSTRAINT "usd_transactions_pkey" PRIMARY KEY (user_id, seq));

ALTER TABLE "public"."usd_transactions" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."subscription_plans" ADD COLUMN "stripe_product_id" text GENERATED ALWAYS AS (('scrip_plan_'::text || tier)) STORED NOT NULL;

ALTER TABLE "public"."token_packages" ADD COLUMN "tokens_granted" bigint GENERATED ALWAYS AS ((tokens + bonus_tokens)) STORED;

CREATE OR REPLACE FUNCTION private.adopt_usd_journal()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.lock_user(new.user_id);
  -- Whoever is deleting the old row holds it, not the queue, and has yet to commit the journal's last row.
  perform from public.usd_balances b where b.user_id = new.user_id for update;
  select coalesce(max(t.seq), 0) into new.journal_seq
  from public.usd_transactions t
  where t.user_id = new.user_id;
  return new;
end;
$function$;

CREATE OR REPLACE FUNCTION private.apply_checkout_session(event private.stripe_events)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_session jsonb := event.payload #> '{data,object}';
  v_metadata jsonb := private.stripe_metadata(v_session);
  v_user_id uuid := private.find_stripe_user(v_metadata, event.customer_id);
begin
  if v_metadata ->> 'kind' is null and v_metadata ->> 'user_id' is null then
    return private.effect('ignored');
  elsif v_user_id is null then
    return private.effect('waiting', attention => format('Unknown user %s', coalesce(v_metadata ->> 'user_id', 'none')));
  elsif event.customer_id is not null then
    perform public.save_stripe_customer(v_user_id, event.customer_id);
  end if;

  if event.type = 'checkout.session.async_payment_failed' then
    update private.stripe_events e
    set outcome = 'ignored', waits_for = null
    where e.waits_for = event.object_id;
    return private.effect('applied', v_user_id);
  elsif v_session ->> 'mode' = 'subscription' then -- granted by invoice.paid
    return private.effect('applied', v_user_id);
  elsif v_session ->> 'mode' is distinct from 'payment' then
    return private.effect('ignored', v_user_id);
  elsif (v_session ->> 'payment_status' in ('paid', 'no_payment_required')) is not true then
    if exists ( -- its payment has come before it, in success or failure
      select 1 from private.stripe_events e
      where e.object_id = event.object_id
        and e.payment_intent_id = event.payment_intent_id
        and e.type in ('checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed')
    ) then
      return private.effect('applied', v_user_id);
    end if;
    return private.effect('waiting', v_user_id, waits_for => event.object_id);
  end if;
  return private.grant_purchase(
    event, v_user_id, v_metadata, (v_session ->> 'amount_subtotal')::bigint, (v_session ->> 'amount_total')::bigint,
    v_session ->> 'currency'
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.apply_invoice(event private.stripe_events)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.apply_payment_intent(event private.stripe_events)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_intent jsonb := event.payload #> '{data,object}';
  v_metadata jsonb := v_intent -> 'metadata';
  v_user_id uuid := private.find_stripe_user(v_metadata, event.customer_id);
  v_top_up_id uuid;
  v_effect private.stripe_effect;
begin
  if v_metadata ->> 'kind' is distinct from 'top_up' then
    return private.effect('ignored');
  elsif v_user_id is null then
    return private.effect('waiting', attention => format('Unknown user %s', coalesce(v_metadata ->> 'user_id', 'none')));
  end if;
  if pg_input_is_valid(v_metadata ->> 'top_up_id', 'uuid') then
    v_top_up_id := v_metadata ->> 'top_up_id';
  end if;

  if event.type <> 'payment_intent.succeeded' then
    perform public.fail_auto_top_up(v_top_up_id, case
      when v_intent #>> '{last_payment_error,code}' = 'authentication_required'
        then 'The bank wants the payment to be confirmed by the owner of the card'
      else coalesce(v_intent #>> '{last_payment_error,message}', 'The payment did not go through')
    end);
    return private.effect('applied', v_user_id);
  end if;
  v_effect := private.grant_purchase(
    event, v_user_id, v_metadata, (v_intent ->> 'amount')::bigint, (v_intent ->> 'amount_received')::bigint,
    v_intent ->> 'currency'
  );
  if v_effect.outcome <> 'applied' then -- paid, but not credited: buying again would not help
    perform public.fail_auto_top_up(v_top_up_id, 'A payment could not be credited yet; the operator is told');
  end if;
  update private.top_ups t set status = 'succeeded', reason = null where t.id = v_top_up_id;
  return v_effect;
end;
$function$;

CREATE OR REPLACE FUNCTION private.apply_reversal(event private.stripe_events)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_stripe_id text;
  v_user_id uuid;
begin
  v_stripe_id := coalesce(event.invoice_id, (
    select e.invoice_id
    from private.stripe_events e
    where e.payment_intent_id = event.payment_intent_id and e.invoice_id is not null
    limit 1
  ), event.payment_intent_id);
  if v_stripe_id is null then -- a charge without a payment intent is not Scrip's
    return private.effect('ignored');
  end if;
  v_user_id := private.settle_purchase(v_stripe_id, event.id);
  if v_user_id is null and event.payment_intent_id is not null then -- an invoice for a one-time payment
    v_user_id := private.settle_purchase(event.payment_intent_id, event.id);
  end if;
  if v_user_id is null then
    return private.effect('waiting', event.user_id, waits_for => coalesce(event.payment_intent_id, v_stripe_id));
  elsif not exists (select 1 from public.user_tokens u where u.user_id = v_user_id) then
    return private.effect('applied', v_user_id, attention => 'The user is deleted: nothing could be taken back');
  end if;
  return private.effect('applied', v_user_id);
end;
$function$;

CREATE OR REPLACE FUNCTION private.apply_stripe_event(event private.stripe_events)
 RETURNS TABLE(outcome text, attention text, user_id uuid, error text)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_effect private.stripe_effect;
begin
  begin
    perform private.lock_stripe_event(event);
    v_effect := private.dispatch_stripe_event(event);
  exception when others then
    if sqlstate ~ '^(08|40|53|55|57|58|XX)' then
      raise;
    end if;
    error := case sqlstate when 'PGRST' then sqlerrm::jsonb ->> 'message' else sqlerrm end;
    v_effect := private.effect('failed', event.user_id, attention => format('Handling failed: %s', error));
  end;
  outcome := v_effect.outcome;
  attention := v_effect.attention;
  user_id := coalesce(v_effect.user_id, event.user_id);
  update private.stripe_events e
  set
    outcome = v_effect.outcome,
    waits_for = v_effect.waits_for,
    attention = v_effect.attention,
    error = apply_stripe_event.error,
    user_id = apply_stripe_event.user_id
  where e.id = event.id
    and (e.outcome, e.waits_for, e.attention, e.error, e.user_id)
      is distinct from
      (v_effect.outcome, v_effect.waits_for, v_effect.attention, apply_stripe_event.error, apply_stripe_event.user_id);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION private.apply_waiting_invoices(event private.stripe_events, effect private.stripe_effect)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_waiting private.stripe_events;
begin
  if event.waits_for is not null then -- it is one of them
    return effect;
  end if;
  for v_waiting in
    select e.* from private.stripe_events e
    where e.waits_for = event.subscription_id and e.type = 'invoice.paid' and e.id <> event.id
    order by e.occurred_at, e.id
  loop
    perform private.apply_stripe_event(v_waiting);
  end loop;
  return effect;
end;
$function$;

CREATE OR REPLACE FUNCTION private.charge_multiplier(user_id uuid)
 RETURNS numeric
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(
    (select (c.plan).multiplier from private.current_subscription(charge_multiplier.user_id) c), 1
  )
$function$;

CREATE OR REPLACE FUNCTION private.charge_tokens_set(users uuid[], amounts bigint[], operations text[], descriptions text[], metadata jsonb[], actor text)
 RETURNS TABLE(item bigint, transaction_id uuid, remaining bigint)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.check_money(amount text)
 RETURNS numeric
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_amount numeric;
begin
  if amount ~ '^[0-9]{1,6}(\.[0-9]{1,2})?$' then
    v_amount := amount;
  end if;
  if (v_amount between 0.5 and 100000) is not true then
    perform private.raise_error(
      'invalid_request', format('amount must be from 0.50 to 100000 with at most two decimals, got %s', coalesce(amount, 'nothing'))
    );
  end if;
  return v_amount;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_operation(user_id uuid, operation_id text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if user_id is null then
    perform private.raise_error('invalid_request', 'user_id is missing');
  elsif operation_id is null or length(operation_id) not between 1 and 255 then
    perform private.raise_error('invalid_request', 'operation_id must have 1 to 255 characters');
  elsif starts_with(operation_id, 'stripe:') then
    perform private.raise_error('invalid_request', 'operation_id must not begin with stripe:, which payments begin with');
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.claim_operation(user_id uuid, operation_id text, type public.token_transaction_type, amount bigint, reference text, description text, metadata jsonb)
 RETURNS public.token_transactions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first public.token_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);

  select t.* into v_first
  from public.token_transactions t
  where t.user_id = claim_operation.user_id and t.operation_id = claim_operation.operation_id;
  if found then
    if v_first.type <> claim_operation.type
      or v_first.amount <> claim_operation.amount
      or v_first.reference is distinct from claim_operation.reference
      or v_first.description is distinct from claim_operation.description
      or v_first.metadata <> coalesce(claim_operation.metadata, '{}')
    then
      perform private.raise_operation_id_reused(operation_id);
    end if;
  elsif exists (
    select 1 from public.token_holds h
    where h.user_id = claim_operation.user_id and h.operation_id = claim_operation.operation_id
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return v_first;
end;
$function$;

CREATE OR REPLACE FUNCTION private.claim_usd_operation(user_id uuid, operation_id text, type public.usd_transaction_type, amount numeric, reference text, description text, metadata jsonb)
 RETURNS public.usd_transactions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_first public.usd_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);

  select t.* into v_first
  from public.usd_transactions t
  where t.user_id = claim_usd_operation.user_id and t.operation_id = claim_usd_operation.operation_id;
  if found and (
    v_first.type <> claim_usd_operation.type
    or v_first.amount <> claim_usd_operation.amount
    or v_first.reference is distinct from claim_usd_operation.reference
    or v_first.description is distinct from claim_usd_operation.description
    or v_first.metadata <> coalesce(claim_usd_operation.metadata, '{}')
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return v_first;
end;
$function$;

CREATE OR REPLACE FUNCTION private.claw_back_tokens(purchase public.purchases, amount bigint, event_id text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_purchased bigint;
  v_from_purchased bigint;
  v_part record;
begin
  if amount = 0 then
    return true;
  end if;
  perform private.lock_account(purchase.user_id);
  select u.tokens_purchased into v_purchased
  from public.user_tokens u
  where u.user_id = purchase.user_id
  for update;
  if not found then
    return false;
  end if;
  v_from_purchased := least(amount, v_purchased);
  for v_part in
    select p.account, p.amount, p.suffix
    from (values
      ('purchased'::public.token_account, v_from_purchased, ''),
      ('used', claw_back_tokens.amount - v_from_purchased, ':used')
    ) p (account, amount, suffix)
    where p.amount <> 0
  loop
    perform set_config('scrip.posting', 'on', true);
    update public.user_tokens u
    set
      tokens_purchased = u.tokens_purchased - case v_part.account when 'purchased' then v_part.amount else 0 end,
      tokens_used = u.tokens_used + case v_part.account when 'used' then v_part.amount else 0 end
    where u.user_id = purchase.user_id;
    perform private.write_transaction(
      purchase.user_id, 'clawback', v_part.account, -v_part.amount,
      format('stripe:%s:%s%s', event_id, purchase.tokens_clawed_back + amount, v_part.suffix),
      purchase.stripe_id, purchase.description, jsonb_build_object('purchase_id', purchase.id), 'stripe'
    );
  end loop;
  return true;
end;
$function$;

CREATE OR REPLACE FUNCTION private.current_subscription(user_id uuid)
 RETURNS TABLE(subscription public.subscriptions, plan public.subscription_plans)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select s, p
  from public.subscriptions s
  join public.subscription_plans billed on billed.tier = s.tier
  join public.subscription_plans p
    on p.tier = s.tier
      or s.stripe_subscription_id is not null
        and p.monthly_cost > billed.monthly_cost
        and exists (
          select 1 from public.purchases paid
          where paid.user_id = s.user_id
            and paid.stripe_subscription_id = s.stripe_subscription_id
            and paid.tier = p.tier
            and paid.period_end > now()
            and (paid.amount_cents = 0 or paid.refunded_cents + paid.disputed_cents < paid.amount_cents)
        )
  where s.user_id = current_subscription.user_id
    and case s.status
      when 'trialing' then true
      when 'active' then s.stripe_subscription_id is not null or s.current_period_end > now()
      when 'past_due' then s.past_due_since + make_interval(
        days => coalesce((select o.past_due_grace_days from public.settings o), 7)
      ) > now()
    end
  order by p.monthly_cost desc, s.created_at
  limit 1
$function$;

CREATE OR REPLACE FUNCTION private.dispatch_stripe_event(event private.stripe_events)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return case
    when event.type in (
      'checkout.session.completed', 'checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed'
    ) then private.apply_checkout_session(event)
    when event.type in ('payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled')
      then private.apply_payment_intent(event)
    when event.type = 'invoice.paid' then private.apply_waiting_invoices(event, private.apply_invoice(event))
    when event.type in (
      'customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted',
      'invoice.payment_failed'
    ) then private.apply_waiting_invoices(event, private.settle_subscription(event.subscription_id))
    when event.type in (
      'refund.created', 'refund.updated', 'refund.failed', 'charge.refunded', 'charge.refund.updated',
      'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed',
      'charge.dispute.funds_withdrawn', 'charge.dispute.funds_reinstated', 'invoice_payment.paid'
    ) then private.apply_reversal(event)
    else private.effect('ignored')
  end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.effect(outcome text, user_id uuid DEFAULT NULL::uuid, waits_for text DEFAULT NULL::text, attention text DEFAULT NULL::text)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return row(outcome, waits_for, attention, user_id)::private.stripe_effect;
end;
$function$;

CREATE OR REPLACE FUNCTION private.error_codes()
 RETURNS TABLE(code text, http_status integer, meaning text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  values
    ('invalid_request', 400, 'The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.'),
    ('invalid_amount', 400, 'The amount is not a whole number of tokens from 1 to 9000000000000000.'),
    ('balance_limit_exceeded', 400, 'The balance would exceed 9000000000000000 tokens, the largest that JSON carries exactly, or 9000000000 US dollars.'),
    ('invalid_signature', 400, 'The webhook''s signature is missing, wrong or too old.'),
    ('livemode_mismatch', 400, 'The event is of Stripe''s test mode and this is live, or the reverse.'),
    ('unauthorized', 401, 'The credentials are missing, malformed, expired or not signed by this project.'),
    ('insufficient_tokens', 403, 'The user has fewer tokens than the operation needs.'),
    ('forbidden', 403, 'The caller is known but may not do this.'),
    ('journal_append_only', 403, 'Journal rows are written by operations only, and are never changed or deleted.'),
    ('not_found', 404, 'There is no such route.'),
    ('user_not_found', 404, 'There is no such user.'),
    ('charge_not_found', 404, 'The user has no charge with this operation_id.'),
    ('hold_not_found', 404, 'The user has no hold with this operation_id.'),
    ('code_not_found', 404, 'There is no such access code.'),
    ('package_not_found', 404, 'There is no such package for sale.'),
    ('plan_not_found', 404, 'There is no such plan on offer.'),
    ('stripe_event_not_found', 404, 'There is no such event of Stripe''s.'),
    ('method_not_allowed', 405, 'The route exists, but not for this method.'),
    ('operation_id_reused', 409, 'This operation_id was used before with other arguments.'),
    ('hold_not_active', 409, 'The hold has ended in another way: it is settled or released.'),
    ('refund_exceeds_charge', 409, 'The refund is more than what is left of the charge.'),
    ('derived_column', 409, 'The column is kept by Scrip from other rows; change those instead.'),
    ('code_already_used', 409, 'The access code is used up, or this user has used it.'),
    ('already_subscribed', 409, 'The user has a subscription already.'),
    ('payment_method_required', 409, 'There is no saved card that can be charged.'),
    ('code_expired', 410, 'The access code has expired.'),
    ('rate_limited', 429, 'Too many attempts; Retry-After says in how many seconds to try again.'),
    ('internal_error', 500, 'Scrip failed; the log has the cause under the request id.'),
    ('provider_failed', 502, 'Stripe or another provider failed or refused; the message says why.'),
    ('service_unavailable', 503, 'The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.')
$function$;

CREATE OR REPLACE FUNCTION private.find_stripe_user(metadata jsonb, customer_id text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  if metadata ->> 'user_id' is null then
    select c.user_id into v_user_id from private.stripe_customers c where c.stripe_customer_id = customer_id;
  elsif pg_input_is_valid(metadata ->> 'user_id', 'uuid') then
    v_user_id := metadata ->> 'user_id';
  end if;
  select u.user_id into v_user_id from public.user_tokens u where u.user_id = v_user_id;
  return v_user_id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.grant_of_period(user_id uuid, event private.stripe_events, plan public.subscription_plans, amount_cents bigint, period_start timestamp with time zone, sold_for_cents bigint)
 RETURNS private.period_grant
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_price_cents numeric := coalesce(nullif(sold_for_cents, 0), plan.monthly_cost * private.minor_units(plan.currency));
  v_bonus_credits bigint := 0;
  v_tokens bigint;
  v_other text;
begin
  select p.stripe_invoice_id into v_other
  from public.purchases p
  where p.user_id = grant_of_period.user_id
    and p.stripe_subscription_id = event.subscription_id
    and p.granted_period_start = grant_of_period.period_start
    and p.stripe_invoice_id <> event.object_id;
  if found then
    return row(0, 0, format('The period''s credits were granted by invoice %s', v_other))::private.period_grant;
  end if;
  if not exists (
    select 1 from public.purchases p
    where p.user_id = grant_of_period.user_id
      and (p.granted_period_start, p.stripe_id) < (grant_of_period.period_start, event.object_id)
  ) and not exists (
    select 1 from private.subscription_changes c
    where c.user_id = grant_of_period.user_id and c.action = 'started'
  ) then
    v_bonus_credits := plan.bonus_credits;
  end if;
  v_tokens := floor((plan.credits_included + v_bonus_credits) * least(amount_cents / v_price_cents, 1));
  return row(
    v_tokens,
    v_tokens - floor(plan.credits_included * least(amount_cents / v_price_cents, 1)),
    case when amount_cents not in (0, v_price_cents)
      then format('Amount %s differs from the price %s', amount_cents, v_price_cents)
    end
  )::private.period_grant;
end;
$function$;

CREATE OR REPLACE FUNCTION private.grant_purchase(event private.stripe_events, user_id uuid, metadata jsonb, subtotal_cents bigint, paid_cents bigint, currency text)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_package public.token_packages;
  v_price_cents bigint := private.metadata_amount(metadata, 'amount_cents');
  v_currency text;
  v_share numeric;
  v_attention text;
  v_purchase public.purchases;
begin
  if pg_input_is_valid(metadata ->> 'package_id', 'uuid') then
    select p.* into v_package from public.token_packages p where p.id = (metadata ->> 'package_id')::uuid;
  end if;
  v_price_cents := coalesce(v_price_cents, v_package.price_cents);
  v_purchase.tokens_granted := coalesce(private.metadata_amount(metadata, 'tokens'), v_package.tokens_granted, 0);
  v_purchase.usd_granted := 0;
  v_currency := coalesce(metadata ->> 'currency', v_package.currency);
  if metadata ->> 'kind' = 'usd_deposit' then
    v_purchase.tokens_granted := 0;
    v_purchase.usd_granted := v_price_cents / 100.0;
    v_currency := 'usd';
  end if;
  if v_price_cents is null or v_price_cents = 0 or subtotal_cents is null or paid_cents is null
    or pg_input_is_valid(metadata ->> 'kind', 'public.purchase_kind') is not true
    or v_purchase.tokens_granted = 0 and v_purchase.usd_granted = 0
  then
    return private.effect('waiting', user_id, attention => format('Unknown price: %s', metadata));
  elsif currency is distinct from v_currency then
    return private.effect('waiting', user_id, attention => format('Paid in %s, offered in %s', currency, v_currency));
  end if;

  v_share := least(subtotal_cents, v_price_cents);
  if subtotal_cents <> v_price_cents then
    v_attention := format('Amount %s differs from the price %s', subtotal_cents, v_price_cents);
  end if;
  v_purchase.user_id := user_id;
  v_purchase.kind := metadata ->> 'kind';
  v_purchase.description := coalesce(v_package.name, case v_purchase.kind
    when 'usd_deposit' then 'USD deposit' else format('%s tokens', v_purchase.tokens_granted)
  end);
  v_purchase.package_id := v_package.id;
  v_purchase.tokens_granted := floor(v_purchase.tokens_granted * v_share / v_price_cents);
  v_purchase.usd_granted := v_purchase.usd_granted * v_share / v_price_cents;
  v_purchase.amount_cents := paid_cents;
  v_purchase.currency := currency;
  v_purchase.stripe_id := coalesce(event.payment_intent_id, event.object_id);
  v_purchase.stripe_payment_intent_id := event.payment_intent_id;
  v_purchase.stripe_checkout_session_id := case when event.type like 'checkout.%' then event.object_id end;
  v_purchase.paid_at := event.occurred_at;
  v_attention := coalesce(private.record_stripe_purchase(v_purchase, event.id), v_attention);
  return private.effect('applied', user_id, attention => v_attention);
end;
$function$;

CREATE OR REPLACE FUNCTION private.invoice_lines(invoice jsonb)
 RETURNS TABLE(tier text, is_proration boolean, amount_cents bigint, period_start timestamp with time zone, period_end timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    p.tier,
    l.is_proration,
    (l.line ->> 'amount')::bigint,
    to_timestamp((l.line #>> '{period,start}')::bigint),
    to_timestamp((l.line #>> '{period,end}')::bigint)
  from (
    select
      j.line,
      coalesce(
        j.line #>> '{parent,subscription_item_details,proration}',
        j.line #>> '{parent,invoice_item_details,proration}',
        j.line ->> 'proration',
        'false'
      )::boolean as is_proration,
      coalesce(j.line #>> '{parent,type}' = 'invoice_item_details', j.line ->> 'type' = 'invoiceitem', false) as is_item,
      coalesce(j.line #>> '{pricing,price_details,product}', private.stripe_id(j.line #> '{price,product}')) as product
    from jsonb_path_query(invoice, 'lax $.lines.data[*]') j (line)
  ) l
  join public.subscription_plans p
    on p.stripe_product_id = l.product
      or not l.is_proration
        and p.tier = private.stripe_metadata(invoice) ->> 'tier'
        and not exists (select 1 from public.subscription_plans o where o.stripe_product_id = l.product)
  where l.is_proration or not l.is_item -- what an operator adds to an invoice is no period of a plan
$function$;

CREATE OR REPLACE FUNCTION private.journal_usd_balance()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := case tg_op when 'DELETE' then old.user_id else new.user_id end;
  v_balance numeric := case tg_op when 'DELETE' then 0 else new.balance end;
begin
  if tg_op = 'UPDATE' and (old.user_id, old.journal_seq) is distinct from (new.user_id, new.journal_seq) then
    perform private.raise_error(
      'derived_column', 'user_id and journal_seq follow from other rows', hint => 'Edit balance.'
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  with written as (
    insert into public.usd_transactions as t (user_id, seq, type, amount, balance_after, actor)
    select
      v_user_id, coalesce(last.seq, 0) + 1, 'adjustment', v_balance - coalesce(last.balance_after, 0), v_balance,
      coalesce(nullif(current_setting('role'), 'none'), session_user)
    from (select 1) one
    left join lateral (
      select t.seq, t.balance_after
      from public.usd_transactions t
      where t.user_id = v_user_id
      order by t.seq desc
      limit 1
    ) last on true
    where v_balance <> coalesce(last.balance_after, 0)
    returning t.seq
  )
  update public.usd_balances b
  set journal_seq = w.seq
  from written w
  where b.user_id = v_user_id;
  perform set_config('scrip.posting', '', true);
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.keep_subscription(user_id uuid, tier text, action text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if action = 'started' then
    insert into public.subscriptions (user_id, tier, status, current_period_start, current_period_end)
    values (keep_subscription.user_id, keep_subscription.tier, 'active', now(), now() + interval '1 month')
    on conflict on constraint subscriptions_stripe_subscription_id_key do update
    set
      tier = excluded.tier,
      next_tier = null,
      status = excluded.status,
      current_period_start = excluded.current_period_start,
      current_period_end = excluded.current_period_end;
  else
    update public.subscriptions s
    set
      tier = case action when 'upgraded' then keep_subscription.tier else s.tier end,
      next_tier = case action when 'scheduled' then keep_subscription.tier end
    where s.user_id = keep_subscription.user_id and s.stripe_subscription_id is null;
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_account(user_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform from auth.users u where u.id = lock_account.user_id for key share;
  perform private.lock_user(user_id);
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_deleted_user()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.lock_user(old.id);
  return old;
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_stripe_event(event private.stripe_events)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform private.lock_stripe_object(event.payment_intent_id);
  perform private.lock_stripe_object(event.subscription_id); -- before the invoice: see apply_waiting_invoices
  perform private.lock_stripe_object(
    coalesce(event.invoice_id, (
      select e.invoice_id
      from private.stripe_events e
      where e.payment_intent_id = event.payment_intent_id and e.invoice_id is not null
      limit 1
    ))
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.lock_stripe_object(stripe_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended(stripe_id, 1));
end;
$function$;

CREATE OR REPLACE FUNCTION private.metadata_amount(metadata jsonb, key text)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case when metadata ->> key ~ '^[0-9]{1,15}$' then (metadata ->> key)::bigint end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.minor_units(currency text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 1
    when currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
    else 100
  end
$function$;

CREATE OR REPLACE FUNCTION private.move_bonus(first public.purchases, event_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_later public.purchases;
  v_granted bigint;
  v_clawed_back bigint;
begin
  for v_later in
    select p.*
    from public.purchases p
    where p.user_id = first.user_id
      and p.bonus_tokens > 0
      and (p.granted_period_start, p.stripe_id) > (first.granted_period_start, first.stripe_id)
  loop
    v_granted := v_later.tokens_granted - v_later.bonus_tokens;
    v_clawed_back := coalesce(floor(
      v_granted * least(v_later.refunded_cents + v_later.disputed_cents, v_later.amount_cents)
      / nullif(v_later.amount_cents, 0)::numeric
    ), 0);
    perform private.claw_back_tokens(
      v_later, v_later.bonus_tokens + v_clawed_back - v_later.tokens_clawed_back, event_id || ':bonus'
    );
    perform set_config('scrip.posting', 'on', true);
    update public.purchases p
    set tokens_granted = v_granted, bonus_tokens = 0, tokens_clawed_back = v_clawed_back
    where p.user_id = v_later.user_id and p.id = v_later.id;
    perform set_config('scrip.posting', '', true);
  end loop;
end;
$function$;

CREATE OR REPLACE FUNCTION private.newest_subscription_event(stripe_subscription_id text)
 RETURNS private.stripe_events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_event private.stripe_events;
begin
  select e.* into v_event
  from private.stripe_events e
  where e.subscription_id = stripe_subscription_id
    and e.type in ('customer.subscription.created', 'customer.subscription.updated', 'customer.subscription.deleted')
  order by
    e.occurred_at desc,
    case e.type when 'customer.subscription.deleted' then 3 when 'customer.subscription.updated' then 2 else 1 end desc,
    exists (
      select 1 from private.stripe_events later
      where later.subscription_id = e.subscription_id
        and later.occurred_at = e.occurred_at
        and later.type = 'customer.subscription.updated'
        and later.id <> e.id
        and e.payload #> '{data,object}' @> (later.payload #> '{data,previous_attributes}')
    ),
    (
      select earlier.payload #> '{data,object}' @> (e.payload #> '{data,previous_attributes}')
      from private.stripe_events earlier
      where earlier.subscription_id = e.subscription_id
        and earlier.type in ('customer.subscription.created', 'customer.subscription.updated')
        and earlier.occurred_at < e.occurred_at
      order by earlier.occurred_at desc
      limit 1
    ) nulls first,
    e.id desc
  limit 1;
  return v_event;
end;
$function$;

CREATE OR REPLACE FUNCTION private.parse_stripe_event(event jsonb)
 RETURNS private.stripe_events
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_object jsonb := event #> '{data,object}';
  v_kind text := event #>> '{data,object,object}';
  v_row private.stripe_events;
begin
  if (
    event ->> 'object' = 'event'
    and length(event ->> 'id') between 1 and 255
    and length(event ->> 'type') between 1 and 255
    and jsonb_typeof(event -> 'created') = 'number'
    and event ->> 'created' ~ '^[0-9]{1,11}$'
    and jsonb_typeof(event -> 'livemode') = 'boolean'
    and jsonb_typeof(v_object) = 'object'
  ) is not true then
    perform private.raise_error('invalid_request', 'The body is not an event of Stripe''s');
  end if;
  v_row.id := event ->> 'id';
  v_row.type := event ->> 'type';
  v_row.livemode := event -> 'livemode';
  v_row.payload := event;
  v_row.occurred_at := to_timestamp((event ->> 'created')::bigint);
  v_row.object_id := v_object ->> 'id';
  v_row.payment_intent_id := case v_kind
    when 'payment_intent' then v_object ->> 'id'
    when 'invoice_payment' then private.stripe_id(v_object #> '{payment,payment_intent}')
    else private.stripe_id(v_object -> 'payment_intent')
  end;
  v_row.invoice_id := case v_kind when 'invoice' then v_object ->> 'id' else private.stripe_id(v_object -> 'invoice') end;
  v_row.subscription_id := case v_kind
    when 'subscription' then v_object ->> 'id'
    else coalesce(
      private.stripe_id(v_object #> '{parent,subscription_details,subscription}'),
      private.stripe_id(v_object -> 'subscription')
    )
  end;
  v_row.customer_id := case v_kind
    when 'customer' then v_object ->> 'id'
    else private.stripe_id(v_object -> 'customer')
  end;
  v_row.user_id := private.find_stripe_user(private.stripe_metadata(v_object), v_row.customer_id);
  return v_row;
end;
$function$;

CREATE OR REPLACE FUNCTION private.plan_change(user_id uuid, plan public.subscription_plans)
 RETURNS TABLE(action text, effective_at timestamp with time zone, tokens_granted bigint, subscription public.subscriptions)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_plan public.subscription_plans;
begin
  select (c.subscription).* into subscription from private.current_subscription(plan_change.user_id) c;
  select (c.plan).* into v_plan from private.current_subscription(plan_change.user_id) c;
  effective_at := now();
  tokens_granted := 0;
  if v_plan.tier is null then
    action := 'started';
    tokens_granted := plan.credits_included + case
      when exists (
        select 1 from private.subscription_changes c where c.user_id = plan_change.user_id and c.action = 'started'
        union all
        select 1 from public.purchases p where p.user_id = plan_change.user_id and p.granted_period_start is not null
      ) then 0
      else plan.bonus_credits
    end;
  elsif subscription.tier = plan.tier then
    action := 'unchanged';
  elsif plan.monthly_cost > v_plan.monthly_cost then
    action := 'upgraded';
    tokens_granted := greatest(floor(
      (plan.credits_included - v_plan.credits_included)
      * extract(epoch from subscription.current_period_end - now())
      / extract(epoch from subscription.current_period_end - subscription.current_period_start)
    ), 0);
  else
    action := 'scheduled';
    effective_at := subscription.current_period_end;
  end if;
  if subscription.stripe_subscription_id is not null and action <> 'unchanged' then
    action := case action when 'upgraded' then 'stripe_upgrade' else 'stripe_downgrade' end;
    tokens_granted := 0;
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION private.post_usd(user_id uuid, type public.usd_transaction_type, amount numeric, operation_id text, reference text DEFAULT NULL::text, description text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, actor text DEFAULT NULL::text)
 RETURNS public.usd_transactions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_row public.usd_transactions;
  v_balance numeric;
begin
  if (amount <> 0 and abs(amount) < 'Infinity' and amount = round(amount, 10)) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'amount must be US dollars other than 0, with at most 10 decimals, got %s', coalesce(amount::text, 'nothing')
      )
    );
  end if;
  perform private.lock_account(user_id);

  loop
    perform set_config('scrip.posting', 'on', true);
    with head as (
      update public.usd_balances b
      set balance = b.balance + post_usd.amount, journal_seq = b.journal_seq + 1
      where b.user_id = post_usd.user_id and b.balance + post_usd.amount between -9000000000 and 9000000000
      returning b.journal_seq, b.balance
    )
    insert into public.usd_transactions as t (
      user_id, seq, type, amount, balance_after, operation_id, reference, description, metadata, actor
    )
    select
      post_usd.user_id, h.journal_seq, post_usd.type, post_usd.amount, h.balance, post_usd.operation_id,
      post_usd.reference, post_usd.description, coalesce(post_usd.metadata, '{}'),
      coalesce(post_usd.actor, nullif(current_setting('role'), 'none'), session_user)
    from head h
    returning t.* into v_row;
    exit when found;

    select b.balance + post_usd.amount into v_balance from public.usd_balances b where b.user_id = post_usd.user_id;
    if not found then
      begin
        insert into public.usd_balances (user_id) values (post_usd.user_id);
      exception
        when foreign_key_violation then
          perform private.raise_user_not_found(user_id);
      end;
    elsif v_balance not between -9000000000 and 9000000000 then
      perform private.raise_error(
        'balance_limit_exceeded',
        format('The USD balance would be %s, which must be from -9000000000 to 9000000000', private.usd_text(v_balance))
      );
    end if;
  end loop;
  perform set_config('scrip.posting', '', true);
  return v_row;
end;
$function$;

CREATE OR REPLACE FUNCTION private.record_stripe_purchase(purchase public.purchases, event_id text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_type public.token_transaction_type := case purchase.kind when 'subscription' then 'subscription' else 'purchase' end;
  v_operation_id text := 'stripe:' || purchase.stripe_id;
  v_metadata jsonb;
  v_other uuid;
  v_new boolean;
begin
  select p.user_id into v_other
  from public.purchases p
  where p.stripe_id = purchase.stripe_id and p.user_id <> purchase.user_id;
  if found then
    return format('Granted to user %s already', v_other);
  end if;
  purchase.id := gen_random_uuid();
  purchase.bonus_tokens := coalesce(purchase.bonus_tokens, 0);
  purchase.usd_granted := coalesce(purchase.usd_granted, 0);
  purchase.refunded_cents := 0;
  purchase.disputed_cents := 0;
  purchase.tokens_clawed_back := 0;
  purchase.usd_clawed_back := 0;
  purchase.created_at := now();
  v_metadata := jsonb_build_object('purchase_id', purchase.id);
  perform private.lock_account(purchase.user_id);
  perform set_config('scrip.posting', 'on', true);
  insert into public.purchases select purchase.* on conflict on constraint purchases_stripe_id_key do nothing;
  v_new := found;
  if v_new and purchase.tokens_granted > 0 then
    perform private.grant_tokens(purchase.user_id, 'purchased', purchase.tokens_granted);
    perform private.write_transaction(
      purchase.user_id, v_type, 'purchased', purchase.tokens_granted, v_operation_id, purchase.stripe_id,
      purchase.description, v_metadata, 'stripe'
    );
  elsif v_new and purchase.usd_granted > 0 then
    perform private.post_usd(
      purchase.user_id, 'deposit', purchase.usd_granted, v_operation_id, purchase.stripe_id, purchase.description,
      v_metadata, 'stripe'
    );
  end if;
  perform set_config('scrip.posting', '', true);
  if not v_new or exists ( -- of most purchases nothing else is known yet
    select 1 from private.stripe_events e
    where (e.payment_intent_id = purchase.stripe_payment_intent_id or e.invoice_id = purchase.stripe_invoice_id)
      and e.id <> event_id
      and e.outcome <> 'ignored'
  ) then
    perform private.settle_purchase(purchase.stripe_id, event_id);
  end if;
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.refuse_journal_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on the journal is refused: it is append-only', initcap(tg_op)),
    hint => 'Correct a balance with an operation, or by editing user_tokens or usd_balances: either is journalled.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.refuse_payment_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'forbidden',
    format('%s on %I is refused: it follows from Stripe''s events', initcap(tg_op), tg_table_name),
    hint => 'Refund in Stripe, replay the event, or correct the balance in user_tokens.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.schedule_jobs()
 RETURNS SETOF text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      execute $job$
        select cron.schedule('scrip-auto-top-up', '* * * * *', $call$
          select net.http_post(
            url := url.decrypted_secret || '/functions/v1/auto-top-up/run',
            headers := jsonb_build_object('apikey', key.decrypted_secret),
            timeout_milliseconds := 60000
          )
          from vault.decrypted_secrets url
          join vault.decrypted_secrets key on key.name = 'scrip_secret_key'
          where url.name = 'scrip_url'
        $call$)
      $job$;
      return next 'scrip-auto-top-up';
    end if;
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.settle_purchase(stripe_id text, event_id text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
  v_payments text[];
  v_reversed record;
  v_share numeric;
  v_tokens bigint;
  v_usd numeric;
begin
  select p.* into v_purchase from public.purchases p where p.stripe_id = settle_purchase.stripe_id;
  if not found then
    return null;
  end if;
  perform private.lock_account(v_purchase.user_id); -- another purchase's event may change this one: see move_bonus
  select p.* into v_purchase
  from public.purchases p
  where p.user_id = v_purchase.user_id and p.id = v_purchase.id;
  v_payments := array(
    select e.payment_intent_id
    from private.stripe_events e
    where e.invoice_id = v_purchase.stripe_invoice_id and e.payment_intent_id is not null
    union
    select v_purchase.stripe_payment_intent_id
  );
  update private.stripe_events e
  set outcome = 'applied', waits_for = null, user_id = v_purchase.user_id
  where e.waits_for = any (v_payments || array[v_purchase.stripe_id, v_purchase.stripe_checkout_session_id]);

  select r.* into v_reversed from private.stripe_reversals(v_payments) r;
  v_share := least(v_reversed.refunded_cents + v_reversed.disputed_cents, v_purchase.amount_cents);
  v_tokens := coalesce(floor(v_purchase.tokens_granted * v_share / nullif(v_purchase.amount_cents, 0)), 0);
  v_usd := coalesce(trunc(v_purchase.usd_granted * v_share / nullif(v_purchase.amount_cents, 0), 10), 0);
  if (v_reversed.refunded_cents, v_reversed.disputed_cents, v_tokens, v_usd) = (
    v_purchase.refunded_cents, v_purchase.disputed_cents, v_purchase.tokens_clawed_back, v_purchase.usd_clawed_back
  ) then
    return v_purchase.user_id;
  end if;

  if not private.claw_back_tokens(v_purchase, v_tokens - v_purchase.tokens_clawed_back, event_id)
    and exists (select 1 from auth.users u where u.id = v_purchase.user_id) -- the row alone is deleted, by hand
  then
    v_tokens := v_purchase.tokens_clawed_back;
  end if;
  if v_purchase.kind = 'top_up' and v_tokens > v_purchase.tokens_clawed_back then
    update public.auto_top_ups a
    set enabled = false, stopped_reason = 'A payment was refunded or disputed', stopped_at = now()
    where a.user_id = v_purchase.user_id and a.enabled;
  end if;
  if v_usd <> v_purchase.usd_clawed_back
    and exists (select 1 from auth.users u where u.id = v_purchase.user_id)
  then
    perform private.post_usd(
      v_purchase.user_id, 'clawback', v_purchase.usd_clawed_back - v_usd, format('stripe:%s:%s', event_id, v_usd),
      v_purchase.stripe_id, v_purchase.description, jsonb_build_object('purchase_id', v_purchase.id), 'stripe'
    );
  end if;
  perform set_config('scrip.posting', 'on', true);
  update public.purchases p
  set
    refunded_cents = v_reversed.refunded_cents,
    disputed_cents = v_reversed.disputed_cents,
    tokens_clawed_back = v_tokens,
    usd_clawed_back = v_usd
  where p.user_id = v_purchase.user_id and p.id = v_purchase.id;
  perform set_config('scrip.posting', '', true);
  return v_purchase.user_id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.settle_subscription(stripe_subscription_id text)
 RETURNS private.stripe_effect
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_event private.stripe_events;
  v_object jsonb;
  v_item jsonb;
  v_tier text;
  v_user_id uuid;
  v_period_start timestamptz;
  v_period_end timestamptz;
begin
  if stripe_subscription_id is null then
    return private.effect('ignored');
  end if;
  v_event := private.newest_subscription_event(stripe_subscription_id);
  if v_event.id is null then
    return private.effect('waiting', waits_for => stripe_subscription_id);
  end if;
  v_object := v_event.payload #> '{data,object}';

  select i.item, p.tier into v_item, v_tier
  from jsonb_path_query(v_object, 'lax $.items.data[*]') i (item)
  left join public.subscription_plans p
    on p.stripe_product_id = private.stripe_id(i.item #> '{price,product}')
  order by p.tier is null
  limit 1;
  if v_tier is null and v_object #>> '{metadata,kind}' is null then
    return private.effect('ignored');
  elsif v_tier is null then
    select p.tier into v_tier from public.subscription_plans p where p.tier = v_object #>> '{metadata,tier}';
  end if;
  v_user_id := coalesce(private.find_stripe_user(v_object -> 'metadata', v_event.customer_id), (
    select s.user_id -- a deleted user's subscription ends as well
    from public.subscriptions s
    where s.stripe_subscription_id = settle_subscription.stripe_subscription_id
    limit 1
  ));
  if v_user_id is null then
    return private.effect('waiting', attention => format(
      'Unknown user %s: of subscription %s', coalesce(v_object #>> '{metadata,user_id}', 'none'), v_event.object_id
    ));
  elsif v_tier is null then
    return private.effect('waiting', v_user_id, attention => format('Unknown plan: of subscription %s', v_event.object_id));
  end if;

  v_period_start := to_timestamp(
    coalesce(v_item ->> 'current_period_start', v_object ->> 'current_period_start')::bigint
  );
  v_period_end := to_timestamp(coalesce(v_item ->> 'current_period_end', v_object ->> 'current_period_end')::bigint);
  insert into public.subscriptions as s (
    user_id, tier, status, current_period_start, current_period_end, cancel_at_period_end, past_due_since,
    payment_failed_at, stripe_subscription_id, stripe_item_id
  )
  select
    v_user_id, v_tier, v_object ->> 'status', v_period_start, v_period_end,
    coalesce((v_object ->> 'cancel_at_period_end')::boolean, false)
      or coalesce(to_timestamp((v_object ->> 'cancel_at')::bigint) <= v_period_end, false),
    case when v_object ->> 'status' = 'past_due' then h.past_due_since end,
    case when h.failed_at > coalesce(h.paid_at, '-infinity') then h.failed_at end,
    settle_subscription.stripe_subscription_id, v_item ->> 'id'
  from private.subscription_history(settle_subscription.stripe_subscription_id) h
  on conflict on constraint subscriptions_stripe_subscription_id_key do update
  set
    tier = excluded.tier,
    status = excluded.status,
    current_period_start = excluded.current_period_start,
    current_period_end = excluded.current_period_end,
    cancel_at_period_end = excluded.cancel_at_period_end,
    past_due_since = excluded.past_due_since,
    payment_failed_at = excluded.payment_failed_at,
    stripe_item_id = excluded.stripe_item_id;
  update private.stripe_events e
  set outcome = 'applied', waits_for = null, user_id = v_user_id
  where e.waits_for = settle_subscription.stripe_subscription_id and e.type <> 'invoice.paid'; -- see apply_waiting_invoices
  -- The subscription may have been another user's: whoever has it now has it alone.
  update public.subscriptions s
  set status = 'canceled'
  where s.stripe_subscription_id = settle_subscription.stripe_subscription_id
    and s.user_id <> v_user_id
    and s.status <> 'canceled';

  return private.effect('applied', v_user_id, attention => case
    when v_object ->> 'status' in ('active', 'trialing', 'past_due') and exists (
      select 1 from public.subscriptions s
      where s.user_id = v_user_id
        and s.status in ('active', 'trialing', 'past_due')
        and s.stripe_subscription_id <> settle_subscription.stripe_subscription_id
    ) then format('User %s pays for two subscriptions', v_user_id)
    when v_object ->> 'status' in ('active', 'trialing', 'past_due') and not exists (
      select 1 from public.user_tokens u where u.user_id = v_user_id
    ) then format('User %s is deleted: cancel the subscription at Stripe', v_user_id)
  end);
end;
$function$;

CREATE OR REPLACE FUNCTION private.stripe_id(reference jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case jsonb_typeof(reference) when 'string' then reference #>> '{}' when 'object' then reference ->> 'id' end;
end;
$function$;

CREATE OR REPLACE FUNCTION private.stripe_metadata(object jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return coalesce(
    case object ->> 'object'
      when 'invoice' then coalesce(
        object #> '{parent,subscription_details,metadata}',
        object #> '{subscription_details,metadata}'
      )
      else object -> 'metadata'
    end,
    '{}'
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.stripe_reversals(payment_intent_ids text[])
 RETURNS TABLE(refunded_cents bigint, disputed_cents bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.subscription_history(stripe_subscription_id text)
 RETURNS TABLE(past_due_since timestamp with time zone, failed_at timestamp with time zone, paid_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with events as (
    select e.type, e.occurred_at, e.payload #>> '{data,object,status}' as status
    from private.stripe_events e
    where e.subscription_id = stripe_subscription_id
  ),
  fine as (
    select max(e.occurred_at) as until
    from events e
    where e.type like 'customer.subscription.%' and e.status <> 'past_due'
  )
  select
    min(e.occurred_at) filter (
      where e.type like 'customer.subscription.%'
        and e.status = 'past_due'
        and e.occurred_at >= coalesce(f.until, '-infinity')
    ),
    max(e.occurred_at) filter (where e.type = 'invoice.payment_failed'),
    max(e.occurred_at) filter (where e.type = 'invoice.paid')
  from events e
  cross join fine f
$function$;

CREATE OR REPLACE FUNCTION private.top_up_spent_cents(user_id uuid, currency text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(sum(t.amount_cents), 0)::bigint
  from private.top_ups t
  where t.user_id = top_up_spent_cents.user_id
    and t.currency = top_up_spent_cents.currency
    and t.status <> 'failed'
    and t.created_at >= date_trunc('month', now(), 'UTC')
$function$;

CREATE OR REPLACE FUNCTION private.upgrade_credits(stripe_subscription_id text, invoice jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION private.usd_text(usd numeric)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select round(usd, greatest(min_scale(usd), 2))::text
$function$;

CREATE OR REPLACE FUNCTION private.verify_purchases()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with tokens as (
    select t.user_id, t.reference, sum(t.amount) as amount
    from public.token_transactions t
    where t.type in ('purchase', 'subscription', 'clawback') and t.operation_id like 'stripe:%'
    group by t.user_id, t.reference
  ),
  usd as (
    select t.user_id, t.reference, sum(t.amount) as amount
    from public.usd_transactions t
    where t.type in ('deposit', 'clawback') and t.operation_id like 'stripe:%'
    group by t.user_id, t.reference
  )
  select
    coalesce(p.user_id, t.user_id), format('tokens of purchase %s', coalesce(p.stripe_id, t.reference)),
    coalesce(p.tokens_granted - p.tokens_clawed_back, 0), coalesce(t.amount, 0)
  from public.purchases p
  full join tokens t on t.user_id = p.user_id and t.reference = p.stripe_id
  where coalesce(t.amount, 0) <> coalesce(p.tokens_granted - p.tokens_clawed_back, 0)
    and exists (select 1 from public.user_tokens u where u.user_id = coalesce(p.user_id, t.user_id))
  union all
  select
    coalesce(p.user_id, t.user_id), format('USD of purchase %s', coalesce(p.stripe_id, t.reference)),
    coalesce(p.usd_granted - p.usd_clawed_back, 0), coalesce(t.amount, 0)
  from public.purchases p
  full join usd t on t.user_id = p.user_id and t.reference = p.stripe_id
  where coalesce(t.amount, 0) <> coalesce(p.usd_granted - p.usd_clawed_back, 0)
    and exists (select 1 from auth.users u where u.id = coalesce(p.user_id, t.user_id))
$function$;

CREATE OR REPLACE FUNCTION private.verify_usd_ledger()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::numeric) over in_order + t.amount as expected_balance
    from public.usd_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, sum(j.amount) as balance, max(j.seq) as seq from journal j group by j.user_id
  )
  select j.user_id, 'USD seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('USD balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select coalesce(s.user_id, b.user_id), 'USD balance', coalesce(s.balance, 0), coalesce(b.balance, 0)
  from sums s
  full join public.usd_balances b on b.user_id = s.user_id
  where coalesce(s.balance, 0) <> coalesce(b.balance, 0)
  union all
  select b.user_id, 'USD journal_seq', coalesce(s.seq, 0), b.journal_seq
  from public.usd_balances b
  left join sums s on s.user_id = b.user_id
  where b.journal_seq <> coalesce(s.seq, 0)
$function$;

CREATE OR REPLACE FUNCTION public.calculate_charge(user_id uuid, base_amount bigint)
 RETURNS TABLE(multiplier text, amount bigint)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_multiplier numeric := private.charge_multiplier(user_id);
begin
  perform private.check_amount(base_amount);
  if not exists (select 1 from public.user_tokens u where u.user_id = calculate_charge.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  if base_amount * v_multiplier > 9000000000000000 then
    perform private.raise_error(
      'invalid_amount',
      format('%s tokens times %s is more than 9000000000000000', base_amount, v_multiplier)
    );
  end if;
  return query select trim_scale(v_multiplier)::text, ceil(base_amount * v_multiplier)::bigint;
end;
$function$;

CREATE OR REPLACE FUNCTION public.change_subscription(user_id uuid, tier text, operation_id text, actor text DEFAULT NULL::text)
 RETURNS TABLE(action text, effective_at timestamp with time zone, tokens_granted bigint, remaining bigint, replayed boolean, stripe_subscription_id text, stripe_item_id text, stripe_product_id text, product_name text, amount_cents bigint, currency text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_first private.subscription_changes;
  v_plan public.subscription_plans;
  v_change record;
  v_row public.token_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_account(user_id);
  select p.* into v_plan from public.subscription_plans p where p.tier = change_subscription.tier;
  select c.action, c.effective_at, c.tokens_granted, (c.subscription).* into v_change
  from private.plan_change(change_subscription.user_id, v_plan) c;
  stripe_subscription_id := v_change.stripe_subscription_id;
  stripe_item_id := v_change.stripe_item_id;
  stripe_product_id := v_plan.stripe_product_id;
  product_name := v_plan.name;
  amount_cents := v_plan.monthly_cost * private.minor_units(v_plan.currency);
  currency := v_plan.currency;

  select c.* into v_first
  from private.subscription_changes c
  where c.user_id = change_subscription.user_id and c.operation_id = change_subscription.operation_id;
  if found then
    if v_first.tier <> change_subscription.tier then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    action := case
      when not starts_with(v_first.action, 'stripe_') then v_first.action
      when v_first.created_at > now() - interval '23 hours' and stripe_subscription_id is not null then v_first.action
      when v_change.tier is distinct from v_first.tier then 'unchanged'
      when v_first.action = 'stripe_upgrade' then 'upgraded'
      else 'scheduled'
    end;
    effective_at := v_first.effective_at;
    tokens_granted := v_first.tokens_granted;
    remaining := v_first.remaining;
    replayed := true;
    return next;
    return;
  end if;
  v_row := private.claim_operation(user_id, operation_id, 'subscription', null, null, null, null);
  if v_row.id is not null then -- another operation's
    perform private.raise_operation_id_reused(operation_id);
  end if;
  if v_plan.active is not true then
    perform private.raise_error('plan_not_found', format('There is no plan %s on offer', coalesce(tier, 'without a name')));
  elsif not exists (select 1 from public.user_tokens u where u.user_id = change_subscription.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;

  action := v_change.action;
  effective_at := v_change.effective_at;
  tokens_granted := v_change.tokens_granted;
  if not starts_with(action, 'stripe_') then
    perform private.keep_subscription(user_id, tier, action);
  end if;
  if tokens_granted > 0 then
    perform private.grant_tokens(user_id, 'purchased', tokens_granted);
    v_row := private.write_transaction(
      user_id, 'subscription', 'purchased', tokens_granted, operation_id, null, v_plan.name, null, actor
    );
  end if;
  select b.remaining into remaining from public.get_token_balance(change_subscription.user_id) b;
  replayed := false;
  insert into private.subscription_changes (
    user_id, operation_id, tier, action, effective_at, tokens_granted, remaining, actor
  )
  values (
    change_subscription.user_id, change_subscription.operation_id, change_subscription.tier,
    change_subscription.action, change_subscription.effective_at, change_subscription.tokens_granted,
    change_subscription.remaining, coalesce(change_subscription.actor, session_user)
  );
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.charge_tokens(user_id uuid, amount bigint, operation_id text, description text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, actor text DEFAULT NULL::text)
 RETURNS TABLE(transaction_id uuid, charged bigint, remaining bigint, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
    and not starts_with(operation_id, 'stripe:')
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    t.id,
    t.remaining_after,
    t.type = 'charge'
      and t.amount = -charge_tokens.amount
      and t.reference is null
      and t.description is not distinct from charge_tokens.description
      and t.metadata = coalesce(charge_tokens.metadata, '{}')
  into transaction_id, remaining, v_same
  from public.token_transactions t
  where t.user_id = charge_tokens.user_id and t.operation_id = charge_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    charged := amount;
    replayed := true;
    return next;
    return;
  end if;

  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with spent as (
      update public.user_tokens u
      set
        tokens_used = u.tokens_used + charge_tokens.amount,
        journal_seq = u.journal_seq + 1,
        journal_balance = u.journal_balance - charge_tokens.amount
      where u.user_id = charge_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= charge_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_holds h
          where h.user_id = charge_tokens.user_id and h.operation_id = charge_tokens.operation_id
        )
      returning u.journal_seq, u.journal_balance, u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, description, metadata, actor
    )
    select
      charge_tokens.user_id, s.journal_seq, 'charge', 'used', -charge_tokens.amount, s.journal_balance, s.remaining,
      charge_tokens.operation_id, charge_tokens.description, coalesce(charge_tokens.metadata, '{}'),
      coalesce(charge_tokens.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.id, t.remaining_after into transaction_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  charged := amount;
  replayed := false;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.claim_auto_top_ups(max_count integer DEFAULT 50)
 RETURNS TABLE(top_up_id uuid, user_id uuid, stripe_customer_id text, package_id uuid, amount_cents bigint, currency text, tokens bigint, description text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.deposit_usd(user_id uuid, amount text, operation_id text, reason text DEFAULT NULL::text, actor text DEFAULT NULL::text)
 RETURNS TABLE(transaction_id uuid, deposited text, usd_balance text, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_amount numeric;
  v_row public.usd_transactions;
begin
  if amount ~ '^[0-9]{1,7}(\.[0-9]{1,6})?$' then
    v_amount := amount::numeric;
  end if;
  if (v_amount > 0 and v_amount <= 1000000) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'amount must be US dollars from 0.000001 to 1000000, with at most 6 decimals, got %s',
        coalesce(left(amount, 40), 'nothing')
      )
    );
  end if;
  v_row := private.claim_usd_operation(user_id, operation_id, 'deposit', v_amount, null, reason, null);
  replayed := v_row.id is not null;
  if not replayed then
    v_row := private.post_usd(
      user_id, 'deposit', v_amount, operation_id, description => deposit_usd.reason, actor => deposit_usd.actor
    );
  end if;
  transaction_id := v_row.id;
  deposited := private.usd_text(v_row.amount);
  usd_balance := private.usd_text(v_row.balance_after);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.fail_auto_top_up(top_up_id uuid, reason text)
 RETURNS TABLE(stopped boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  update private.top_ups t
  set status = 'failed', reason = left(fail_auto_top_up.reason, 500)
  where t.id = top_up_id and t.status in ('in_flight', 'unknown')
  returning t.user_id into v_user_id;
  stopped := found;
  update public.auto_top_ups a
  set enabled = false, stopped_reason = left(fail_auto_top_up.reason, 500), stopped_at = now()
  where a.user_id = v_user_id;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.get_auto_top_up(user_id uuid)
 RETURNS TABLE(enabled boolean, threshold bigint, package_id uuid, monthly_cap_cents bigint, currency text, spent_cents bigint, in_flight boolean, stopped_reason text, stopped_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select
    coalesce(a.enabled, false), a.threshold, a.package_id, a.monthly_cap_cents, a.currency,
    private.top_up_spent_cents(get_auto_top_up.user_id, a.currency),
    exists (select 1 from private.top_ups t where t.user_id = get_auto_top_up.user_id and t.status = 'in_flight'),
    a.stopped_reason, a.stopped_at
  from (select 1) one
  left join public.auto_top_ups a on a.user_id = get_auto_top_up.user_id
$function$;

CREATE OR REPLACE FUNCTION public.get_subscription(user_id uuid)
 RETURNS TABLE(tier text, next_tier text, status text, current_period_start timestamp with time zone, current_period_end timestamp with time zone, cancel_at_period_end boolean, multiplier text, purchase_rate text, credits_included bigint, stripe_customer_id text, email text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_current record;
begin
  if not exists (select 1 from public.user_tokens u where u.user_id = get_subscription.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  select c.stripe_customer_id into stripe_customer_id
  from private.stripe_customers c
  where c.user_id = get_subscription.user_id;
  select u.email into email from auth.users u where u.id = get_subscription.user_id;

  select
    (c.subscription).*, (c.plan).tier as plan_tier, (c.plan).multiplier, (c.plan).purchase_rate,
    (c.plan).credits_included
  into v_current
  from private.current_subscription(get_subscription.user_id) c;
  if not found then
    select s.* into v_current
    from public.subscriptions s
    where s.user_id = get_subscription.user_id
    order by s.current_period_end desc
    limit 1;
    status := case when not found then 'none' when v_current.status = 'active' then 'canceled' else v_current.status end;
    current_period_start := v_current.current_period_start;
    current_period_end := v_current.current_period_end;
    cancel_at_period_end := coalesce(v_current.cancel_at_period_end, false);
    multiplier := '1';
    purchase_rate := '1';
    credits_included := 0;
    return next;
    return;
  end if;
  tier := v_current.plan_tier;
  next_tier := coalesce(v_current.next_tier, nullif(v_current.tier, v_current.plan_tier));
  status := v_current.status;
  current_period_start := v_current.current_period_start;
  current_period_end := v_current.current_period_end;
  cancel_at_period_end := v_current.cancel_at_period_end;
  multiplier := trim_scale(v_current.multiplier);
  purchase_rate := trim_scale(v_current.purchase_rate);
  credits_included := v_current.credits_included;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.get_usd_balance(user_id uuid)
 RETURNS TABLE(usd_balance text)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(
    (
      select round(b.balance, greatest(min_scale(b.balance), 2))::text
      from public.usd_balances b
      where b.user_id = get_usd_balance.user_id
    ),
    '0.00'
  )
$function$;

CREATE OR REPLACE FUNCTION public.handle_stripe_event(event jsonb)
 RETURNS TABLE(outcome text, attention text, user_id uuid, error text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_event private.stripe_events := private.parse_stripe_event(event);
begin
  insert into private.stripe_events (
    id, type, livemode, object_id, payment_intent_id, invoice_id, subscription_id, customer_id, user_id, payload,
    occurred_at
  )
  values (
    v_event.id, v_event.type, v_event.livemode, v_event.object_id, v_event.payment_intent_id, v_event.invoice_id,
    v_event.subscription_id, v_event.customer_id, v_event.user_id, v_event.payload, v_event.occurred_at
  )
  on conflict (id) do nothing;
  if not found then
    select e.* into v_event from private.stripe_events e where e.id = v_event.id;
    if v_event.outcome <> 'failed' then
      return query select 'duplicate', v_event.attention, v_event.user_id, null::text;
      return;
    end if;
  end if;
  return query select * from private.apply_stripe_event(v_event);
end;
$function$;

CREATE OR REPLACE FUNCTION public.list_stripe_events(page_size integer, needs_attention boolean DEFAULT NULL::boolean, before_created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id text DEFAULT NULL::text)
 RETURNS TABLE(id text, type text, outcome text, attention text, error text, user_id uuid, object_id text, livemode boolean, occurred_at timestamp with time zone, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select
    e.id, e.type, e.outcome, e.attention, e.error, e.user_id, e.object_id, e.livemode, e.occurred_at, e.created_at
  from private.stripe_events e
  where (needs_attention is null or (e.attention is not null) = needs_attention)
    and (before_created_at is null or (e.created_at, e.id) < (before_created_at, before_id))
  order by e.created_at desc, e.id desc
  limit page_size
$function$;

CREATE OR REPLACE FUNCTION public.list_subscription_plans()
 RETURNS TABLE(tier text, name text, description text, monthly_cost text, currency text, fixed_cost text, credits_included bigint, bonus_credits bigint, multiplier text, purchase_rate text)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    p.tier, p.name, p.description, p.monthly_cost::text, p.currency, p.fixed_cost::text, p.credits_included,
    p.bonus_credits, trim_scale(p.multiplier)::text, trim_scale(p.purchase_rate)::text
  from public.subscription_plans p
  where p.active
  order by p.monthly_cost, p.tier
$function$;

CREATE OR REPLACE FUNCTION public.list_token_transactions(user_id uuid, page_size integer, before_seq bigint DEFAULT NULL::bigint)
 RETURNS TABLE(id uuid, seq bigint, type text, amount bigint, balance_after bigint, remaining_after bigint, operation_id text, reference text, description text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    t.id, t.seq, t.type::text, t.amount, t.balance_after, t.remaining_after, t.operation_id, t.reference, t.description,
    t.created_at
  from public.token_transactions t
  where t.user_id = list_token_transactions.user_id and t.seq < coalesce(before_seq, 9223372036854775807)
  order by t.seq desc
  limit page_size
$function$;

CREATE OR REPLACE FUNCTION public.quote_checkout(user_id uuid, kind text, package_id uuid DEFAULT NULL::uuid, tier text DEFAULT NULL::text, amount text DEFAULT NULL::text, currency text DEFAULT NULL::text)
 RETURNS TABLE(name text, description text, amount_cents bigint, price_currency text, tokens bigint, usd text, stripe_customer_id text, email text, stripe_product_id text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_package public.token_packages;
  v_plan public.subscription_plans;
  v_current record;
  v_amount numeric;
begin
  if not exists (select 1 from public.user_tokens u where u.user_id = quote_checkout.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  select (c.subscription).status, (c.subscription).stripe_subscription_id, (c.plan).purchase_rate
  into v_current
  from private.current_subscription(quote_checkout.user_id) c;
  if kind in ('usd_deposit', 'tokens') then
    v_amount := private.check_money(amount);
  end if;

  if kind = 'package' then
    select p.* into v_package from public.token_packages p where p.id = quote_checkout.package_id and p.active;
    if not found then
      perform private.raise_error('package_not_found', format('There is no package %s for sale', package_id));
    end if;
    name := v_package.name;
    description := v_package.description;
    amount_cents := v_package.price_cents;
    price_currency := v_package.currency;
    tokens := v_package.tokens_granted;
  elsif kind = 'plan' then
    select p.* into v_plan from public.subscription_plans p where p.tier = quote_checkout.tier and p.active;
    if not found then
      perform private.raise_error('plan_not_found', format('There is no plan %s on offer', tier));
    elsif exists ( -- in force or not: it could be paid again
      select 1 from public.subscriptions s
      where s.user_id = quote_checkout.user_id
        and s.stripe_subscription_id is not null
        and s.status in ('trialing', 'active', 'past_due', 'unpaid', 'paused')
    ) then
      perform private.raise_error(
        'already_subscribed', 'The user has a subscription already', hint => 'Change it in subscription/portal.'
      );
    end if;
    name := v_plan.name;
    description := v_plan.description;
    amount_cents := v_plan.monthly_cost * private.minor_units(v_plan.currency);
    price_currency := v_plan.currency;
    tokens := v_plan.credits_included;
    stripe_product_id := v_plan.stripe_product_id;
  elsif kind = 'usd_deposit' then
    name := 'USD deposit';
    amount_cents := v_amount * 100;
    price_currency := 'usd';
    usd := private.usd_text(v_amount);
  elsif kind = 'tokens' then
    price_currency := lower(currency);
    if price_currency <> all (coalesce((select s.purchase_currencies from public.settings s), '{eur,usd}')) is not false then
      perform private.raise_error('invalid_request', format('currency %s is not taken', coalesce(currency, 'null')));
    end if;
    if v_amount * private.minor_units(price_currency) % 1 <> 0 then
      perform private.raise_error('invalid_request', format('amount %s has more decimals than %s', amount, currency));
    end if;
    amount_cents := v_amount * private.minor_units(price_currency);
    tokens := floor(
      v_amount * coalesce((select s.base_rate from public.settings s), 10000) * coalesce(v_current.purchase_rate, 1)
    );
    if tokens not between 1 and 1000000000000 then
      perform private.raise_error('invalid_request', format('amount %s buys %s tokens: from 1 to 1000000000000 can be sold', amount, tokens));
    end if;
    name := format('%s tokens', tokens);
  else
    perform private.raise_error('invalid_request', format('kind must be package, plan, usd_deposit or tokens, got %s', kind));
  end if;
  select c.stripe_customer_id into stripe_customer_id
  from private.stripe_customers c
  where c.user_id = quote_checkout.user_id;
  select u.email into email from auth.users u where u.id = quote_checkout.user_id;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.replay_stripe_event(event_id text)
 RETURNS TABLE(outcome text, attention text, user_id uuid, error text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_event private.stripe_events;
begin
  select e.* into v_event from private.stripe_events e where e.id = event_id;
  if not found then
    perform private.raise_error('stripe_event_not_found', format('There is no event %s', event_id));
  end if;
  return query select * from private.apply_stripe_event(v_event);
end;
$function$;

CREATE OR REPLACE FUNCTION public.reserve_tokens(user_id uuid, amount bigint, operation_id text, ttl_seconds integer DEFAULT 900, description text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb)
 RETURNS TABLE(hold_id uuid, held bigint, expires_at timestamp with time zone, remaining bigint, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
    and not starts_with(operation_id, 'stripe:')
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  elsif (ttl_seconds between 1 and 86400) is not true then
    perform private.raise_error(
      'invalid_request', format('ttl_seconds must be from 1 to 86400, got %s', coalesce(ttl_seconds::text, 'nothing'))
    );
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    h.id,
    h.expires_at,
    h.remaining_after,
    h.amount = reserve_tokens.amount
      and h.ttl_seconds = reserve_tokens.ttl_seconds
      and h.description is not distinct from reserve_tokens.description
      and h.metadata = coalesce(reserve_tokens.metadata, '{}')
  into hold_id, expires_at, remaining, v_same
  from public.token_holds h
  where h.user_id = reserve_tokens.user_id and h.operation_id = reserve_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    held := amount;
    replayed := true;
    return next;
    return;
  end if;

  expires_at := current_timestamp + make_interval(secs => ttl_seconds);
  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with reserved as (
      update public.user_tokens u
      set
        tokens_reserved = u.tokens_reserved + reserve_tokens.amount,
        holds_expire_at = least(u.holds_expire_at, reserve_tokens.expires_at)
      where u.user_id = reserve_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= reserve_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_transactions t
          where t.user_id = reserve_tokens.user_id and t.operation_id = reserve_tokens.operation_id
        )
      returning u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_holds as h (
      user_id, operation_id, amount, ttl_seconds, expires_at, remaining_after, description, metadata
    )
    select
      reserve_tokens.user_id, reserve_tokens.operation_id, reserve_tokens.amount, reserve_tokens.ttl_seconds,
      reserve_tokens.expires_at, r.remaining, reserve_tokens.description, coalesce(reserve_tokens.metadata, '{}')
    from reserved r
    returning h.id, h.remaining_after into hold_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  held := amount;
  replayed := false;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.save_stripe_customer(user_id uuid, stripe_customer_id text)
 RETURNS TABLE(customer_id text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if not exists (select 1 from public.user_tokens u where u.user_id = save_stripe_customer.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  insert into private.stripe_customers (user_id, stripe_customer_id)
  values (save_stripe_customer.user_id, save_stripe_customer.stripe_customer_id)
  on conflict do nothing;
  return query
    select c.stripe_customer_id from private.stripe_customers c where c.user_id = save_stripe_customer.user_id;
end;
$function$;

CREATE OR REPLACE FUNCTION public.set_auto_top_up(user_id uuid, enabled boolean, threshold bigint, package_id uuid, monthly_cap_cents bigint)
 RETURNS TABLE(saved boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_package public.token_packages;
begin
  if (threshold between 1 and 1000000000000 and monthly_cap_cents between 50 and 99999999 and enabled is not null)
    is not true
  then
    perform private.raise_error(
      'invalid_request', 'threshold must be from 1 to 1000000000000 tokens, monthly_cap_cents from 50 to 99999999'
    );
  elsif not exists (select 1 from public.user_tokens u where u.user_id = set_auto_top_up.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  select p.* into v_package
  from public.token_packages p
  where p.id = set_auto_top_up.package_id and (p.active or not set_auto_top_up.enabled);
  if not found then
    perform private.raise_error('package_not_found', format('There is no package %s for sale', package_id));
  elsif v_package.price_cents > monthly_cap_cents then
    perform private.raise_error('invalid_request', format(
      'monthly_cap_cents must cover the package: it costs %s, the cap is %s', v_package.price_cents, monthly_cap_cents
    ));
  end if;
  insert into public.auto_top_ups as a (
    user_id, enabled, threshold, package_id, price_cents, currency, monthly_cap_cents
  )
  values (
    set_auto_top_up.user_id, set_auto_top_up.enabled, set_auto_top_up.threshold, set_auto_top_up.package_id,
    v_package.price_cents, v_package.currency, set_auto_top_up.monthly_cap_cents
  )
  on conflict on constraint auto_top_ups_pkey do update
  set
    enabled = excluded.enabled,
    threshold = excluded.threshold,
    package_id = excluded.package_id,
    price_cents = excluded.price_cents,
    currency = excluded.currency,
    monthly_cap_cents = excluded.monthly_cap_cents,
    stopped_reason = null,
    stopped_at = null;
  return query select true;
end;
$function$;

CREATE OR REPLACE FUNCTION public.verify_ledger()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::bigint) over in_order + t.amount as expected_balance
    from public.token_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, j.account, sum(j.amount) as amount from journal j group by j.user_id, j.account
  ),
  columns as (
    select u.user_id, 'purchased'::public.token_account as account, u.tokens_purchased::numeric as amount
    from public.user_tokens u
    union all
    select u.user_id, 'used', -u.tokens_used from public.user_tokens u
    union all
    select s.user_id, 'earned', s.earned_tokens from public.subscribers s where s.user_id is not null
    union all
    select s.user_id, 'admin_bonus', s.admin_bonus_tokens from public.subscribers s where s.user_id is not null
    union all
    select r.user_id, 'approved_requests', sum(r.amount)
    from public.token_requests r
    where r.status = 'approved'
    group by r.user_id
  ),
  holds as (
    select h.user_id, sum(h.amount) as amount, min(h.expires_at) as expires_at
    from public.token_holds h
    where h.status = 'active'
    group by h.user_id
  ),
  refunds as (
    select r.user_id, r.reference, sum(r.amount) as amount
    from public.token_transactions r
    where r.type = 'refund'
    group by r.user_id, r.reference
  )
  select j.user_id, 'seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select
    coalesce(s.user_id, c.user_id),
    format('journal of %s', coalesce(s.account, c.account)),
    coalesce(c.amount, 0),
    coalesce(s.amount, 0)
  from sums s
  full join columns c on c.user_id = s.user_id and c.account = s.account
  where coalesce(s.amount, 0) <> coalesce(c.amount, 0)
  union all
  select u.user_id, 'journal_seq', coalesce(max(j.seq), 0), u.journal_seq
  from public.user_tokens u
  left join journal j on j.user_id = u.user_id
  group by u.user_id
  having u.journal_seq <> coalesce(max(j.seq), 0)
  union all
  select u.user_id, 'journal_balance', coalesce(sum(s.amount), 0), u.journal_balance
  from public.user_tokens u
  left join sums s on s.user_id = u.user_id
  group by u.user_id
  having u.journal_balance <> coalesce(sum(s.amount), 0)
  union all
  select u.user_id, 'tokens_reserved', coalesce(h.amount, 0), u.tokens_reserved
  from public.user_tokens u
  left join holds h on h.user_id = u.user_id
  where u.tokens_reserved <> coalesce(h.amount, 0)
  union all
  select u.user_id, 'holds_expire_at', extract(epoch from h.expires_at), extract(epoch from u.holds_expire_at)
  from public.user_tokens u
  join holds h on h.user_id = u.user_id
  where u.holds_expire_at > h.expires_at
  union all
  select h.user_id, format('hold %s and its charge', h.operation_id), h.settled_amount, -t.amount
  from public.token_holds h
  left join public.token_transactions t
    on t.user_id = h.user_id and t.operation_id = h.operation_id and t.type = 'charge'
  where case h.status
    when 'settled' then t.amount is null or -t.amount <> h.settled_amount
    else t.amount is not null
  end
  union all
  select r.user_id, format('refunds of %s', r.reference), -t.amount, r.amount
  from refunds r
  left join public.token_transactions t
    on t.user_id = r.user_id and t.operation_id = r.reference and t.type = 'charge'
  where t.amount is null or r.amount > -t.amount
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usd_ledger() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_purchases() v
$function$;

ALTER TABLE "private"."subscription_changes" ADD CONSTRAINT "subscription_changes_user_id_fkey" FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE "public"."auto_top_ups" ADD CONSTRAINT "auto_top_ups_user_id_fkey" FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE "public"."subscriptions" ADD CONSTRAINT "subscriptions_next_tier_fkey" FOREIGN KEY (next_tier) REFERENCES public.subscription_plans(tier) ON UPDATE CASCADE ON DELETE RESTRICT;

ALTER TABLE "public"."subscriptions" ADD CONSTRAINT "subscriptions_tier_fkey" FOREIGN KEY (tier) REFERENCES public.subscription_plans(tier) ON UPDATE CASCADE ON DELETE RESTRICT;

ALTER TABLE "public"."auto_top_ups" ADD CONSTRAINT "auto_top_ups_package_id_fkey" FOREIGN KEY (package_id) REFERENCES public.token_packages(id) ON DELETE CASCADE;

ALTER TABLE "public"."usd_balances" ADD CONSTRAINT "usd_balances_user_id_fkey" FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

CREATE INDEX stripe_events_attention_idx ON private.stripe_events USING btree (created_at DESC, id DESC) WHERE (attention IS NOT NULL);

CREATE INDEX stripe_events_created_idx ON private.stripe_events USING btree (created_at DESC, id DESC);

CREATE INDEX stripe_events_invoice_idx ON private.stripe_events USING btree (invoice_id) WHERE (invoice_id IS NOT NULL);

CREATE INDEX stripe_events_payment_intent_idx ON private.stripe_events USING btree (payment_intent_id) WHERE (payment_intent_id IS NOT NULL);

CREATE INDEX stripe_events_subscription_idx ON private.stripe_events USING btree (subscription_id) WHERE (subscription_id IS NOT NULL);

CREATE INDEX stripe_events_waits_for_idx ON private.stripe_events USING btree (waits_for) WHERE (waits_for IS NOT NULL);

CREATE UNIQUE INDEX top_ups_in_flight_key ON private.top_ups USING btree (user_id) WHERE (status = 'in_flight'::text);

CREATE INDEX top_ups_user_idx ON private.top_ups USING btree (user_id, created_at);

CREATE INDEX auto_top_ups_enabled_idx ON public.auto_top_ups USING btree (user_id) WHERE enabled;

CREATE INDEX auto_top_ups_package_id_idx ON public.auto_top_ups USING btree (package_id);

CREATE INDEX purchases_stripe_id_idx ON public.purchases USING btree (stripe_id);

CREATE INDEX subscriptions_next_tier_idx ON public.subscriptions USING btree (next_tier);

CREATE INDEX subscriptions_stripe_subscription_id_idx ON public.subscriptions USING btree (stripe_subscription_id);

CREATE INDEX subscriptions_tier_idx ON public.subscriptions USING btree (tier);

CREATE TRIGGER scrip_lock_deleted_user BEFORE DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION private.lock_deleted_user();

CREATE TRIGGER stripe_events_kept BEFORE DELETE ON private.stripe_events FOR EACH ROW EXECUTE FUNCTION private.refuse_payment_change();

CREATE TRIGGER stripe_events_no_truncate BEFORE TRUNCATE ON private.stripe_events FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_payment_change();

CREATE TRIGGER stripe_events_unchanged BEFORE UPDATE ON private.stripe_events FOR EACH ROW WHEN (((old.id <> new.id) OR (old.type <> new.type) OR (old.livemode <> new.livemode) OR (old.object_id IS DISTINCT FROM new.object_id) OR (old.payment_intent_id IS DISTINCT FROM new.payment_intent_id) OR (old.invoice_id IS DISTINCT FROM new.invoice_id) OR (old.subscription_id IS DISTINCT FROM new.subscription_id) OR (old.customer_id IS DISTINCT FROM new.customer_id) OR (old.payload <> new.payload) OR (old.occurred_at <> new.occurred_at))) EXECUTE FUNCTION private.refuse_payment_change();

CREATE TRIGGER purchases_guard BEFORE INSERT OR DELETE OR UPDATE ON public.purchases FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_payment_change();

CREATE TRIGGER purchases_no_truncate BEFORE TRUNCATE ON public.purchases FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_payment_change();

CREATE TRIGGER usd_balances_adopt_journal BEFORE INSERT ON public.usd_balances FOR EACH ROW EXECUTE FUNCTION private.adopt_usd_journal();

CREATE TRIGGER usd_balances_journal AFTER INSERT OR DELETE OR UPDATE ON public.usd_balances FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.journal_usd_balance();

CREATE TRIGGER usd_balances_no_truncate BEFORE TRUNCATE ON public.usd_balances FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();

CREATE TRIGGER usd_transactions_append_only BEFORE DELETE OR UPDATE ON public.usd_transactions FOR EACH ROW EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."usd_transactions" ENABLE ALWAYS TRIGGER "usd_transactions_append_only";

CREATE TRIGGER usd_transactions_insert_guard BEFORE INSERT ON public.usd_transactions FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_journal_change();

CREATE TRIGGER usd_transactions_no_truncate BEFORE TRUNCATE ON public.usd_transactions FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."usd_transactions" ENABLE ALWAYS TRIGGER "usd_transactions_no_truncate";

CREATE POLICY "Users read their own auto top-up" ON "public"."auto_top_ups" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Users read their own purchases" ON "public"."purchases" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Everyone reads the plans on offer" ON "public"."subscription_plans" FOR SELECT TO "anon", "authenticated" USING (active);

CREATE POLICY "Users read their own subscriptions" ON "public"."subscriptions" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Everyone reads the packages for sale" ON "public"."token_packages" FOR SELECT TO "anon", "authenticated" USING (active);

CREATE POLICY "Users read their own USD balance" ON "public"."usd_balances" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Users read their own USD transactions" ON "public"."usd_transactions" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

COMMENT ON COLUMN "private"."stripe_customers"."created_at" IS 'When the customer was made.';

COMMENT ON COLUMN "private"."stripe_customers"."stripe_customer_id" IS 'Stripe''s customer.';

COMMENT ON COLUMN "private"."stripe_customers"."user_id" IS 'The user.';

COMMENT ON COLUMN "private"."stripe_events"."attention" IS 'What the operator has to look at; null when nothing.';

COMMENT ON COLUMN "private"."stripe_events"."created_at" IS 'When it came.';

COMMENT ON COLUMN "private"."stripe_events"."customer_id" IS 'Stripe''s customer.';

COMMENT ON COLUMN "private"."stripe_events"."error" IS 'Why it failed.';

COMMENT ON COLUMN "private"."stripe_events"."id" IS 'Stripe''s id of the event.';

COMMENT ON COLUMN "private"."stripe_events"."invoice_id" IS 'The invoice it belongs to.';

COMMENT ON COLUMN "private"."stripe_events"."livemode" IS 'Whether money moved; false in Stripe''s test mode.';

COMMENT ON COLUMN "private"."stripe_events"."object_id" IS 'Stripe''s id of what it is about.';

COMMENT ON COLUMN "private"."stripe_events"."occurred_at" IS 'When it happened at Stripe, to the second.';

COMMENT ON COLUMN "private"."stripe_events"."outcome" IS 'applied, waiting (for another event, or for the operator), ignored (not Scrip''s), or failed (nothing done).';

COMMENT ON COLUMN "private"."stripe_events"."payload" IS 'The event as it came.';

COMMENT ON COLUMN "private"."stripe_events"."payment_intent_id" IS 'The payment it belongs to.';

COMMENT ON COLUMN "private"."stripe_events"."subscription_id" IS 'The subscription it belongs to.';

COMMENT ON COLUMN "private"."stripe_events"."type" IS 'Such as invoice.paid.';

COMMENT ON COLUMN "private"."stripe_events"."user_id" IS 'The user, as far as it tells.';

COMMENT ON COLUMN "private"."stripe_events"."waits_for" IS 'The Stripe object whose own event it waits for.';

COMMENT ON COLUMN "private"."subscription_changes"."action" IS 'What was done: see change_subscription.';

COMMENT ON COLUMN "private"."subscription_changes"."actor" IS 'Who asked.';

COMMENT ON COLUMN "private"."subscription_changes"."created_at" IS 'When.';

COMMENT ON COLUMN "private"."subscription_changes"."effective_at" IS 'From when the plan counts.';

COMMENT ON COLUMN "private"."subscription_changes"."operation_id" IS 'The caller''s idempotency key.';

COMMENT ON COLUMN "private"."subscription_changes"."remaining" IS 'What the user could spend afterwards.';

COMMENT ON COLUMN "private"."subscription_changes"."tier" IS 'The plan asked for.';

COMMENT ON COLUMN "private"."subscription_changes"."tokens_granted" IS 'Tokens granted at once.';

COMMENT ON COLUMN "private"."subscription_changes"."user_id" IS 'Whose plan.';

COMMENT ON COLUMN "private"."top_ups"."amount_cents" IS 'Its price when the attempt was made.';

COMMENT ON COLUMN "private"."top_ups"."claimed_at" IS 'When it was last handed to a worker.';

COMMENT ON COLUMN "private"."top_ups"."created_at" IS 'When it was made.';

COMMENT ON COLUMN "private"."top_ups"."currency" IS 'ISO 4217, in lower case.';

COMMENT ON COLUMN "private"."top_ups"."description" IS 'The name of the package.';

COMMENT ON COLUMN "private"."top_ups"."id" IS 'The attempt; part of the idempotency key at Stripe.';

COMMENT ON COLUMN "private"."top_ups"."package_id" IS 'What is bought.';

COMMENT ON COLUMN "private"."top_ups"."reason" IS 'Why it failed.';

COMMENT ON COLUMN "private"."top_ups"."status" IS 'in_flight, succeeded, failed, or unknown: given up, and perhaps paid.';

COMMENT ON COLUMN "private"."top_ups"."tokens" IS 'What it gives.';

COMMENT ON COLUMN "private"."top_ups"."user_id" IS 'For whom.';

COMMENT ON COLUMN "public"."auto_top_ups"."created_at" IS 'When the user first set it up.';

COMMENT ON COLUMN "public"."auto_top_ups"."currency" IS 'In which currency.';

COMMENT ON COLUMN "public"."auto_top_ups"."enabled" IS 'Whether it is on; off after a decline, a refund, or when the package got dearer.';

COMMENT ON COLUMN "public"."auto_top_ups"."monthly_cap_cents" IS 'At most this much in a calendar month (UTC), in the smallest unit of the currency.';

COMMENT ON COLUMN "public"."auto_top_ups"."package_id" IS 'What to buy.';

COMMENT ON COLUMN "public"."auto_top_ups"."price_cents" IS 'What the package cost when the user agreed; a higher price is not charged.';

COMMENT ON COLUMN "public"."auto_top_ups"."stopped_at" IS 'When it was switched off because of a decline.';

COMMENT ON COLUMN "public"."auto_top_ups"."stopped_reason" IS 'Why it was switched off, for the user to read; null when the user did it.';

COMMENT ON COLUMN "public"."auto_top_ups"."threshold" IS 'Buy when fewer tokens than this remain.';

COMMENT ON COLUMN "public"."auto_top_ups"."user_id" IS 'The user.';

COMMENT ON COLUMN "public"."purchases"."amount_cents" IS 'What was paid, with tax and less discounts, in the smallest unit of the currency.';

COMMENT ON COLUMN "public"."purchases"."bonus_tokens" IS 'How many of them are the bonus of the user''s first paid period of a plan.';

COMMENT ON COLUMN "public"."purchases"."created_at" IS 'When Scrip learned of it.';

COMMENT ON COLUMN "public"."purchases"."currency" IS 'ISO 4217, in lower case.';

COMMENT ON COLUMN "public"."purchases"."description" IS 'What was bought, in words.';

COMMENT ON COLUMN "public"."purchases"."disputed_cents" IS 'How much of it a dispute has taken, less what was won back.';

COMMENT ON COLUMN "public"."purchases"."granted_period_start" IS 'The period whose credits it gave: once each. Null for an upgrade within a period.';

COMMENT ON COLUMN "public"."purchases"."id" IS 'The purchase.';

COMMENT ON COLUMN "public"."purchases"."kind" IS 'What was bought.';

COMMENT ON COLUMN "public"."purchases"."package_id" IS 'The package, if it was one.';

COMMENT ON COLUMN "public"."purchases"."paid_at" IS 'When Stripe says that it was paid.';

COMMENT ON COLUMN "public"."purchases"."period_end" IS 'Until when the plan is paid for.';

COMMENT ON COLUMN "public"."purchases"."period_start" IS 'From when the plan was paid for.';

COMMENT ON COLUMN "public"."purchases"."refunded_cents" IS 'How much of it is refunded.';

COMMENT ON COLUMN "public"."purchases"."stripe_checkout_session_id" IS 'Stripe''s checkout session.';

COMMENT ON COLUMN "public"."purchases"."stripe_id" IS 'Stripe''s id of the paid thing: payment intent, invoice, or the checkout session that cost nothing.';

COMMENT ON COLUMN "public"."purchases"."stripe_invoice_id" IS 'Stripe''s invoice, of a subscription.';

COMMENT ON COLUMN "public"."purchases"."stripe_payment_intent_id" IS 'Stripe''s payment intent, of a one-time payment.';

COMMENT ON COLUMN "public"."purchases"."stripe_subscription_id" IS 'Stripe''s subscription.';

COMMENT ON COLUMN "public"."purchases"."tier" IS 'The plan, if it was one.';

COMMENT ON COLUMN "public"."purchases"."tokens_clawed_back" IS 'How many of them refunds and disputes took back: floor(tokens_granted × (refunded + disputed) ÷ amount).';

COMMENT ON COLUMN "public"."purchases"."tokens_granted" IS 'Tokens that the payment gave, bonus included.';

COMMENT ON COLUMN "public"."purchases"."usd_clawed_back" IS 'How many of them refunds and disputes took back.';

COMMENT ON COLUMN "public"."purchases"."usd_granted" IS 'US dollars that the payment added to the USD balance.';

COMMENT ON COLUMN "public"."purchases"."user_id" IS 'Who bought.';

COMMENT ON COLUMN "public"."settings"."base_rate" IS 'Tokens for one unit of money (one euro, one dollar) in subscription/purchase, before the plan''s purchase_rate.';

COMMENT ON COLUMN "public"."settings"."id" IS 'Always true: there is one row.';

COMMENT ON COLUMN "public"."settings"."past_due_grace_days" IS 'For how many days a plan stays in force after a failed payment.';

COMMENT ON COLUMN "public"."settings"."purchase_currencies" IS 'Currencies that subscription/purchase takes, in lower case; one unit of each buys base_rate tokens.';

COMMENT ON COLUMN "public"."subscription_plans"."active" IS 'Whether it can be subscribed to; existing subscriptions keep it.';

COMMENT ON COLUMN "public"."subscription_plans"."bonus_credits" IS 'Tokens on top, in a user''s first paid period.';

COMMENT ON COLUMN "public"."subscription_plans"."created_at" IS 'When it was added.';

COMMENT ON COLUMN "public"."subscription_plans"."credits_included" IS 'Tokens of each paid period.';

COMMENT ON COLUMN "public"."subscription_plans"."currency" IS 'ISO 4217, in lower case.';

COMMENT ON COLUMN "public"."subscription_plans"."description" IS 'What the buyer reads beside it.';

COMMENT ON COLUMN "public"."subscription_plans"."fixed_cost" IS 'How much of monthly_cost pays for the service itself and not for credits: for the operator''s books, never charged beside it.';

COMMENT ON COLUMN "public"."subscription_plans"."monthly_cost" IS 'What a month costs, in units of the currency.';

COMMENT ON COLUMN "public"."subscription_plans"."multiplier" IS 'What charges are multiplied by, rounded up.';

COMMENT ON COLUMN "public"."subscription_plans"."name" IS 'Its name, which the buyer sees in the checkout.';

COMMENT ON COLUMN "public"."subscription_plans"."purchase_rate" IS 'What tokens bought by subscription/purchase are multiplied by.';

COMMENT ON COLUMN "public"."subscription_plans"."stripe_product_id" IS 'The plan''s product at Stripe.';

COMMENT ON COLUMN "public"."subscription_plans"."tier" IS 'The plan, such as basic.';

COMMENT ON COLUMN "public"."subscriptions"."cancel_at_period_end" IS 'Whether it ends with the period.';

COMMENT ON COLUMN "public"."subscriptions"."created_at" IS 'When Scrip learned of it.';

COMMENT ON COLUMN "public"."subscriptions"."current_period_end" IS 'When it ends.';

COMMENT ON COLUMN "public"."subscriptions"."current_period_start" IS 'When the period began.';

COMMENT ON COLUMN "public"."subscriptions"."id" IS 'The subscription.';

COMMENT ON COLUMN "public"."subscriptions"."next_tier" IS 'Of a plan not paid through Stripe: what follows at the end of the period, if something else.';

COMMENT ON COLUMN "public"."subscriptions"."past_due_since" IS 'Since when a payment is overdue; null if none is.';

COMMENT ON COLUMN "public"."subscriptions"."payment_failed_at" IS 'When a payment failed last, unless one has succeeded since.';

COMMENT ON COLUMN "public"."subscriptions"."status" IS 'As at Stripe: trialing, active, past_due, unpaid, incomplete, incomplete_expired, paused, canceled.';

COMMENT ON COLUMN "public"."subscriptions"."stripe_item_id" IS 'The item of Stripe''s subscription that is the plan.';

COMMENT ON COLUMN "public"."subscriptions"."stripe_subscription_id" IS 'Stripe''s subscription; null when it is paid for by other means.';

COMMENT ON COLUMN "public"."subscriptions"."tier" IS 'The plan that is billed next; until the end of the period, a higher one that is paid for counts.';

COMMENT ON COLUMN "public"."subscriptions"."user_id" IS 'The subscriber.';

COMMENT ON COLUMN "public"."token_packages"."active" IS 'Whether it is for sale.';

COMMENT ON COLUMN "public"."token_packages"."bonus_tokens" IS 'Tokens on top, such as an early-bird bonus.';

COMMENT ON COLUMN "public"."token_packages"."created_at" IS 'When it was added.';

COMMENT ON COLUMN "public"."token_packages"."currency" IS 'ISO 4217, in lower case.';

COMMENT ON COLUMN "public"."token_packages"."description" IS 'What the buyer reads beside it.';

COMMENT ON COLUMN "public"."token_packages"."id" IS 'The package.';

COMMENT ON COLUMN "public"."token_packages"."name" IS 'Its name, which the buyer sees in the checkout.';

COMMENT ON COLUMN "public"."token_packages"."price_cents" IS 'The price, in the smallest unit of its currency, as Stripe counts.';

COMMENT ON COLUMN "public"."token_packages"."tokens" IS 'Tokens that are paid for.';

COMMENT ON COLUMN "public"."token_packages"."tokens_granted" IS 'What the buyer gets: tokens and bonus_tokens.';

COMMENT ON COLUMN "public"."usd_balances"."balance" IS 'US dollars: deposits less refills. Negative when more was clawed back than was left.';

COMMENT ON COLUMN "public"."usd_balances"."created_at" IS 'When the first posting was made.';

COMMENT ON COLUMN "public"."usd_balances"."journal_seq" IS 'The last seq of the user''s USD journal, kept by Scrip.';

COMMENT ON COLUMN "public"."usd_balances"."user_id" IS 'The auth user.';

COMMENT ON COLUMN "public"."usd_transactions"."actor" IS 'Who did it: the user''s id that the caller named, else the database role.';

COMMENT ON COLUMN "public"."usd_transactions"."amount" IS 'US dollars given (positive) or taken (negative).';

COMMENT ON COLUMN "public"."usd_transactions"."balance_after" IS 'The sum of the user''s amounts up to this row.';

COMMENT ON COLUMN "public"."usd_transactions"."created_at" IS 'When.';

COMMENT ON COLUMN "public"."usd_transactions"."description" IS 'What it was for, in the caller''s words.';

COMMENT ON COLUMN "public"."usd_transactions"."id" IS 'The transaction.';

COMMENT ON COLUMN "public"."usd_transactions"."metadata" IS 'The caller''s own data.';

COMMENT ON COLUMN "public"."usd_transactions"."operation_id" IS 'The caller''s idempotency key, or null for an edit by hand.';

COMMENT ON COLUMN "public"."usd_transactions"."reference" IS 'What it is about: a Stripe object, a refill.';

COMMENT ON COLUMN "public"."usd_transactions"."seq" IS 'Number of the row among the user''s, from 1, without gaps.';

COMMENT ON COLUMN "public"."usd_transactions"."type" IS 'Why it changed.';

COMMENT ON COLUMN "public"."usd_transactions"."user_id" IS 'Whose balance changed.';

COMMENT ON FUNCTION "private"."adopt_usd_journal"() IS 'Lets a new usd_balances row go on where the user''s journal ended.';

COMMENT ON FUNCTION "private"."apply_checkout_session"(private.stripe_events) IS 'Grants what a paid checkout session sold.';

COMMENT ON FUNCTION "private"."apply_invoice"(private.stripe_events) IS 'Grants what a paid invoice of a subscription gives.';

COMMENT ON FUNCTION "private"."apply_payment_intent"(private.stripe_events) IS 'Grants what an automatic top-up paid for, or stops it after a decline.';

COMMENT ON FUNCTION "private"."apply_reversal"(private.stripe_events) IS 'Settles the purchase that a refund or a dispute belongs to.';

COMMENT ON FUNCTION "private"."apply_stripe_event"(private.stripe_events) IS 'Does the effect of a stored event of Stripe''s, and notes what came of it.';

COMMENT ON FUNCTION "private"."apply_waiting_invoices"(private.stripe_events, private.stripe_effect) IS 'Handles invoices again that waited to learn how long a period is.';

COMMENT ON FUNCTION "private"."check_money"(text) IS 'Reads an amount of money that a user wants to pay.';

COMMENT ON FUNCTION "private"."claim_usd_operation"(uuid, text, public.usd_transaction_type, numeric, text, text, jsonb) IS 'Takes the user''s queue and finds the first result of an operation_id.';

COMMENT ON FUNCTION "private"."claw_back_tokens"(public.purchases, bigint, text) IS 'Takes tokens of a purchase from its buyer, or gives them back.';

COMMENT ON FUNCTION "private"."current_subscription"(uuid) IS 'The subscription that counts for a user, and its plan in force.';

COMMENT ON FUNCTION "private"."dispatch_stripe_event"(private.stripe_events) IS 'Which events of Stripe''s Scrip handles, and by what.';

COMMENT ON FUNCTION "private"."effect"(text, uuid, text, text) IS 'Makes a stripe_effect.';

COMMENT ON FUNCTION "private"."find_stripe_user"(jsonb, text) IS 'Whose a Stripe object is; null for an unknown user.';

COMMENT ON FUNCTION "private"."grant_of_period"(uuid, private.stripe_events, public.subscription_plans, bigint, timestamp with time zone, bigint) IS 'The credits that a paid period of a plan gives.';

COMMENT ON FUNCTION "private"."grant_purchase"(private.stripe_events, uuid, jsonb, bigint, bigint, text) IS 'Grants what a one-time payment bought, never more than was offered.';

COMMENT ON FUNCTION "private"."invoice_lines"(jsonb) IS 'The lines of an invoice that are for a plan.';

COMMENT ON FUNCTION "private"."journal_usd_balance"() IS 'Journals edits of usd_balances by hand.';

COMMENT ON FUNCTION "private"."keep_subscription"(uuid, text, text) IS 'Writes a change of a plan that is not paid for through Stripe.';

COMMENT ON FUNCTION "private"."lock_account"(uuid) IS 'Takes the user''s queue, after the row of auth.users.';

COMMENT ON FUNCTION "private"."lock_deleted_user"() IS 'Makes an account''s deletion wait for the operations on its balance.';

COMMENT ON FUNCTION "private"."lock_stripe_event"(private.stripe_events) IS 'Takes the locks of everything that an event is about.';

COMMENT ON FUNCTION "private"."lock_stripe_object"(text) IS 'Serializes the events of one Stripe object until the transaction ends.';

COMMENT ON FUNCTION "private"."metadata_amount"(jsonb, text) IS 'A whole number that create-checkout wrote into metadata.';

COMMENT ON FUNCTION "private"."minor_units"(text) IS 'How many of a currency''s smallest units make one unit of it.';

COMMENT ON FUNCTION "private"."move_bonus"(public.purchases, text) IS 'Leaves the bonus with a user''s first paid period alone.';

COMMENT ON FUNCTION "private"."newest_subscription_event"(text) IS 'The newest of a subscription''s events.';

COMMENT ON FUNCTION "private"."parse_stripe_event"(jsonb) IS 'Reads from an event what Scrip finds it by.';

COMMENT ON FUNCTION "private"."plan_change"(uuid, public.subscription_plans) IS 'What a change to a plan comes to.';

COMMENT ON FUNCTION "private"."post_usd"(uuid, public.usd_transaction_type, numeric, text, text, text, jsonb, text) IS 'Changes a user''s USD balance and appends the journal row.';

COMMENT ON FUNCTION "private"."record_stripe_purchase"(public.purchases, text) IS 'Records a paid thing and grants all that it gives, once.';

COMMENT ON FUNCTION "private"."refuse_payment_change"() IS 'Refuses edits of what follows from Stripe''s events.';

COMMENT ON FUNCTION "private"."settle_purchase"(text, text) IS 'Brings what was clawed back of a purchase in line with its refunds and disputes.';

COMMENT ON FUNCTION "private"."settle_subscription"(text) IS 'Brings a subscription in line with the newest of its events.';

COMMENT ON FUNCTION "private"."stripe_id"(jsonb) IS 'The id of a Stripe object that another refers to.';

COMMENT ON FUNCTION "private"."stripe_metadata"(jsonb) IS 'What create-checkout wrote on a Stripe object.';

COMMENT ON FUNCTION "private"."stripe_reversals"(text[]) IS 'How much of a payment is refunded and disputed, from all of its events.';

COMMENT ON FUNCTION "private"."subscription_history"(text) IS 'When a subscription''s payments failed and succeeded.';

COMMENT ON FUNCTION "private"."top_up_spent_cents"(uuid, text) IS 'What a user''s automatic top-ups cost in this calendar month.';

COMMENT ON FUNCTION "private"."upgrade_credits"(text, jsonb) IS 'What the prorations of an invoice give.';

COMMENT ON FUNCTION "private"."usd_text"(numeric) IS 'US dollars as text: exact, with two decimals or as many as it takes.';

COMMENT ON FUNCTION "private"."verify_purchases"() IS 'A row for each purchase whose grants the journals don''t have.';

COMMENT ON FUNCTION "private"."verify_usd_ledger"() IS 'A row for each disagreement between the USD journal and the USD balances; none when all is well.';

COMMENT ON FUNCTION "public"."change_subscription"(uuid, text, text, text) IS 'Changes a user''s plan, at most once per operation_id.';

COMMENT ON FUNCTION "public"."claim_auto_top_ups"(integer) IS 'Hands out the automatic top-ups to charge now.';

COMMENT ON FUNCTION "public"."deposit_usd"(uuid, text, text, text, text) IS 'Adds US dollars to a user''s USD balance, at most once per operation_id.';

COMMENT ON FUNCTION "public"."fail_auto_top_up"(uuid, text) IS 'Ends an attempt to top up, and switches the user''s auto top-up off.';

COMMENT ON FUNCTION "public"."get_auto_top_up"(uuid) IS 'A user''s auto top-up: what is set, spent, and why it stopped.';

COMMENT ON FUNCTION "public"."get_subscription"(uuid) IS 'A user''s plan in force and its period.';

COMMENT ON FUNCTION "public"."get_usd_balance"(uuid) IS 'What a user has in US dollars, as a decimal string; 0.00 without a balance.';

COMMENT ON FUNCTION "public"."handle_stripe_event"(jsonb) IS 'Stores an event of Stripe''s and does its effect, once.';

COMMENT ON FUNCTION "public"."list_stripe_events"(integer, boolean, timestamp with time zone, text) IS 'Stripe''s events, the last that came first.';

COMMENT ON FUNCTION "public"."list_subscription_plans"() IS 'The plans on offer, the cheapest first.';

COMMENT ON FUNCTION "public"."list_token_transactions"(uuid, integer, bigint) IS 'A user''s journal, newest first.';

COMMENT ON FUNCTION "public"."quote_checkout"(uuid, text, uuid, text, text, text) IS 'What a checkout sells and asks.';

COMMENT ON FUNCTION "public"."replay_stripe_event"(text) IS 'Handles a stored event of Stripe''s again.';

COMMENT ON FUNCTION "public"."save_stripe_customer"(uuid, text) IS 'Remembers which customer of Stripe''s a user is; the first one stays.';

COMMENT ON FUNCTION "public"."set_auto_top_up"(uuid, boolean, bigint, uuid, bigint) IS 'Sets up a user''s auto top-up, and switches it on or off.';

COMMENT ON TABLE "private"."stripe_customers" IS 'Which customer of Stripe''s a user is. Rows stay when the user is deleted: payments can still be refunded.';

COMMENT ON TABLE "private"."stripe_events" IS 'Every event that Stripe sent, as it came, for ever.';

COMMENT ON TABLE "private"."subscription_changes" IS 'Requests to change a plan, with what was answered.';

COMMENT ON TABLE "private"."top_ups" IS 'Attempts to buy a package automatically.';

COMMENT ON TABLE "public"."auto_top_ups" IS 'Who wants a package bought whenever the balance falls below a threshold.';

COMMENT ON TABLE "public"."purchases" IS 'Paid things: what was paid, granted, refunded and clawed back. Written by Stripe''s events alone.';

COMMENT ON TABLE "public"."settings" IS 'What the operator sets: one row.';

COMMENT ON TABLE "public"."subscription_plans" IS 'The plans that users subscribe to.';

COMMENT ON TABLE "public"."subscriptions" IS 'Who subscribes to which plan. Those of Stripe follow its events.';

COMMENT ON TABLE "public"."token_packages" IS 'Packages of tokens for sale.';

COMMENT ON TABLE "public"."usd_balances" IS 'US dollars that users hold; a row from the first posting on. Edits are journalled.';

COMMENT ON TABLE "public"."usd_transactions" IS 'The USD journal: every change of a USD balance, append-only.';

COMMENT ON TYPE "private"."period_grant" IS 'What a paid period of a plan gives, and what the operator should know of it.';

COMMENT ON TYPE "private"."stripe_effect" IS 'What handling an event of Stripe''s came to: the columns of stripe_events that tell.';

COMMENT ON TYPE "public"."purchase_kind" IS 'What was paid for: a package, tokens for an amount, a period of a plan, an automatic top-up, a USD deposit.';

COMMENT ON TYPE "public"."usd_transaction_type" IS 'Why a row of the USD journal was written.';

REVOKE ALL ON FUNCTION "private"."adopt_usd_journal"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."adopt_usd_journal"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_checkout_session"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_checkout_session"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_invoice"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_invoice"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_payment_intent"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_payment_intent"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_reversal"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_reversal"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_stripe_event"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_stripe_event"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."apply_waiting_invoices"(private.stripe_events, private.stripe_effect) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."apply_waiting_invoices"(private.stripe_events, private.stripe_effect) TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_money"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."check_money"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."claim_usd_operation"(uuid, text, public.usd_transaction_type, numeric, text, text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."claim_usd_operation"(uuid, text, public.usd_transaction_type, numeric, text, text, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."claw_back_tokens"(public.purchases, bigint, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."claw_back_tokens"(public.purchases, bigint, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."current_subscription"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."current_subscription"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."dispatch_stripe_event"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."dispatch_stripe_event"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."effect"(text, uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."effect"(text, uuid, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."find_stripe_user"(jsonb, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."find_stripe_user"(jsonb, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."grant_of_period"(uuid, private.stripe_events, public.subscription_plans, bigint, timestamp with time zone, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."grant_of_period"(uuid, private.stripe_events, public.subscription_plans, bigint, timestamp with time zone, bigint) TO "postgres";

REVOKE ALL ON FUNCTION "private"."grant_purchase"(private.stripe_events, uuid, jsonb, bigint, bigint, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."grant_purchase"(private.stripe_events, uuid, jsonb, bigint, bigint, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."invoice_lines"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."invoice_lines"(jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."journal_usd_balance"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."journal_usd_balance"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."keep_subscription"(uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."keep_subscription"(uuid, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_account"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."lock_account"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_deleted_user"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."lock_deleted_user"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_stripe_event"(private.stripe_events) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."lock_stripe_event"(private.stripe_events) TO "postgres";

REVOKE ALL ON FUNCTION "private"."lock_stripe_object"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."lock_stripe_object"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."metadata_amount"(jsonb, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."metadata_amount"(jsonb, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."minor_units"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."minor_units"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."move_bonus"(public.purchases, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."move_bonus"(public.purchases, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."newest_subscription_event"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."newest_subscription_event"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."parse_stripe_event"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."parse_stripe_event"(jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."plan_change"(uuid, public.subscription_plans) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."plan_change"(uuid, public.subscription_plans) TO "postgres";

REVOKE ALL ON FUNCTION "private"."post_usd"(uuid, public.usd_transaction_type, numeric, text, text, text, jsonb, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."post_usd"(uuid, public.usd_transaction_type, numeric, text, text, text, jsonb, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."record_stripe_purchase"(public.purchases, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."record_stripe_purchase"(public.purchases, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."refuse_payment_change"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."refuse_payment_change"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."settle_purchase"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."settle_purchase"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."settle_subscription"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."settle_subscription"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."stripe_id"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."stripe_id"(jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."stripe_metadata"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."stripe_metadata"(jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."stripe_reversals"(text[]) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."stripe_reversals"(text[]) TO "postgres";

REVOKE ALL ON FUNCTION "private"."subscription_history"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."subscription_history"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."top_up_spent_cents"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."top_up_spent_cents"(uuid, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."upgrade_credits"(text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."upgrade_credits"(text, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."usd_text"(numeric) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."usd_text"(numeric) TO "postgres";

REVOKE ALL ON FUNCTION "private"."verify_purchases"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."verify_purchases"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."verify_usd_ledger"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."verify_usd_ledger"() TO "postgres";

REVOKE ALL ON FUNCTION "public"."change_subscription"(uuid, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."change_subscription"(uuid, text, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."claim_auto_top_ups"(integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."claim_auto_top_ups"(integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."deposit_usd"(uuid, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."deposit_usd"(uuid, text, text, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."fail_auto_top_up"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."fail_auto_top_up"(uuid, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_auto_top_up"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_auto_top_up"(uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_subscription"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_subscription"(uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_usd_balance"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_usd_balance"(uuid) TO "authenticated", "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."handle_stripe_event"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."handle_stripe_event"(jsonb) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_stripe_events"(integer, boolean, timestamp with time zone, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_stripe_events"(integer, boolean, timestamp with time zone, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_subscription_plans"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_subscription_plans"() TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_token_transactions"(uuid, integer, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_token_transactions"(uuid, integer, bigint) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."quote_checkout"(uuid, text, uuid, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."quote_checkout"(uuid, text, uuid, text, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."replay_stripe_event"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."replay_stripe_event"(text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."save_stripe_customer"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."save_stripe_customer"(uuid, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."set_auto_top_up"(uuid, boolean, bigint, uuid, bigint) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."set_auto_top_up"(uuid, boolean, bigint, uuid, bigint) TO "postgres", "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."stripe_customers" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."stripe_events" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."subscription_changes" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."top_ups" TO "postgres";

REVOKE ALL ON TABLE "public"."auto_top_ups" FROM "authenticated";

GRANT SELECT ON TABLE "public"."auto_top_ups" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."auto_top_ups" TO "postgres";

REVOKE ALL ON TABLE "public"."auto_top_ups" FROM "service_role";

GRANT SELECT ON TABLE "public"."auto_top_ups" TO "service_role";

REVOKE ALL ON TABLE "public"."purchases" FROM "authenticated";

GRANT SELECT ON TABLE "public"."purchases" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."purchases" TO "postgres";

REVOKE ALL ON TABLE "public"."purchases" FROM "service_role";

GRANT SELECT ON TABLE "public"."purchases" TO "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."settings" TO "postgres";

REVOKE ALL ON TABLE "public"."settings" FROM "service_role";

GRANT SELECT ON TABLE "public"."settings" TO "service_role";

REVOKE ALL ON TABLE "public"."subscription_plans" FROM "anon";

GRANT SELECT ON TABLE "public"."subscription_plans" TO "anon";

REVOKE ALL ON TABLE "public"."subscription_plans" FROM "authenticated";

GRANT SELECT ON TABLE "public"."subscription_plans" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."subscription_plans" TO "postgres";

REVOKE ALL ON TABLE "public"."subscription_plans" FROM "service_role";

GRANT SELECT ON TABLE "public"."subscription_plans" TO "service_role";

REVOKE ALL ON TABLE "public"."subscriptions" FROM "authenticated";

GRANT SELECT ON TABLE "public"."subscriptions" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."subscriptions" TO "postgres";

REVOKE ALL ON TABLE "public"."subscriptions" FROM "service_role";

GRANT SELECT ON TABLE "public"."subscriptions" TO "service_role";

REVOKE ALL ON TABLE "public"."token_packages" FROM "anon";

GRANT SELECT ON TABLE "public"."token_packages" TO "anon";

REVOKE ALL ON TABLE "public"."token_packages" FROM "authenticated";

GRANT SELECT ON TABLE "public"."token_packages" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."token_packages" TO "postgres";

REVOKE ALL ON TABLE "public"."token_packages" FROM "service_role";

GRANT SELECT ON TABLE "public"."token_packages" TO "service_role";

REVOKE ALL ON TABLE "public"."usd_balances" FROM "authenticated";

GRANT SELECT ON TABLE "public"."usd_balances" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."usd_balances" TO "postgres";

REVOKE ALL ON TABLE "public"."usd_balances" FROM "service_role";

GRANT SELECT ON TABLE "public"."usd_balances" TO "service_role";

REVOKE ALL ON TABLE "public"."usd_transactions" FROM "authenticated";

GRANT SELECT ON TABLE "public"."usd_transactions" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."usd_transactions" TO "postgres";

REVOKE ALL ON TABLE "public"."usd_transactions" FROM "service_role";

GRANT SELECT ON TABLE "public"."usd_transactions" TO "service_role";

set local check_function_bodies = off;

REVOKE ALL ON FUNCTION "public"."change_subscription"(uuid, text, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."change_subscription"(uuid, text, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."claim_auto_top_ups"(integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."claim_auto_top_ups"(integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."deposit_usd"(uuid, text, text, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."deposit_usd"(uuid, text, text, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."fail_auto_top_up"(uuid, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."fail_auto_top_up"(uuid, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_auto_top_up"(uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."get_auto_top_up"(uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_subscription"(uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."get_subscription"(uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_usd_balance"(uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."handle_stripe_event"(jsonb) FROM "anon";

REVOKE ALL ON FUNCTION "public"."handle_stripe_event"(jsonb) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_stripe_events"(integer, boolean, timestamp with time zone, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_stripe_events"(integer, boolean, timestamp with time zone, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_subscription_plans"() FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_subscription_plans"() FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_token_transactions"(uuid, integer, bigint) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_token_transactions"(uuid, integer, bigint) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."quote_checkout"(uuid, text, uuid, text, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."quote_checkout"(uuid, text, uuid, text, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."replay_stripe_event"(text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."replay_stripe_event"(text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."save_stripe_customer"(uuid, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."save_stripe_customer"(uuid, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."set_auto_top_up"(uuid, boolean, bigint, uuid, bigint) FROM "anon";

REVOKE ALL ON FUNCTION "public"."set_auto_top_up"(uuid, boolean, bigint, uuid, bigint) FROM "authenticated";

REVOKE ALL ON TABLE "public"."auto_top_ups" FROM "anon";

REVOKE ALL ON TABLE "public"."purchases" FROM "anon";

REVOKE ALL ON TABLE "public"."settings" FROM "anon";

REVOKE ALL ON TABLE "public"."settings" FROM "authenticated";

REVOKE ALL ON TABLE "public"."subscriptions" FROM "anon";

REVOKE ALL ON TABLE "public"."usd_balances" FROM "anon";

REVOKE ALL ON TABLE "public"."usd_transactions" FROM "anon";
