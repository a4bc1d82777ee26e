-- revoke_api_token takes a token out of use for ever: it can be neither refilled nor spent, keeps its credits, and the HUB
-- is to hear of it once. Revoking it again changes nothing, and somebody else's token is none.

begin;

select plan(17);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');
create temporary table key as select pg_temp.new_api_token('ann', 'bot') as api_key;
select pg_temp.new_api_token('ben', 'ben''s');
select pg_temp.refill('ann', 'bot', 'usd', '5', 'one');
select consume_api_credits(api_key, 99, 'one') from key;

create function pg_temp.revoke(owner text, token_id uuid)
returns text
language sql
as $$
  select pg_temp.answer(format('select revoke_api_token(%L, %L)', pg_temp.id(owner), token_id))
$$;

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.revoke(o.owner, o.token_id),
  format('404 api_token_not_found There is no API token %s', coalesce(o.token_id::text, 'without an id')),
  format('refused: %s', o.what)
)
from (
  values ('somebody else''s token', 'ann', pg_temp.api_token('ben', 'ben''s')), ('a token that there is not', 'ann', pg_temp.id('nothing')),
    ('no token', 'ann', null), ('a user who is nobody', 'nobody', pg_temp.api_token('ann', 'bot'))
) o (what, owner, token_id);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'refusals change nothing');

select is(pg_temp.revoke('ann', pg_temp.api_token('ann', 'bot')), '(t)', 'revoke_api_token says that it did');
select results_eq(
  'select status::text, credits, version, revoked_at = now() from api_tokens where id = pg_temp.api_token(''ann'', ''bot'')',
  $$values ('revoked', 4900::bigint, 4::bigint, true)$$,
  'the token keeps its credits'
);
select is(
  pg_temp.told_hub(pg_temp.api_token('ann', 'bot')),
  'created 1 active 0 bot; refilled 2 active 4999 bot; revoked 4 revoked 4900 bot',
  'and the HUB is to hear of it'
);
select is(
  pg_temp.credits_journal(pg_temp.api_token('ann', 'bot')),
  '2 refill 4999 = 4999 - postgres; 3 consume -99 = 4900 one postgres',
  'it is no row of the journal'
);
select is(
  pg_temp.refill('ann', 'bot', 'usd', '5', 'two'),
  format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'bot')),
  'it cannot be refilled'
);
select is(
  pg_temp.answer('select c.* from key, consume_api_credits(api_key, 1, ''two'') c'),
  format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'bot')),
  'nor spent'
);

select set_config('scrip.posting', 'on', true);
update api_tokens set revoked_at = '2026-01-01' where id = pg_temp.api_token('ann', 'bot');
select set_config('scrip.posting', '', true);
select pg_temp.changes_nothing(
  format('select revoke_api_token(pg_temp.id(''ann''), %L)', pg_temp.api_token('ann', 'bot')),
  'revoking it again changes nothing'
);
select is(pg_temp.revoke('ann', pg_temp.api_token('ann', 'bot')), '(f)', 'and is told so');

select is(
  pg_temp.answer('select revoke_api_token(pg_temp.id(''ben''), pg_temp.id(''any''))', c.role, 'ben'),
  '42501 permission denied for function revoke_api_token',
  format('revoke_api_token is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
create temporary table call as
select format('select revoke_api_token(%L, %L)', pg_temp.id('ben'), pg_temp.api_token('ben', 'ben''s')) as statement;
select is(pg_temp.answer((select statement from call), 'service_role'), '(t)', 'and open to service_role');
select is_empty('select * from verify_ledger()', 'journals and balances agree');

select * from finish();

rollback;
