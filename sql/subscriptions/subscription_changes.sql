-- Requests to change a plan, with what was answered: the same operation_id again is the same answer again.

create table private.subscription_changes (
  user_id uuid not null,
  operation_id text not null,
  tier text not null,
  action text not null,
  effective_at timestamptz not null,
  tokens_granted bigint not null,
  remaining bigint not null,
  actor text not null,
  created_at timestamptz not null default now(),
  constraint subscription_changes_pkey primary key (user_id, operation_id),
  constraint subscription_changes_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

comment on table private.subscription_changes is 'Requests to change a plan, with what was answered.';
comment on column private.subscription_changes.user_id is 'Whose plan.';
comment on column private.subscription_changes.operation_id is 'The caller''s idempotency key.';
comment on column private.subscription_changes.tier is 'The plan asked for.';
comment on column private.subscription_changes.action is 'What was done: see change_subscription.';
comment on column private.subscription_changes.effective_at is 'From when the plan counts.';
comment on column private.subscription_changes.tokens_granted is 'Tokens granted at once.';
comment on column private.subscription_changes.remaining is 'What the user could spend afterwards.';
comment on column private.subscription_changes.actor is 'Who asked.';
comment on column private.subscription_changes.created_at is 'When.';

alter table private.subscription_changes enable row level security;

revoke all on table private.subscription_changes from public, anon, authenticated, service_role;
