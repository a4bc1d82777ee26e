-- calculate_charge is ceil(base_amount × multiplier), exactly. The multiplier is replaced within this transaction by
-- ones that a float would get wrong.

begin;

select plan(20);

select pg_temp.new_user('ann');

select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('ann'), 7)$$),
  '(1,7)',
  'a user without a plan pays the base price'
);

create function pg_temp.charge_at(multiplier numeric, base_amount bigint)
returns bigint
language plpgsql
as $$
begin
  execute format(
    'create or replace function private.charge_multiplier(user_id uuid) returns numeric
    language sql stable set search_path = '''' as $f$select %s::numeric$f$',
    multiplier
  );
  return (select c.amount from public.calculate_charge(pg_temp.id('ann'), base_amount) c);
end;
$$;

select is(
  pg_temp.charge_at(c.multiplier, c.base_amount),
  c.amount,
  format('%s × %s is %s tokens', c.base_amount, c.multiplier, c.amount)
)
from (
  values
    (1.5, 7::bigint, 11::bigint),
    (1.1, 10, 11),
    (1.1, 11, 13),
    (0.1, 1, 1),
    (0.07, 100, 7),
    (2, 7, 14),
    (0.333, 3, 1),
    (1.000000000000001, 1000000000000000, 1000000000000001),
    (1, 9000000000000000, 9000000000000000)
) c (multiplier, base_amount, amount);
select is(pg_temp.charge_at(1.50, 1), 2::bigint, '1 × 1.50 is 2 tokens');
select is(
  pg_temp.answer($$select multiplier, amount from calculate_charge(pg_temp.id('ann'), 3)$$),
  '(1.5,5)',
  'the multiplier crosses JSON as a decimal string'
);

select is(
  pg_temp.answer(format('select calculate_charge(pg_temp.id(''ann''), %s)', a.amount)),
  format('400 invalid_amount amount must be from 1 to 9000000000000000 tokens, got %s', a.shown),
  format('calculate_charge refuses %s tokens', a.amount)
)
from (
  values ('0', '0'), ('-1', '-1'), ('null', 'nothing'), ('9000000000000001', '9000000000000001')
) a (amount, shown);
select is(
  pg_temp.answer($$select calculate_charge(pg_temp.id('nobody'), 1)$$),
  format('404 user_not_found There is no user %s', pg_temp.id('nobody')),
  'calculate_charge refuses an unknown user'
);
select is(
  pg_temp.answer($$select calculate_charge(pg_temp.id('ann'), 1)$$, c.role, 'ann'),
  '42501 permission denied for function calculate_charge',
  format('calculate_charge is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer($$select amount from calculate_charge(pg_temp.id('ann'), 2)$$, 'service_role'),
  '(3)',
  'calculate_charge is open to service_role'
);

select * from finish();

rollback;
