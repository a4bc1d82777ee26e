-- charge_tokens_batch does exactly what charge_tokens would do with each charge in the order given, whether it charges
-- a user as a set or one by one. Beside examples, random batches are done both ways, one of which is undone, and the
-- answers and journals compared.

begin;

select plan(56);

create function pg_temp.charge(name text, amount bigint, operation_id text, extra jsonb default '{}')
returns jsonb
language sql
as $$
  select jsonb_build_object('user_id', pg_temp.id(charge.name), 'amount', amount, 'operation_id', operation_id) || extra
$$;

create function pg_temp.batch(variadic charges jsonb[])
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s', b.operation_id,
      coalesce(b.error ->> 'code', format('%s %s %s', b.charged, b.remaining, b.replayed))
    ),
    '; ' order by b.item
  )
  from public.charge_tokens_batch(to_jsonb(charges), 'tester')
    with ordinality b (user_id, operation_id, transaction_id, charged, remaining, replayed, error, item)
$$;

select pg_temp.new_user('ann', 100);
select pg_temp.new_user('ben', 50);
select pg_temp.new_user('cat');

-- Success

select is(
  pg_temp.batch(
    pg_temp.charge('ann', 10, 'op-1', '{"description": "a call", "metadata": {"model": "demo"}}'),
    pg_temp.charge('ben', 50, 'op-1'),
    pg_temp.charge('ann', 20, 'op-2')
  ),
  'op-1 10 90 f; op-1 50 0 f; op-2 20 70 f',
  'charge_tokens_batch answers for each charge, in the order given'
);
select is(
  pg_temp.journal('ann', 1),
  'charge used -10 = 90/90 op-1 - tester; charge used -20 = 70/70 op-2 - tester',
  'each charge is one journal row'
);
select results_eq(
  $$
    select description, metadata from token_transactions
    where user_id = pg_temp.id('ann') and type = 'charge' order by seq
  $$,
  $$values ('a call', '{"model": "demo"}'::jsonb), (null, '{}')$$,
  'with the caller''s words and data'
);
select is(pg_temp.balance('ann'), 'total 100, used 30, reserved 0, remaining 70', 'the balance is lower by the sum');
select results_eq(
  $$
    select b.transaction_id, b.user_id
    from charge_tokens_batch(jsonb_build_array(pg_temp.charge('ann', 20, 'op-2'))) b
  $$,
  $$
    select id, user_id from token_transactions where user_id = pg_temp.id('ann') and operation_id = 'op-2'
  $$,
  'the transaction answered is the journal row'
);

-- Replay and conflict

select is(
  pg_temp.batch(
    pg_temp.charge('ann', 10, 'op-1', '{"description": "a call", "metadata": {"model": "demo"}}'),
    pg_temp.charge('ben', 50, 'op-1'),
    pg_temp.charge('ann', 20, 'op-2')
  ),
  'op-1 10 90 t; op-1 50 0 t; op-2 20 70 t',
  'a replayed batch answers the first results'
);
select pg_temp.changes_nothing(
  $$select pg_temp.batch(pg_temp.charge('ben', 50, 'op-1'), pg_temp.charge('ann', 20, 'op-2'))$$,
  'and changes nothing'
);
select is(
  pg_temp.batch(
    pg_temp.charge('ann', 5, 'op-3'), pg_temp.charge('ann', 5, 'op-3'), pg_temp.charge('ann', 6, 'op-3'),
    pg_temp.charge('ann', 11, 'op-1'), pg_temp.charge('ann', 20, 'op-2', '{"description": "x"}')
  ),
  'op-3 5 65 f; op-3 5 65 t; op-3 operation_id_reused; op-1 operation_id_reused; op-2 operation_id_reused',
  'an operation_id twice in a batch is a replay, or a conflict'
);
select reserve_tokens(pg_temp.id('ann'), 5, 'hold');
select is(
  pg_temp.batch(pg_temp.charge('ann', 5, 'hold'), pg_temp.charge('ann', 5, 'seed'), pg_temp.charge('ann', 1, 'op-4')),
  'hold operation_id_reused; seed operation_id_reused; op-4 1 59 f',
  'the operation_id of another kind of operation is a conflict'
);

-- Refusals, each by itself

