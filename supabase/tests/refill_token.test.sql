-- refill_token spends US dollars on credits by the formulas of refill_quote, at most once per operation_id, in one
-- transaction: the USD journal, the token's journal, the refill, and what the HUB is to hear. Amounts are taken exactly
-- or refused; replays, conflicts and refusals must change nothing. (tests/refill-ledger.test.ts compares the formulas
-- with a model's over random rates, fees and amounts.)

begin;

select plan(162);

insert into settings default values;
insert into products (id, name, value_credits_usd)
values
  (pg_temp.id('cents'), 'Cents', 0.01), (pg_temp.id('dear'), 'Dear', 1000000000),
  (pg_temp.id('fine'), 'Fine', 0.0000000001),
  (pg_temp.id('third'), 'Third', 0.3333333333), (pg_temp.id('unpriced'), 'Unpriced', null),
  (pg_temp.id('past'), 'Past', 0.01);
select pg_temp.new_user(u.name) from (values ('ann'), ('ben'), ('cat')) u (name);
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');
select pg_temp.new_api_token('ann', t.name, t.product)
from (
  values ('cents', 'cents'), ('master', null), ('dear', 'dear'), ('fine', 'fine'), ('third', 'third'), ('unpriced', 'unpriced'),
    ('past', 'past'), ('gone', 'cents'), ('gone master', null)
) t (name, product);
select pg_temp.new_api_token('ben', 'ben''s', 'cents');
update products set active = false where id = pg_temp.id('past');
select revoke_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', t.name)) from (values ('gone'), ('gone master')) t (name);
create temporary table before as select max(seq) as seq from private.outbox;

-- The worked examples

select is(
  pg_temp.refill('ann', 'cents', 'usd', '10', 'one'),
  '(999,10.00,0.0001,0.01,999,90.00,f)',
  '$10 at 0.01 buy 999 credits'
);
select is(
  pg_temp.refill('ann', 'cents', 'credits', '100', 'two'),
  '(100,1.0001,0.0001,0.01,1099,88.9999,f)',
  '100 credits at 0.01 cost $1.0001'
);
select is(
  pg_temp.refill('ann', 'master', 'usd', '5', 'three'),
  '(4999,5.00,0.0001,0.001,4999,83.9999,f)',
  '$5 buy a master token 4999'
);

-- What a refill leaves

select results_eq(
  $$
    select seq, type::text, amount, balance_after, operation_id, reference, description, metadata, actor
    from usd_transactions
    where user_id = pg_temp.id('ann') and seq between 2 and 3
    order by seq
  $$,
  $$
    values
      (
        2::bigint, 'refill', -10::numeric, 90::numeric, 'one', pg_temp.api_token('ann', 'cents')::text, null,
        '{"mode": "usd", "amount": "10"}'::jsonb, 'postgres'
      ),
      (
        3, 'refill', -1.0001, 88.9999, 'two', pg_temp.api_token('ann', 'cents')::text, null,
        '{"mode": "credits", "amount": "100"}', 'postgres'
      )
  $$,
  'a row of the USD journal for each'
);
select results_eq(
  $$
    select version, type::text, amount, credits_after, operation_id, actor
    from api_token_transactions
    where user_id = pg_temp.id('ann') and token_id = pg_temp.api_token('ann', 'cents')
    order by version
  $$,
  $$values (2::bigint, 'refill', 999::bigint, 999::bigint, null, 'postgres'), (3, 'refill', 100, 1099, null, 'postgres')$$,
  'a row of the token''s journal'
);
select results_eq(
  $$
    select
      token_id, version, mode::text, credits_added, usd_spent, fee, rate, credits_after, usd_balance_after, product_id,
      operation_id
    from refill_transactions
    where user_id = pg_temp.id('ann')
    order by operation_id
  $$,
  $$
    values
      (
        pg_temp.api_token('ann', 'cents'), 2::bigint, 'usd', 999::bigint, 10::numeric, 0.0001::numeric, 0.01::numeric,
        999::bigint, 90::numeric, pg_temp.id('cents'), 'one'
      ),
      (
        pg_temp.api_token('ann', 'master'), 2, 'usd', 4999, 5, 0.0001, 0.001, 4999, 83.9999, null, 'three'
      ),
      (
        pg_temp.api_token('ann', 'cents'),
        3,
        'credits',
        100,
        1.0001,
        0.0001,
        0.01,
        1099,
        88.9999,
        pg_temp.id('cents'),
        'two'
      )
  $$,
  'a refill, with the rate and the fee that it was reckoned by'
);
select is(
  (select count(*) from refill_transactions r join api_token_transactions t on t.reference = r.id::text and t.version = r.version),
  3::bigint,
  'to which the token''s journal refers'
);
select is(
  pg_temp.answer($$
    select r.refill_id = t.id
    from refill_transactions t
    cross join refill_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'cents'), 'usd', '10', 'one') r
    where t.operation_id = 'one'
  $$),
  '(t)',
  'whose id is answered'
);
select is(
  (select format('%s %s', credits, version) from api_tokens where id = pg_temp.api_token('ann', 'cents')),
  '1099 3',
  'and the token has the credits'
);
select results_eq(
  $$
    select destination, subject, event, payload, status::text, attempts, due_at = now()
    from private.outbox
    where seq > (select seq from before) and subject = pg_temp.api_token('ann', 'cents')
    order by seq
  $$,
  $$
    select
      'hub', r.token_id, 'api_token.refilled',
      jsonb_build_object(
        'id', (
          select o.id from private.outbox o where (o.payload #>> '{token,version}')::bigint = r.version and o.subject = r.token_id
        ),
        'event', 'api_token.refilled',
        'occurred_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'token', jsonb_build_object(
          'id', r.token_id, 'user_id', pg_temp.id('ann'), 'kind', 'product', 'product_id', pg_temp.id('cents'),
          'name', 'cents', 'status', 'active', 'hub_id', null, 'credits', r.credits_after, 'version', r.version
        ),
        'refill', jsonb_build_object(
          'refill_id', r.id, 'mode', r.mode, 'credits_added', r.credits_added,
          'usd_spent', case r.operation_id when 'one' then '10.00' else '1.0001' end, 'fee', '0.0001', 'rate', '0.01'
        )
      ),
      'pending', 0, true
    from refill_transactions r
    where r.token_id = pg_temp.api_token('ann', 'cents')
    order by r.version
  $$,
  'the HUB is to hear of each, under the outbox''s id, with what the token has since then'
);
select is(
  (
    select o.payload #>> '{token,product_id}' from private.outbox o
    where o.subject = pg_temp.api_token('ann', 'master') and o.event = 'api_token.refilled'
  ),
  null,
  'a master token''s product is null'
);
select ok(
  (
    select o.payload -> 'token' ? 'product_id' from private.outbox o
    where o.subject = pg_temp.api_token('ann', 'master') and o.event = 'api_token.refilled'
  ),
  'and said so'
);
select is(
  pg_temp.answer(format(
    'select credits_added from refill_token(%L, %L, ''usd'', ''1'', ''actor'', ''ann herself'')', pg_temp.id('ann'),
    pg_temp.api_token('ann', 'master')
  )),
  '(999)',
  '(a refill with an actor)'
);
select is(
  (
    select string_agg(actor, ' and ') from (
      select actor from usd_transactions where operation_id = 'actor'
      union all
      select t.actor from api_token_transactions t join refill_transactions r on t.reference = r.id::text
      where r.operation_id = 'actor'
    ) a
  ),
  'ann herself and ann herself',
  'both journals name the actor'
);

