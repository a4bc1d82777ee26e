-- A deleted account's calls, sums and runs go with it: they say what a person asked of whom.
--
-- Called by  a trigger of auth.users; scrip_lock_deleted_user has taken the user's queue

create or replace function private.forget_usage()
returns trigger
language plpgsql
security definer -- the auth server may not delete them
set search_path = ''
as $$
declare
  v_posting text := current_setting('scrip.posting', true);
begin
  perform set_config('scrip.posting', 'on', true);
  delete from public.usage_events e where e.user_id = old.id;
  delete from public.usage_daily d where d.user_id = old.id;
  delete from private.usage_operations o where o.user_id = old.id;
  delete from public.runs r where r.user_id = old.id;
  perform set_config('scrip.posting', coalesce(v_posting, ''), true);
  return null;
end;
$$;

comment on function private.forget_usage is 'Deletes a deleted account''s calls, sums and runs.';
revoke execute on function private.forget_usage from public;

create trigger scrip_forget_usage
after delete on auth.users
for each row
execute function private.forget_usage();
