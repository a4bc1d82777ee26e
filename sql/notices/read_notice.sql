-- Marks a notice as read. Reading it again changes nothing.
--
-- Called by  functions/notices
-- Raises     notice_not_found

create or replace function public.read_notice(user_id uuid, notice_id uuid)
returns table (id uuid, read_at timestamptz)
language plpgsql
volatile
security definer -- callers hold no DML on notices; this is the door
set search_path = ''
as $$
begin
  update public.notices n
  set read_at = coalesce(n.read_at, now())
  where n.user_id = read_notice.user_id and n.id = notice_id
  returning n.id, n.read_at into id, read_at;
  if not found then
    perform private.raise_error('notice_not_found', format('There is no notice %s', notice_id));
  end if;
  return next;
end;
$$;

comment on function public.read_notice is 'Marks a notice as read.';
revoke execute on function public.read_notice from public, anon, authenticated;
grant execute on function public.read_notice to service_role;
