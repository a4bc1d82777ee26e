-- consume_api_credits spends what a key's token holds, at most once per operation_id of the token, never below zero.
-- Whoever spends learns what is left and since which version; the HUB is not told. A key that is wrong in one character
-- opens nothing.

begin;

select plan(61);

insert into products (id, name, value_credits_usd) values (pg_temp.id('cents'), 'Cents', 0.01);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');
create temporary table keys as
select 'bot' as name, pg_temp.new_api_token('ann', 'bot', 'cents') as api_key
union all
select 'other', pg_temp.new_api_token('ann', 'other')
union all
select 'ben''s', pg_temp.new_api_token('ben', 'ben''s');
select pg_temp.refill('ann', 'bot', 'usd', '10', 'refill');
select pg_temp.refill('ann', 'other', 'usd', '1', 'refill other');

create function pg_temp.consume(name text, amount text, operation_id text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select credits, version, replayed from consume_api_credits(%L, %s, %L)',
    (select k.api_key from keys k where k.name = consume.name), amount, operation_id
  ))
$$;

-- Success

create temporary table told as select max(seq) as seq from private.outbox;
select is(
  pg_temp.consume('bot', '99', 'one'),
  '(900,3,f)',
  'consume_api_credits answers what is left, and the version'
);
select is(
  pg_temp.answer($$
    select c.token_id = pg_temp.api_token('ann', 'bot')
    from keys, consume_api_credits(api_key, 99, 'one') c
    where name = 'bot'
  $$),
  '(t)',
  'of which token'
);
select is(
  pg_temp.answer('select c.credits from keys, consume_api_credits(api_key, 1, ''two'', ''the-service'') c where name = ''bot'''),
  '(899)',
  'the caller may name who did it'
);
select is(pg_temp.consume('bot', '899', 'three'), '(0,5,f)', 'down to nothing');
select is(
  pg_temp.credits_journal(pg_temp.api_token('ann', 'bot')),
  '2 refill 999 = 999 - postgres; 3 consume -99 = 900 one postgres; 4 consume -1 = 899 two the-service; '
    || '5 consume -899 = 0 three postgres',
  'each is a row of the journal'
);
select is(
  (select format('%s %s', credits, version) from api_tokens where id = pg_temp.api_token('ann', 'bot')),
  '0 5',
  'and the token''s head is its last'
);
select is_empty('select * from private.outbox where seq > (select seq from told)', 'the HUB is not told');
select is(
  (select count(*) from usd_transactions where user_id = pg_temp.id('ann')), 3::bigint, 'US dollars are not concerned'
);

-- Replay and conflict

select pg_temp.refill('ann', 'bot', 'credits', '1000', 'again');
create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.consume('bot', '99', 'one'),
  '(900,3,t)',
  'a retry is answered as the first call was, whatever is there now'
);
select is(pg_temp.consume('bot', '899', 'three'), '(0,5,t)', 'so is one of the last');
select is(
  pg_temp.consume('bot', '98', 'one'),
  '409 operation_id_reused operation_id one was used before with other arguments',
  'refused: an operation_id of another amount'
);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'neither retries nor conflicts change anything');
select is(pg_temp.consume('other', '99', 'one'), '(900,3,f)', 'operation_ids are each token''s own');
select is(pg_temp.consume('bot', '1', 'refill'), '(999,7,f)', 'and others than the refills''');
select is(pg_temp.consume('bot', '1', 'create bot'), '(998,8,f)', 'than those of creating tokens');
select rename_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'bot'), 'Bot');
select is(pg_temp.consume('bot', '1', 'ten'), '(997,10,f)', 'versions go on after a change of name');

-- Refusal

create function pg_temp.refused(name text, amount text, operation_id text default 'refused')
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_answer text := pg_temp.consume(name, amount, operation_id);
begin
  return v_answer || case when pg_temp.fingerprint() <> v_before then ', BUT SOMETHING CHANGED' else '' end;
end;
$$;