-- Rates, fees and remainders

select is(pg_temp.refill('ann', c.token, c.mode, c.amount, 'exact-' || c.step), c.answer, c.what)
from (
  values
    (1, 'the remainder is spent, not kept', 'cents', 'usd', '0.029999', '(2,0.029999,0.0001,0.01,1101,82.969901,f)'),
    (
      2, 'the last that a credit lacks is not given', 'cents', 'usd', '0.020099',
      '(1,0.020099,0.0001,0.01,1102,82.949802,f)'
    ),
    (3, 'nor is one too few', 'cents', 'usd', '0.0201', '(2,0.0201,0.0001,0.01,1104,82.929702,f)'),
    (
      4, 'the least refill is one credit and the fee', 'cents', 'usd', '0.0101',
      '(1,0.0101,0.0001,0.01,1105,82.919602,f)'
    ),
    (5, 'the same by credits', 'cents', 'credits', '1', '(1,0.0101,0.0001,0.01,1106,82.909502,f)'),
    (
      6, 'a rate of ten decimals is exact', 'third', 'credits', '3',
      '(3,1.0000999999,0.0001,0.3333333333,3,81.9094020001,f)'
    ),
    (
      7, 'and divides without rounding up', 'third', 'usd', '1.000099',
      '(2,1.000099,0.0001,0.3333333333,5,80.9093030001,f)'
    ),
    (
      8, 'a dollar pays for three thirds that are a little less', 'third', 'usd', '1.0001',
      '(3,1.0001,0.0001,0.3333333333,8,79.9092030001,f)'
    ),
    (9, 'the finest rate', 'fine', 'usd', '0.000101', '(10000,0.000101,0.0001,0.0000000001,10000,79.9091020001,f)'),
    (10, 'the finest credit', 'fine', 'credits', '1', '(1,0.0001000001,0.0001,0.0000000001,10001,79.909002,f)')
) c (step, what, token, mode, amount, answer);

