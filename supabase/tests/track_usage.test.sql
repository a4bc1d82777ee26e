-- track_usage records a call at most once per operation_id, with what it cost by the price and the rate of its moment, to
-- the last of ten decimals; an unknown price is no cost of 0. With tokens it charges them too or settles their hold, and
-- records nothing when it cannot. The batch does the same for each of its calls.

begin;

select plan(187);

select pg_temp.new_user('ann', 1000);
insert into model_prices (
  service, model, valid_from, input_usd_per_million, cached_input_usd_per_million, output_usd_per_million, usd_per_call,
  usd_per_second, usd_per_image
)
values
  ('openai', 'gpt-4', pg_temp.month(6), 30, null, 60, null, null, null),
  ('openai', 'ada-002', pg_temp.month(6), 0.10, null, null, null, null, null),
  ('openai', 'gpt-4o', pg_temp.month(6), 2.5, 1.25, 10, null, null, null),
  ('openai', 'writes', pg_temp.month(6), null, null, 5, null, null, null),
  ('openai', 'whisper', pg_temp.month(6), null, null, null, null, 0.0001, null),
  ('openai', 'dall-e', pg_temp.month(6), null, null, null, null, null, 0.04),
  ('openai', 'search', pg_temp.month(6), null, null, null, 0.005, null, null),
  ('openai', 'fee', pg_temp.month(6), 1, null, null, 0.005, null, null),
  ('openai', 'all', pg_temp.month(6), 1, 0.5, 2, 0.01, 0.001, 0.02),
  ('openai', 'speech', pg_temp.month(6), 1, null, null, null, 0.001, null),
  ('openai', 'tiny', pg_temp.month(6), 0.0001, null, null, null, null, null),
  ('openai', 'dear', pg_temp.month(6), 1000000, null, null, null, null, null);

-- What a call costs

select is(
  pg_temp.track('ann', 'cost ' || c.step, c.model, c.arguments, 'cost_usd, cost_eur, usd_eur, unpriced'),
  c.answer,
  format('%s: %s costs %s', c.model, c.arguments, c.answer)
)
from (
  values
    (1, 'gpt-4', 'input_tokens => 1000, output_tokens => 500', '(0.06,0.051,0.85,f)'),
    (2, 'gpt-4', 'input_tokens => 1000', '(0.03,0.0255,0.85,f)'),
    (3, 'gpt-4', 'output_tokens => 500', '(0.03,0.0255,0.85,f)'),
    (4, 'ada-002', 'input_tokens => 1', '(0.0000001,0.000000085,0.85,f)'),
    (5, 'gpt-4o', 'input_tokens => 1000, cached_input_tokens => 400, output_tokens => 100', '(0.003,0.00255,0.85,f)'),
    (6, 'gpt-4o', 'input_tokens => 1000, cached_input_tokens => 1000', '(0.00125,0.0010625,0.85,f)'),
    (7, 'gpt-4', 'input_tokens => 1000, cached_input_tokens => 400', '(0.03,0.0255,0.85,f)'),
    (8, 'whisper', 'seconds => 12.5', '(0.00125,0.0010625,0.85,f)'),
    (9, 'whisper', 'seconds => 0.000001', '(0.0000000001,0.0000000001,0.85,f)'),
    (10, 'dall-e', 'images => 3', '(0.12,0.102,0.85,f)'),
    (11, 'search', null, '(0.005,0.00425,0.85,f)'),
    (12, 'search', 'input_tokens => 1000, output_tokens => 10', '(0.005,0.00425,0.85,f)'),
    (13, 'fee', 'input_tokens => 1000', '(0.006,0.0051,0.85,f)'),
    (14, 'fee', null, '(0.005,0.00425,0.85,f)'),
    (
      15, 'all',
      'input_tokens => 1000, cached_input_tokens => 400, output_tokens => 100, seconds => 2.5, images => 3',
      '(0.0735,0.062475,0.85,f)'
    ),
    (16, 'speech', 'seconds => 2', '(0.002,0.0017,0.85,f)'),
    (17, 'tiny', 'input_tokens => 1', '(0.0000000001,0.0000000001,0.85,f)'),
    (18, 'dear', 'input_tokens => 999999999', '(999999999.00,849999999.15,0.85,f)'),
    (19, 'gpt-4', 'input_tokens => 1000000000000', '(30000000.00,25500000.00,0.85,f)')
) c (step, model, arguments, answer);

-- Without a price

