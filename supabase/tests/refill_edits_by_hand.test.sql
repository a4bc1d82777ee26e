-- Whatever an admin edits in api_tokens is journalled where credits change, gets a new version where the HUB must hear of
-- it, and leaves journals and balances in agreement. Versions never go back, whatever is deleted and added again. Each
-- edit is a plain statement as postgres, followed by verify_ledger.

begin;

select plan(64);

insert into products (id, name, value_credits_usd) values (pg_temp.id('cents'), 'Cents', 0.01), (pg_temp.id('dimes'), 'Dimes', 0.1);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '100', 'deposit');

-- A token's new rows of the journal | what the HUB is to hear | problems
create function pg_temp.edit(statement text, token_id uuid default pg_temp.id('bot'))
returns text
language plpgsql
as $$
declare
  v_version bigint := (select max(t.version) from public.api_token_transactions t where t.token_id = edit.token_id);
  v_seq bigint := (select max(o.seq) from private.outbox o);
  v_answer text := pg_temp.answer(statement);
begin
  return concat_ws(
    ' | ',
    case when v_answer <> '1' then v_answer end,
    coalesce(pg_temp.credits_journal(edit.token_id, coalesce(v_version, 0)), '-'),
    coalesce(pg_temp.told_hub(edit.token_id, coalesce(v_seq, 0)), '-'),
    'PROBLEMS ' || (select string_agg(v::text, ' ') from public.verify_ledger() v)
  );
end;
$$;