select is(
  pg_temp.batch(
    pg_temp.charge('ann', 50, 'op-5'), pg_temp.charge('cat', 1, 'op-5'), pg_temp.charge('ann', 10, 'op-6'),
    pg_temp.charge('ann', 9, 'op-7'), pg_temp.charge('nobody', 1, 'op-8')
  ),
  'op-5 50 9 f; op-5 insufficient_tokens; op-6 insufficient_tokens; op-7 9 0 f; op-8 user_not_found',
  'a charge that is refused does not stop the others'
);
select is(
  (
    select b.error from charge_tokens_batch(jsonb_build_array(pg_temp.charge('cat', 7, 'op-9'))) b
  ),
  '{"code": "insufficient_tokens", "message": "Insufficient tokens: you have 0, need 7", "details": null, "hint": null}'::jsonb,
  'the error is the body that charge_tokens would answer with'
);
select results_eq(
  $$
    select b.user_id, b.operation_id, b.transaction_id, b.charged, b.remaining, b.replayed
    from charge_tokens_batch(jsonb_build_array(pg_temp.charge('cat', 7, 'op-9'))) b
  $$,
  $$values (pg_temp.id('cat'), 'op-9', null::uuid, null::bigint, null::bigint, null::boolean)$$,
  'and nothing else is answered'
);
select add_tokens(pg_temp.id('cat'), 1000, 'add', 'add');
select is(
  pg_temp.batch(
    pg_temp.charge('cat', 0, 'zero'), pg_temp.charge('cat', -1, 'negative'), pg_temp.charge('cat', null, 'null'),
    pg_temp.charge('cat', 9000000000000001, 'over'), pg_temp.charge('cat', 1, ''), pg_temp.charge('cat', 1, null),
    pg_temp.charge(null, 1, 'no user'), pg_temp.charge('cat', 1, 'fine')
  ),
  concat_ws(
    '; ', 'zero invalid_amount', 'negative invalid_amount', 'null invalid_amount', 'over invalid_amount',
    ' invalid_request', ' invalid_request', 'no user invalid_request', 'fine 1 999 f'
  ),
  'charges out of bounds are refused, the others done'
);
select is(
  pg_temp.answer(format('select charge_tokens_batch(%s)', b.charges)),
  '400 invalid_request charges must be an array of 1 to 1000 charges',
  format('charge_tokens_batch refuses %s', b.what)
)
from (
  values
    ('nothing', 'null'), ('no charges', '''[]'''), ('an object', '''{}'''), ('JSON null', '''null'''),
    ('1001 charges', '(select jsonb_agg(pg_temp.charge(''cat'', 1, n::text)) from generate_series(1, 1001) n)')
) b (what, charges);
select is(
  (
    select count(*) filter (where b.charged = 1)
    from charge_tokens_batch((
      select jsonb_agg(pg_temp.charge(case when n % 2 = 0 then 'cat' else 'max' end, 1, 'many ' || n))
      from generate_series(1, 1000) n
    )) b
  ),
  500::bigint,
  'charge_tokens_batch takes 1000 charges'
);

-- Holds

select pg_temp.new_user('eve', 100);
select reserve_tokens(pg_temp.id('eve'), 60, 'hold-1');
select reserve_tokens(pg_temp.id('eve'), 10, 'hold-2');
select is(
  pg_temp.batch(pg_temp.charge('eve', 10, 'op-1'), pg_temp.charge('eve', 21, 'op-2')),
  'op-1 10 20 f; op-2 insufficient_tokens',
  'held tokens are not taken'
);
update token_holds set expires_at = now() where operation_id = 'hold-1';
select is(
  pg_temp.batch(pg_temp.charge('eve', 21, 'op-2'), pg_temp.charge('eve', 59, 'op-3'), pg_temp.charge('eve', 1, 'op-4')),
  'op-2 21 59 f; op-3 59 0 f; op-4 insufficient_tokens',
  'but those of expired holds are'
);

-- The same as one by one

create function pg_temp.one_by_one(charges jsonb)
returns table (user_id uuid, operation_id text, charged bigint, remaining bigint, replayed boolean, error jsonb)
language plpgsql
as $$
declare
  v_item jsonb;
begin
  for v_item in select e.value from jsonb_array_elements(charges) with ordinality e order by e.ordinality loop
    user_id := v_item ->> 'user_id';
    operation_id := v_item ->> 'operation_id';
    charged := null;
    remaining := null;
    replayed := null;
    error := null;
    begin
      select c.charged, c.remaining, c.replayed
      into charged, remaining, replayed
      from public.charge_tokens(
        (v_item ->> 'user_id')::uuid, (v_item ->> 'amount')::bigint, v_item ->> 'operation_id',
        v_item ->> 'description', v_item -> 'metadata'
      ) c;
    exception
      when sqlstate 'PGRST' then
        error := sqlerrm::jsonb;
    end;
    return next;
  end loop;
