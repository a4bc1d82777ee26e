-- Takes the user's queue for an operation that a foreign key may make look at auth.users: one that inserts a row of the
-- user's, or changes a row of the user's twice. An account's deletion holds the row of auth.users while it waits for the
-- queue (lock_deleted_user), so the row has to come first.
--
-- Called by  claim_operation, claim_usd_operation, claim_run, run_before, change_subscription, create_api_token,
--            set_low_balance_threshold, and what grants and takes back payments

create or replace function private.lock_account(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform from auth.users u where u.id = lock_account.user_id for key share;
  perform private.lock_user(user_id);
end;
$$;

comment on function private.lock_account is 'Takes the user''s queue, after the row of auth.users.';
revoke execute on function private.lock_account from public;