select is(
  pg_temp.track('ann', 'unpriced ' || c.step, c.model, c.arguments, 'cost_usd, cost_eur, price_id, unpriced'),
  '(,,,t)',
  format('unpriced: %s, %s', c.model, coalesce(c.arguments, 'nothing used'))
)
from (
  values
    (1, 'unknown', 'input_tokens => 1000'),
    (2, 'unknown', null),
    (3, 'GPT-4', 'input_tokens => 1000'),
    (4, 'ada-002', 'input_tokens => 1, output_tokens => 1'),
    (5, 'writes', 'input_tokens => 1, output_tokens => 1'),
    (6, 'whisper', 'input_tokens => 1'),
    (7, 'whisper', null),
    (8, 'dall-e', 'seconds => 1'),
    (9, 'gpt-4', 'images => 1'),
    (10, 'gpt-4', null)
) c (step, model, arguments);
select is(
  pg_temp.answer($$
    select cost_usd, unpriced from track_usage(pg_temp.id('ann'), 'service', 'other', 'chat', 'gpt-4', 1000)
  $$),
  '(,t)',
  'unpriced: the same model of another service'
);

-- A cost that comes with the call, and failed calls

select is(
  pg_temp.track('ann', 'explicit ' || c.step, c.model, c.arguments, 'cost_usd, cost_eur, price_id, unpriced'),
  c.answer,
  c.what
)
from (
  values
    (
      1, 'gpt-4', 'input_tokens => 1000, explicit_cost_usd => ''0.1234567891''', '(0.1234567891,0.1049382707,,f)',
      'a cost that comes with the call counts before the price'
    ),
    (2, 'unknown', 'explicit_cost_usd => ''1''', '(1.00,0.85,,f)', 'and without one'),
    (3, 'unknown', 'explicit_cost_usd => ''0''', '(0.00,0.00,,f)', 'also when it is 0: that is known'),
    (
      4, 'unknown', 'explicit_cost_usd => ''999999999.9999999999''', '(999999999.9999999999,849999999.9999999999,,f)',
      'the highest'
    ),
    (5, 'gpt-4', 'input_tokens => 1000, success => false', '(0.00,0.00,,f)', 'a failed call costs nothing'),
    (6, 'unknown', 'success => false', '(0.00,0.00,,f)', 'of whatever model'),
    (
      7, 'gpt-4', 'input_tokens => 1000, success => false, explicit_cost_usd => ''0.02''', '(0.02,0.017,,f)',
      'unless its cost comes with it'
    )
) c (step, model, arguments, answer, what);
select is(
  (
    select count(*) from usage_events e join model_prices p on p.id = e.price_id and p.model = e.model
    where operation_id like 'cost %'
  ),
  19::bigint,
  'a priced call names its price'
);
select is_empty('select * from verify_ledger()', 'rows and sums agree');

-- The price of the moment

insert into model_prices (service, model, valid_from, valid_to, input_usd_per_million)
values
  ('openai', 'm', pg_temp.month(5), null, 10),
  ('openai', 'm', pg_temp.month(1) + interval '14 days 12:34:56.789', null, 20),
  ('openai', 'm', now() + interval '1 day', null, 40),
  ('openai', 'old', pg_temp.month(5), pg_temp.month(2), 10),
  ('openai', 'gap', pg_temp.month(5), null, 10),
  ('openai', 'gap', pg_temp.month(4), pg_temp.month(3), 20),
  ('openai', 'gap', pg_temp.month(2), null, 30);
select is(
  pg_temp.track('ann', 'moment ' || c.step, c.model, format('1000, occurred_at => %L', c.moment), 'cost_usd'),
  c.answer,
  c.what
)
from (
  values
    (1, 'm', pg_temp.month(5) - interval '1 microsecond', '()', 'before the first price a call is unpriced'),
    (2, 'm', pg_temp.month(5), '(0.01)', 'a price counts from its moment on'),
    (
      3, 'm', pg_temp.month(1) + interval '14 days 12:34:56.788999', '(0.01)',
      'a price that changes in the middle of a month: until then'
    ),
    (4, 'm', pg_temp.month(1) + interval '14 days 12:34:56.789', '(0.02)', 'and from then on'),
    (5, 'm', now(), '(0.02)', 'a price to come does not count'),
    (6, 'm', null, '(0.02)', 'not for a call of now either'),
    (7, 'old', pg_temp.month(2) - interval '1 microsecond', '(0.01)', 'a price that ends counts until its end'),
    (8, 'old', pg_temp.month(2), '()', 'then the model has none'),
    (9, 'gap', pg_temp.month(3) - interval '1 microsecond', '(0.02)', 'of two the later counts'),
    (10, 'gap', pg_temp.month(3), '()', 'and where it ended the one before does not come back'),
    (11, 'gap', pg_temp.month(2), '(0.03)', 'until there is another')
) c (step, model, moment, answer, what);
select is(
  (select string_agg(trim_scale(p.input_usd_per_million)::text, ' ' order by e.operation_id)
   from usage_events e join model_prices p on p.id = e.price_id where e.operation_id ~ '^moment [2345]$'),
  '10 10 20 20',
  'each call keeps the price that it was reckoned by'
);

