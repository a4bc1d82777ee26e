-- A new auth user gets a subscriber and a zero balance; a place on the waiting list is linked only to whoever has
-- confirmed its address. Users sign up by inserting into auth.users, as the auth server does.

begin;

select plan(38);

create function pg_temp.sign_up(name text, email text, confirmed boolean)
returns void
language sql
as $$
  insert into auth.users (id, email, email_confirmed_at)
  values (pg_temp.id(name), sign_up.email, case when confirmed then now() end)
$$;

create function pg_temp.subscriber(name text)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s base %s bonus %s earned %s admin_bonus %s', s.email, s.base_tokens, s.bonus_tokens, s.earned_tokens,
      s.admin_bonus_tokens
    ),
    '; '
  )
  from public.subscribers s
  where s.user_id = pg_temp.id(subscriber.name)
$$;

-- Sign-up

select pg_temp.sign_up('ann', 'ann@example.com', false);
select is(
  pg_temp.subscriber('ann'),
  'ann@example.com base 1000 bonus 1500 earned 0 admin_bonus 0',
  'a new user gets a subscriber with the entitlement'
);
select is(pg_temp.balance('ann'), 'total 0, used 0, reserved 0, remaining 0', 'a new user has 0 tokens');
select is(pg_temp.journal('ann'), null, 'and an empty journal');
select pg_temp.sign_up('nameless', null, false);
select is(
  pg_temp.balance('nameless'),
  'total 0, used 0, reserved 0, remaining 0',
  'so has a user without an address'
);

-- The waiting list

insert into subscribers (email, display_name, base_tokens, bonus_tokens, earned_tokens, admin_bonus_tokens) values
  ('Ben@Example.com', 'Ben', 2000, 3000, 200, 50),
  ('cat@example.com', 'Cat', 10, 20, 7, 0);

select pg_temp.sign_up('ben', 'ben@example.COM', true);
select is(
  pg_temp.subscriber('ben'),
  'Ben@Example.com base 2000 bonus 3000 earned 200 admin_bonus 50',
  'a confirmed sign-up is linked to its place on the waiting list, in whatever case'
);
select is(pg_temp.balance('ben'), 'total 250, used 0, reserved 0, remaining 250', 'what it earned moves along');
select is(
  pg_temp.journal('ben'),
  format('bonus earned 200 = 200/200 - %1$s postgres; bonus admin_bonus 50 = 250/250 - %1$s postgres', s.id),
  'and is journalled'
)
from subscribers s
where s.user_id = pg_temp.id('ben');
select is(
  (select count(*) from subscribers where lower(email) = 'ben@example.com'),
  1::bigint,
  'a linked user has one subscriber'
);

select pg_temp.sign_up('cat', 'cat@example.com', false);
select is(
  pg_temp.subscriber('cat'),
  'cat@example.com base 1000 bonus 1500 earned 0 admin_bonus 0',
  'an unconfirmed sign-up with someone''s address gets nothing of theirs'
);
select is(pg_temp.balance('cat'), 'total 0, used 0, reserved 0, remaining 0', 'no tokens either');
select is(
  (select count(*) from subscribers where user_id is null and email = 'cat@example.com'),
  1::bigint,
  'the place on the waiting list stays'
);
select add_tokens(pg_temp.id('cat'), 100, 'bonus', 'bonus');
select add_tokens(pg_temp.id('cat'), 30, 'referral', 'referral');
update subscribers set locale = 'de', usage_previews = false where user_id = pg_temp.id('cat');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('cat');
select is(
  pg_temp.subscriber('cat'),
  'cat@example.com base 10 bonus 20 earned 37 admin_bonus 100',
  'confirming the address links it, and loses nothing granted in between'
);
select results_eq(
  $$select display_name, locale, usage_previews from subscribers where user_id = pg_temp.id('cat')$$,
  $$values ('Cat', 'de', false)$$,
  'nor the name, the locale, and that previews are off'
);
select is(
  pg_temp.balance('cat'),
  'total 137, used 0, reserved 0, remaining 137',
  'the balance is that of both'
);
select is(
  (select sum(amount) from token_transactions where user_id = pg_temp.id('cat')),
  137::numeric,
  'and the journal adds up to it'
);

update auth.users set email_confirmed_at = null where id = pg_temp.id('cat');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('cat');
select is(
  pg_temp.balance('cat'),
  'total 137, used 0, reserved 0, remaining 137',
  'confirming again gives nothing again'
);

insert into subscribers (email, earned_tokens) values ('dan@example.com', 9);
select throws_ok(
  $$insert into subscribers (email) values ('DAN@example.com')$$,
  '23505',
  null,
  'an address has one place on the waiting list'
);
select throws_ok(
  'insert into subscribers (display_name) values (''nobody'')',
  '23514',
  null,
  'a subscriber is a user or has an address'
);

-- Entitlement used before the address was confirmed

select pg_temp.sign_up('dan', 'dan@example.com', false);
update subscribers set entitlement_granted_at = now() - interval '1 day' where user_id = pg_temp.id('dan');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('dan');
select is(
  (select entitlement_granted_at from subscribers where user_id = pg_temp.id('dan')),
  now() - interval '1 day',
  'linking does not give the entitlement a second time'
);

-- The address changes

update auth.users set email = 'ann@new.example.com' where id = pg_temp.id('ann');
select is(
  (select email from subscribers where user_id = pg_temp.id('ann')),
  'ann@new.example.com',
  'the subscriber follows a change of address'
);
update auth.users set email = null where id = pg_temp.id('ann');
select is(
  (select email from subscribers where user_id = pg_temp.id('ann')),
  'ann@new.example.com',
  'but keeps the last one'
);
insert into subscribers (email, earned_tokens) values ('eve@example.com', 1000);
select pg_temp.sign_up('eve', 'mallory@example.com', false);
update auth.users set email = 'eve@example.com' where id = pg_temp.id('eve');
select is(
  pg_temp.balance('eve'),
  'total 0, used 0, reserved 0, remaining 0',
  'changing to someone''s address without confirming it gets nothing'
);

-- What users may change themselves

select is(
  pg_temp.answer(
    'update subscribers set display_name = ''Benny'', locale = ''de-AT'' returning display_name, locale',
    'authenticated', 'ben'
  ),
  '(Benny,de-AT)',
  'users change their own name and locale, and nobody else''s'
);
select is(
  pg_temp.answer(
    format('update subscribers set display_name = ''x'' where user_id = %L returning 1', pg_temp.id('cat')),
    'authenticated', 'ben'
  ),
  'no rows',
  'not when they name another user'
);
select is(
  pg_temp.answer(format('update subscribers set %1$I = %1$I returning 1', c.name), 'authenticated', 'ben'),
  '42501 permission denied for table subscribers',
  format('users do not set %s', c.name)
)
from (
  values ('id'), ('user_id'), ('email'), ('base_tokens'), ('bonus_tokens'), ('entitlement_granted_at'),
    ('earned_tokens'), ('admin_bonus_tokens'), ('created_at')
) c (name);
select is(
  pg_temp.answer(s.statement, 'authenticated', 'ben'),
  '42501 permission denied for table subscribers',
  format('users do not %s subscribers', split_part(s.statement, ' ', 1))
)
from (
  values ('insert into subscribers (email) values (''x@example.com'')'), ('delete from subscribers')
) s (statement);
select is(
  pg_temp.answer('select email from subscribers', 'authenticated', 'ben'),
  '(Ben@Example.com)',
  'users see their own subscriber only'
);
select is(
  pg_temp.answer('select email from subscribers', 'anon'),
  '42501 permission denied for table subscribers',
  'anon sees none'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
