create type private.outbox_status as enum (
  'pending',
  'delivered',
  'skipped',
  'dead'
);

comment on type private.outbox_status is 'What became of a row of the outbox: nothing yet, delivered, skipped for want of a destination, or given up.';
