-- Makes the events of one payment, invoice or subscription wait for one another until the transaction ends. Locks are
-- taken in this order: payment intent, subscription, invoice, then the user's queue. Null locks nothing.
--
-- Called by  lock_stripe_event

create or replace function private.lock_stripe_object(stripe_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(stripe_id, 1));
end;
$$;

comment on function private.lock_stripe_object is 'Serializes the events of one Stripe object until the transaction ends.';
revoke execute on function private.lock_stripe_object from public;