-- The fee and the rates of the moment

update settings set refill_fee_usd = 0, master_rate_usd = 0.0000000003;
select is(
  pg_temp.refill('ann', 'cents', 'usd', '0.01', 'free'),
  '(1,0.01,0.00,0.01,1107,79.899002,f)',
  'without a fee'
);
select is(
  pg_temp.refill('ann', 'master', 'usd', '0.000001', 'fine master'),
  '(3333,0.000001,0.00,0.0000000003,9331,79.899001,f)',
  'at another master rate'
);
update settings set refill_fee_usd = 1.5, master_rate_usd = 0.5;
select is(
  pg_temp.refill('ann', 'master', 'usd', '2', 'fee'),
  '(1,2.00,1.50,0.50,9332,77.899001,f)',
  'with another fee, taken once'
);
select is(
  pg_temp.refill('ann', 'cents', 'credits', '50', 'fee of credits'),
  '(50,2.00,1.50,0.01,1157,75.899001,f)',
  'by credits as well'
);
delete from settings;
select is(
  pg_temp.refill('ann', 'master', 'usd', '0.0011', 'default'),
  '(1,0.0011,0.0001,0.001,9333,75.897901,f)',
  'without settings, their defaults count'
);
insert into settings default values;

-- Replay

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.refill('ann', r.token, r.mode, r.amount, r.operation_id),
  r.answer,
  format('a retry of %s, as %s %s', r.operation_id, r.mode, r.amount)
)
from (
  values
    ('cents', 'usd', '10', 'one', '(999,10.00,0.0001,0.01,999,90.00,t)'),
    ('cents', 'usd', '10.00', 'one', '(999,10.00,0.0001,0.01,999,90.00,t)'),
    ('cents', 'usd', '010.000000', 'one', '(999,10.00,0.0001,0.01,999,90.00,t)'),
    ('cents', 'credits', '100', 'two', '(100,1.0001,0.0001,0.01,1099,88.9999,t)'),
    ('cents', 'credits', '0100', 'two', '(100,1.0001,0.0001,0.01,1099,88.9999,t)'),
    ('master', 'usd', '5.0', 'three', '(4999,5.00,0.0001,0.001,4999,83.9999,t)'),
    ('cents', 'usd', '0.01', 'free', '(1,0.01,0.00,0.01,1107,79.899002,t)')
) r (token, mode, amount, operation_id, answer);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'retries change nothing');

-- Conflict

