-- Does the effect of a stored event, and notes on it what came of it. A failure undoes the effect, not the note; what
-- passes by itself (a deadlock, a server that shuts down) undoes both, so that Stripe sends the event again.
--
-- Called by  handle_stripe_event, replay_stripe_event

create or replace function private.apply_stripe_event(event private.stripe_events)
returns table (outcome text, attention text, user_id uuid, error text)
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_effect private.stripe_effect;
begin
  begin
    perform private.lock_stripe_event(event);
    v_effect := private.dispatch_stripe_event(event);
  exception when others then
    if sqlstate ~ '^(08|40|53|55|57|58|XX)' then
      raise;
    end if;
    error := case sqlstate when 'PGRST' then sqlerrm::jsonb ->> 'message' else sqlerrm end;
    v_effect := private.effect('failed', event.user_id, attention => format('Handling failed: %s', error));
  end;
  outcome := v_effect.outcome;
  attention := v_effect.attention;
  user_id := coalesce(v_effect.user_id, event.user_id);
  update private.stripe_events e
  set
    outcome = v_effect.outcome,
    waits_for = v_effect.waits_for,
    attention = v_effect.attention,
    error = apply_stripe_event.error,
    user_id = apply_stripe_event.user_id
  where e.id = event.id
    and (e.outcome, e.waits_for, e.attention, e.error, e.user_id)
      is distinct from
      (v_effect.outcome, v_effect.waits_for, v_effect.attention, apply_stripe_event.error, apply_stripe_event.user_id);
  return next;
end;
$$;

comment on function private.apply_stripe_event is 'Does the effect of a stored event of Stripe''s, and notes what came of it.';
revoke execute on function private.apply_stripe_event from public;
