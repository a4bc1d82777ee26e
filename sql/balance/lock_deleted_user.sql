-- An account's deletion waits for the operations on its balance before it takes their rows: it would deadlock with them.
--
-- Called by  a trigger of auth.users

create or replace function private.lock_deleted_user()
returns trigger
language plpgsql
security definer -- the auth server may not take the user's queue
set search_path = ''
as $$
begin
  perform private.lock_user(old.id);
  return old;
end;
$$;

comment on function private.lock_deleted_user is 'Makes an account''s deletion wait for the operations on its balance.';
revoke execute on function private.lock_deleted_user from public;

create trigger scrip_lock_deleted_user
before delete on auth.users
for each row
execute function private.lock_deleted_user();