-- What is recorded

select is(
  pg_temp.track(
    'ann', 'row', 'gpt-4', $$
      1000, 400, 500, 1.5, 2, success => false, error => 'timed out', response_time_ms => 1234,
      input_preview => 'Hello', output_summary => 'Bye', occurred_at => pg_temp.month(1), explicit_cost_usd => '0.5'
    $$,
    'recorded_at = pg_temp.month(1) as at, cost_usd, cost_eur, price_id, usd_eur, unpriced, tokens_charged, remaining, overdrawn, replayed'
  ),
  '(t,0.50,0.425,,0.85,f,0,,f,f)',
  'track_usage answers when, what it cost, at which rate, and what was charged'
);
select results_eq(
  $$
    select
      occurred_at, run_id, service, operation, model, input_tokens, cached_input_tokens, output_tokens, seconds, images,
      cost_usd, cost_eur, price_id, usd_eur, tokens_charged, success, error, response_time_ms, input_preview, output_summary
    from usage_events where user_id = pg_temp.id('ann') and operation_id = 'row'
  $$,
  $$
    values (
      pg_temp.month(1), null::uuid, 'openai', 'chat', 'gpt-4', 1000::bigint, 400::bigint, 500::bigint, 1.5, 2, 0.5,
      0.425,
      null::uuid, 0.85, 0::bigint, false, 'timed out', 1234, 'Hello', 'Bye'
    )
  $$,
  'and records all that it was told'
);
select is(
  (select count(*) from usage_events where operation_id = 'cost 1' and occurred_at between now() and clock_timestamp()),
  1::bigint,
  'a call without a moment is of now'
);
select is(
  pg_temp.track('ann', 'clock', 'gpt-4', 'occurred_at => clock_timestamp() + interval ''59 seconds''', 'unpriced'),
  '(t)',
  'a clock may be a little ahead'
);
select is(
  pg_temp.track('ann', o.operation_id, 'gpt-4', null, 'replayed'), '(f)',
  format('%s characters can be an operation_id', length(o.operation_id))
)
from (values ('x'), (repeat('ü', 255))) o (operation_id);

-- Once per operation_id

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.track('ann', 'cost 1', 'gpt-4', '1000, output_tokens => 500'),
  '(0.06,0.051,f,0,,f,t)',
  'a retry is answered as the first call was'
);
select is(
  pg_temp.track('ann', 'row', 'gpt-4', $$
    1000, 400, 500, 1.5, 2, success => false, error => 'other words', response_time_ms => 1, input_preview => 'Other',
    occurred_at => pg_temp.month(1), explicit_cost_usd => '0.5000'
  $$),
  '(0.50,0.425,f,0,,f,t)',
  'whatever its words and however long it took'
);
select is(
  pg_temp.track('ann', 'row', 'gpt-4', '1000, 400, 500, 1.5, 2, success => false'),
  '409 operation_id_reused operation_id row was used before with other arguments',
  'without the cost that came with it, it is another call'
);
select is(
  pg_temp.track('ann', 'row', 'gpt-4', '1000, 400, 500, 1.5, 2, success => false, explicit_cost_usd => ''0.5'''),
  '(0.50,0.425,f,0,,f,t)',
  'also when it does not say when it was'
);
select is(
  pg_temp.track('ann', 'unpriced 1', 'unknown', '1000', 'cost_usd, price_id, unpriced, replayed'),
  '(,,t,t)',
  'an unpriced call too'
);
select is(
  pg_temp.track('ann', 'row', c.model, c.arguments),
  '409 operation_id_reused operation_id row was used before with other arguments',
  format('refused: the same operation_id with %s', c.what)
)
from (
  values
    ('another model', 'gpt-3', '1000, 400, 500, 1.5, 2, success => false'),
    ('other input', 'gpt-4', '1001, 400, 500, 1.5, 2, success => false'),
    ('other cached input', 'gpt-4', '1000, 401, 500, 1.5, 2, success => false'),
    ('other output', 'gpt-4', '1000, 400, 501, 1.5, 2, success => false'),
    ('other seconds', 'gpt-4', '1000, 400, 500, 1.500001, 2, success => false'),
    ('other images', 'gpt-4', '1000, 400, 500, 1.5, 3, success => false'),
    ('another outcome', 'gpt-4', '1000, 400, 500, 1.5, 2, success => true'),
    ('another cost', 'gpt-4', '1000, 400, 500, 1.5, 2, success => false, explicit_cost_usd => ''0.51'''),
    ('tokens', 'gpt-4', '1000, 400, 500, 1.5, 2, success => false, tokens => 1'),
    (
      'another moment', 'gpt-4',
      '1000, 400, 500, 1.5, 2, success => false, occurred_at => pg_temp.month(1) + interval ''1 microsecond'''
    )
) c (what, model, arguments);
select is(
  pg_temp.answer(
    format(
      'select track_usage(pg_temp.id(''ann''), ''row'', %L, %L, ''gpt-4'', 1000, 400, 500, 1.5, 2, success => false)',
      c.service, c.operation
    )
  ),
  '409 operation_id_reused operation_id row was used before with other arguments',
  format('refused: the same operation_id for %s of %s', c.operation, c.service)
)
from (values ('other', 'chat'), ('openai', 'other')) c (service, operation);
select is(
  pg_temp.track('ann', 'unpriced 1', 'unknown', '1000, explicit_cost_usd => ''1'''),
  '409 operation_id_reused operation_id unpriced 1 was used before with other arguments',
  'refused: the same operation_id, now with a cost'
);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'neither retries nor conflicts change anything');
select pg_temp.new_user('ben', 10);
select is(
  pg_temp.track('ben', 'row', 'gpt-3', '1'), '(,,t,0,,f,f)', 'operation_ids are each user''s own'
);

