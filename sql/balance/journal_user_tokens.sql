-- Journals edits of user_tokens by hand: one row for each column that changed. What Scrip derives from other rows cannot
-- be edited here, and a row stays with its user.
--
-- Called by  a trigger of user_tokens, for edits by hand
-- Raises     invalid_amount, derived_column, balance_limit_exceeded

create or replace function private.journal_user_tokens()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    delete from public.token_holds h where h.user_id = old.user_id;
    perform private.journal_edit(old.user_id, 'adjustment', 'purchased', -old.tokens_purchased);
    perform private.journal_edit(old.user_id, 'adjustment', 'used', old.tokens_used);
    return null;
  end if;

  if (
    new.tokens_purchased between 0 and 9000000000000000 and new.tokens_used between 0 and 9000000000000000
  ) is not true and (
    tg_op = 'INSERT' or (old.tokens_purchased, old.tokens_used) <> (new.tokens_purchased, new.tokens_used)
  ) then
    perform private.raise_error(
      'invalid_amount', 'tokens_purchased and tokens_used must be from 0 to 9000000000000000'
    );
  end if;
  if new.low_balance_threshold not between 1 and 9000000000000000 then
    perform private.raise_error('invalid_amount', 'low_balance_threshold must be from 1 to 9000000000000000');
  end if;
  if tg_op = 'INSERT' then
    perform private.journal_edit(new.user_id, 'adjustment', 'purchased', new.tokens_purchased);
    perform private.journal_edit(new.user_id, 'adjustment', 'used', -new.tokens_used);
    return null;
  end if;

  if (old.user_id, old.tokens_reserved, old.holds_expire_at, old.journal_seq, old.journal_balance)
    is distinct from (new.user_id, new.tokens_reserved, new.holds_expire_at, new.journal_seq, new.journal_balance)
  then
    perform private.raise_error(
      'derived_column',
      'user_id, tokens_reserved, holds_expire_at, journal_seq and journal_balance follow from other rows',
      hint => 'Release or delete rows of token_holds, or edit tokens_purchased and tokens_used.'
    );
  end if;
  perform private.journal_edit(new.user_id, 'adjustment', 'purchased', new.tokens_purchased - old.tokens_purchased);
  perform private.journal_edit(new.user_id, 'adjustment', 'used', old.tokens_used - new.tokens_used);
  return null;
end;
$$;

comment on function private.journal_user_tokens is 'Journals edits of user_tokens by hand.';
revoke execute on function private.journal_user_tokens from public;
