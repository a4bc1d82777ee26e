-- Journals edits of api_tokens by hand, and tells the HUB: brings the token's journal to the credits that the row has
-- now, which are zero when it is deleted. A deletion is journalled even of a token without credits, so that versions
-- never go back. What Scrip derives cannot be edited, and a row stays with its user.
--
-- Called by  a trigger of api_tokens, for edits by hand
-- Raises     derived_column

create or replace function private.journal_api_token()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
declare
  v_token public.api_tokens := case tg_op when 'DELETE' then old else new end;
  v_change bigint := case tg_op
    when 'INSERT' then new.credits
    when 'UPDATE' then new.credits - old.credits
    else -old.credits
  end;
  v_event text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  if tg_op = 'UPDATE' then
    if (old.user_id, old.id, old.kind, old.version, old.key_hint, old.revoked_at)
      is distinct from (new.user_id, new.id, new.kind, new.version, new.key_hint, new.revoked_at)
    then
      perform private.raise_error(
        'derived_column',
        'user_id, id, kind, version, key_hint and revoked_at cannot be changed',
        hint => 'Edit credits, status or name, or create another token.'
      );
    end if;
    if (old.credits, old.status, old.name, old.product_id, old.hub_id)
      is not distinct from (new.credits, new.status, new.name, new.product_id, new.hub_id)
    then
      return null;
    end if;
  end if;

  perform set_config('scrip.posting', 'on', true);
  if tg_op = 'UPDATE' then
    update public.api_tokens t
    set
      version = t.version + 1,
      revoked_at = case new.status when 'revoked' then coalesce(t.revoked_at, now()) end
    where t.user_id = new.user_id and t.id = new.id
    returning t.* into v_token;
    if old.status = 'active' and new.status = 'revoked' then
      v_event := 'revoked';
    end if;
  elsif tg_op = 'DELETE' then
    v_token.version := old.version + 1;
    v_token.credits := 0;
    v_token.status := 'revoked';
    delete from public.notices n where n.user_id = old.user_id and n.data ->> 'token_id' = old.id::text;
  end if;
  if v_change <> 0 or tg_op = 'DELETE' then
    insert into public.api_token_transactions (user_id, token_id, version, type, amount, credits_after, actor)
    values (
      v_token.user_id, v_token.id, v_token.version, 'adjustment', v_change, v_token.credits,
      coalesce(nullif(current_setting('role'), 'none'), session_user)
    );
  end if;
  perform set_config('scrip.posting', '', true);
  perform private.tell_hub(v_token, v_event);
  return null;
end;
$$;

comment on function private.journal_api_token is 'Journals edits of api_tokens by hand, and tells the HUB.';
revoke execute on function private.journal_api_token from public;