select is(
  pg_temp.refill('ann', c.token, c.mode, c.amount, c.operation_id),
  format('409 operation_id_reused operation_id %s was used before with other arguments', c.operation_id),
  format('an operation_id of %s', c.what)
)
from (
  values
    ('another amount', 'cents', 'usd', '10.000001', 'one'),
    ('another mode', 'cents', 'credits', '10', 'one'),
    ('another mode, for as many credits', 'cents', 'credits', '999', 'one'),
    ('another token', 'master', 'usd', '10', 'one'),
    ('credits, as US dollars', 'cents', 'usd', '100', 'two'),
    ('credits, as their price', 'cents', 'usd', '1.0001', 'two'),
    ('a deposit', 'cents', 'usd', '100', 'deposit')
) c (what, token, mode, amount, operation_id);
select is(
  pg_temp.answer('select deposit_usd(pg_temp.id(''ann''), ''10'', ''one'')'),
  '409 operation_id_reused operation_id one was used before with other arguments',
  'nor is a refill''s a deposit''s'
);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'conflicts change nothing');
select is(
  pg_temp.refill('ann', 'cents', 'usd', '0.02', 'create cents'),
  '(1,0.02,0.0001,0.01,1158,75.877901,f)',
  'the operation_ids by which tokens are created are others'
);
select deposit_usd(pg_temp.id('ben'), '1', 'deposit');
select is(
  pg_temp.refill('ben', 'ben''s', 'usd', '1', 'one'), '(99,1.00,0.0001,0.01,99,0.00,f)', 'and so are another user''s'
);

-- Refusal

create function pg_temp.refused(owner text, token_id uuid, mode text, amount text, operation_id text default 'refused')
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.answer(format(
    'select refill_token(%L, %L, %L, %L, %L)', pg_temp.id(owner), token_id, mode, amount, operation_id
  ));
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;

select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', r.token), r.mode, r.amount), r.answer, format('refused: %s', r.what)
)
from (
  values
    (
      'a cent at a cent', 'cents', 'usd', '0.01',
      '400 refill_too_small Cannot refill: the token needs at least $0.0101, got $0.0100'
    ),
    (
      'a millionth less than needed', 'cents', 'usd', '0.010099',
      '400 refill_too_small Cannot refill: the token needs at least $0.010100, got $0.010099'
    ),
    (
      'less than the fee', 'cents', 'usd', '0.000099',
      '400 refill_too_small Cannot refill: the token needs at least $0.010100, got $0.000099'
    ),
    (
      'the fee', 'cents', 'usd', '0.0001',
      '400 refill_too_small Cannot refill: the token needs at least $0.0101, got $0.0001'
    ),
    (
      'the price of a credit without the fee', 'master', 'usd', '0.001',
      '400 refill_too_small Cannot refill: the token needs at least $0.0011, got $0.0010'
    ),
    (
      'less than a rate of ten decimals', 'third', 'usd', '0.333433',
      '400 refill_too_small Cannot refill: the token needs at least $0.333434, got $0.333433'
    ),
    (
      'less than the dearest credit', 'dear', 'usd', '1000000000',
      '400 refill_too_small Cannot refill: the token needs at least $1000000000.0001, got $1000000000.0000'
    ),
    (
      'more than there is', 'cents', 'usd', '75.877902',
      '403 insufficient_usd Insufficient USD balance: you have $75.877901, need $75.877902'
    ),
    (
      'credits for more than there is', 'cents', 'credits', '7588',
      '403 insufficient_usd Insufficient USD balance: you have $75.877901, need $75.8801'
    ),
    (
      'the most US dollars', 'master', 'usd', '1000000000',
      '403 insufficient_usd Insufficient USD balance: you have $75.877901, need $1000000000.00'
    ),
    (
      'the most credits', 'dear', 'credits', '9000000000000000',
      '403 insufficient_usd Insufficient USD balance: you have $75.877901, need $9000000000000000000000000.0001'
    ),
    (
      'credits beyond the bound', 'fine', 'credits', '9000000000000000',
      '400 balance_limit_exceeded The token would hold 9000000000010001 credits, and may hold 9000000000000000'
    ),
    (
      'a master token by credits', 'master', 'credits', '1',
      '400 invalid_request A master token is refilled by US dollars: mode must be usd, got credits'
    ),
    (
      'a product without a rate', 'unpriced', 'usd', '1',
      format('409 product_unavailable The product %s is not on offer, or has no rate', pg_temp.id('unpriced'))
    ),
    (
      'a product without a rate, by credits', 'unpriced', 'credits', '1',
      format('409 product_unavailable The product %s is not on offer, or has no rate', pg_temp.id('unpriced'))
    ),
    (
      'a product that is not on offer any more', 'past', 'usd', '1',
      format('409 product_unavailable The product %s is not on offer, or has no rate', pg_temp.id('past'))
    ),
    (
      'a revoked token', 'gone', 'usd', '1',
      format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'gone'))
    ),
    (
      'a revoked token, whatever the mode', 'gone master', 'credits', '1',
      format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'gone master'))
    )
) r (what, token, mode, amount, answer);
select is(
  pg_temp.refused(o.owner, o.token_id, 'usd', '1'),
  format('404 api_token_not_found There is no API token %s', coalesce(o.token_id::text, 'without an id')),
  format('refused: %s', o.what)
)
from (
  values
    ('somebody else''s token', 'ann', pg_temp.api_token('ben', 'ben''s')),
    ('one''s own by somebody else', 'ben', pg_temp.api_token('ann', 'cents')),
    ('somebody else''s revoked token', 'ben', pg_temp.api_token('ann', 'gone')),
    ('a token that there is not', 'ann', pg_temp.id('nothing')),
    ('no token', 'ann', null),
    ('a user that there is not', 'nobody', pg_temp.api_token('ann', 'cents'))
) o (what, owner, token_id);

