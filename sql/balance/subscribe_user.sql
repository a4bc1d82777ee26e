-- A new auth user gets a zero balance and a subscriber. E-mail addresses prove nothing until they are confirmed, so
-- a waiting-list row of the same address is linked only then.
--
-- Called by  triggers of auth.users

create or replace function private.subscribe_user()
returns trigger
language plpgsql
security definer -- the auth server may not write to Scrip's tables
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.user_tokens (user_id) values (new.id);
    insert into public.subscribers (user_id, email) values (new.id, new.email);
    if new.email_confirmed_at is not null then
      perform private.link_subscriber(new.id, new.email);
    end if;
  else
    update public.subscribers s
    set email = coalesce(new.email, s.email)
    where s.user_id = new.id and s.email is distinct from new.email;
    if old.email_confirmed_at is null and new.email_confirmed_at is not null then
      perform private.link_subscriber(new.id, new.email);
    end if;
  end if;
  return null;
end;
$$;

comment on function private.subscribe_user is 'Gives a new auth user a balance and a subscriber, and follows the address.';
revoke execute on function private.subscribe_user from public;

create trigger scrip_subscribe_user
after insert on auth.users
for each row
execute function private.subscribe_user();

create trigger scrip_follow_user
after update of email, email_confirmed_at on auth.users
for each row
when (
  old.email is distinct from new.email
  or (old.email_confirmed_at is null and new.email_confirmed_at is not null)
)
execute function private.subscribe_user();
