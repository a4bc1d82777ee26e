-- The end state of a payment is a function of the set of its events: a purchase, two refunds, a dispute and its end
-- are sent in each of their 120 orders, each event twice. The ledger must verify, no more be taken on the way than was
-- granted, and the end be the same.

begin;

select plan(4);

create temporary table events as
select e.what, pg_temp.event('evt_' || translate(e.what, ' ', '_'), e.type, e.object, e.created) as event
from (
  values
    (
      'purchase', 'checkout.session.completed',
      pg_temp.session('cs_1', 'pi_1', pg_temp.offer('ann', '{"tokens": "1001", "amount_cents": "999"}')), 1790000000
    ),
    ('refund 1', 'refund.created', pg_temp.refund('re_1', 'pi_1', 333), 1790000001),
    ('refund 2', 'refund.created', pg_temp.refund('re_2', 'pi_1', 200), 1790000001),
    ('refund 2 failed', 'refund.failed', pg_temp.refund('re_2', 'pi_1', 200, 'failed'), 1790000009),
    ('charge refunded', 'charge.refunded', pg_temp.charge('pi_1', 999, 533), 1790000001),
    ('dispute', 'charge.dispute.funds_withdrawn', pg_temp.dispute('dp_1', 'pi_1', 466), 1790000003),
    ('dispute won', 'charge.dispute.closed', pg_temp.dispute('dp_1', 'pi_1', 466, 'won'), 1790000004),
    ('dispute lost', 'charge.dispute.closed', pg_temp.dispute('dp_1', 'pi_1', 466, 'lost'), 1790000004),
    ('dispute reinstated', 'charge.dispute.funds_reinstated', pg_temp.dispute('dp_1', 'pi_1', 466), 1790000004)
) e (what, type, object, created);

create function pg_temp.permutations(things text[])
returns setof text[]
language sql
as $$
  with recursive p (chosen) as (
    select array[]::text[]
    union all
    select p.chosen || t.thing
    from p
    cross join unnest(things) t (thing)
    where t.thing <> all (p.chosen)
  )
  select p.chosen from p where cardinality(p.chosen) = cardinality(things) order by 1
$$;

-- Sends the events in each order, and undoes it; answers how often each end state was reached, and how often the
-- ledger did not verify or the balance was out of bounds on the way.
create function pg_temp.end_states(things text[])
returns table (state text, times bigint, problems bigint)
language plpgsql
as $$
declare
  v_order text[];
  v_thing text;
  v_state text;
  v_states text[];
  v_problems bigint := 0;
begin
  for v_order in select * from pg_temp.permutations(things) loop
    begin
      foreach v_thing in array v_order loop
        perform public.handle_stripe_event(e.event), public.handle_stripe_event(e.event)
        from events e
        where e.what = v_thing;
        v_problems := v_problems + (pg_temp.remaining('ann') not between 50 and 1051)::integer;
      end loop;
      v_problems := v_problems + (select count(*) from public.verify_ledger());
      v_state := concat_ws(
        '; ', pg_temp.purchase('pi_1'), 'remaining ' || pg_temp.remaining('ann'),
        (
          select string_agg(distinct concat_ws(' ', e.outcome, e.attention, e.error, e.waits_for, e.user_id), ', ')
          from private.stripe_events e
        )
      );
      raise exception using errcode = 'UNDO1';
    exception
      when sqlstate 'UNDO1' then
        v_states := v_states || v_state;
    end;
  end loop;
  return query
    select replace(s.state, pg_temp.id('ann')::text, 'of ann'), count(*), v_problems
    from unnest(v_states) s (state)
    group by s.state
    order by 2 desc, 1;
end;
$$;

select pg_temp.new_user('ann', 50);

select results_eq(
  format('select * from pg_temp.end_states(%L)', c.things),
  format($$values (%L, 120::bigint, 0::bigint)$$, c.state),
  format('%s come to the same in all 120 orders', translate(c.things, '{}_', ''))
)
from (
  values
    (
      '{purchase,refund 1,refund 2,dispute,dispute won}',
      'tokens paid 999/533/0 tokens 1001/534 usd 0/; remaining 517; applied of ann'
    ),
    (
      '{purchase,refund 1,refund 2,dispute,dispute lost}',
      'tokens paid 999/533/466 tokens 1001/1001 usd 0/; remaining 50; applied of ann'
    ),
    (
      '{purchase,refund 2,refund 2 failed,dispute,dispute reinstated}',
      'tokens paid 999/0/0 tokens 1001/0 usd 0/; remaining 1051; applied of ann'
    ),
    (
      '{purchase,refund 1,refund 2,refund 2 failed,charge refunded}',
      'tokens paid 999/333/0 tokens 1001/333 usd 0/; remaining 718; applied of ann'
    )
) c (things, state);

select * from finish();

rollback;
