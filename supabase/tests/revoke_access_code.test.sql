-- revoke_access_code stops a code for good; what it gave stays given, and revoking it again changes nothing.

begin;

select plan(11);

select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
create temporary table made as select * from create_access_codes(2, 2500, 'create', false, 10);
create temporary table revoked as select * from made order by id limit 1;

select tokens_granted from activate_access_code(pg_temp.id('ann'), (select code from revoked), 'activate');
select is(
  pg_temp.answer('select r.id = v.id, r.revoked_at = now() from revoked v, revoke_access_code(v.id) r'),
  '(t,t)',
  'revoke_access_code answers when'
);
select is(
  pg_temp.answer(
    'select tokens_granted, failure ->> ''code'' from revoked v, activate_access_code(pg_temp.id(''ben''), v.code, ''b'')'
  ),
  '(,code_not_found)',
  'a revoked code is as if it did not exist'
);
select is(pg_temp.balance('ann'), 'total 3500, used 0, reserved 0, remaining 3500', 'what it gave stays given');
select is(
  pg_temp.answer(
    'select tokens_granted from made m, activate_access_code(pg_temp.id(''ben''), m.code, ''c'')
    where m.id not in (select id from revoked)'
  ),
  '(3500)',
  'codes made with it still work'
);

update access_codes set revoked_at = '2026-01-01' where id in (select id from revoked);
select pg_temp.changes_nothing('select revoke_access_code(id) from revoked', 'revoking it again changes nothing');
select is(
  pg_temp.answer('select r.revoked_at = ''2026-01-01'' from revoked v, revoke_access_code(v.id) r'),
  '(t)',
  'and answers the first time'
);

select is(
  pg_temp.answer(format('select revoke_access_code(%s)', c.id)),
  format('404 code_not_found There is no access code %s', c.shown),
  format('revoke_access_code refuses %s', c.what)
)
from (values ('an unknown code', 'pg_temp.id(''x'')', pg_temp.id('x')::text)) c (what, id, shown);
select alike(
  pg_temp.answer('select revoke_access_code(null)'),
  '404 code_not_found %',
  'revoke_access_code refuses no code'
);

select is(
  pg_temp.answer('select revoke_access_code(pg_temp.id(''x''))', c.role),
  '42501 permission denied for function revoke_access_code',
  format('revoke_access_code is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(format('select r.id is not null from revoke_access_code(%L) r', (select id from revoked)), 'service_role'),
  '(t)',
  'revoke_access_code is open to service_role'
);

select * from finish();

rollback;