select is(pg_temp.edit(e.statement), e.came, e.what)
from (
  values
    (
      1, 'a token added by hand is journalled, whatever version it claims',
      $$
        insert into api_tokens (user_id, id, kind, name, credits, version)
        values (pg_temp.id('ann'), pg_temp.id('bot'), 'master', 'Bot', 10, 77)
      $$,
      '1 adjustment 10 = 10 - postgres | created 1 active 10 Bot'
    ),
    (
      2, 'so is an edit of credits', $$update api_tokens set credits = 25 where id = pg_temp.id('bot')$$,
      '2 adjustment 15 = 25 - postgres | updated 2 active 25 Bot'
    ),
    (
      3, 'downwards too', $$update api_tokens set credits = credits - 5 where id = pg_temp.id('bot')$$,
      '3 adjustment -5 = 20 - postgres | updated 3 active 20 Bot'
    ),
    (
      4, 'another name is a version, and no row of the journal',
      $$update api_tokens set name = 'Botty' where id = pg_temp.id('bot')$$, '- | updated 4 active 20 Botty'
    ),
    (
      5, 'so is what the HUB calls it', $$update api_tokens set hub_id = 'hub-1' where id = pg_temp.id('bot')$$,
      '- | updated 5 active 20 Botty'
    ),
    (
      6, 'a threshold is no version', $$update api_tokens set low_balance_threshold = 5 where id = pg_temp.id('bot')$$,
      '- | -'
    ),
    (7, 'nor is a date', $$update api_tokens set created_at = '2026-01-01' where id = pg_temp.id('bot')$$, '- | -'),
    (
      8, 'nor an edit that changes nothing',
      $$update api_tokens set credits = credits, name = name, status = status where id = pg_temp.id('bot')$$, '- | -'
    ),
    (
      9, 'a token is revoked', $$update api_tokens set status = 'revoked' where id = pg_temp.id('bot')$$,
      '- | revoked 6 revoked 20 Botty'
    ),
    (
      10, 'its credits can be edited still', $$update api_tokens set credits = 21 where id = pg_temp.id('bot')$$,
      '7 adjustment 1 = 21 - postgres | updated 7 revoked 21 Botty'
    ),
    (
      11, 'and it comes back, with credits, at once',
      $$update api_tokens set status = 'active', credits = 30, name = 'Bot' where id = pg_temp.id('bot')$$,
      '8 adjustment 9 = 30 - postgres | updated 8 active 30 Bot'
    ),
    (
      12, 'an upsert is journalled as the update that it is',
      $$
        insert into api_tokens (user_id, id, kind, name, credits)
        values (pg_temp.id('ann'), pg_temp.id('bot'), 'master', 'Upsert', 7)
        on conflict (user_id, id) do update set credits = excluded.credits, name = excluded.name
      $$,
      '9 adjustment -23 = 7 - postgres | updated 9 active 7 Upsert'
    ),
    (
      13, 'and one that does nothing is nothing',
      $$
        insert into api_tokens (user_id, id, kind, name, credits)
        values (pg_temp.id('ann'), pg_temp.id('bot'), 'master', 'Upsert', 8)
        on conflict do nothing
      $$,
      '0 | - | -'
    ),
    (
      14, 'a deleted token is journalled away', $$delete from api_tokens where id = pg_temp.id('bot')$$,
      '10 adjustment -7 = 0 - postgres | deleted 10 revoked 0 Upsert'
    ),
    (
      15, 'added again it goes on from there',
      $$insert into api_tokens (user_id, id, kind, name) values (pg_temp.id('ann'), pg_temp.id('bot'), 'master', 'Again')$$,
      '- | created 11 active 0 Again'
    ),
    (
      16, 'a token without credits is deleted with a row of the journal too',
      $$delete from api_tokens where id = pg_temp.id('bot')$$,
      '12 adjustment 0 = 0 - postgres | deleted 12 revoked 0 Again'
    ),
    (
      17, 'so that versions go on',
      $$insert into api_tokens (user_id, id, kind, name, credits) values (pg_temp.id('ann'), pg_temp.id('bot'), 'master', 'Bot', 3)$$,
      '13 adjustment 3 = 3 - postgres | created 13 active 3 Bot'
    ),
    (
      18, 'after changes of name alone, which are no rows of the journal',
      $$update api_tokens set name = 'x' where id = pg_temp.id('bot')$$, '- | updated 14 active 3 x'
    ),
    (19, '(twice)', $$update api_tokens set name = 'y' where id = pg_temp.id('bot')$$, '- | updated 15 active 3 y'),
    (
      20, 'a deletion is later than they', $$delete from api_tokens where id = pg_temp.id('bot')$$,
      '16 adjustment -3 = 0 - postgres | deleted 16 revoked 0 y'
    ),
    (
      21, 'and what comes then',
      $$
        insert into api_tokens (user_id, id, kind, product_id, name, credits)
        values (pg_temp.id('ann'), pg_temp.id('bot'), 'product', pg_temp.id('cents'), 'Cents', 3)
      $$,
      '17 adjustment 3 = 3 - postgres | created 17 active 3 Cents'
    ),
    (
      22,
      'refills go on from edits',
      $$select credits from refill_token(pg_temp.id('ann'), pg_temp.id('bot'), 'credits', '100', 'one')$$,
      '(103) | 18 refill 100 = 103 - postgres | refilled 18 active 103 Cents'
    ),
    (
      23, 'and edits from refills', $$update api_tokens set credits = 0 where id = pg_temp.id('bot')$$,
      '19 adjustment -103 = 0 - postgres | updated 19 active 0 Cents'
    ),
    (
      24, 'another product', $$update api_tokens set product_id = pg_temp.id('dimes') where id = pg_temp.id('bot')$$,
      '- | updated 20 active 0 Cents'
    ),
    (
      25,
      'whose rate counts then',
      $$select rate from refill_token(pg_temp.id('ann'), pg_temp.id('bot'), 'credits', '100', 'two')$$,
      '(0.10) | 21 refill 100 = 100 - postgres | refilled 21 active 100 Cents'
    ),
    (
      26, 'a US dollar balance that an admin sets',
      $$update usd_balances set balance = 0.1 where user_id = pg_temp.id('ann')$$, '- | -'
    ),
    (
      27,
      'is what can be spent',
      $$select 1 from refill_token(pg_temp.id('ann'), pg_temp.id('bot'), 'credits', '1', 'three')$$,
      '403 insufficient_usd Insufficient USD balance: you have $0.10, need $0.1001 | - | -'
    )
) e (step, what, statement, came);
select is(
  (select string_agg(o.payload #>> '{token,version}', ' ' order by o.seq) from private.outbox o where o.subject = pg_temp.id('bot')),
  '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21',
  'the HUB is to hear of every version, in order'
);

-- When a token was revoked

update api_tokens set status = 'revoked' where id = pg_temp.id('bot');
select is((select revoked_at from api_tokens where id = pg_temp.id('bot')), now(), 'a token revoked by hand says when');
select set_config('scrip.posting', 'on', true);
update api_tokens set revoked_at = '2026-01-01' where id = pg_temp.id('bot');
select set_config('scrip.posting', '', true);
update api_tokens set credits = 5 where id = pg_temp.id('bot');
select is((select revoked_at from api_tokens where id = pg_temp.id('bot')), '2026-01-01', 'an edit of it keeps that');
update api_tokens set status = 'active' where id = pg_temp.id('bot');
select is((select revoked_at from api_tokens where id = pg_temp.id('bot')), null, 'a token that comes back does not');

-- Many rows at once

select pg_temp.new_api_token('ben', 'one');
select pg_temp.new_api_token('ben', 'two', 'cents');
select is(
  pg_temp.edit('update api_tokens set credits = credits + 1, name = ''all'''),
  '3 | 25 adjustment 1 = 6 - postgres | updated 25 active 6 all',
  'each row'
);
select is(
  (
    select string_agg(concat_ws(' | ', pg_temp.credits_journal(t.id), pg_temp.told_hub(t.id)), ' / ' order by k.operation_id)
    from private.api_keys k
    join api_tokens t on t.id = k.token_id
    where k.user_id = pg_temp.id('ben')
  ),
  '2 adjustment 1 = 1 - postgres | created 1 active 0 one; updated 2 active 1 all / '
    || '2 adjustment 1 = 1 - postgres | created 1 active 0 two; updated 2 active 1 all',
  'by itself'
);

-- What Scrip keeps

create temporary table fingerprint as select pg_temp.fingerprint() as value;
select is(
  pg_temp.answer(format('update api_tokens set %s where id = pg_temp.id(''bot'')', c.change)),
  '409 derived_column user_id, id, kind, version, key_hint and revoked_at cannot be changed',
  format('api_tokens refuses: set %s', c.change)
)
from (
  values ('version = 1'), ('version = 1000'), ('version = version - 1, credits = 5'), ('key_hint = ''abcd'''), ('id = gen_random_uuid()'),
    ('user_id = pg_temp.id(''ben'')'), ('user_id = pg_temp.id(''ben''), credits = 0'),
    ('kind = ''master'', product_id = null')
) c (change);

-- Bounds

select is(
  pg_temp.answer(format('update api_tokens set %s where id = pg_temp.id(''bot'')', c.change)),
  format('23514 new row for relation "api_tokens" violates check constraint "api_tokens_%s_check"', c.constrained),
  format('api_tokens refuses: set %s', c.change)
)
from (
  values ('credits = -1', 'credits'), ('credits = 9000000000000001', 'credits'), ('name = ''''', 'name'), ('name = repeat(''x'', 101)', 'name'),
    ('product_id = null', 'kind'), ('kind = ''master''', 'kind'), ('hub_id = ''''', 'hub_id'),
    ('hub_id = repeat(''x'', 256)', 'hub_id'),
    ('low_balance_threshold = 0', 'low_balance_threshold'),
    ('low_balance_threshold = 9000000000000001', 'low_balance_threshold')
) c (change, constrained);
select alike(
  pg_temp.answer(format(
    'insert into api_tokens (user_id, kind, product_id, name) values (pg_temp.id(%L), ''product'', pg_temp.id(%L), ''x'')',
    c.owner,
    c.product
  )),
  format('23503 %%%s%%', c.constrained),
  format('api_tokens refuses: of %s, %s', c.owner, c.product)
)
from (
  values ('nobody', 'cents', 'api_tokens_user_id_fkey'), ('ann', 'nothing', 'api_tokens_product_id_fkey')
) c (owner, product, constrained);
select is(pg_temp.fingerprint(), (select value from fingerprint), 'nothing of it counted');

-- Deleting a token

create temporary table token as select pg_temp.api_token('ben', 'one') as id;
select set_low_balance_threshold(pg_temp.id('ben'), 'api_token', '1', id) from token;
update api_tokens t set credits = 0 from token where t.id = token.id;
select is((select count(*) from notices where user_id = pg_temp.id('ben')), 1::bigint, '(a notice about the token)');
delete from api_tokens t using token where t.id = token.id;
select is_empty('select from private.api_keys k join token t on t.id = k.token_id', 'a deleted token has no key');
select is((select count(*) from notices where user_id = pg_temp.id('ben')), 0::bigint, 'and no notices');

-- Deleting the user

update api_tokens set credits = 40 where user_id = pg_temp.id('ann');
select is(
  pg_temp.edit('delete from auth.users where id = pg_temp.id(''ann'')'),
  '27 adjustment -40 = 0 - postgres | deleted 27 revoked 0 all',
  'deleting a user takes the tokens away, and the HUB is to hear of it'
);
select is(
  (select sum(amount) from api_token_transactions where user_id = pg_temp.id('ann')),
  0::numeric,
  'the journal stays, and sums up to 0'
);
select is((select count(*) from refill_transactions where user_id = pg_temp.id('ann')), 2::bigint, 'the refills stay');
select is_empty(
  $$
    select id from api_tokens where user_id = pg_temp.id('ann')
    union all
    select token_id from private.api_keys where user_id = pg_temp.id('ann')
  $$,
  'the tokens and their keys do not'
);
select is(
  pg_temp.answer('select refill_token(pg_temp.id(''ann''), pg_temp.id(''bot''), ''usd'', ''1'', ''late'')'),
  format('404 api_token_not_found There is no API token %s', pg_temp.id('bot')),
  'nor do they come back'
);
select is(
  pg_temp.answer('select replayed, credits from refill_token(pg_temp.id(''ann''), pg_temp.id(''bot''), ''credits'', ''100'', ''one'')'),
  '(t,103)',
  'a retry is answered as ever'
);
select is(pg_temp.edit('delete from auth.users where id = pg_temp.id(''ben'')'), '- | -', 'each user alone');

select * from finish();

rollback;
