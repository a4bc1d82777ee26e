-- What other systems are still to be told, written in the transaction that it tells of, and told at least once. What was
-- delivered goes after a while (prune_outbox), what is dead stays.
--
-- Order is kept for each destination and subject, by seq. Who writes to the HUB holds the token's row, so that the order
-- of seq is that of the commits; notices of one user about different balances may change places.

create table private.outbox (
  id uuid not null,
  seq bigint not null generated always as identity,
  destination text not null,
  subject uuid not null,
  event text not null,
  payload jsonb not null,
  status private.outbox_status not null default 'pending',
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  claim_id uuid,
  error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint outbox_pkey primary key (id),
  constraint outbox_destination_check check (destination in ('hub', 'webhook')),
  constraint outbox_attempts_check check (attempts >= 0),
  constraint outbox_claim_id_check check (claim_id is null or status = 'pending'),
  constraint outbox_finished_at_check check ((finished_at is null) = (status = 'pending'))
);

create index outbox_due_idx on private.outbox (due_at, seq) where status = 'pending';
create index outbox_subject_idx on private.outbox (destination, subject, seq) where status = 'pending';
create index outbox_dead_idx on private.outbox (created_at, id) where status = 'dead';
create index outbox_finished_idx on private.outbox (finished_at) where status in ('delivered', 'skipped');

comment on table private.outbox is 'What other systems are still to be told, and lately were.';
comment on column private.outbox.id is 'What receivers know it by, however often it comes: Idempotency-Key, webhook-id.';
comment on column private.outbox.seq is 'The order of writing.';
comment on column private.outbox.destination is 'hub, or webhook (the operator''s, for notices).';
comment on column private.outbox.subject is 'Whose order is kept: the API token, or the user whom a notice is for.';
comment on column private.outbox.event is 'What happened, such as api_token.refilled.';
comment on column private.outbox.payload is 'The body, the same in every attempt.';
comment on column private.outbox.status is 'pending until it is delivered, skipped (nothing is configured) or dead (given up).';
comment on column private.outbox.attempts is 'How often a worker has taken it.';
comment on column private.outbox.due_at is 'When it may be taken, or taken again.';
comment on column private.outbox.claim_id is 'The attempt that is under way; null when none is.';
comment on column private.outbox.error is 'Why the last attempt failed.';
comment on column private.outbox.created_at is 'When it was written.';
comment on column private.outbox.finished_at is 'When it was delivered, skipped or given up.';

alter table private.outbox enable row level security;

revoke all on table private.outbox from public, anon, authenticated, service_role;
