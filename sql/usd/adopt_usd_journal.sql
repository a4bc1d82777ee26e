-- Lets a new usd_balances row go on where the user's journal ended, if the user had a row before.
--
-- Called by  a trigger of usd_balances

create or replace function private.adopt_usd_journal()
returns trigger
language plpgsql
security definer -- whoever inserts the row may not read the journal
set search_path = ''
as $$
begin
  perform private.lock_user(new.user_id);
  -- Whoever is deleting the old row holds it, not the queue, and has yet to commit the journal's last row.
  perform from public.usd_balances b where b.user_id = new.user_id for update;
  select coalesce(max(t.seq), 0) into new.journal_seq
  from public.usd_transactions t
  where t.user_id = new.user_id;
  return new;
end;
$$;

comment on function private.adopt_usd_journal is 'Lets a new usd_balances row go on where the user''s journal ended.';
revoke execute on function private.adopt_usd_journal from public;
