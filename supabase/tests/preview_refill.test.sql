-- preview_refill answers what refill_token would, refusals included, and changes nothing. Each case is previewed and then
-- done, at the same moment; the two answers must be the same.

begin;

select plan(42);

insert into settings default values;
insert into products (id, name, value_credits_usd)
values
  (pg_temp.id('cents'), 'Cents', 0.01), (pg_temp.id('third'), 'Third', 0.3333333333),
  (pg_temp.id('fine'), 'Fine', 0.0000000001),
  (pg_temp.id('unpriced'), 'Unpriced', null);
select pg_temp.new_user('ann');
select pg_temp.new_user('ben');
select deposit_usd(pg_temp.id('ann'), '10', 'deposit');
select pg_temp.new_api_token('ann', t.name, t.product)
from (
  values ('cents', 'cents'), ('third', 'third'), ('fine', 'fine'), ('master', null), ('unpriced', 'unpriced'), ('gone', null)
) t (name, product);
select pg_temp.new_api_token('ben', 'ben''s', 'cents');
select revoke_api_token(pg_temp.id('ann'), pg_temp.api_token('ann', 'gone'));

create function pg_temp.preview(owner text, token_id uuid, mode text, amount text)
returns text
language sql
as $$
  select pg_temp.answer(format(
    'select credits_added, usd_spent, fee, rate, credits, usd_balance from preview_refill(%L, %L, %L, %L)',
    pg_temp.id(owner), token_id, mode, amount
  ))
$$;

-- What the preview says, and whether the refill says the same. The refill is undone.
create function pg_temp.preview_and_refill(token_id uuid, mode text, amount text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
  v_preview text := pg_temp.preview('ann', token_id, mode, amount);
  v_untouched boolean := pg_temp.fingerprint() = v_before;
  v_refill text;
begin
  v_refill := pg_temp.answer(format(
    'select credits_added, usd_spent, fee, rate, credits, usd_balance from refill_token(%L, %L, %L, %L, %L)',
    pg_temp.id('ann'), token_id, mode, amount, 'try'
  ));
  raise exception using errcode = 'UNDO1';
exception
  when sqlstate 'UNDO1' then
    return v_preview
      || case when v_untouched then '' else ', BUT SOMETHING CHANGED' end
      || case when v_refill = v_preview then '' else ', BUT THEN ' || v_refill end;
end;
$$;

select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', c.token), c.mode, c.amount),
  c.answer,
  format('%s %s of %s', c.amount, c.mode, c.token)
)
from (
  values
    ('cents', 'usd', '10', '(999,10.00,0.0001,0.01,999,0.00)'),
    ('cents', 'credits', '100', '(100,1.0001,0.0001,0.01,100,8.9999)'),
    ('cents', 'usd', '0.0101', '(1,0.0101,0.0001,0.01,1,9.9899)'),
    ('cents', 'usd', '0.020099', '(1,0.020099,0.0001,0.01,1,9.979901)'),
    ('master', 'usd', '5', '(4999,5.00,0.0001,0.001,4999,5.00)'),
    ('third', 'credits', '3', '(3,1.0000999999,0.0001,0.3333333333,3,8.9999000001)'),
    ('third', 'usd', '1.000099', '(2,1.000099,0.0001,0.3333333333,2,8.999901)'),
    ('fine', 'usd', '9.999999', '(99998990000,9.999999,0.0001,0.0000000001,99998990000,0.000001)'),
    ('cents', 'usd', '0.01', '400 refill_too_small Cannot refill: the token needs at least $0.0101, got $0.0100'),
    ('cents', 'usd', '10.000001', '403 insufficient_usd Insufficient USD balance: you have $10.00, need $10.000001'),
    ('cents', 'credits', '1000', '403 insufficient_usd Insufficient USD balance: you have $10.00, need $10.0001'),
    (
      'fine', 'credits', '9000000000000000',
      '403 insufficient_usd Insufficient USD balance: you have $10.00, need $900000.0001'
    ),
    (
      'master', 'credits', '1',
      '400 invalid_request A master token is refilled by US dollars: mode must be usd, got credits'
    ),
    (
      'unpriced', 'usd', '1',
      format('409 product_unavailable The product %s is not on offer, or has no rate', pg_temp.id('unpriced'))
    ),
    ('gone', 'usd', '1', format('409 api_token_revoked The API token %s is revoked', pg_temp.api_token('ann', 'gone'))),
    ('nothing', 'usd', '1', '404 api_token_not_found There is no API token without an id'),
    (
      'cents', 'usd', '0',
      '400 invalid_request amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got 0'
    ),
    (
      'cents', 'usd', '1.0000001',
      '400 invalid_request amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got 1.0000001'
    ),
    (
      'cents', 'usd', 'NaN',
      '400 invalid_request amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got NaN'
    ),
    (
      'cents', 'usd', null,
      '400 invalid_request amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got nothing'
    ),
    (
      'cents', 'credits', '1.5',
      '400 invalid_request amount must be a whole number of credits from 1 to 9000000000000000, got 1.5'
    ),
    ('cents', 'tokens', '1', '400 invalid_request mode must be usd or credits, got tokens'),
    ('cents', null, '1', '400 invalid_request mode must be usd or credits, got nothing')
) c (token, mode, amount, answer);
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ben', 'ben''s'), 'usd', '1'),
  format('404 api_token_not_found There is no API token %s', pg_temp.api_token('ben', 'ben''s')),
  'somebody else''s token is none'
);
select is(
  pg_temp.preview('nobody', pg_temp.api_token('ann', 'cents'), 'usd', '1'),
  format('404 api_token_not_found There is no API token %s', pg_temp.api_token('ann', 'cents')),
  'nor has one who is nobody any'
);

