-- What a checkout sells and asks: price and tokens come from here, never from the caller. A package or a plan by its row;
-- tokens for an amount by floor(amount × base_rate × the plan's purchase_rate); a USD deposit as it is.
--
-- Called by  functions/create-checkout, functions/subscription
-- Raises     invalid_request, user_not_found, package_not_found, plan_not_found, already_subscribed

create or replace function public.quote_checkout(
  user_id uuid,
  kind text,
  package_id uuid default null,
  tier text default null,
  amount text default null,
  currency text default null
)
returns table (
  name text,
  description text,
  amount_cents bigint,
  price_currency text,
  tokens bigint,
  usd text,
  stripe_customer_id text,
  email text,
  stripe_product_id text
)
language plpgsql
stable
security definer -- stripe_customers and auth.users are not for callers
set search_path = ''
as $$
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
$$;

comment on function public.quote_checkout is 'What a checkout sells and asks.';
revoke execute on function public.quote_checkout from public, anon, authenticated;
grant execute on function public.quote_checkout to service_role;
