-- Sets up a user's auto top-up, and switches it on or off. It clears the reason for which it had stopped.
--
-- Called by  functions/auto-top-up, which then answers get_auto_top_up
-- Raises     invalid_request, user_not_found, package_not_found

create or replace function public.set_auto_top_up(
  user_id uuid,
  enabled boolean,
  threshold bigint,
  package_id uuid,
  monthly_cap_cents bigint
)
returns table (saved boolean)
language plpgsql
volatile
security definer -- callers hold no DML on auto_top_ups; this is the door
set search_path = ''
as $$
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
$$;

comment on function public.set_auto_top_up is 'Sets up a user''s auto top-up, and switches it on or off.';
revoke execute on function public.set_auto_top_up from public, anon, authenticated;
grant execute on function public.set_auto_top_up to service_role;