-- Balances of nothing and of less

select pg_temp.new_api_token('cat', 'cat''s', 'cents');
select is(
  pg_temp.refused('cat', pg_temp.api_token('cat', 'cat''s'), 'usd', '1'),
  '403 insufficient_usd Insufficient USD balance: you have $0.00, need $1.00',
  'refused: a user who never had US dollars'
);
insert into usd_balances (user_id, balance) values (pg_temp.id('cat'), -5);
select is(
  pg_temp.refused('cat', pg_temp.api_token('cat', 'cat''s'), 'usd', '1'),
  '403 insufficient_usd Insufficient USD balance: you have $-5.00, need $1.00',
  'refused: a user in debt'
);
update usd_balances set balance = 1.0001 where user_id = pg_temp.id('cat');
select is(
  pg_temp.refill('cat', 'cat''s', 'credits', '100', 'all'),
  '(100,1.0001,0.0001,0.01,100,0.00,f)',
  'all that there is can be spent'
);
select is(
  pg_temp.refused('cat', pg_temp.api_token('cat', 'cat''s'), 'credits', '1'),
  '403 insufficient_usd Insufficient USD balance: you have $0.00, need $0.0101',
  'but nothing of nothing'
);
update api_tokens set credits = 8999999999999999 where id = pg_temp.api_token('cat', 'cat''s');
update usd_balances set balance = 1 where user_id = pg_temp.id('cat');
select is(
  pg_temp.refused('cat', pg_temp.api_token('cat', 'cat''s'), 'credits', '2'),
  '400 balance_limit_exceeded The token would hold 9000000000000001 credits, and may hold 9000000000000000',
  'refused: one credit beyond the bound'
);
select is(
  pg_temp.refill('cat', 'cat''s', 'usd', '0.0101', 'bound'),
  '(1,0.0101,0.0001,0.01,9000000000000000,0.9899,f)',
  'up to the bound'
);

-- Amounts, modes and ids

