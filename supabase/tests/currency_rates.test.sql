-- A call is reckoned in euros by the rate of its day in UTC: that of the latest day that has one, and 0.85 before the first.
-- The call keeps it. A rate of a past day stays, and fx-sync does not replace what was set by hand.

begin;

select plan(75);

select pg_temp.new_user('ann');

create function pg_temp.day(ago integer)
returns date
language sql
as $$select (now() at time zone 'UTC')::date - ago$$;

create function pg_temp.set_rate(arguments text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.answer(
    format('select pg_temp.day(0) - rate_day as ago, rate, outcome from set_currency_rate(%s)', arguments)
  );
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then '' else ', nothing changed' end;
end;
$$;

-- A call that costs a dollar: what it costs in euros, and the rate.
create function pg_temp.dollar(operation_id text, occurred_at text default null)
returns text
language sql
as $$
  select pg_temp.track(
    'ann', operation_id, 'any',
    'explicit_cost_usd => ''1''' || coalesce(format(', occurred_at => %L', occurred_at), ''), 'cost_eur, usd_eur'
  )
$$;

-- Without any rate

select is(pg_temp.dollar('none'), '(0.85,0.85)', 'before the first rate a dollar is 0.85 euros');

-- set_currency_rate

select is(pg_temp.set_rate('pg_temp.day(10), ''0.9'''), '(10,0.90,set)', 'set_currency_rate sets the rate of a day');
select is(
  pg_temp.set_rate('pg_temp.day(10), ''0.9000'''),
  '(10,0.90,unchanged), nothing changed',
  'the same again changes nothing'
);
select is(
  pg_temp.set_rate('pg_temp.day(10), ''0.91'''),
  format('403 forbidden The rate of %s stays: calls were reckoned by it, nothing changed', pg_temp.day(10)),
  'the rate of a past day stays'
);
select is(
  pg_temp.set_rate('pg_temp.day(5), usd_per_eur => ''1.0861'''),
  '(5,0.9207255317,set)',
  'dollars for a euro are inverted, to ten decimals'
);
select is(pg_temp.set_rate('usd_eur => ''0.95'''), '(0,0.95,set)', 'without a day it is today''s');
select is(pg_temp.set_rate('usd_eur => ''0.96'''), '(0,0.96,set)', 'which may still change');
select is(
  pg_temp.set_rate('usd_eur => ''0.97'', source => ''ecb'''),
  '(0,0.96,overridden), nothing changed',
  'fx-sync does not replace what was set by hand'
);
select is(
  pg_temp.set_rate('pg_temp.day(10), ''0.97'', source => ''ecb'''), '(10,0.90,overridden), nothing changed', 'on no day'
);
delete from currency_rates where day = pg_temp.day(0);
select is(pg_temp.set_rate('usd_per_eur => ''1.25'', source => ''ecb'''), '(0,0.80,set)', 'fx-sync sets a rate');
select is(
  pg_temp.set_rate('usd_per_eur => ''1.2500'', source => ''ecb'''), '(0,0.80,unchanged), nothing changed', 'finds it'
);
select is(pg_temp.set_rate('usd_per_eur => ''2'', source => ''ecb'''), '(0,0.50,set)', 'corrects it within the day');
select is(pg_temp.set_rate('usd_eur => ''0.5'''), '(0,0.50,set)', 'the operator takes it over, even if it is the same');
select is(
  pg_temp.set_rate('usd_per_eur => ''2'', source => ''ecb'''),
  '(0,0.50,overridden), nothing changed',
  'from then on by hand'
);
select is(pg_temp.set_rate(a.arguments), a.answer, format('the bounds: %s', a.arguments))
from (
  values
    ('date ''1999-01-01'', ''0.0000000001''', format('(%s,0.0000000001,set)', pg_temp.day(0) - date '1999-01-01')),
    ('date ''1999-01-02'', ''1000''', format('(%s,1000.00,set)', pg_temp.day(0) - date '1999-01-02')),
    ('date ''1999-01-03'', usd_per_eur => ''0.001''', format('(%s,1000.00,set)', pg_temp.day(0) - date '1999-01-03')),
    (
      'date ''1999-01-04'', usd_per_eur => ''9999.9999999999''',
      format('(%s,0.0001,set)', pg_temp.day(0) - date '1999-01-04')
    )
) a (arguments, answer);

-- Refusals

select is(
  pg_temp.set_rate(r.arguments),
  format('400 invalid_request %s, nothing changed', r.message),
  format('refused: %s', left(r.arguments, 50))
)
from (
  values
    ('pg_temp.day(1)', 'Either usd_eur or usd_per_eur is needed, and not both'),
    ('pg_temp.day(1), ''1'', ''1''', 'Either usd_eur or usd_per_eur is needed, and not both'),
    ('pg_temp.day(-1), ''1''', format('day must be from 1999-01-01 to today, got %s', pg_temp.day(-1))),
    ('''infinity'', ''1''', 'day must be from 1999-01-01 to today, got infinity'),
    ('''-infinity'', ''1''', 'day must be from 1999-01-01 to today, got -infinity'),
    ('date ''1998-12-31'', ''1''', 'day must be from 1999-01-01 to today, got 1998-12-31'),
    ('pg_temp.day(1), ''1'', source => ''rumour''', 'source must be manual or ecb'),
    ('pg_temp.day(1), ''1'', source => null', 'source must be manual or ecb')
) r (arguments, message);
select is(
  pg_temp.set_rate(format('pg_temp.day(1), %s => %L', r.name, r.rate)),
  format(
    '400 invalid_request The rate must be above 0 and at most 1000 euros for a US dollar, with at most 10 decimals, got %s, nothing changed',
    left(r.rate, 40)
  ),
  format('refused: a rate of %s', left(quote_literal(r.rate), 30))
)
from (
  values
    ('usd_eur', '0'), ('usd_eur', '0.0000000000'), ('usd_eur', '-1'), ('usd_eur', ''), ('usd_eur', 'NaN'),
    ('usd_eur', 'Infinity'),
    ('usd_eur', '0,85'), ('usd_eur', '8.5e-1'), ('usd_eur', '0.85000000001'), ('usd_eur', '1000.0000000001'),
    ('usd_eur', ' 1'),
    ('usd_eur', '.5'), ('usd_eur', repeat('9', 500)), ('usd_per_eur', '0'), ('usd_per_eur', '0.0009999999'),
    ('usd_per_eur', '0.0000000001'), ('usd_per_eur', '10000'), ('usd_per_eur', '-1'), ('usd_per_eur', 'NaN')
) r (name, rate);

-- The rate of the day of the call

delete from currency_rates where day = pg_temp.day(0);
select is(pg_temp.dollar('rate ' || c.step, (c.moment at time zone 'UTC')::text), c.answer, c.what)
from (
  values
    (
      1, (pg_temp.day(10) - 1) + time '23:59:59.999999', '(0.0001,0.0001)',
      'the rate of a call is that of the latest day that has one'
    ),
    (2, pg_temp.day(10) + time '00:00', '(0.90,0.90)', 'a day begins at midnight in UTC'),
    (3, (pg_temp.day(5) - 1) + time '23:59:59.999999', '(0.90,0.90)', 'and lasts until the next that has one'),
    (4, pg_temp.day(5) + time '00:00', '(0.9207255317,0.9207255317)', 'from which that counts')
) c (step, moment, answer, what);
select is(
  set_config('timezone', 'Pacific/Kiritimati', true), 'Pacific/Kiritimati', '(the session is fourteen hours ahead)'
);
select is(
  pg_temp.dollar('far', ((pg_temp.day(5) + time '00:00') at time zone 'UTC' - interval '1 microsecond')::text),
  '(0.90,0.90)',
  'whatever the time zone of the session'
);
select is(set_config('timezone', 'UTC', true), 'UTC', '(and back)');
select is(
  pg_temp.dollar('today'), '(0.9207255317,0.9207255317)', 'a day without a rate has that of the last before it'
);
select is(pg_temp.set_rate('usd_eur => ''0.5'''), '(0,0.50,set)', '(the rate of today comes)');
select is(pg_temp.dollar('later'), '(0.50,0.50)', 'it counts for what comes after');
select is(
  (
    select string_agg(trim_scale(cost_eur)::text, ' ' order by operation_id) from usage_events where operation_id in ('none', 'today', 'later')
  ),
  '0.5 0.85 0.9207255317',
  'and calls that were recorded before keep theirs'
);
select is(pg_temp.dollar('today'), '(0.9207255317,0.9207255317)', 'a retry too');
select is(
  pg_temp.track('ann', 'round', 'any', 'explicit_cost_usd => ''0.0000000003''', 'cost_eur'), '(0.0000000002)',
  'euros are rounded to ten decimals'
);

-- Edits by hand

select is(pg_temp.answer(e.statement), e.answer, e.what)
from (
  values
    (
      1, 'the rate of a past day is not changed', 'update currency_rates set usd_eur = 2 where day = pg_temp.day(5)',
      format('403 forbidden The rate of %s stays: calls were reckoned by it', pg_temp.day(5))
    ),
    (
      2, 'nor moved', 'update currency_rates set day = pg_temp.day(3) where day = pg_temp.day(5)',
      format('403 forbidden The rate of %s stays: calls were reckoned by it', pg_temp.day(5))
    ),
    (
      3, 'nor deleted', 'delete from currency_rates where day = pg_temp.day(5)',
      format('403 forbidden The rate of %s stays: calls were reckoned by it', pg_temp.day(5))
    ),
    (4, 'that of today may', 'update currency_rates set usd_eur = 0.6 where day = pg_temp.day(0)', '1'),
    (
      5, 'but not to NaN', 'update currency_rates set usd_eur = ''NaN'' where day = pg_temp.day(0)',
      '23514 new row for relation "currency_rates" violates check constraint "currency_rates_usd_eur_check"'
    ),
    (
      6, 'truncate is refused', 'truncate currency_rates',
      '403 forbidden currency_rates cannot be truncated: balances depend on it'
    )
) e (step, what, statement, answer);

-- list_currency_rates

select is(
  pg_temp.answer('select pg_temp.day(0) - day as ago, usd_eur, source from list_currency_rates(3)', 'service_role'),
  format('(0,0.60,manual) (5,0.9207255317,manual) (10,0.90,manual)'),
  'list_currency_rates lists the latest day first, for service_role'
);
select is(
  pg_temp.answer('select usd_eur from list_currency_rates(1, before_day => pg_temp.day(5))'), '(0.90)', 'page by page'
);

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  '42501 permission denied for ' || f.what,
  format('%s: closed to %s', f.what, c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (
  values ('set_currency_rate()', 'function set_currency_rate'), ('list_currency_rates()', 'function list_currency_rates'),
    ('1 from currency_rates', 'table currency_rates')
) f (call, what);
select is(
  pg_temp.answer('select outcome from set_currency_rate(usd_eur => ''0.7'')', 'service_role'), '(set)',
  'set_currency_rate is open to service_role'
);
select is(
  pg_temp.answer('update currency_rates set usd_eur = 1', 'service_role'),
  '42501 permission denied for table currency_rates',
  'which does not edit rates otherwise'
);
select is_empty('select * from verify_ledger()', 'rows and sums agree');

select * from finish();

rollback;
