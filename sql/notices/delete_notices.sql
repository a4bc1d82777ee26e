-- Takes a deleted account's notices away, after the rows that refer to the account: whoever writes a notice holds one of
-- them, so that by then it is there to be seen, and none comes later. Triggers run in the order of their names, and those
-- of foreign keys are called RI_….
--
-- Called by  a trigger of auth.users

create or replace function private.delete_notices()
returns trigger
language plpgsql
security definer -- the auth server may not delete notices
set search_path = ''
as $$
begin
  delete from public.notices n where n.user_id = old.id;
  return null;
end;
$$;

comment on function private.delete_notices is 'Takes a deleted account''s notices away.';
revoke execute on function private.delete_notices from public;

create trigger scrip_delete_notices
after delete on auth.users
for each row
execute function private.delete_notices();