-- Tokens

select pg_temp.new_user('tok', 100);
select reserve_tokens(pg_temp.id('tok'), 30, 'kept');
select is(
  pg_temp.track('tok', 'kept', 'gpt-4', '1'), '(0.00003,0.0000255,f,0,,f,f)', 'without tokens nothing is charged'
);
select is(pg_temp.balance('tok'), 'total 100, used 0, reserved 30, remaining 70', 'and a hold stays');
select is(
  pg_temp.track('tok', 'plain', 'gpt-4', '1, tokens => 20'), '(0.00003,0.0000255,f,20,50,f,f)', 'tokens are charged'
);
select is(
  pg_temp.journal('tok', 1), 'charge used -20 = 80/50 plain - postgres',
  'as one row of the journal, of the same operation_id'
);
select is(
  pg_temp.track('tok', 'plain', 'gpt-4', '1, tokens => 20'),
  '(0.00003,0.0000255,f,20,50,f,t)',
  'a retry charges nothing and is answered alike'
);
select is(
  pg_temp.track('tok', 'plain', 'gpt-4', a.arguments),
  '409 operation_id_reused operation_id plain was used before with other arguments',
  format('refused: the same operation_id with %s', a.arguments)
)
from (values ('1, tokens => 21'), ('1, tokens => 0'), ('1'), ('2, tokens => 20')) a (arguments);
select is(
  pg_temp.track('tok', 'zero', 'gpt-4', '1, tokens => 0'), '(0.00003,0.0000255,f,0,,f,f)', 'no tokens charge nothing'
);
select reserve_tokens(pg_temp.id('tok'), 20, 'hold 1');
select reserve_tokens(pg_temp.id('tok'), 20, 'hold 2');
select reserve_tokens(pg_temp.id('tok'), 10, 'hold 3');
select is(pg_temp.balance('tok'), 'total 100, used 20, reserved 80, remaining 0', '(all is held)');
select is(
  pg_temp.track('tok', 'hold 1', 'gpt-4', '1, tokens => 5, actor => ''shop'''),
  '(0.00003,0.0000255,f,5,15,f,f)',
  'tokens settle the hold of the same operation_id'
);
select is(
  pg_temp.journal('tok', 2),
  format('charge used -5 = 75/15 hold 1 %s shop', (select id from token_holds where operation_id = 'hold 1')),
  'the journal names the hold and who did it'
);
select is(
  pg_temp.track('tok', 'hold 1', 'gpt-4', '1, tokens => 5'),
  '(0.00003,0.0000255,f,5,15,f,t)',
  'a retry is answered alike'
);
select is(
  pg_temp.track('tok', 'hold 2', 'gpt-4', '1, tokens => 0'), '(0.00003,0.0000255,f,0,35,f,f)', 'no tokens release it'
);
select is(
  pg_temp.track('tok', 'hold 2', 'gpt-4', '1, tokens => 0'),
  '(0.00003,0.0000255,f,0,35,f,t)',
  'a retry is answered alike'
);
select is(
  pg_temp.track('tok', 'hold 3', 'gpt-4', '1, tokens => 50'), '(0.00003,0.0000255,f,50,-5,t,f)',
  'more than was held is charged, even below zero, and said'
);
select is(
  pg_temp.track('tok', 'hold 3', 'gpt-4', '1, tokens => 50'), '(0.00003,0.0000255,f,50,-5,t,t)', 'and so does a retry'
);
select is(
  (
    select string_agg(tokens_charged::text, ' ' order by operation_id) from usage_events where user_id = pg_temp.id('tok')
  ),
  '5 0 50 0 20 0',
  'the rows say what was charged'
);
select add_tokens(pg_temp.id('tok'), 1005, 'add', 'more');
select reserve_tokens(pg_temp.id('tok'), 10, 'late', 60);
update token_holds set expires_at = now() where operation_id = 'late';
select is(
  pg_temp.track('tok', 'late', 'gpt-4', '1, tokens => 10'),
  '(0.00003,0.0000255,f,10,990,f,f)',
  'a hold that has expired is settled all the same'
);
select reserve_tokens(pg_temp.id('tok'), 10, 'settled');
select settle_tokens(pg_temp.id('tok'), 'settled', 7);
select is(
  pg_temp.track('tok', 'settled', 'gpt-4', '1, tokens => 7'),
  '(0.00003,0.0000255,f,7,983,f,f)',
  'a hold that was settled with the same is not charged again'
);
select reserve_tokens(pg_temp.id('tok'), 10, 'released');
select release_tokens(pg_temp.id('tok'), 'released');
select charge_tokens(pg_temp.id('tok'), 3, 'charged');
select is(
  pg_temp.track('tok', 'charged', 'gpt-4', '1, tokens => 3'),
  '(0.00003,0.0000255,f,3,980,f,f)',
  'nor what was charged with the same'
);
select reserve_tokens(pg_temp.id('tok'), 10, 'settled 2');
select settle_tokens(pg_temp.id('tok'), 'settled 2', 7);

