-- verify_api_tokens, and verify_ledger by it, sees every way in which API tokens, their journal, the refills and the USD
-- journal can disagree. With the guards turned off, one thing at a time is corrupted, and exactly that problem must be
-- listed; each corruption is undone.

begin;

select plan(35);

alter table api_token_transactions disable trigger user;
alter table refill_transactions disable trigger user;
alter table api_tokens disable trigger user;
alter table usd_transactions disable trigger user;

insert into products (id, name, value_credits_usd) values (pg_temp.id('cents'), 'Cents', 0.01);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id(u.name), '100', 'deposit') from (values ('ann'), ('ben')) u (name);
create temporary table key as select pg_temp.new_api_token('ann', 'bot', 'cents') as api_key;
select pg_temp.new_api_token('ann', 'empty');
select pg_temp.new_api_token('ben', 'ben''s', 'cents');
select pg_temp.refill('ann', 'bot', 'usd', '10', 'one');
select consume_api_credits(api_key, 99, 'spend') from key;
select rename_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'bot'), 'Bot');
select pg_temp.refill('ann', 'bot', 'credits', '100', 'two');
select pg_temp.refill('ben', 'ben''s', 'usd', '10', 'one');

-- Ids are random: ann is called ANN, her token BOT, and its refills ONE and TWO.
create function pg_temp.problems_after(statement text)
returns text
language plpgsql
as $$
declare
  v_problems text;
  v_passed_on bigint;
begin
  execute replace(
    replace(statement, 'BOT', quote_literal(pg_temp.api_token('ann', 'bot'))), 'ANN', quote_literal(pg_temp.id('ann'))
  );
  select string_agg(q.problem, '; ' order by q.problem collate "C")
  into v_problems
  from private.verify_api_tokens() p
  cross join ids i
  cross join lateral (
    select format(
      '%s: %s is %s',
      replace(replace(replace(p.problem, i.bot::text, 'BOT'), i.one::text, 'ONE'), i.two::text, 'TWO'),
      coalesce(trim_scale(p.expected)::text, 'none'), coalesce(trim_scale(p.actual)::text, 'none')
    ) as problem
  ) q
  where p.user_id = pg_temp.id('ann');
  select count(*) into v_passed_on from (
    select * from private.verify_api_tokens() except select * from public.verify_ledger()
  ) missing;
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return concat_ws('; ', coalesce(v_problems, 'none'), nullif(v_passed_on, 0) || ' not passed on');
end;
$$;
create temporary table ids as
select
  pg_temp.api_token('ann', 'bot') as bot,
  (select id from refill_transactions where user_id = pg_temp.id('ann') and operation_id = 'one') as one,
  (select id from refill_transactions where user_id = pg_temp.id('ann') and operation_id = 'two') as two;

select is_empty('select * from private.verify_api_tokens()', 'what operations did is in agreement');
select is_empty('select * from verify_ledger()', 'and verify_ledger agrees');
select is(pg_temp.problems_after('select 1'), 'none', '(and nothing is listed for a statement that corrupts nothing)');

