-- What a user's charges are multiplied by: the multiplier of the plan in force, 1 without a plan.
--
-- Called by  calculate_charge, open_run

create or replace function private.charge_multiplier(user_id uuid)
returns numeric
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (select (c.plan).multiplier from private.current_subscription(charge_multiplier.user_id) c), 1
  );
end;
$$;

comment on function private.charge_multiplier is 'The multiplier of a user''s charges: 1 without a plan.';
revoke execute on function private.charge_multiplier from public;