select is(
  pg_temp.refused('bot', '998'),
  '403 insufficient_credits Insufficient credits: the token has 997, needs 998',
  'refused: one more than there is'
);
select is(
  pg_temp.refused('bot', '9000000000000000'),
  '403 insufficient_credits Insufficient credits: the token has 997, needs 9000000000000000',
  'refused: the most that one can ask for'
);
select is(
  pg_temp.refused('ben''s', '1'),
  '403 insufficient_credits Insufficient credits: the token has 0, needs 1',
  'refused: of a token without credits'
);
select is(pg_temp.consume('bot', '997', 'refused'), '(0,11,f)', 'a refused operation_id can be used');
select is(
  pg_temp.refused('bot', a.amount),
  format(
    '400 invalid_amount credits must be a whole number from 1 to 9000000000000000, got %s',
    coalesce(nullif(a.amount, 'null'), 'nothing')
  ),
  format('refused: %s credits', a.amount)
)
from (values ('null'), ('0'), ('-1'), ('9000000000000001'), ('9223372036854775807'), ('-9223372036854775808')) a (amount);
select is(
  pg_temp.refused('other', '1', o.operation_id),
  '400 invalid_request operation_id must have 1 to 255 characters',
  format('refused: %s as an operation_id', coalesce(quote_literal(left(o.operation_id, 10)), 'nothing'))
)
from (values (null), (''), (repeat('x', 256))) o (operation_id);
select is(
  pg_temp.refused('other', '1', 'stripe:1'),
  '400 invalid_request operation_id must not begin with stripe:, which payments begin with',
  'refused: an operation_id of payments'
);

-- Keys

select is(
  pg_temp.answer(format('select consume_api_credits(%L, 1, ''key'')', w.api_key)),
  '404 api_token_not_found There is no API token with this key',
  format('refused: %s', w.what)
)
from keys k
cross join lateral (
  values
    (1, 'no key', null),
    (2, 'an empty key', ''),
    (3, 'another prefix', replace(k.api_key, 'scrip_', 'script_')),
    (4, 'no prefix', substr(k.api_key, 7)),
    (
      5, 'another first character',
      overlay(k.api_key placing case when substr(k.api_key, 7, 1) = 'a' then 'A' else 'a' end from 7)
    ),
    (6, 'another checksum', left(k.api_key, 46) || '00000000'),
    (7, 'no checksum', left(k.api_key, 46)),
    (8, 'something before it', ' ' || k.api_key),
    (9, 'something after it', k.api_key || ' '),
    (10, 'a line after it', k.api_key || E'\n'),
    (11, 'its hash', encode(private.hash_api_key(k.api_key), 'hex')),
    (12, 'its hash, escaped', private.hash_api_key(k.api_key)::text),
    (13, 'a key that was never made', private.generate_api_key()),
    (14, 'the token''s id', pg_temp.api_token('ann', 'other')::text),
    (15, 'something long', repeat('x', 100000)),
    (16, 'a pattern', 'scrip_%')
) w (step, what, api_key)
where k.name = 'other';
select is(
  pg_temp.answer(format('select credits from consume_api_credits(%L, 1, ''key'')', k.api_key)),
  '(899)',
  'the key itself opens the token'
)
from keys k
where k.name = 'other';

-- Revoked, edited and deleted tokens

select revoke_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'other'));
select is(
  pg_temp.refused('other', '1'),
  format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'other')),
  'refused: of a revoked token'
);
select is(
  pg_temp.refused('other', '9000000000000000'),
  format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'other')),
  'refused as such also when it has too little'
);
select is(pg_temp.consume('other', '99', 'one'), '(900,3,t)', 'a retry of what was spent before is answered alike');
update api_tokens set status = 'active' where id = pg_temp.api_token('ann', 'other');
select is(pg_temp.consume('other', '1', 'active'), '(898,7,f)', 'an admin can bring it back');
update api_tokens set credits = 5 where id = pg_temp.api_token('ann', 'other');
select is(
  pg_temp.consume('other', '6', 'edited'),
  '403 insufficient_credits Insufficient credits: the token has 5, needs 6',
  'what an admin sets counts'
);
select is(pg_temp.consume('other', '5', 'edited'), '(0,9,f)', 'and can be spent');
select is_empty('select * from verify_ledger()', 'journals and balances agree');
delete from api_tokens where id = pg_temp.api_token('ann', 'other');
select is(
  pg_temp.consume('other', o.amount, o.operation_id),
  '404 api_token_not_found There is no API token with this key',
  format('a deleted token''s key opens nothing: %s', o.operation_id)
)
from (values ('99', 'one'), ('1', 'new')) o (amount, operation_id);

-- Callers

select is(
  pg_temp.answer('select consume_api_credits(''x'', 1, ''x'')', c.role, 'ann'),
  '42501 permission denied for function consume_api_credits',
  format('consume_api_credits is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select pg_temp.refill('ann', 'bot', 'usd', '1', 'role');
create temporary table call as
select format('select credits from consume_api_credits(%L, 1, ''role'')', api_key) as statement from keys where name = 'bot';
select is(pg_temp.answer((select statement from call), 'service_role'), '(98)', 'and open to service_role');
select is(
  (select actor from api_token_transactions where operation_id = 'role'),
  'service_role',
  'without an actor, the journal names the role'
);
select is_empty('select * from verify_ledger()', 'journals and balances agree');

select * from finish();

rollback;
