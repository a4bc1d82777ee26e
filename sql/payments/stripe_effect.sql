-- What handling an event came to.

create type private.stripe_effect as (
  outcome text,
  waits_for text,
  attention text,
  user_id uuid
);

comment on type private.stripe_effect is 'What handling an event of Stripe''s came to: the columns of stripe_events that tell.';
