-- Makes the operations on one user's tokens wait for one another, in order of arrival, until the transaction ends.
-- An advisory lock is a fair queue; waiting for the row itself wakes all waiters at once. The row of user_tokens is
-- still the mutex against edits by hand, and the keys of the journal guard both.
--
-- Called by  every operation, first; charge_tokens, reserve_tokens and settle_tokens take the same lock inline

create or replace function private.lock_user(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(user_id, 0));
end;
$$;

comment on function private.lock_user is 'Takes the queue of the user''s operations until the transaction ends.';
revoke execute on function private.lock_user from public;
