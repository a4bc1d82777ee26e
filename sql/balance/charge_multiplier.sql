-- What a user's charges are multiplied by. A user without a subscription plan pays the base price.
--
-- Called by  calculate_charge

create or replace function private.charge_multiplier(user_id uuid)
returns numeric
language sql
stable
set search_path = ''
as $$
  select 1::numeric
$$;

comment on function private.charge_multiplier is 'The multiplier of a user''s charges: 1 without a plan.';
revoke execute on function private.charge_multiplier from public;
