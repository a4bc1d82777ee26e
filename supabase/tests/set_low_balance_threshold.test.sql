-- set_low_balance_threshold sets the threshold of one balance, exactly or not at all: it journals nothing, writes no
-- notice, and touches no other balance.

begin;

select plan(73);

select pg_temp.new_user('ann', 50), pg_temp.new_user('ben', 50);
create temporary table tokens as
select c.token_id as id, c.name from (
  select t.token_id, 'mine' as name from create_api_token(pg_temp.id('ann'), 'master', 'Mine', 'mine') t
  union all
  select t.token_id, 'old' from create_api_token(pg_temp.id('ann'), 'master', 'Old', 'old') t
  union all
  select t.token_id, 'his' from create_api_token(pg_temp.id('ben'), 'master', 'His', 'his') t
) c;
select revoke_api_token(pg_temp.id('ann'), (select id from tokens where name = 'old'));

create function pg_temp.set_threshold(name text, balance text, threshold text, token text default null)
returns text
language sql
as $$
  select pg_temp.answer(
    format(
      'select saved from set_low_balance_threshold(%L, %L, %L, %L)', pg_temp.id(set_threshold.name), balance,
      threshold, (select t.id from tokens t where t.name = token)
    ),
    'service_role'
  )
$$;

create function pg_temp.thresholds(name text)
returns text
language sql
as $$
  select string_agg(concat_ws(' ', t.balance, t.name, coalesce(t.threshold, '-')), '; ')
  from public.get_low_balance_thresholds(pg_temp.id(thresholds.name)) t
$$;

-- Everything but the thresholds themselves, which columns come last.
create function pg_temp.rest()
returns text
language sql
as $$
  select md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from public.token_transactions t),
    (select jsonb_agg(d order by d.user_id, d.seq) from public.usd_transactions d),
    (select jsonb_agg(a order by a.user_id, a.version) from public.api_token_transactions a),
    (select jsonb_agg(to_jsonb(u) - 'low_balance_threshold' order by u.user_id) from public.user_tokens u),
    (select jsonb_agg(to_jsonb(b) - 'low_balance_threshold' order by b.user_id) from public.usd_balances b where b.journal_seq > 0),
    (select jsonb_agg(to_jsonb(k) - 'low_balance_threshold' order by k.user_id, k.id) from public.api_tokens k),
    (select jsonb_agg(o order by o.id) from private.outbox o),
    (select jsonb_agg(n order by n.id) from public.notices n)
  ))
$$;
create temporary table before as select pg_temp.rest() as rest;

-- Setting

select is(pg_temp.set_threshold('ann', s.balance, s.threshold, s.token), '(t)', s.what)
from (
  values
    ('tokens', '100', null, 'set_low_balance_threshold sets one for tokens, for service_role'),
    ('usd', '5', null, 'for US dollars, of which there need not be any yet'),
    ('api_token', '10', 'mine', 'for an API token')
) s (balance, threshold, token, what);
select is(pg_temp.thresholds('ann'), 'tokens 100; usd 5.00; api_token Mine 10', 'each has its own');
select is(pg_temp.thresholds('ben'), 'tokens -; usd -; api_token His -', 'and nobody else has');
select is(pg_temp.set_threshold('ann', s.balance, s.threshold, s.token), '(t)', s.what)
from (
  values
    ('tokens', '9000000000000000', null, 'as many tokens as there can be'),
    ('usd', '9000000000.000000', null, 'as many US dollars'),
    ('api_token', '9000000000000000', 'mine', 'as many credits')
) s (balance, threshold, token, what);
select is(
  pg_temp.thresholds('ann'), 'tokens 9000000000000000; usd 9000000000.00; api_token Mine 9000000000000000', 'exactly'
);
select is(pg_temp.set_threshold('ann', s.balance, s.threshold, s.token), '(t)', s.what)
from (
  values
    ('tokens', '1', null, 'a single token'), ('usd', '0.000001', null, 'the smallest of US dollars'),
    ('api_token', '001', 'mine', 'a single credit')
) s (balance, threshold, token, what);
select is(pg_temp.thresholds('ann'), 'tokens 1; usd 0.000001; api_token Mine 1', 'exactly again');

-- Refusal

