-- refund_tokens gives back one charge, in parts or whole, at most once per operation_id and never more than was
-- charged. Each call's answer and journal row are compared with what they must be; replays and refusals must leave
-- every table as it was.

begin;

select plan(42);

select pg_temp.new_user('ann', 100);
select charge_tokens(pg_temp.id('ann'), 40, 'charge-1');
select charge_tokens(pg_temp.id('ann'), 20, 'charge-2');

-- Success

select is(
  pg_temp.answer($$
    select refunded, remaining, replayed
    from refund_tokens(pg_temp.id('ann'), 'refund-1', 'charge-1', 10, 'half bad', '{"ticket": 1}', 'ben')
  $$),
  '(10,50,f)',
  'refund_tokens answers what it gave back and what remains'
);
select is(pg_temp.balance('ann'), 'total 100, used 50, reserved 0, remaining 50', 'refund_tokens lowers used');
select is(
  pg_temp.journal('ann', 3),
  'refund used 10 = 50/50 refund-1 charge-1 ben',
  'refund_tokens writes one journal row that names the charge'
);
select results_eq(
  $$select description, metadata from token_transactions where operation_id = 'refund-1'$$,
  $$values ('half bad', '{"ticket": 1}'::jsonb)$$,
  'the journal row keeps the caller''s words and data'
);

-- Replay

select is(
  pg_temp.answer($$
    select refunded, remaining, replayed
    from refund_tokens(pg_temp.id('ann'), 'refund-1', 'charge-1', 10, 'half bad', '{"ticket": 1}', 'other')
  $$),
  '(10,50,t)',
  'refund_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select refund_tokens(pg_temp.id('ann'), 'refund-1', 'charge-1', 10, 'half bad', '{"ticket": 1}')$$,
  'a replayed refund changes nothing'
);

-- Conflict

select is(
  pg_temp.answer(format('select refund_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id refund-1 was used before with other arguments',
  format('refund_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$'refund-1', 'charge-1', 11, 'half bad', '{"ticket": 1}'$$),
    ('charge', $$'refund-1', 'charge-2', 10, 'half bad', '{"ticket": 1}'$$),
    ('charge, unknown', $$'refund-1', 'charge-3', 10, 'half bad', '{"ticket": 1}'$$),
    ('description', $$'refund-1', 'charge-1', 10, 'another', '{"ticket": 1}'$$),
    ('metadata', $$'refund-1', 'charge-1', 10, 'half bad', '{"ticket": 2}'$$)
) c (what, arguments);

select reserve_tokens(pg_temp.id('ann'), 10, 'hold');
select is(
  pg_temp.answer(format('select refund_tokens(pg_temp.id(''ann''), %L, ''charge-1'', 10)', o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('refund_tokens refuses the operation_id of a %s', o.what)
)
from (
  values ('grant', 'seed'), ('charge', 'charge-2'), ('hold', 'hold'), ('charge that is refunded', 'charge-1')
) o (what, operation_id);

-- Never more than was charged

select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('ann'), 'refund-2', 'charge-1', 31)$$),
  '409 refund_exceeds_charge Cannot refund 31 tokens: 30 of the charge are left to refund',
  'refund_tokens refuses more than is left of the charge'
);
select pg_temp.changes_nothing(
  $$select refund_tokens(pg_temp.id('ann'), 'refund-2', 'charge-1', 31)$$,
  'a refused refund changes nothing'
);
select is(
  pg_temp.answer($$select refunded, remaining from refund_tokens(pg_temp.id('ann'), 'refund-2', 'charge-1')$$),
  '(30,70)',
  'refund_tokens without an amount gives back all that is left'
);
select is(
  pg_temp.answer($$select refunded, replayed from refund_tokens(pg_temp.id('ann'), 'refund-2', 'charge-1')$$),
  '(30,t)',
  'and its replay answers the same'
);
select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('ann'), 'refund-3', 'charge-1')$$),
  '409 refund_exceeds_charge Cannot refund any tokens: 0 of the charge are left to refund',
  'refund_tokens refuses a charge that is refunded whole'
);
select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('ann'), 'refund-3', 'charge-1', 1)$$),
  '409 refund_exceeds_charge Cannot refund 1 tokens: 0 of the charge are left to refund',
  'also a single token of it'
);
select is(
  pg_temp.answer($$select refunded, remaining from refund_tokens(pg_temp.id('ann'), 'refund-3', 'charge-2', 20)$$),
  '(20,90)',
  'refunds of one charge do not count against another'
);

select pg_temp.new_user('ben', 50);
select reserve_tokens(pg_temp.id('ben'), 50, 'hold');
select settle_tokens(pg_temp.id('ben'), 'hold', 45);
select is(
  pg_temp.answer($$select refunded, remaining from refund_tokens(pg_temp.id('ben'), 'refund', 'hold')$$),
  '(45,50)',
  'a settled hold is refunded by what was charged, not by what was held'
);

select pg_temp.new_user('cat', 50);
select charge_tokens(pg_temp.id('cat'), 50, 'charge');
update user_tokens set tokens_used = 5 where user_id = pg_temp.id('cat');
select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('cat'), 'refund', 'charge', 6)$$),
  '409 refund_exceeds_charge Cannot refund 6 tokens: 5 of the charge are left to refund',
  'refund_tokens gives back no more than the user has used'
);

-- What is not a charge of the user

select is(
  pg_temp.answer(format('select refund_tokens(pg_temp.id(''ann''), ''refund-4'', %L, 1)', c.operation_id)),
  format('404 charge_not_found The user has no charge %s', c.operation_id),
  format('refund_tokens refuses to refund %s', c.what)
)
from (
  values ('what is unknown', 'charge-3'), ('a grant', 'seed'), ('a refund', 'refund-1'), ('a hold', 'hold'),
    ('another user''s charge', 'charge')
) c (what, operation_id);
select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('nobody'), 'refund', 'charge')$$),
  '404 charge_not_found The user has no charge charge',
  'refund_tokens refuses an unknown user'
);

-- Bounds

select is(
  pg_temp.answer(format('select refund_tokens(pg_temp.id(''ann''), ''bounds'', ''charge-1'', %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.amount),
  format('refund_tokens refuses %s tokens', a.amount)
)
from (values ('0'), ('-1'), ('9000000000000001')) a (amount);
select is(
  pg_temp.answer($$select refund_tokens(null, 'bounds', 'charge-1', 1)$$),
  '400 invalid_request user_id is missing',
  'refund_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select refund_tokens(pg_temp.id(''ann''), %s, ''charge-1'', 1)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('refund_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select pg_temp.new_user('max', 9000000000000000);
select charge_tokens(pg_temp.id('max'), 9000000000000000, 'charge');
select is(
  pg_temp.answer($$
    select refunded, remaining from refund_tokens(pg_temp.id('max'), 'refund', 'charge', 9000000000000000)
  $$),
  '(9000000000000000,9000000000000000)',
  'refund_tokens gives back 9000000000000000 tokens'
);

-- Callers

select is(
  pg_temp.answer($$select refund_tokens(pg_temp.id('ann'), 'role', 'charge-1')$$, c.role, 'ann'),
  '42501 permission denied for function refund_tokens',
  format('refund_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select refunded from refund_tokens(pg_temp.id('cat'), 'role', 'charge', 1)$$, 'service_role'),
  '(1)',
  'refund_tokens is open to service_role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
