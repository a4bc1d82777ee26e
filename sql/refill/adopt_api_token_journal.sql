-- Lets an api_tokens row that is inserted by hand go on where the token's journal ended, if there was such a token.
--
-- Called by  a trigger of api_tokens, for edits by hand

create or replace function private.adopt_api_token_journal()
returns trigger
language plpgsql
security definer -- whoever inserts the row may not read the journal
set search_path = ''
as $$
begin
  -- Whoever is deleting the old row holds it, and has yet to commit the journal's last row.
  perform from public.api_tokens t where t.user_id = new.user_id and t.id = new.id for update;
  select coalesce(max(t.version), 0) + 1 into new.version
  from public.api_token_transactions t
  where t.user_id = new.user_id and t.token_id = new.id;
  new.revoked_at := case new.status when 'revoked' then coalesce(new.revoked_at, now()) end;
  return new;
end;
$$;

comment on function private.adopt_api_token_journal is 'Lets a new api_tokens row go on where the token''s journal ended.';
revoke execute on function private.adopt_api_token_journal from public;
