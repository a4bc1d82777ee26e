-- Ends an attempt to top up that did not go through, and switches the user's auto top-up off with the reason. An attempt
-- that has ended stays as it is.
--
-- Called by  functions/auto-top-up, apply_payment_intent, claim_auto_top_ups

create or replace function public.fail_auto_top_up(top_up_id uuid, reason text)
returns table (stopped boolean)
language plpgsql
volatile
security definer -- callers hold no DML on top_ups and auto_top_ups; this is the door
set search_path = ''
as $$
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
$$;

comment on function public.fail_auto_top_up is 'Ends an attempt to top up, and switches the user''s auto top-up off.';
revoke execute on function public.fail_auto_top_up from public, anon, authenticated;
grant execute on function public.fail_auto_top_up to service_role;
