create type private.period_grant as (
  tokens bigint,
  bonus_tokens bigint,
  attention text
);

comment on type private.period_grant is 'What a paid period of a plan gives, and what the operator should know of it.';
