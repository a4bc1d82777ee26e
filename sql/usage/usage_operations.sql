-- Which operation_id of a user was which call, for ever: raw rows are dropped by the month, and still no id counts twice.

create table private.usage_operations (
  user_id uuid not null,
  operation_id text not null,
  occurred_at timestamptz not null,
  usage_id uuid not null,
  constraint usage_operations_pkey primary key (user_id, operation_id)
);

comment on table private.usage_operations is 'Which operation_id was which call, for ever.';
comment on column private.usage_operations.user_id is 'Whose call.';
comment on column private.usage_operations.operation_id is 'The caller''s idempotency key.';
comment on column private.usage_operations.occurred_at is 'When it was made, by which its row is found.';
comment on column private.usage_operations.usage_id is 'The row of usage_events.';

alter table private.usage_operations enable row level security;

revoke all on table private.usage_operations from public;

create trigger usage_operations_guard
before update or delete on private.usage_operations
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_usage_change();

create trigger usage_operations_no_truncate
before truncate on private.usage_operations
for each statement
execute function private.refuse_usage_change();
