-- Journals requests as they begin or cease to count: approval, its reversal, another amount, deletion.
--
-- Called by  a trigger of token_requests

create or replace function private.journal_token_request()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
declare
  v_before bigint := 0;
  v_after bigint := 0;
begin
  if tg_op <> 'INSERT' and old.status = 'approved' then
    v_before := old.amount;
  end if;
  if tg_op <> 'DELETE' and new.status = 'approved' then
    v_after := new.amount;
  end if;
  if tg_op = 'UPDATE' and old.user_id = new.user_id then
    perform private.journal_edit(new.user_id, 'request', 'approved_requests', v_after - v_before, new.id::text);
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform private.journal_edit(old.user_id, 'request', 'approved_requests', -v_before, old.id::text);
  end if;
  if tg_op <> 'DELETE' then
    perform private.journal_edit(new.user_id, 'request', 'approved_requests', v_after, new.id::text);
  end if;
  return null;
end;
$$;

comment on function private.journal_token_request is 'Journals requests for tokens as they begin or cease to count.';
revoke execute on function private.journal_token_request from public;
