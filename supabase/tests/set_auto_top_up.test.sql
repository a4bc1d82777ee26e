-- set_auto_top_up keeps what a user wants bought by itself, within its bounds; setting it up again clears why it had
-- stopped.

begin;

select plan(31);

insert into token_packages (id, name, tokens, price_cents, currency, active)
values (pg_temp.id('small'), 'Small', 500, 500, 'eur', true), (pg_temp.id('gone'), 'Gone', 1, 500, 'eur', false);
select pg_temp.new_user('ann'), pg_temp.new_user('ben');

create function pg_temp.set_up(name text, enabled text, threshold text, package text, cap text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select saved from set_auto_top_up(pg_temp.id(%L), %s, %s, pg_temp.id(%L), %s)',
    set_up.name, set_up.enabled, set_up.threshold, set_up.package, set_up.cap
  ))
$$;

create function pg_temp.settings(name text)
returns text
language sql
as $$
  select concat_ws(
    ' ', g.enabled, g.threshold, g.package_id = pg_temp.id('small'), g.monthly_cap_cents, g.currency, g.spent_cents,
    g.in_flight,
    g.stopped_reason, g.stopped_at = now()
  )
  from public.get_auto_top_up(pg_temp.id(settings.name)) g
$$;

select is(pg_temp.settings('ann'), 'f 0 f', 'who never set it up has it switched off');
select is(pg_temp.set_up('ann', 'true', '100', 'small', '2000'), '(t)', 'it is set up');
select is(pg_temp.settings('ann'), 't 100 t 2000 eur 0 f', 'and told as it is');
select is(pg_temp.set_up('ann', 'false', '200', 'small', '3000'), '(t)', 'it is changed');
select is(pg_temp.settings('ann'), 'f 200 t 3000 eur 0 f', 'and told as it is then');
select is(pg_temp.settings('ben'), 'f 0 f', 'for that user alone');
select is(pg_temp.set_up('ann', 'true', b.threshold, 'small', b.cap), '(t)', format('at its bounds: %s, %s', b.threshold, b.cap))
from (values ('1', '500'), ('1000000000000', '99999999')) b (threshold, cap);

-- Refusals

select is(
  pg_temp.set_up('ann', b.enabled, b.threshold, 'small', b.cap),
  '400 invalid_request threshold must be from 1 to 1000000000000 tokens, monthly_cap_cents from 50 to 99999999',
  format('out of its bounds: %s, %s, %s', b.enabled, b.threshold, b.cap)
)
from (
  values ('true', '0', '2000'), ('true', '1000000000001', '2000'), ('true', 'null', '2000'), ('true', '100', '49'),
    ('true', '100', '100000000'), ('true', '100', 'null'), ('null', '100', '2000')
) b (enabled, threshold, cap);
select is(
  pg_temp.set_up('ann', 'true', '100', 'small', '499'),
  '400 invalid_request monthly_cap_cents must cover the package: it costs 500, the cap is 499',
  'a cap below the price of the package'
);
select is(
  pg_temp.set_up('ann', 'true', '100', p.name, '2000'),
  format('404 package_not_found There is no package %s for sale', pg_temp.id(p.name)),
  format('a package that is not for sale: %s', p.name)
)
from (values ('none'), ('gone')) p (name);
select is(
  pg_temp.set_up('nobody', 'true', '100', 'small', '2000'),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'an unknown user'
);
select pg_temp.changes_nothing(
  $$select set_auto_top_up(pg_temp.id('ann'), true, 100, pg_temp.id('gone'), 2000)$$, 'what is refused changes nothing'
);
update token_packages set active = false where id = pg_temp.id('small');
select is(
  pg_temp.set_up('ann', 'false', '100', 'small', '2000'), '(t)',
  'it can be switched off when its package is no longer for sale'
);
select is(pg_temp.settings('ann'), 'f 100 t 2000 eur 0 f', '(so it is)');
update token_packages set active = true where id = pg_temp.id('small');

-- What had stopped it

select save_stripe_customer(pg_temp.id('ann'), 'cus_ann');
select pg_temp.set_up('ann', 'true', '100', 'small', '2000');
select claim_auto_top_ups();
select fail_auto_top_up(t.id, 'Your card was declined.') from private.top_ups t;
select is(
  pg_temp.settings('ann'), 'f 100 t 2000 eur 0 f Your card was declined. t', '(a decline has stopped it)'
);
select pg_temp.set_up('ann', 'true', '100', 'small', '2000');
select is(pg_temp.settings('ann'), 't 100 t 2000 eur 0 f', 'setting it up again clears the reason');

-- Users read their own

select is(
  pg_temp.answer('select count(*) from auto_top_ups', c.role, c.name), c.answer,
  format('%s reads %s', concat_ws(' ', c.role, c.name), c.answer)
)
from (
  values ('authenticated', 'ann', '(1)'), ('authenticated', 'ben', '(0)'), ('anon', null, '42501 permission denied for table auto_top_ups'),
    ('service_role', null, '(1)')
) c (role, name, answer);

-- Callers

select is(
  pg_temp.answer('select set_auto_top_up(pg_temp.id(''ann''), true, 100, pg_temp.id(''small''), 2000)', c.role, 'ann'),
  '42501 permission denied for function set_auto_top_up',
  format('set_auto_top_up is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(
    format('select saved from set_auto_top_up(%L, true, 100, %L, 2000)', pg_temp.id('ann'), pg_temp.id('small')),
    'service_role'
  ),
  '(t)',
  'set_auto_top_up is open to service_role'
);

select * from finish();

rollback;