end;
$$;

create function pg_temp.outcome(how text, charges jsonb, undo boolean)
returns text
language plpgsql
as $$
declare
  v_outcome text;
begin
  execute format(
    'select jsonb_agg(array[
      to_jsonb(b.user_id), to_jsonb(b.operation_id), to_jsonb(b.charged), to_jsonb(b.remaining), to_jsonb(b.replayed), b.error
    ])::text from %s($1) b', how
  ) into v_outcome using charges;
  select v_outcome || jsonb_agg(
    (to_jsonb(t) - 'id' - 'created_at') order by t.user_id, t.seq
  )::text
  into v_outcome
  from public.token_transactions t;
  select v_outcome || jsonb_agg(to_jsonb(u) order by u.user_id)::text into v_outcome from public.user_tokens u;
  if undo then
    raise exception using errcode = 'UNDO1';
  end if;
  return v_outcome;
exception
  when sqlstate 'UNDO1' then
    return v_outcome;
end;
$$;

create function pg_temp.random_batch(items integer)
returns jsonb
language sql
as $$
  select jsonb_agg(pg_temp.charge(
    case when random() < 0.98 then 'user ' || floor(random() * 12) else 'nobody' end,
    case when random() < 0.98 then ceil(random() * 60) else 0 end::bigint,
    case when random() < 0.3 then 'again ' || floor(random() * 4) else 'new ' || n || random() end,
    case when random() < 0.1 then '{"description": "d"}'::jsonb else '{}' end
  ))
  from generate_series(1, items) n
$$;

select pg_temp.new_user('user ' || n, 30 + n * 60) from generate_series(0, 11) n;
select reserve_tokens(pg_temp.id('user ' || n), 20, 'again 1') from generate_series(0, 11, 3) n;
select reserve_tokens(pg_temp.id('user ' || n), 25, 'expired') from generate_series(1, 11, 3) n;
update token_holds set expires_at = now() where operation_id = 'expired';
select is(setseed(0.5) is not null, true, '(the random batches are the same each time)');
create temporary table batches as select n, pg_temp.random_batch(1 + n * 2) as charges from generate_series(1, 25) n;

select is(
  pg_temp.outcome('public.charge_tokens_batch', b.charges, false),
  b.one_by_one,
  format('random batch %s: the same answers, journal and balances as one by one', b.n)
)
from (
  select n, charges, pg_temp.outcome('pg_temp.one_by_one', charges, true) as one_by_one from batches order by n offset 0
) b;
select cmp_ok(
  (select count(*) from token_transactions where user_id in (select pg_temp.id('user ' || n) from generate_series(0, 11) n)),
  '>', 60::bigint,
  '(the random batches charged something)'
);

-- The queue of a user

-- Signing up stands in it too, and until the end of this transaction.
alter table user_tokens disable trigger user_tokens_adopt_journal;
insert into auth.users (id) values (pg_temp.id('queued'));
alter table user_tokens enable trigger user_tokens_adopt_journal;
update user_tokens set tokens_purchased = 1 where user_id = pg_temp.id('queued');
select results_eq(
  $$
    select count(*) from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid() and granted
      and (classid::bigint << 32 | objid::bigint) = uuid_hash_extended(pg_temp.id('queued'), 0)
  $$,
  'values (0::bigint)',
  '(nobody stands in the queue of a user without operations)'
);
select is(pg_temp.batch(pg_temp.charge('queued', 1, 'op')), 'op 1 0 f', '(the user is charged as a set)');
select results_eq(
  $$
    select count(*) from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid() and granted
      and (classid::bigint << 32 | objid::bigint) = uuid_hash_extended(pg_temp.id('queued'), 0)
  $$,
  'values (1::bigint)',
  'charge_tokens_batch stands in the same queue as charge_tokens'
);

-- Callers

select is(
  pg_temp.answer('select charge_tokens_batch(''[]'')', c.role),
  '42501 permission denied for function charge_tokens_batch',
  format('charge_tokens_batch is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer(
    format('select b.charged from charge_tokens_batch(%L) b', jsonb_build_array(pg_temp.charge('cat', 1, 'role'))),
    'service_role'
  ),
  '(1)',
  'charge_tokens_batch is open to service_role'
);
select is(
  (select actor from token_transactions where user_id = pg_temp.id('cat') and operation_id = 'role'),
  'service_role',
  'without an actor, the journal names the role'
);

select is_empty('select * from verify_ledger()', 'the journal and the balances agree');

select * from finish();

rollback;