create function pg_temp.refused(name text, operation_id text, model text, arguments text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.track(name, operation_id, model, arguments);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;

select is(
  pg_temp.refused('tok', r.operation_id, 'gpt-4', r.arguments),
  r.answer,
  format('refused, and nothing is recorded: %s', r.what)
)
from (
  values
    (
      'one token more than there is', 'refused', '1, tokens => 974',
      '403 insufficient_tokens Insufficient tokens: you have 973, need 974'
    ),
    ('a released hold', 'released', '1, tokens => 5', '409 hold_not_active The hold released is released'),
    (
      'a settled hold and other tokens', 'settled 2', '1, tokens => 8',
      '409 operation_id_reused operation_id settled 2 was used before with other arguments'
    ),
    (
      'a settled hold and no tokens', 'settled 2', '1, tokens => 0', '409 hold_not_active The hold settled 2 is settled'
    ),
    (
      'the operation_id of a grant', 'seed', '1, tokens => 100',
      '409 operation_id_reused operation_id seed was used before with other arguments'
    )
) r (what, operation_id, arguments, answer);
select is(
  pg_temp.track('tok', 'refused', 'gpt-4', '1, tokens => 973'),
  '(0.00003,0.0000255,f,973,0,f,f)',
  'a refused operation_id can be used'
);

-- Bad arguments

select is(
  pg_temp.refused('ann', 'bad', 'gpt-4', a.arguments), '400 invalid_request ' || a.message,
  format('refused: %s', left(a.arguments, 60))
)
from (
  values
    ('input_tokens => -1', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('input_tokens => null', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('input_tokens => 1000000000001', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('output_tokens => -1', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('output_tokens => null', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('output_tokens => 9223372036854775807', 'input_tokens and output_tokens must be from 0 to 1000000000000'),
    ('10, cached_input_tokens => -1', 'cached_input_tokens must be from 0 to input_tokens'),
    ('10, cached_input_tokens => 11', 'cached_input_tokens must be from 0 to input_tokens'),
    ('10, cached_input_tokens => null', 'cached_input_tokens must be from 0 to input_tokens'),
    ('seconds => -0.000001', 'seconds must be from 0 to 1000000000'),
    ('seconds => null', 'seconds must be from 0 to 1000000000'),
    ('seconds => ''NaN''', 'seconds must be from 0 to 1000000000'),
    ('seconds => ''Infinity''', 'seconds must be from 0 to 1000000000'),
    ('seconds => ''-Infinity''', 'seconds must be from 0 to 1000000000'),
    ('seconds => 1000000000.1', 'seconds must be from 0 to 1000000000'),
    ('images => -1', 'images must be from 0 to 1000000'),
    ('images => null', 'images must be from 0 to 1000000'),
    ('images => 1000001', 'images must be from 0 to 1000000'),
    ('response_time_ms => -1', 'response_time_ms must not be negative'),
    ('tokens => -1', 'success must be true or false, tokens from 0 to 9000000000000000'),
    ('tokens => 9000000000000001', 'success must be true or false, tokens from 0 to 9000000000000000'),
    ('success => null', 'success must be true or false, tokens from 0 to 9000000000000000'),
    (
      'explicit_cost_usd => ''-1''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got -1'
    ),
    (
      'explicit_cost_usd => ''NaN''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got NaN'
    ),
    (
      'explicit_cost_usd => ''Infinity''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got Infinity'
    ),
    (
      'explicit_cost_usd => ''''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got '
    ),
    (
      'explicit_cost_usd => ''1e-3''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got 1e-3'
    ),
    (
      'explicit_cost_usd => ''1,5''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got 1,5'
    ),
    (
      'explicit_cost_usd => ''0.00000000001''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got 0.00000000001'
    ),
    (
      'explicit_cost_usd => ''1000000000''',
      'explicit_cost_usd must be US dollars below 1000000000, with at most 10 decimals, got 1000000000'
    ),
    (
      'occurred_at => clock_timestamp() + interval ''62 seconds''',
      'occurred_at must be within the months that are kept, and not in the future'
    ),
    ('occurred_at => ''infinity''', 'occurred_at must be within the months that are kept, and not in the future'),
    ('occurred_at => ''-infinity''', 'occurred_at must be within the months that are kept, and not in the future'),
    (
      'occurred_at => pg_temp.month(13) - interval ''1 microsecond''',
      'occurred_at must be within the months that are kept, and not in the future'
    )
) a (arguments, message);
select is(
  pg_temp.refused('ann', 'bad', 'dear', '1000000000'),
  '400 invalid_request A call cannot cost 1000000000 US dollars or more',
  'refused: a call too dear to be true'
);
select is(
  pg_temp.track('ann', 'oldest', 'gpt-4', 'occurred_at => pg_temp.month(13)', 'unpriced'),
  '(t)',
  'a call may be as old as the rows that are kept'
);
select pg_temp.settings('{"usage_keep_months": 2}');
select is(
  pg_temp.refused('ann', 'bad', 'gpt-4', 'occurred_at => pg_temp.month(2) - interval ''1 microsecond'''),
  '400 invalid_request occurred_at must be within the months that are kept, and not in the future',
  'which settings say'
);
select is(
  pg_temp.track('ann', 'older', 'gpt-4', 'occurred_at => pg_temp.month(2)', 'unpriced'),
  '(t)',
  'for a call as for its row'
);
select is(
  pg_temp.answer(format('select track_usage(pg_temp.id(''ann''), %s)', a.arguments)),
  '400 invalid_request ' || a.message,
  format('refused: %s', left(a.arguments, 60))
)
from (
  values
    ('null, ''s'', ''o'', ''m''', 'operation_id must have 1 to 255 characters'),
    (''''', ''s'', ''o'', ''m''', 'operation_id must have 1 to 255 characters'),
    ('repeat(''x'', 256), ''s'', ''o'', ''m''', 'operation_id must have 1 to 255 characters'),
    ('''stripe:1'', ''s'', ''o'', ''m''', 'operation_id must not begin with stripe:, which payments begin with'),
    ('''run:1'', ''s'', ''o'', ''m''', 'operation_id must not begin with run:, which runs begin with'),
    ('''bad'', null, ''o'', ''m''', 'service and operation must have 1 to 100 characters, model 1 to 200'),
    ('''bad'', '''', ''o'', ''m''', 'service and operation must have 1 to 100 characters, model 1 to 200'),
    (
      '''bad'', repeat(''s'', 101), ''o'', ''m''', 'service and operation must have 1 to 100 characters, model 1 to 200'
    ),
    ('''bad'', ''s'', null, ''m''', 'service and operation must have 1 to 100 characters, model 1 to 200'),
    (
      '''bad'', ''s'', repeat(''o'', 101), ''m''', 'service and operation must have 1 to 100 characters, model 1 to 200'
    ),
    ('''bad'', ''s'', ''o'', null', 'service and operation must have 1 to 100 characters, model 1 to 200'),
    ('''bad'', ''s'', ''o'', ''''', 'service and operation must have 1 to 100 characters, model 1 to 200'),
    ('''bad'', ''s'', ''o'', repeat(''m'', 201)', 'service and operation must have 1 to 100 characters, model 1 to 200')
) a (arguments, message);
select is(
  pg_temp.answer('select track_usage(null, ''bad'', ''s'', ''o'', ''m'')'), '400 invalid_request user_id is missing',
  'refused: no user'
);
select is(
  pg_temp.refused('nobody', 'bad', 'gpt-4', '1'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'refused: an unknown user'
);
select is_empty(
  'select operation_id from private.usage_operations where operation_id = ''bad'' or user_id = pg_temp.id(''nobody'')',
  'none of these is recorded'
);

-- The batch

select pg_temp.new_user('bat', 100);
create function pg_temp.call(name text, operation_id text, changes jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'user_id', pg_temp.id(call.name), 'operation_id', operation_id, 'service', 'openai', 'operation', 'chat', 'model',
    'gpt-4'
  ) || changes
$$;
create function pg_temp.batch(variadic calls jsonb[])
returns text
language sql
as $$
  select string_agg(
    concat_ws(
      ' ', b.item, b.error ->> 'code', b.cost_usd, b.tokens_charged, b.remaining, b.overdrawn, b.unpriced, b.replayed
    ),
    '; ' order by b.number
  )
  from public.track_usage_batch(to_jsonb(calls), 'tester') with ordinality b (
    item, usage_id, recorded_at, cost_usd, cost_eur, price_id, usd_eur, unpriced, tokens_charged, remaining, overdrawn,
    replayed, error, number
  )
$$;
select is(
  pg_temp.batch(
    pg_temp.call('bat', 'b1', '{"input_tokens": 1000, "output_tokens": 500, "tokens": 60}'),
    pg_temp.call('ben', 'b1', '{"input_tokens": 1000, "tokens": null}'),
    pg_temp.call('bat', 'b2', '{"input_tokens": 1000, "tokens": 41}'),
    pg_temp.call('bat', 'b3', '{"input_tokens": -1}'),
    pg_temp.call('bat', 'b1', '{"input_tokens": 1000, "output_tokens": 500, "tokens": 60}'),
    pg_temp.call('bat', 'b1', '{"input_tokens": 1001, "output_tokens": 500, "tokens": 60}'),
    pg_temp.call('nobody', 'b4'),
    pg_temp.call('bat', 'b5', '{"model": "unknown", "tokens": 40}'),
    pg_temp.call(null, 'b6'),
    pg_temp.call('bat', 'b7', '{"success": false, "error": "x"}'),
    pg_temp.call('bat', 'b8', '{"model": null}')
  ),
  concat_ws(
    '; ', '1 0.06 60 40 f f f', '2 0.03 0 f f f', '3 insufficient_tokens', '4 invalid_request', '5 0.06 60 40 f f t',
    '6 operation_id_reused', '7 user_not_found', '8 40 0 f t f', '9 invalid_request', '10 0.00 0 f f f',
    '11 invalid_request'
  ),
  'each call of a batch is recorded or refused by itself, in order'
);
select is(
  (select b.error from track_usage_batch(jsonb_build_array(pg_temp.call('bat', 'b2', '{"tokens": 1}'))) b),
  '{"code": "insufficient_tokens", "message": "Insufficient tokens: you have 0, need 1", "details": null, "hint": null}'::jsonb,
  'the error is the body that track_usage would answer with'
);
select is(
  pg_temp.journal('bat', 1),
  'charge used -60 = 40/40 b1 - tester; charge used -40 = 0/0 b5 - tester',
  'what was refused left nothing behind'
);
select is(
  (select string_agg(operation_id, ' ' order by operation_id) from usage_events where user_id = pg_temp.id('bat')),
  'b1 b5 b7',
  'neither in the journal nor in the rows'
);
select is(
  (
    select (b.usage_id, b.recorded_at, b.cost_eur, b.price_id, b.usd_eur)::text
    from track_usage_batch(jsonb_build_array(pg_temp.call('bat', 'b1', '{"input_tokens": 1000, "output_tokens": 500, "tokens": 60}'))) b
  ),
  (
    select (id, occurred_at, '0.051', price_id, '0.85')::text from usage_events where user_id = pg_temp.id('bat') and operation_id = 'b1'
  ),
  'the answers are those of track_usage'
);
select is(
  pg_temp.batch(pg_temp.call('bat', 'all', '{
    "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 5, "seconds": 1.5, "images": 2, "explicit_cost_usd": "0.5",
    "tokens": 0, "success": false, "error": "failed", "response_time_ms": 7, "input_preview": "in", "output_summary": "out"
  }' || jsonb_build_object('occurred_at', pg_temp.month(1)))),
  '1 0.50 0 f f f',
  'a batch takes what track_usage takes'
);
select is(
  (
    select (
      occurred_at, input_tokens, cached_input_tokens, output_tokens, trim_scale(seconds), images, trim_scale(cost_usd), success, error,
      response_time_ms, input_preview, output_summary
    )::text
    from usage_events where operation_id = 'all'
  ),
  (select (pg_temp.month(1), 10, 4, 5, 1.5, 2, 0.5, false, 'failed', 7, 'in', 'out')::text),
  'all of it'
);
select is(
  pg_temp.answer(format('select track_usage_batch(%s)', b.calls)),
  '400 invalid_request calls must be an array of 1 to 500 calls',
  format('track_usage_batch refuses %s', b.what)
)
from (
  values
    ('nothing', 'null'), ('no calls', '''[]'''), ('an object', '''{}'''), ('JSON null', '''null'''),
    ('501 calls', '(select jsonb_agg(pg_temp.call(''bat'', n::text)) from generate_series(1, 501) n)')
) b (what, calls);
select is(
  (
    select count(*) filter (where b.replayed = false)
    from track_usage_batch((select jsonb_agg(pg_temp.call('bat', 'many ' || n)) from generate_series(1, 500) n)) b
  ),
  500::bigint,
  'track_usage_batch takes 500 calls'
);

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  '42501 permission denied for function ' || split_part(f.call, '(', 1),
  format('%s is closed to %s', split_part(f.call, '(', 1), c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (values ('track_usage(pg_temp.id(''ann''), ''role'', ''s'', ''o'', ''m'')'), ('track_usage_batch(''[]'')')) f (call);
select is(
  pg_temp.answer(
    'select tokens_charged from track_usage(pg_temp.id(''ann''), ''role'', ''s'', ''o'', ''m'', tokens => 1)',
    'service_role'
  ),
  '(1)',
  'track_usage is open to service_role'
);
select is(
  pg_temp.answer(
    format('select item from track_usage_batch(%L)', jsonb_build_array(pg_temp.call('ann', 'role 2', '{"tokens": 1}'))),
    'service_role'
  ),
  '(1)',
  'track_usage_batch too'
);
select is(
  (select string_agg(distinct actor, ' ') from token_transactions where operation_id like 'role%'), 'service_role',
  'without an actor, the journal names the role'
);

select is_empty(
  $$
    select e.id, o.operation_id
    from usage_events e
    full join private.usage_operations o
      on (o.user_id, o.operation_id, o.occurred_at, o.usage_id) = (e.user_id, e.operation_id, e.occurred_at, e.id)
    where e.id is null or o.usage_id is null
  $$,
  'each call is one operation'
);
select is_empty(
  'select id, cost_usd, usd_eur, cost_eur from usage_events where cost_eur is distinct from round(cost_usd * usd_eur, 10)',
  'each cost in euros follows from the one in dollars and the rate beside it'
);
-- What a retry leaves out, and extremes

select pg_temp.new_user('ada', 10);
select is(
  pg_temp.answer('select held, remaining from reserve_tokens(pg_temp.id(''ada''), 4, ''held'')'), '(4,6)', 'a hold'
);
select is(pg_temp.track('ada', 'held', 'gpt-4', '0'), '(,,t,0,,f,f)', 'a call that says nothing of tokens leaves it');
select is(
  pg_temp.track('ada', 'held', 'gpt-4', '0, tokens => 0'),
  '409 operation_id_reused operation_id held was used before with other arguments',
  'and is not the call that would release it'
);
select is(
  pg_temp.answer('select rate from set_currency_rate(usd_eur => ''1000'')'), '(1000.00)', 'euros as cheap as can be'
);
select is(
  pg_temp.track('ada', 'dear', 'gpt-4', '0, explicit_cost_usd => ''999999999.9999999999'''),
  '(999999999.9999999999,999999999999.9999999,f,0,,f,f)', 'the dearest call at the highest rate has its place'
);

select is_empty('select * from verify_ledger()', 'the journal, the balances, the calls and their sums agree');

select * from finish();

rollback;
