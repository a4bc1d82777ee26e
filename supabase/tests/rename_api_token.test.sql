-- rename_api_token gives a user's token another name, under a new version of which the HUB is to hear; the same name again
-- changes nothing, and somebody else's token is none.

begin;

select plan(20);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select pg_temp.new_api_token('ann', 'bot');
select pg_temp.new_api_token('ann', 'gone');
select pg_temp.new_api_token('ben', 'ben''s');
select revoke_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'gone'));

create function pg_temp.rename(owner text, token_id uuid, name text)
returns text
language sql
as $$
  select pg_temp.answer(format('select rename_api_token(%L, %L, %L)', pg_temp.id(owner), token_id, rename.name))
$$;

select is(pg_temp.rename('ann', pg_temp.api_token('ann', 'bot'), 'Bot'), '(t)', 'rename_api_token says that it did');
select is(
  (select format('%s %s %s', name, version, status) from api_tokens where id = pg_temp.api_token('ann', 'bot')),
  'Bot 2 active',
  'the token has the name'
);
select is(
  pg_temp.told_hub(pg_temp.api_token('ann', 'bot')),
  'created 1 active 0 bot; updated 2 active 0 Bot',
  'and the HUB is to hear of it'
);
select is(
  (select count(*) from api_token_transactions), 0::bigint, 'it is no row of the journal'
);
select pg_temp.changes_nothing(
  format('select rename_api_token(pg_temp.id(''ann''), %L, ''Bot'')', pg_temp.api_token('ann', 'bot')),
  'the same name again changes nothing'
);
select is(pg_temp.rename('ann', pg_temp.api_token('ann', 'bot'), 'Bot'), '(f)', 'and is told so');
select is(pg_temp.rename('ann', pg_temp.api_token('ann', 'bot'), 'bot'), '(t)', 'a name can come back');
select is(
  pg_temp.rename('ann', pg_temp.api_token('ann', 'gone'), repeat('ü', 100)),
  '(t)',
  'a revoked token has a name too'
);
select is(
  pg_temp.told_hub(pg_temp.api_token('ann', 'gone')),
  'created 1 active 0 gone; revoked 2 revoked 0 gone; updated 3 revoked 0 ' || repeat('ü', 100),
  'and stays revoked'
);

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.rename('ann', pg_temp.api_token('ann', 'bot'), n.name),
  '400 invalid_request name must have 1 to 100 characters',
  format('refused: %s as a name', coalesce(quote_literal(left(n.name, 10)), 'nothing'))
)
from (values (null), (''), (repeat('x', 101))) n (name);
select is(
  pg_temp.rename(o.owner, o.token_id, 'Mine'),
  format('404 api_token_not_found There is no API token %s', coalesce(o.token_id::text, 'without an id')),
  format('refused: %s', o.what)
)
from (
  values ('somebody else''s token', 'ann', pg_temp.api_token('ben', 'ben''s')), ('a token that there is not', 'ann', pg_temp.id('nothing')),
    ('no token', 'ann', null), ('a user who is nobody', 'nobody', pg_temp.api_token('ann', 'bot'))
) o (what, owner, token_id);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'refusals change nothing');

select is(
  pg_temp.answer('select rename_api_token(pg_temp.id(''ann''), pg_temp.id(''any''), ''x'')', c.role, 'ann'),
  '42501 permission denied for function rename_api_token',
  format('rename_api_token is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
create temporary table call as
select format('select rename_api_token(%L, %L, ''x'')', pg_temp.id('ann'), pg_temp.api_token('ann', 'bot')) as statement;
select is(pg_temp.answer((select statement from call), 'service_role'), '(t)', 'and open to service_role');

select * from finish();

rollback;
