-- Writes what a destination is to be told into the outbox, in the caller's transaction. It waits for nobody.
--
-- Called by  tell_hub, write_notice

create or replace function private.write_outbox(
  destination text,
  subject uuid,
  event text,
  payload jsonb,
  id uuid default gen_random_uuid()
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  insert into private.outbox (id, destination, subject, event, payload)
  values (
    write_outbox.id, write_outbox.destination, write_outbox.subject, write_outbox.event, write_outbox.payload
  );
end;
$$;

comment on function private.write_outbox is 'Writes what a destination is to be told into the outbox.';
revoke execute on function private.write_outbox from public;
