-- Journals edits of user_tokens by hand: one row for each column that changed. A row that moves to another user is
-- taken from the one and given to the other. What Scrip derives from other rows cannot be edited here.
--
-- Called by  a trigger of user_tokens, for edits by hand
-- Raises     invalid_amount, derived_column

create or replace function private.journal_user_tokens()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
begin
  if tg_op <> 'DELETE' and not (
    new.tokens_purchased between 0 and 9000000000000000 and new.tokens_used between 0 and 9000000000000000
  ) then
    perform private.raise_error(
      'invalid_amount', 'tokens_purchased and tokens_used must be from 0 to 9000000000000000'
    );
  end if;
  if tg_op = 'UPDATE' and old.user_id = new.user_id then
    if (old.tokens_reserved, old.holds_expire_at, old.journal_seq, old.journal_balance)
      is distinct from (new.tokens_reserved, new.holds_expire_at, new.journal_seq, new.journal_balance)
    then
      perform private.raise_error(
        'derived_column',
        'tokens_reserved, holds_expire_at, journal_seq and journal_balance follow from the holds and the journal',
        hint => 'Release or delete rows of token_holds, or edit tokens_purchased and tokens_used.'
      );
    end if;
    perform private.journal_edit(
      new.user_id, 'adjustment', 'purchased', new.tokens_purchased - old.tokens_purchased
    );
    perform private.journal_edit(new.user_id, 'adjustment', 'used', old.tokens_used - new.tokens_used);
    return null;
  end if;
  if tg_op = 'UPDATE' and old.tokens_reserved > 0 then
    perform private.raise_error(
      'derived_column', 'A balance with active holds stays with its user', hint => 'Release or delete the holds first.'
    );
  elsif tg_op = 'DELETE' then
    delete from public.token_holds h where h.user_id = old.user_id;
  end if;
  if tg_op <> 'INSERT' then
    perform private.journal_edit(old.user_id, 'adjustment', 'purchased', -old.tokens_purchased);
    perform private.journal_edit(old.user_id, 'adjustment', 'used', old.tokens_used);
  end if;
  if tg_op <> 'DELETE' then
    perform private.adopt_journal(new.user_id);
    perform private.journal_edit(new.user_id, 'adjustment', 'purchased', new.tokens_purchased);
    perform private.journal_edit(new.user_id, 'adjustment', 'used', -new.tokens_used);
  end if;
  return null;
end;
$$;

comment on function private.journal_user_tokens is 'Journals edits of user_tokens by hand.';
revoke execute on function private.journal_user_tokens from public;
