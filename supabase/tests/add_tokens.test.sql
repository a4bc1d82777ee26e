-- add_tokens gives tokens at most once per operation_id; its type decides which column they count in. Each type's
-- answer, columns and journal are compared with what they must be; replays and refusals must leave every table as it
-- was.

begin;

select plan(47);

select pg_temp.new_user('ann');

-- Success

select is(
  pg_temp.answer($$
    select added, remaining, replayed
    from add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}', 'stripe')
  $$),
  '(100,100,f)',
  'add_tokens answers what it gave and what remains'
);
select add_tokens(pg_temp.id('ann'), 20, 'add', 'add-2');
select add_tokens(pg_temp.id('ann'), 3, 'subscription', 'add-3');
select add_tokens(pg_temp.id('ann'), 4000, 'bonus', 'add-4');
select add_tokens(pg_temp.id('ann'), 50000, 'referral', 'add-5', 'ben');

select results_eq(
  $$
    select purchased, earned, admin_bonus, approved_requests, total, used, reserved, remaining
    from get_token_balance(pg_temp.id('ann'))
  $$,
  $$values (123::bigint, 50000::bigint, 4000::bigint, 0::bigint, 54123::bigint, 0::bigint, 0::bigint, 54123::bigint)$$,
  'bonus counts as admin bonus, referral as earned, the others as purchased'
);
select is(
  pg_temp.journal('ann'),
  concat_ws(
    '; ',
    'purchase purchased 100 = 100/100 add-1 cs_1 stripe',
    'add purchased 20 = 120/120 add-2 - postgres',
    'subscription purchased 3 = 123/123 add-3 - postgres',
    'bonus admin_bonus 4000 = 4123/4123 add-4 - postgres',
    'referral earned 50000 = 54123/54123 add-5 ben postgres'
  ),
  'add_tokens writes one journal row each time'
);
select results_eq(
  $$
    select description, metadata from token_transactions
    where user_id = pg_temp.id('ann') and operation_id in ('add-1', 'add-2')
    order by seq
  $$,
  $$values ('a package', '{"price": "1.00"}'::jsonb), (null, '{}')$$,
  'the journal row keeps the caller''s words and data'
);

-- Replay

select is(
  pg_temp.answer($$
    select added, remaining, replayed
    from add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}', 'other')
  $$),
  '(100,100,t)',
  'add_tokens answers a replay as the first time, whoever sends it'
);
select pg_temp.changes_nothing(
  $$select add_tokens(pg_temp.id('ann'), 100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}')$$,
  'a replayed grant changes nothing'
);

-- Conflict

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''ann''), %s)', c.arguments)),
  '409 operation_id_reused operation_id add-1 was used before with other arguments',
  format('add_tokens refuses a used operation_id with another %s', c.what)
)
from (
  values
    ('amount', $$101, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}'$$),
    ('type', $$100, 'add', 'add-1', 'cs_1', 'a package', '{"price": "1.00"}'$$),
    ('reference', $$100, 'purchase', 'add-1', 'cs_2', 'a package', '{"price": "1.00"}'$$),
    ('reference, none', $$100, 'purchase', 'add-1', null, 'a package', '{"price": "1.00"}'$$),
    ('description', $$100, 'purchase', 'add-1', 'cs_1', 'another', '{"price": "1.00"}'$$),
    ('metadata', $$100, 'purchase', 'add-1', 'cs_1', 'a package', '{"price": "2.00"}'$$),
    ('metadata, none', $$100, 'purchase', 'add-1', 'cs_1', 'a package'$$)
) c (what, arguments);

select pg_temp.new_user('cat', 100);
select charge_tokens(pg_temp.id('cat'), 10, 'charge');
select refund_tokens(pg_temp.id('cat'), 'refund', 'charge', 5);
select reserve_tokens(pg_temp.id('cat'), 10, 'hold');
select reserve_tokens(pg_temp.id('cat'), 10, 'settled');
select settle_tokens(pg_temp.id('cat'), 'settled');

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 10, ''add'', %L)', o.operation_id)),
  format('409 operation_id_reused operation_id %s was used before with other arguments', o.operation_id),
  format('add_tokens refuses the operation_id of a %s', o.operation_id)
)
from (values ('charge'), ('refund'), ('hold'), ('settled')) o (operation_id);

-- Refusals

select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 10, %s, ''type'')', t.type)),
  format('400 invalid_request type must be add, purchase, subscription, bonus or referral, got %s', t.shown),
  format('add_tokens refuses the type %s', t.shown)
)
from (
  values ('''charge''', 'charge'), ('''refund''', 'refund'), ('''clawback''', 'clawback'), ('''request''', 'request'),
    ('''access_code''', 'access_code'), ('''adjustment''', 'adjustment'), ('''expire''', 'expire'), ('null', 'nothing')
) t (type, shown);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), %s, ''add'', ''bounds'')', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('add_tokens refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select add_tokens(null, 1, 'add', 'bounds')$$),
  '400 invalid_request user_id is missing',
  'add_tokens refuses no user'
);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''cat''), 1, ''add'', %s)', o.operation_id)),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('add_tokens refuses %s as an operation_id', o.operation_id)
)
from (values ('null'), (''''''), ('repeat(''x'', 256)')) o (operation_id);
select is(
  pg_temp.answer(format('select add_tokens(pg_temp.id(''nobody''), 1, %L, ''add'')', t.type)),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  format('add_tokens refuses an unknown user (%s)', t.type)
)
from (values ('add'), ('bonus'), ('referral')) t (type);

-- The largest balance

select pg_temp.new_user('max');
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('max'), 9000000000000000, 'add', 'max')$$),
  '(9000000000000000,9000000000000000)',
  'add_tokens gives 9000000000000000 tokens'
);
select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('max'), 1, 'add', 'over')$$),
  '400 balance_limit_exceeded Cannot give 1 tokens: the total would be 9000000000000001, at most 9000000000000000',
  'add_tokens refuses a column beyond the largest balance'
);
select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('max'), 1, 'bonus', 'over')$$),
  '400 balance_limit_exceeded Cannot give 1 tokens: the total would be 9000000000000001, at most 9000000000000000',
  'add_tokens refuses a sum beyond the largest balance'
);
select pg_temp.changes_nothing(
  $$select add_tokens(pg_temp.id('max'), 1, 'bonus', 'over')$$,
  'a refused grant changes nothing'
);

-- Debt and holds

select pg_temp.new_user('dan', 10);
select reserve_tokens(pg_temp.id('dan'), 10, 'hold');
select settle_tokens(pg_temp.id('dan'), 'hold', 25);
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('dan'), 20, 'add', 'pay')$$),
  '(20,5)',
  'a grant pays off debt first'
);
select reserve_tokens(pg_temp.id('dan'), 5, 'held');
select is(
  pg_temp.answer($$select added, remaining from add_tokens(pg_temp.id('dan'), 20, 'add', 'more')$$),
  '(20,20)',
  'what is held does not remain'
);

-- Callers

select is(
  pg_temp.answer($$select add_tokens(pg_temp.id('cat'), 1, 'add', 'role')$$, c.role, 'cat'),
  '42501 permission denied for function add_tokens',
  format('add_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select added from add_tokens(pg_temp.id('cat'), 1, 'add', 'role')$$, 'service_role'),
  '(1)',
  'add_tokens is open to service_role'
);
select is(
  (select actor from token_transactions where operation_id = 'role'),
  'service_role',
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
