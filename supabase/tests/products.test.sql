-- Products, and what settings say about refills, keep their bounds; everyone reads the products on offer alone, nobody
-- writes them but the operator, and a product of which there are tokens cannot be deleted.

begin;

select plan(48);

insert into settings default values;
insert into products (id, name, value_credits_usd, active)
values (pg_temp.id('cents'), 'Cents', 0.01, true), (pg_temp.id('past'), 'Past', 1, false);
insert into products (id, name) values (pg_temp.id('plain'), 'Plain');
select pg_temp.new_user('ann');
select pg_temp.new_api_token('ann', 'bot', 'cents');

select results_eq(
  'select refill_fee_usd, master_rate_usd from settings',
  'values (0.0001, 0.001)',
  'settings begin with the values that count without them'
);
select results_eq(
  'select value_credits_usd, active, description from products where id = pg_temp.id(''plain'')',
  'values (null::numeric, true, null)',
  'a product is on offer, and has no rate, unless it is said'
);

-- Bounds

create function pg_temp.bound(relation text, column_name text, value text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'update %s set %I = %s %s', bound.relation, bound.column_name, bound.value,
    case bound.relation when 'products' then 'where id = pg_temp.id(''cents'')' end
  ))
$$;

select is(
  pg_temp.bound(b.relation, b.column_name, b.value),
  format('23514 new row for relation "%s" violates check constraint "%s_%s_check"', b.relation, b.relation, b.column_name),
  format('%s.%s cannot be %s', b.relation, b.column_name, b.value)
)
from (
  values
    ('products', 'name', ''''''),
    ('products', 'name', 'repeat(''x'', 201)'),
    ('products', 'value_credits_usd', '0'),
    ('products', 'value_credits_usd', '-0.01'),
    ('products', 'value_credits_usd', '0.00000000004'),
    ('products', 'value_credits_usd', '1000000000.0000000001'),
    ('products', 'value_credits_usd', '''NaN'''),
    ('settings', 'refill_fee_usd', '-0.0000000001'),
    ('settings', 'refill_fee_usd', '1000.0000000001'),
    ('settings', 'refill_fee_usd', '''NaN'''),
    ('settings', 'master_rate_usd', '0'),
    ('settings', 'master_rate_usd', '-1'),
    ('settings', 'master_rate_usd', '0.00000000004'),
    ('settings', 'master_rate_usd', '1000000000.0000000001'),
    ('settings', 'master_rate_usd', '''NaN''')
) b (relation, column_name, value);
select alike(
  pg_temp.bound(b.relation, b.column_name, b.value),
  '22003 numeric field overflow%',
  format('%s.%s cannot be %s', b.relation, b.column_name, b.value)
)
from (
  values ('products', 'value_credits_usd'), ('settings', 'refill_fee_usd'), ('settings', 'master_rate_usd')
) c (relation, column_name)
cross join lateral (
  values (c.relation, c.column_name, '''Infinity'''), (c.relation, c.column_name, '''-Infinity'''), (c.relation, c.column_name, '1e10')
) b (relation, column_name, value);
select alike(
  pg_temp.bound(b.relation, b.column_name, 'null'),
  '23502 null value in column%',
  format('%s.%s cannot be null', b.relation, b.column_name)
)
from (
  values ('products', 'name'), ('products', 'active'), ('settings', 'refill_fee_usd'), ('settings', 'master_rate_usd')
) b (relation, column_name);
select is(
  pg_temp.bound(b.relation, b.column_name, b.value),
  '1',
  format('%s.%s can be %s', b.relation, b.column_name, b.value)
)
from (
  values ('products', 'value_credits_usd', '0.0000000001'), ('products', 'value_credits_usd', '1000000000'),
    ('products', 'value_credits_usd', 'null'), ('settings', 'refill_fee_usd', '0'),
    ('settings', 'refill_fee_usd', '1000'),
    ('settings', 'master_rate_usd', '0.0000000001'), ('settings', 'master_rate_usd', '1000000000')
) b (relation, column_name, value);

-- Tokens keep their product

select alike(
  pg_temp.answer('delete from products where id = pg_temp.id(''cents'')'), '23503 %api_tokens_product_id_fkey%',
  'a product of which there is a token cannot be deleted'
);
select is(
  pg_temp.answer('delete from products where id = pg_temp.id(''plain'')'),
  '1',
  'one of which there is none can'
);

-- Who reads and writes

select is(
  pg_temp.answer('select count(*) from products', c.role, 'ann'),
  c.answer,
  format('%s reads products: %s', c.role, c.answer)
)
from (values ('anon', '(1)'), ('authenticated', '(1)'), ('service_role', '(2)')) c (role, answer);
select is(
  pg_temp.answer(s.statement, r.role, 'ann'), '42501 permission denied for table products',
  format('%s does not: %s', r.role, s.statement)
)
from (values ('anon'), ('authenticated'), ('service_role')) r (role)
cross join (values ('update products set value_credits_usd = 0.000001'), ('insert into products (name) values (''Mine'')')) s (statement);

select * from finish();

rollback;