-- In other states

select is(
  pg_temp.preview('ben', pg_temp.api_token('ben', 'ben''s'), 'usd', '1'),
  '403 insufficient_usd Insufficient USD balance: you have $0.00, need $1.00',
  'without US dollars'
);
update settings set refill_fee_usd = 0, master_rate_usd = 3;
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', c.token), c.mode, c.amount),
  c.answer,
  format('without a fee: %s', c.token)
)
from (
  values ('cents', 'credits', '1000', '(1000,10.00,0.00,0.01,1000,0.00)'), ('master', 'usd', '9', '(3,9.00,0.00,3.00,3,1.00)'),
    ('master', 'usd', '8.999999', '(2,8.999999,0.00,3.00,2,1.000001)')
) c (token, mode, amount, answer);
delete from settings;
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', 'master'), 'usd', '5'),
  '(4999,5.00,0.0001,0.001,4999,5.00)',
  'without settings'
);
update products set active = false where id = pg_temp.id('cents');
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', 'cents'), 'usd', '5'),
  format('409 product_unavailable The product %s is not on offer, or has no rate', pg_temp.id('cents')),
  'of a product that is not on offer any more'
);
update products set active = true where id = pg_temp.id('cents');
update usd_balances set balance = -5;
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', 'cents'), 'usd', '5'),
  '403 insufficient_usd Insufficient USD balance: you have $-5.00, need $5.00',
  'in debt'
);
update usd_balances set balance = 9000000000;
select is(
  pg_temp.preview_and_refill(pg_temp.api_token('ann', c.token), c.mode, c.amount),
  c.answer,
  format('with all the money: %s %s', c.amount, c.token)
)
from (
  values
    ('cents', 'usd', '1000000000', '(99999999999,1000000000.00,0.0001,0.01,99999999999,8000000000.00)'),
    (
      'fine', 'credits', '9000000000000000',
      '(9000000000000000,900000.0001,0.0001,0.0000000001,9000000000000000,8999099999.9999)'
    ),
    (
      'fine', 'usd', '1000000000',
      '400 balance_limit_exceeded The token would hold 9999999999999000000 credits, and may hold 9000000000000000'
    ),
    (
      'fine', 'usd', '900000.0001',
      '(9000000000000000,900000.0001,0.0001,0.0000000001,9000000000000000,8999099999.9999)'
    ),
    (
      'fine', 'usd', '900000.000101',
      '400 balance_limit_exceeded The token would hold 9000000000010000 credits, and may hold 9000000000000000'
    )
) c (token, mode, amount, answer);

-- It holds nothing either

select is(
  (select p.provolatile from pg_proc p where p.oid = 'public.preview_refill'::regproc), 's',
  'preview_refill runs in transactions that are read-only'
);
select is(
  pg_temp.answer('select preview_refill(pg_temp.id(''ann''), pg_temp.id(''any''), ''usd'', ''10'')', c.role, 'ann'),
  '42501 permission denied for function preview_refill',
  format('preview_refill is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
create temporary table call as
select format(
  'select credits_added from preview_refill(%L, %L, ''usd'', ''10'')',
  pg_temp.id('ann'),
  pg_temp.api_token('ann', 'cents')
) as statement;
select is(
  pg_temp.answer((select statement from call), 'service_role'),
  '(999)',
  'preview_refill is open to service_role'
);

select is_empty('select * from verify_ledger()', 'journals, refills and balances agree');

select * from finish();

rollback;
