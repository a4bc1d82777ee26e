-- A price is a row that stays once it has been in force; another price is another row. set_model_price writes them, from
-- now on or from a moment to come, and the catalogue never replaces what was set by hand.

begin;

select plan(119);

create function pg_temp.set_price(arguments text)
returns text
language sql
as $$select pg_temp.answer(format('select in_force_from - now(), outcome from set_model_price(%s)', arguments))$$;

-- The versions of a model's price, in order: from, to, prices, source; …
create function pg_temp.versions(model text)
returns text
language sql
as $$
  select string_agg(
    concat_ws(
      ' ', p.valid_from - now(), 'to ' || (p.valid_to - now()), trim_scale(p.input_usd_per_million),
      trim_scale(p.cached_input_usd_per_million), trim_scale(p.output_usd_per_million), trim_scale(p.usd_per_call),
      trim_scale(p.usd_per_second), trim_scale(p.usd_per_image), p.source
    ),
    '; ' order by p.valid_from
  )
  from public.model_prices p
  where p.service = 'openai' and p.model = versions.model
$$;

-- set_model_price

select is(
  pg_temp.set_price($$'openai', 'gpt', '30', '15', '60', '0.1', '0.2', '0.3'$$),
  '(00:00:00,set)',
  'set_model_price sets a price from now'
);
select is(pg_temp.versions('gpt'), '00:00:00 30 15 60 0.1 0.2 0.3 manual', 'as one row');
select results_eq(
  $$select price_id from set_model_price('openai', 'gpt', '30', '15', '60', '0.1', '0.2', '0.3')$$,
  $$select id from model_prices where model = 'gpt'$$,
  'and answers the row in force'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '30.0', '15.000', '60', '0.1', '0.2', '0.3000000000'$$),
  '(00:00:00,unchanged)',
  'the same price is no new row'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '31'$$),
  format('400 invalid_request There is a price from %s already', now()),
  'another from the same moment is refused'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '25', valid_from => now() + interval '1 day'$$),
  '("1 day",set)',
  'a price to come is a row of its own'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '20', valid_from => now() + interval '12 hours'$$),
  '(12:00:00,set)',
  'so is one in between'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '25', valid_from => now() + interval '2 days'$$),
  '("1 day",unchanged)',
  'the same as that of then is none'
);
select is(
  pg_temp.set_price($$'openai', 'gpt', '26', valid_from => now() + interval '2 days'$$), '("2 days",set)', 'another is'
);
select is(
  pg_temp.versions('gpt'),
  '00:00:00 30 15 60 0.1 0.2 0.3 manual; 12:00:00 20 manual; 1 day 25 manual; 2 days 26 manual',
  'none changed another'
);
select is(
  pg_temp.set_price($$'openai', 'gpt-2', '26', valid_from => now() + interval '2 days'$$),
  '("2 days",set)',
  'each model has its own'
);
select is(
  pg_temp.set_price($$'replicate', 'gpt', usd_per_second => '0.0000000001'$$), '(00:00:00,set)', 'so has each service'
);
select is(
  pg_temp.set_price(format('''openai'', %L, %s => %L', 'only ' || p.name, p.name, '1000000')),
  '(00:00:00,set)',
  format('a price may be for one thing alone: %s', p.name)
)
from (
  values ('input_usd_per_million'), ('output_usd_per_million'), ('usd_per_call'), ('usd_per_second'), ('usd_per_image')
) p (name);

update model_prices set valid_to = now() + interval '5 days' where model = 'gpt-2';
select is(
  pg_temp.set_price($$'openai', 'gpt-2', '26', valid_from => now() + interval '3 days'$$),
  '("3 days",set)',
  'the same price as one that was to end is a new row'
);
select is(
  pg_temp.versions('gpt-2'),
  '2 days to 5 days 26 manual; 3 days 26 manual',
  'which does not end'
);

-- The catalogue and the operator

select is(
  pg_temp.set_price($$'openai', 'cat', '1', source => 'catalogue'$$), '(00:00:00,set)', 'the catalogue sets a price'
);
select is(pg_temp.set_price($$'openai', 'cat', '1', source => 'catalogue'$$), '(00:00:00,unchanged)', 'and finds it');
select is(
  pg_temp.set_price($$'openai', 'cat', '1', source => 'manual', valid_from => now() + interval '1 hour'$$),
  '(01:00:00,set)',
  'the operator takes it over, even at the same price'
);
select is(
  pg_temp.set_price($$'openai', 'cat', '2', source => 'catalogue', valid_from => now() + interval '2 hours'$$),
  '(01:00:00,overridden)',
  'the catalogue does not replace it'
);
select is(
  pg_temp.set_price($$'openai', 'cat', '1', source => 'catalogue', valid_from => now() + interval '2 hours'$$),
  '(01:00:00,overridden)',
  'not even by the same price'
);
select is(
  pg_temp.set_price($$'openai', 'cat', '2', source => 'catalogue', valid_from => now() + interval '1 minute'$$),
  '(00:01:00,set)',
  'before it, the catalogue goes on'
);
update model_prices set valid_to = now() + interval '3 hours' where model = 'cat' and source = 'manual';
select is(
  pg_temp.set_price($$'openai', 'cat', '2', source => 'catalogue', valid_from => now() + interval '3 hours'$$),
  '(03:00:00,set)',
  'and where it has ended'
);
select is(
  pg_temp.versions('cat'),
  '00:00:00 1 catalogue; 00:01:00 2 catalogue; 01:00:00 to 03:00:00 1 manual; 03:00:00 2 catalogue',
  'so the operator''s price counts for as long as it says'
);
select is(pg_temp.set_price($$'openai', 'ended', '1'$$), '(00:00:00,set)', '(a price that ends)');
update model_prices set valid_to = now() + interval '1 hour' where model = 'ended';
select is(
  pg_temp.set_price($$'openai', 'ended', '1', valid_from => now() + interval '1 hour'$$),
  '(01:00:00,set)',
  'the same price after its end is a new row'
);

-- Refusals

create function pg_temp.refused(arguments text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.set_price(arguments);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;

select is(
  pg_temp.refused(format('''openai'', ''bad'', %L', p.price)),
  format(
    '400 invalid_request input_usd_per_million must be US dollars above 0, at most 1000000 and with at most 10 decimals, got %s',
    left(p.price, 40)
  ),
  format('refused: a price of %s', left(quote_literal(p.price), 30))
)
from (
  values ('0'), ('0.0000000000'), ('-1'), (''), (' '), ('1 '), ('1,5'), ('.5'), ('5.'), ('1e3'), ('NaN'), ('Infinity'), ('free'),
    ('0x10'), ('1000000.0000000001'), ('10000000'), ('0.00000000001'), ('1' || E'\n'), ('1_000'), (repeat('9', 1000))
) p (price);
select is(
  pg_temp.refused(
    format(
      '''openai'', ''bad'', %s, %s => ''0''', case p.name when 'input_usd_per_million' then 'null' else '''1''' end,
      p.name
    )
  ),
  format(
    '400 invalid_request %s must be US dollars above 0, at most 1000000 and with at most 10 decimals, got 0', p.name
  ),
  format('refused: a free %s', p.name)
)
from (
  values ('cached_input_usd_per_million'), ('output_usd_per_million'), ('usd_per_call'), ('usd_per_second'), ('usd_per_image')
) p (name);
select is(pg_temp.refused(r.arguments), '400 invalid_request ' || r.message, format('refused: %s', r.what))
from (
  values
    ('no price at all', $$'openai', 'bad'$$, 'A price is missing: for input, output, a call, a second or an image'),
    (
      'a price for cached input alone', $$'openai', 'bad', null, '1'$$,
      'A price is missing: for input, output, a call, a second or an image'
    ),
    (
      'a price for cached input without one for input', $$'openai', 'bad', null, '1', '1'$$,
      'cached_input_usd_per_million needs input_usd_per_million'
    ),
    (
      'a price from the past', $$'openai', 'bad', '1', valid_from => now() - interval '1 microsecond'$$,
      'valid_from must not be in the past: calls were reckoned by what counted then'
    ),
    (
      'a price from ever', $$'openai', 'bad', '1', valid_from => '-infinity'$$,
      'valid_from must not be in the past: calls were reckoned by what counted then'
    ),
    (
      'a price from never', $$'openai', 'bad', '1', valid_from => 'infinity'$$,
      'valid_from must not be in the past: calls were reckoned by what counted then'
    ),
    ('no service', $$null, 'bad', '1'$$, 'service must have 1 to 100 characters, model 1 to 200'),
    ('an empty service', $$'', 'bad', '1'$$, 'service must have 1 to 100 characters, model 1 to 200'),
    (
      'a service of 101 characters', $$repeat('x', 101), 'bad', '1'$$,
      'service must have 1 to 100 characters, model 1 to 200'
    ),
    ('no model', $$'openai', null, '1'$$, 'service must have 1 to 100 characters, model 1 to 200'),
    (
      'a model of 201 characters', $$'openai', repeat('x', 201), '1'$$,
      'service must have 1 to 100 characters, model 1 to 200'
    ),
    ('another source', $$'openai', 'bad', '1', source => 'rumour'$$, 'source must be manual or catalogue'),
    ('no source', $$'openai', 'bad', '1', source => null$$, 'source must be manual or catalogue')
) r (what, arguments, message);

-- Edits by hand: what has been in force stays

insert into model_prices (service, model, valid_from, valid_to, input_usd_per_million)
values
  ('openai', 'hand', now() - interval '2 days', now() - interval '1 day', 1),
  ('openai', 'hand', now() - interval '12 hours', null, 2),
  ('openai', 'hand', now(), null, 3),
  ('openai', 'hand', now() + interval '1 second', null, 4);
create function pg_temp.edit(statement text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.answer(statement);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', done' else '' end;
end;
$$;
select is(
  pg_temp.edit(
    format('update model_prices set %s where model = ''hand'' and input_usd_per_million = %s', e.change, r.row)
  ),
  format('403 forbidden The price of openai hand from %s has been in force: it stays', r.valid_from),
  format('a price that %s does not change: set %s', r.what, e.change)
)
from (
  values (1, 'has been in force', now() - interval '2 days'), (2, 'is in force', now() - interval '12 hours'), (3, 'comes in force', now())
) r (row, what, valid_from)
cross join (
  values ('input_usd_per_million = 5'), ('cached_input_usd_per_million = 0.5'), ('usd_per_call = 1'), ('model = ''x'''),
    ('service = ''x'''), ('valid_from = now() - interval ''1 month'''), ('source = ''catalogue'''),
    ('id = gen_random_uuid()'),
    ('valid_to = now() - interval ''1 microsecond''')
) e (change);
select is(
  pg_temp.edit(format('delete from model_prices where model = ''hand'' and input_usd_per_million = %s', r.row)),
  format('403 forbidden The price of openai hand from %s has been in force: it stays', r.valid_from),
  format('a price that %s is not deleted', r.what)
)
from (
  values (1, 'has been in force', now() - interval '2 days'), (2, 'is in force', now() - interval '12 hours'), (3, 'comes in force', now())
) r (row, what, valid_from);
select is(
  pg_temp.edit(e.statement), e.answer, e.what
)
from (
  values
    (
      1, 'a price in force may end now',
      $$update model_prices set valid_to = now() where model = 'hand' and input_usd_per_million = 2$$, '1, done'
    ),
    (2, 'but then it has ended', $$update model_prices set valid_to = null where model = 'hand' and input_usd_per_million = 2$$,
      format('403 forbidden The price of openai hand from %s has been in force: it stays', now() - interval '12 hours')),
    (
      3, 'or it may end later',
      $$update model_prices set valid_to = now() + interval '1 day' where model = 'hand' and input_usd_per_million = 3$$,
      '1, done'
    ),
    (
      4, 'and after all not',
      $$update model_prices set valid_to = null where model = 'hand' and input_usd_per_million = 3$$, '1, done'
    ),
    (
      5, 'a price to come may change',
      $$update model_prices set input_usd_per_million = 5 where model = 'hand' and input_usd_per_million = 4$$,
      '1, done'
    ),
    (6, 'and go', $$delete from model_prices where model = 'hand' and input_usd_per_million = 5$$, '1, done'),
    (
      7, 'truncate is refused', 'truncate model_prices',
      '403 forbidden model_prices cannot be truncated: balances depend on it'
    )
) e (step, what, statement, answer);

-- list_model_prices

select is(
  pg_temp.answer($$
    select valid_from - now() as "from", valid_to - now() as "to", input_usd_per_million, cached_input_usd_per_million,
      output_usd_per_million, usd_per_call, usd_per_second, usd_per_image, source
    from list_model_prices('openai', 'cat')
  $$, 'service_role'),
  '(03:00:00,,2.00,,,,,,catalogue) (00:01:00,,2.00,,,,,,catalogue) (01:00:00,03:00:00,1.00,,,,,,manual) '
    || '(00:00:00,,1.00,,,,,,catalogue)',
  'list_model_prices lists a model''s versions, what was written last first, for service_role'
);
select is(
  pg_temp.answer(
    'select output_usd_per_million, usd_per_image from list_model_prices(''openai'', ''gpt'') where output_usd_per_million is not null'
  ),
  '(60.00,0.30)',
  'with every price as a decimal string'
);
select is(
  (
    with recursive pages as (
      select 1 as page, p.* from (select * from list_model_prices(in_service => 'openai', page_size => 1)) p
      union all
      select l.page + 1, n.*
      from pages l
      cross join lateral list_model_prices('openai', null, 1, l.created_at, l.id) n
    )
    select string_agg(p.id::text, ' ' order by p.page) from pages p
  ),
  (select string_agg(id::text, ' ' order by created_at desc, id desc) from model_prices where service = 'openai'),
  'page by page, all of a service''s'
);
select is(
  pg_temp.answer('select distinct service from list_model_prices(page_size => 1000) order by 1'),
  '(openai) (replicate)', 'or of all'
);
select is(pg_temp.answer('select id from list_model_prices(''unknown'')'), 'no rows', 'none of an unknown one');

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role),
  '42501 permission denied for ' || f.what,
  format('%s: closed to %s', f.what, c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (
  values ('set_model_price(''s'', ''m'', ''1'')', 'function set_model_price'), ('list_model_prices()', 'function list_model_prices'),
    ('1 from model_prices', 'table model_prices')
) f (call, what);
select is(
  pg_temp.answer('select outcome from set_model_price(''s'', ''m'', ''1'')', 'service_role'), '(set)',
  'set_model_price is open to service_role'
);
select is(
  pg_temp.answer(e.statement, 'service_role'),
  '42501 permission denied for table model_prices',
  format('which does not edit prices otherwise: %s', split_part(e.statement, ' ', 1))
)
from (
  values ('insert into model_prices (service, model, usd_per_call) values (''s'', ''m'', 1)'), ('update model_prices set valid_to = now()'),
    ('delete from model_prices')
) e (statement);

select * from finish();

rollback;
