-- Payments and Stripe's events are kept as they came: a correction is an event of its own, or an edit of the balance.
--
-- Called by  triggers of purchases, stripe_events
-- Raises     forbidden

create or replace function private.refuse_payment_change()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'forbidden',
    format('%s on %I is refused: it follows from Stripe''s events', initcap(tg_op), tg_table_name),
    hint => 'Refund in Stripe, replay the event, or correct the balance in user_tokens.'
  );
  return null;
end;
$$;

comment on function private.refuse_payment_change is 'Refuses edits of what follows from Stripe''s events.';
revoke execute on function private.refuse_payment_change from public;
