-- Makes a stripe_effect.
--
-- Called by  apply_stripe_event and what it dispatches to

create or replace function private.effect(
  outcome text,
  user_id uuid default null,
  waits_for text default null,
  attention text default null
)
returns private.stripe_effect
language plpgsql
immutable
set search_path = ''
as $$
begin
  return row(outcome, waits_for, attention, user_id)::private.stripe_effect;
end;
$$;

comment on function private.effect is 'Makes a stripe_effect.';
revoke execute on function private.effect from public;
