-- Brings the derived columns of a new user_tokens row in line with what is there already, before anyone sees the row: a
-- journal, if the user had a row before. A new row has no holds, since holds are deleted with their row.
--
-- Called by  a trigger of user_tokens

create or replace function private.adopt_journal()
returns trigger
language plpgsql
security definer -- whoever inserts the row may not read the journal
set search_path = ''
as $$
begin
  perform private.lock_user(new.user_id);
  new.tokens_reserved := 0;
  new.holds_expire_at := 'infinity';
  select t.seq, t.balance_after into new.journal_seq, new.journal_balance
  from public.token_transactions t
  where t.user_id = new.user_id
  order by t.seq desc
  limit 1;
  new.journal_seq := coalesce(new.journal_seq, 0);
  new.journal_balance := coalesce(new.journal_balance, 0);
  return new;
end;
$$;

comment on function private.adopt_journal is 'Brings a new user_tokens row in line with the user''s journal.';
revoke execute on function private.adopt_journal from public;
