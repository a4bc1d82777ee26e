-- Ends the user's holds that are past their expiry and gives their tokens back. The caller holds the user's queue.
--
-- Called by  every operation, when holds_expire_at has passed; expire_token_holds
-- Returns    the number of holds ended

create or replace function private.sweep_holds(user_id uuid)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_due boolean;
  v_swept bigint;
begin
  select u.holds_expire_at <= now() into v_due
  from public.user_tokens u
  where u.user_id = sweep_holds.user_id
  for update;
  if v_due is not true then
    return 0;
  end if;

  perform set_config('scrip.posting', 'on', true);
  with swept as (
    update public.token_holds h
    set status = 'expired', ended_at = now()
    where h.user_id = sweep_holds.user_id and h.status = 'active' and h.expires_at <= now()
    returning h.amount
  ),
  freed as (
    select coalesce(sum(s.amount), 0)::bigint as amount, count(*) as holds from swept s
  )
  update public.user_tokens u
  set
    tokens_reserved = u.tokens_reserved - f.amount,
    holds_expire_at = coalesce(
      (
        select min(h.expires_at) from public.token_holds h
        where h.user_id = sweep_holds.user_id and h.status = 'active' and h.expires_at > now()
      ),
      'infinity'
    )
  from freed f
  where u.user_id = sweep_holds.user_id
  returning f.holds into v_swept;
  perform set_config('scrip.posting', '', true);
  return v_swept;
end;
$$;

comment on function private.sweep_holds is 'Ends a user''s holds that are past their expiry; returns how many.';
revoke execute on function private.sweep_holds from public;
