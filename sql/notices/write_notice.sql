-- Tells a user something, and the operator's webhook with it: one row of notices and one of the outbox, under one id, in
-- the caller's transaction. It waits for nobody.
--
-- The caller must hold a row that the account's deletion takes away (of a balance, of auto_top_ups): only then does
-- delete_notices, which comes after those rows, see every notice.
--
-- Called by  notify_low_balance, notify_top_up_stopped

create or replace function private.write_notice(user_id uuid, type public.notice_type, data jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_notice public.notices;
begin
  insert into public.notices as n (user_id, type, data)
  values (write_notice.user_id, write_notice.type, write_notice.data)
  returning n.* into v_notice;
  perform private.write_outbox(
    'webhook',
    v_notice.user_id,
    v_notice.type::text,
    jsonb_build_object(
      'type', v_notice.type,
      'timestamp', to_char(v_notice.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'data', jsonb_build_object('notice_id', v_notice.id, 'user_id', v_notice.user_id) || v_notice.data
    ),
    v_notice.id
  );
end;
$$;

comment on function private.write_notice is 'Writes a notice for a user, and the webhook that tells the operator.';
revoke execute on function private.write_notice from public;
