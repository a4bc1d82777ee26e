-- Every event that Stripe sent, for ever. What Scrip grants is a function of these rows, whatever their order: refunds and
-- disputes are read from here whenever a purchase is settled.

create table private.stripe_events (
  id text not null,
  type text not null,
  livemode boolean not null,
  object_id text,
  payment_intent_id text,
  invoice_id text,
  subscription_id text,
  customer_id text,
  user_id uuid,
  outcome text not null default 'applied',
  waits_for text,
  attention text,
  error text,
  payload jsonb not null,
  occurred_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint stripe_events_pkey primary key (id),
  constraint stripe_events_outcome_check check (outcome in ('applied', 'waiting', 'ignored', 'failed'))
);

create index stripe_events_payment_intent_idx on private.stripe_events (payment_intent_id) where payment_intent_id is not null;
create index stripe_events_invoice_idx on private.stripe_events (invoice_id) where invoice_id is not null;
create index stripe_events_subscription_idx on private.stripe_events (subscription_id) where subscription_id is not null;
create index stripe_events_waits_for_idx on private.stripe_events (waits_for) where waits_for is not null;
create index stripe_events_attention_idx on private.stripe_events (created_at desc, id desc) where attention is not null;
create index stripe_events_created_idx on private.stripe_events (created_at desc, id desc);

comment on table private.stripe_events is 'Every event that Stripe sent, as it came, for ever.';
comment on column private.stripe_events.id is 'Stripe''s id of the event.';
comment on column private.stripe_events.type is 'Such as invoice.paid.';
comment on column private.stripe_events.livemode is 'Whether money moved; false in Stripe''s test mode.';
comment on column private.stripe_events.object_id is 'Stripe''s id of what it is about.';
comment on column private.stripe_events.payment_intent_id is 'The payment it belongs to.';
comment on column private.stripe_events.invoice_id is 'The invoice it belongs to.';
comment on column private.stripe_events.subscription_id is 'The subscription it belongs to.';
comment on column private.stripe_events.customer_id is 'Stripe''s customer.';
comment on column private.stripe_events.user_id is 'The user, as far as it tells.';
comment on column private.stripe_events.outcome is 'applied, waiting (for another event, or for the operator), ignored (not Scrip''s), or failed (nothing done).';
comment on column private.stripe_events.waits_for is 'The Stripe object whose own event it waits for.';
comment on column private.stripe_events.attention is 'What the operator has to look at; null when nothing.';
comment on column private.stripe_events.error is 'Why it failed.';
comment on column private.stripe_events.payload is 'The event as it came.';
comment on column private.stripe_events.occurred_at is 'When it happened at Stripe, to the second.';
comment on column private.stripe_events.created_at is 'When it came.';

alter table private.stripe_events enable row level security;

revoke all on table private.stripe_events from public, anon, authenticated, service_role;

create trigger stripe_events_kept
before delete on private.stripe_events
for each row
execute function private.refuse_payment_change();

create trigger stripe_events_unchanged
before update on private.stripe_events
for each row
when (
  old.id <> new.id
  or old.type <> new.type
  or old.livemode <> new.livemode
  or old.object_id is distinct from new.object_id
  or old.payment_intent_id is distinct from new.payment_intent_id
  or old.invoice_id is distinct from new.invoice_id
  or old.subscription_id is distinct from new.subscription_id
  or old.customer_id is distinct from new.customer_id
  or old.payload <> new.payload
  or old.occurred_at <> new.occurred_at
)
execute function private.refuse_payment_change();

create trigger stripe_events_no_truncate
before truncate on private.stripe_events
for each statement
execute function private.refuse_payment_change();
