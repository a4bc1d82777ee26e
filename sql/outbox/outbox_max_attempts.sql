-- After how many attempts a row of the outbox is given up: with the pauses of finish_outbox, after about 17 hours.
--
-- Called by  claim_outbox, finish_outbox

create or replace function private.outbox_max_attempts()
returns integer
language sql
immutable
set search_path = ''
as $$select 12$$;

comment on function private.outbox_max_attempts is 'After how many attempts a row of the outbox is given up.';
revoke execute on function private.outbox_max_attempts from public;