select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', 'cents'), 'usd', a.amount),
  format(
    '400 invalid_request amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got %s',
    coalesce(left(a.amount, 40), 'nothing')
  ),
  format('refused: %s US dollars', coalesce(quote_literal(left(a.amount, 20)), 'no'))
)
from (
  values
    (null), (''), (' '), ('0'), ('0.000000'), ('-1'), ('+1'), ('-0.000001'), ('1000000000.000001'), ('1000000001'),
    ('10000000000'),
    ('1.0000001'), ('1.0000000'), ('0.0000001'), ('1e3'), ('1e-3'), ('1.'), ('.5'), ('1,5'), ('1.5.5'), ('0x10'),
    ('0b1'), ('1_000'),
    (' 1'), ('1 '), (E'1\n'), (E'1\n2'), ('NaN'), ('nan'), ('Infinity'), ('-Infinity'), ('inf'), ('true'), ('١'), ('１'),
    ('$1'),
    (repeat('9', 300))
) a (amount);
select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', 'cents'), 'credits', a.amount),
  format(
    '400 invalid_request amount must be a whole number of credits from 1 to 9000000000000000, got %s',
    coalesce(left(a.amount, 40), 'nothing')
  ),
  format('refused: %s credits', coalesce(quote_literal(left(a.amount, 20)), 'no'))
)
from (
  values
    (null), (''), ('0'), ('-1'), ('+1'), ('1.0'), ('1.5'), ('1e3'), ('9000000000000001'), ('9999999999999999'),
    ('10000000000000000'), (' 1'), ('1 '), (E'1\n'), ('NaN'), ('Infinity'), ('0x10'), ('1_000'), ('١'),
    (repeat('9', 300))
) a (amount);
select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', 'cents'), m.mode, '1'),
  format('400 invalid_request mode must be usd or credits, got %s', coalesce(left(m.mode, 40), 'nothing')),
  format('refused: %s as a mode', coalesce(quote_literal(left(m.mode, 10)), 'nothing'))
)
from (values (null), (''), ('USD'), ('eur'), ('usd '), (repeat('x', 300))) m (mode);
select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', 'cents'), 'usd', '1', o.operation_id),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('refused: %s as an operation_id', coalesce(quote_literal(left(o.operation_id, 10)), 'nothing'))
)
from (values (null), (''), (repeat('x', 256))) o (operation_id);
select is(
  pg_temp.refused('ann', pg_temp.api_token('ann', 'cents'), 'usd', '1', 'stripe:1'),
  '400 invalid_request operation_id must not begin with stripe:, which payments begin with',
  'refused: an operation_id of payments'
);
select is(
  pg_temp.answer(format('select refill_token(null, %L, ''usd'', ''1'', ''x'')', pg_temp.api_token('ann', 'cents'))),
  '400 invalid_request user_id is missing',
  'refused: no user'
);

-- For ever: whatever became of the rate, the fee, the token and the balance

create temporary table token as select pg_temp.api_token('ann', 'cents') as id;
create function pg_temp.retry_after(statement text)
returns text
language plpgsql
as $$
declare
  v_before text;
  v_answer text;
begin
  execute statement;
  v_before := pg_temp.fingerprint();
  select pg_temp.answer(format(
    'select credits_added, usd_spent, fee, rate, credits, usd_balance, replayed
    from refill_token(%L, %L, ''usd'', ''10'', ''one'', ''somebody'')',
    pg_temp.id('ann'), t.id
  ))
  into v_answer
  from token t;
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;
select is(
  pg_temp.retry_after(c.statement),
  '(999,10.00,0.0001,0.01,999,90.00,t)',
  format('a retry after: %s', c.statement)
)
from (
  values
    (1, 'update products set value_credits_usd = 2'), (2, 'update settings set refill_fee_usd = 100'),
    (3, 'update products set active = false'), (4, 'update products set value_credits_usd = null'),
    (5, 'select rename_api_token(pg_temp.id(''ann''), id, ''other'') from token'),
    (6, 'update api_tokens t set credits = 0 from token where t.id = token.id'),
    (7, 'update usd_balances set balance = -1'),
    (8, 'select revoke_api_token(pg_temp.id(''ann''), id) from token'),
    (9, 'delete from usd_balances'),
    (10, 'delete from api_tokens t using token where t.id = token.id')
) c (step, statement);

-- Callers

select is(
  pg_temp.answer('select refill_token(pg_temp.id(''ann''), pg_temp.id(''any''), ''usd'', ''10'', ''one'')', c.role, 'ann'),
  '42501 permission denied for function refill_token',
  format('refill_token is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
insert into usd_balances (user_id, balance) values (pg_temp.id('ben'), 1);
update products set value_credits_usd = 0.01, active = true where id = pg_temp.id('cents');
update settings set refill_fee_usd = 0.0001;
create temporary table call as
select format(
  'select replayed from refill_token(%L, %L, ''usd'', ''1'', ''role'')',
  pg_temp.id('ben'),
  pg_temp.api_token('ben', 'ben''s')
) as statement;
select is(pg_temp.answer((select statement from call), 'service_role'), '(f)', 'refill_token is open to service_role');
select is(
  (select actor from usd_transactions where operation_id = 'role'),
  'service_role',
  'without an actor, the journals name the role'
);
select is(pg_temp.balance('ben'), 'total 0, used 0, reserved 0, remaining 0', 'tokens are not concerned');

select is_empty('select * from verify_ledger()', 'journals, refills and balances agree');

select * from finish();

rollback;
