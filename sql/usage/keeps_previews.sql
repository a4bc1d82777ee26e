-- Whether the beginnings of a user's inputs and outputs are kept: both the deployment and the user can turn it off.
--
-- Called by  track_usage, open_run, close_run

create or replace function private.keeps_previews(user_id uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce((select s.usage_previews from public.settings s), true)
    and coalesce((select s.usage_previews from public.subscribers s where s.user_id = keeps_previews.user_id), true);
end;
$$;

comment on function private.keeps_previews is 'Whether the beginnings of a user''s inputs and outputs are kept.';
revoke execute on function private.keeps_previews from public;