create temporary table thresholds as select pg_temp.thresholds('ann') as before;
select is(
  pg_temp.set_threshold('ann', t.balance, t.threshold, case t.balance when 'api_token' then 'mine' end),
  format('400 invalid_request threshold must be %s, got %s', case t.balance
    when 'usd' then 'US dollars from 0.000001 to 9000000000, with at most 6 decimals'
    when 'tokens' then 'a whole number of tokens from 1 to 9000000000000000'
    else 'a whole number of credits from 1 to 9000000000000000'
  end, left(t.threshold, 40)),
  format('set_low_balance_threshold refuses %s of %s', left(t.threshold, 40), t.balance)
)
from (
  values
    ('tokens', '0'), ('tokens', '-1'), ('tokens', '1.5'), ('tokens', '1.0'), ('tokens', '9000000000000001'),
    ('tokens', '10000000000000000'), ('tokens', '1e3'), ('tokens', ''), ('tokens', ' 1'), ('tokens', E'1\n'),
    ('tokens', '١'), ('tokens', 'NaN'), ('tokens', repeat('9', 300)), ('usd', '0'), ('usd', '0.000000'), ('usd', '-1'),
    ('usd', '9000000000.000001'), ('usd', '10000000000'), ('usd', '1.0000001'), ('usd', '1.'), ('usd', '.5'),
    ('usd', '1e3'), ('usd', '1,5'), ('usd', 'NaN'), ('usd', 'Infinity'), ('usd', '$1'), ('usd', ''),
    ('api_token', '0'), ('api_token', '1.5'), ('api_token', '9000000000000001')
) t (balance, threshold);
select is(
  pg_temp.set_threshold('ann', b.balance, '1'),
  format('400 invalid_request balance must be tokens, usd or api_token, got %s', coalesce(b.balance, 'nothing')),
  format('set_low_balance_threshold refuses the balance %L', b.balance)
)
from (values ('euro'), (''), (null)) b (balance);
select is(
  pg_temp.set_threshold('ann', b.balance, '1', b.token),
  '400 invalid_request token_id must be given for an API token, and for nothing else',
  format('set_low_balance_threshold refuses %s with the API token %L', b.balance, b.token)
)
from (values ('api_token', null), ('tokens', 'mine'), ('usd', 'mine')) b (balance, token);
select is(
  pg_temp.set_threshold('nobody', b.balance, '1'), format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  format('nobody has %s', b.balance)
)
from (values ('tokens'), ('usd')) b (balance);
select is(
  pg_temp.answer('select set_low_balance_threshold(null, ''tokens'', ''1'')'), '404 user_not_found There is no user ',
  'nor has no user'
);
select is(
  pg_temp.set_threshold('ann', 'api_token', t.threshold, 'his'),
  format('404 api_token_not_found There is no API token %s', (select id from tokens where name = 'his')),
  'an API token of somebody else is not found'
)
from (values ('1'), (null)) t (threshold);
select is(
  pg_temp.answer(format(
    'select set_low_balance_threshold(%L, ''api_token'', ''1'', %L)', pg_temp.id('ann'), pg_temp.id('none')
  )),
  format('404 api_token_not_found There is no API token %s', pg_temp.id('none')), 'nor is one that is not there'
);
select is(
  pg_temp.set_threshold('ann', 'api_token', '1', 'old'),
  format('409 api_token_revoked The API token %s is revoked', (select id from tokens where name = 'old')),
  'a revoked one has none'
);
select is(pg_temp.thresholds('ann'), (select before from thresholds), 'a refusal leaves the thresholds as they were');
select is(pg_temp.thresholds('ben'), 'tokens -; usd -; api_token His -', 'all of them');

-- Removing

select is(pg_temp.set_threshold('ann', b.balance, null, b.token), '(t)', format('without a threshold, %s has none', b.balance))
from (values ('tokens', null), ('usd', null), ('api_token', 'mine')) b (balance, token);
select is(
  pg_temp.answer('select saved from set_low_balance_threshold(pg_temp.id(''ben''), ''usd'')'), '(t)',
  'of US dollars that there are none of as well'
);
select is(pg_temp.thresholds('ann'), 'tokens -; usd -; api_token Mine -', 'then there is none');

-- Edits by hand

select is(pg_temp.answer(e.statement), e.answer, e.what)
from (
  values
    ('update user_tokens set low_balance_threshold = 100', '2', 'an admin sets one for tokens by hand'),
    ('update usd_balances set low_balance_threshold = 5', '2', 'for US dollars'),
    ('update api_tokens set low_balance_threshold = 10', '3', 'for API tokens'),
    (
      'update user_tokens set low_balance_threshold = 0',
      '400 invalid_amount low_balance_threshold must be from 1 to 9000000000000000', 'but none of no tokens'
    ),
    (
      'update usd_balances set low_balance_threshold = ''NaN''',
      '23514 new row for relation "usd_balances" violates check constraint "usd_balances_low_balance_threshold_check"',
      'nor one that is no number'
    )
) e (statement, answer, what);
select is(pg_temp.thresholds('ann'), 'tokens 100; usd 5.00; api_token Mine 10', 'and it counts');

select is(
  pg_temp.rest(), (select rest from before), 'nothing was journalled, told or changed, nor any HUB informed, by all that'
);
select is_empty('select * from verify_ledger()', 'the journals and the balances agree');

-- Callers

select is(
  pg_temp.answer('select set_low_balance_threshold(pg_temp.id(''ann''), ''tokens'', ''1'')', c.role, 'ann'),
  '42501 permission denied for function set_low_balance_threshold',
  format('set_low_balance_threshold is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);

select * from finish();

rollback;
