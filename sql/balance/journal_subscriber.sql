-- Journals edits of earned and bonus tokens by hand, and those that a waiting-list row brings along when it is linked
-- to a user.
--
-- Called by  a trigger of subscribers, for edits by hand

create or replace function private.journal_subscriber()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.user_id is not distinct from new.user_id then
    perform private.journal_edit(new.user_id, 'bonus', 'earned', new.earned_tokens - old.earned_tokens, new.id::text);
    perform private.journal_edit(
      new.user_id, 'bonus', 'admin_bonus', new.admin_bonus_tokens - old.admin_bonus_tokens, new.id::text
    );
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform private.journal_edit(old.user_id, 'bonus', 'earned', -old.earned_tokens, old.id::text);
    perform private.journal_edit(old.user_id, 'bonus', 'admin_bonus', -old.admin_bonus_tokens, old.id::text);
  end if;
  if tg_op <> 'DELETE' then
    perform private.journal_edit(new.user_id, 'bonus', 'earned', new.earned_tokens, new.id::text);
    perform private.journal_edit(new.user_id, 'bonus', 'admin_bonus', new.admin_bonus_tokens, new.id::text);
  end if;
  return null;
end;
$$;

comment on function private.journal_subscriber is 'Journals edits of earned and bonus tokens by hand.';
revoke execute on function private.journal_subscriber from public;
