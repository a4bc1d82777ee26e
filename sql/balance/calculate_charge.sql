-- What a base price costs this user: ceil(base_amount × the plan's multiplier).
--
-- Called by  functions/credits
-- Returns    the multiplier as a decimal string, since JSON numbers are floats
-- Raises     invalid_amount, user_not_found

create or replace function public.calculate_charge(user_id uuid, base_amount bigint)
returns table (multiplier text, amount bigint)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
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
$$;

comment on function public.calculate_charge is 'What a base price costs this user, by the plan''s multiplier.';
revoke execute on function public.calculate_charge from public, anon, authenticated;
grant execute on function public.calculate_charge to service_role;
