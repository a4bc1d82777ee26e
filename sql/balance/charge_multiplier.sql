-- What a user's charges are multiplied by: the multiplier of the plan in force, 1 without a plan.
--
-- Called by  calculate_charge

create or replace function private.charge_multiplier(user_id uuid)
returns numeric
language sql
stable
set search_path = ''
as $$
  select coalesce(
    (select (c.plan).multiplier from private.current_subscription(charge_multiplier.user_id) c), 1
  )
$$;

comment on function private.charge_multiplier is 'The multiplier of a user''s charges: 1 without a plan.';
revoke execute on function private.charge_multiplier from public;
