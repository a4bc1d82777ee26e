-- Leaves the bonus with a user's first paid period alone, whichever invoice came first: takes it from the purchases of
-- later periods, with what was clawed back of it.
--
-- Called by  apply_invoice, which holds the user's queue, after the purchase of the first period so far is recorded

create or replace function private.move_bonus(first public.purchases, event_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
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
$$;

comment on function private.move_bonus is 'Leaves the bonus with a user''s first paid period alone.';
revoke execute on function private.move_bonus from public;