select is(pg_temp.problems_after(c.statement), c.problems, format('verify_ledger sees %s', c.what))
from (
  values
    (
      1,
      'a wrong credits_after',
      'credits_after of token BOT, version 3: 900 is 901; credits_after of token BOT, version 5: 1001 is 1000',
      $$update api_token_transactions set credits_after = 901 where token_id = BOT and version = 3$$
    ),
    (
      2,
      'a wrong first credits_after',
      'credits_after of token BOT, version 2: 999 is 998; credits_after of token BOT, version 3: 899 is 900; '
        || 'refill ONE and its credits: 999 is 999',
      $$update api_token_transactions set credits_after = 998 where token_id = BOT and version = 2$$
    ),
    (
      3,
      'an amount that was changed',
      'credits of token BOT: 1001 is 1000; credits_after of token BOT, version 3: 901 is 900',
      $$update api_token_transactions set amount = -98 where token_id = BOT and version = 3$$
    ),
    (
      4, 'a last row that was deleted', 'credits of token BOT: 900 is 1000; refill TWO and its credits: 100 is none',
      $$delete from api_token_transactions where token_id = BOT and version = 5$$
    ),
    (
      5,
      'a row in the middle that was deleted',
      'credits of token BOT: 1099 is 1000; credits_after of token BOT, version 5: 1099 is 1000',
      $$delete from api_token_transactions where token_id = BOT and version = 3$$
    ),
    (
      6,
      'a journal that is gone',
      'credits of token BOT: 0 is 1000; refill ONE and its credits: 999 is none; refill TWO and its credits: 100 is none',
      $$delete from api_token_transactions where token_id = BOT$$
    ),
    (
      7, 'credits given off the record', 'credits of token BOT: 1000 is 1001',
      $$update api_tokens set credits = credits + 1 where id = BOT$$
    ),
    (
      8, 'a row of a token that never had any', 'credits of token 00000000-0000-0000-0000-000000000001: 5 is 0',
      $$
        insert into api_token_transactions (user_id, token_id, version, type, amount, credits_after, actor)
        values (ANN, '00000000-0000-0000-0000-000000000001', 2, 'adjustment', 5, 5, 'me')
      $$
    ),
    (
      9, 'a token that is gone, and took its credits along', 'credits of token BOT: 1000 is 0',
      $$delete from api_tokens where id = BOT$$
    ),
    (
      10, 'a token with credits and without a journal', 'credits of token 00000000-0000-0000-0000-000000000001: 0 is 5',
      $$
        insert into api_tokens (user_id, id, kind, name, credits)
        values (ANN, '00000000-0000-0000-0000-000000000001', 'master', 'x', 5)
      $$
    ),
    (
      11, 'a version that went back', 'version of token BOT: 5 is 4',
      $$update api_tokens set version = 4 where id = BOT$$
    ),
    (
      12,
      'a refill without its row of the token''s journal',
      'credits of token BOT: 900 is 1000; refill TWO and its credits: 100 is none',
      $$delete from api_token_transactions where token_id = BOT and version = 5$$
    ),
    (
      13,
      'a row of the token''s journal without its refill',
      'refill TWO and its credits: none is 100; refill two and its US dollars: none is -1.0001',
      $$delete from refill_transactions where user_id = ANN and operation_id = 'two'$$
    ),
    (
      14,
      'a refill that says other credits',
      'formula of refill ONE: 999 is 1000; refill ONE and its credits: 1000 is 999',
      $$update refill_transactions set credits_added = 1000 where user_id = ANN and operation_id = 'one'$$
    ),
    (
      15, 'a refill that says other credits_after', 'refill ONE and its credits: 999 is 999',
      $$update refill_transactions set credits_after = 1000 where user_id = ANN and operation_id = 'one'$$
    ),
    (
      16,
      'a refill of another version',
      'refill ONE and its credits: 999 is none; refill ONE and its credits: none is 999',
      $$update refill_transactions set version = 1 where user_id = ANN and operation_id = 'one'$$
    ),
    (
      17,
      'a refill of another token',
      concat_ws(
        '; ', 'refill ONE and its credits: 999 is none', 'refill ONE and its credits: none is 999',
        'refill one and its US dollars: -10 is -10'
      ),
      $$update refill_transactions set token_id = pg_temp.id('other') where user_id = ANN and operation_id = 'one'$$
    ),
    (
      18, 'a row of the journal that refers to another refill', 'refill TWO and its credits: 100 is 100',
      $$update api_token_transactions set reference = 'x' where token_id = BOT and version = 5$$
    ),
    (
      19, 'one that refers to none', 'refill TWO and its credits: 100 is 100',
      $$update api_token_transactions set reference = null where token_id = BOT and version = 5$$
    ),
    (
      20, 'one of another type', 'refill TWO and its credits: 100 is none',
      $$update api_token_transactions set type = 'adjustment' where token_id = BOT and version = 5$$
    ),
    (
      21, 'a refill that nobody paid for', 'refill one and its US dollars: -10 is none',
      $$delete from usd_transactions where user_id = ANN and operation_id = 'one'$$
    ),
    (
      22, 'US dollars that went nowhere', 'refill three and its US dollars: none is -1',
      $$
        insert into usd_transactions (user_id, seq, type, amount, balance_after, operation_id, actor)
        values (ANN, 4, 'refill', -1, 87.9999, 'three', 'me')
      $$
    ),
    (
      23, 'a refill that was paid by a deposit', 'refill one and its US dollars: -10 is none',
      $$update usd_transactions set type = 'clawback' where user_id = ANN and operation_id = 'one'$$
    ),
    (
      24,
      'a refill that cost otherwise',
      'formula of refill TWO: 1.0001 is 1.0000999999; refill two and its US dollars: -1.0000999999 is -1.0001',
      $$update refill_transactions set usd_spent = 1.0000999999 where user_id = ANN and operation_id = 'two'$$
    ),
    (
      25, 'a refill that left otherwise', 'refill two and its US dollars: -1.0001 is -1.0001',
      $$update refill_transactions set usd_balance_after = 88 where user_id = ANN and operation_id = 'two'$$
    ),
    (
      26, 'a refill at another rate', 'formula of refill ONE: 1999 is 999',
      $$update refill_transactions set rate = 0.005 where user_id = ANN and operation_id = 'one'$$
    ),
    (
      27, 'a refill with another fee', 'formula of refill TWO: 1 is 1.0001',
      $$update refill_transactions set fee = 0 where user_id = ANN and operation_id = 'two'$$
    ),
    (
      28, 'a refill of the other mode', 'formula of refill ONE: 9.9901 is 10',
      $$update refill_transactions set mode = 'credits' where user_id = ANN and operation_id = 'one'$$
    )
) c (step, what, problems, statement);

-- Per user

update api_tokens set credits = credits + 1 where id in (pg_temp.api_token('ann', 'bot'), pg_temp.api_token('ben', 'ben''s'));
select results_eq(
  'select user_id, expected, actual from private.verify_api_tokens() order by expected',
  $$values (pg_temp.id('ben'), 999::numeric, 1000::numeric), (pg_temp.id('ann'), 1000, 1001)$$,
  'verify_api_tokens names every user for whom something is wrong'
);

select is(
  pg_temp.answer('select * from private.verify_api_tokens()', c.role, 'ann'),
  '42501 permission denied for schema private',
  format('verify_api_tokens is closed to %s', c.role)
)
from (values ('anon'), ('authenticated'), ('service_role')) c (role);

select * from finish();

rollback;
