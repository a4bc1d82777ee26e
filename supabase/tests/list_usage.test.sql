-- list_usage lists one user's calls, newest first, page by page: of a service, of some days, over many months.

begin;

select plan(36);

select pg_temp.new_user('ann', 100), pg_temp.new_user('ben'), pg_temp.new_user('new');
insert into model_prices (service, model, valid_from, input_usd_per_million) values ('openai', 'gpt-4', pg_temp.month(6), 30);

select is(
  pg_temp.answer(format(
    'select unpriced from track_usage(%L, %L, %L, ''chat'', %L, 1000, 400, 500, 1.5, 2, occurred_at => %L, tokens => %L, %s)',
    pg_temp.id(c.name), c.operation_id, c.service, c.model, c.occurred_at, c.tokens, c.arguments
  )),
  format('(%s)', left(c.unpriced, 1)),
  format('(%s)', c.operation_id)
)
from (
  values
    ('ann', 'a1', 'openai', 'gpt-4', pg_temp.month(3), 5, 'explicit_cost_usd => ''0.06''', 'false'),
    ('ann', 'a2', 'openai', 'unknown', pg_temp.month(2) - interval '1 microsecond', null, 'success => true', 'true'),
    (
      'ann', 'a3', 'replicate', 'flux', pg_temp.month(2), null,
      'success => false, error => ''timed out'', response_time_ms => 12, input_preview => ''in'', output_summary => ''out''',
      'false'
    ),
    (
      'ann', 'a4', 'openai', 'gpt-4', pg_temp.month(1) + interval '1 day' - interval '1 microsecond', null,
      'explicit_cost_usd => ''1''', 'false'
    ),
    ('ann', 'a5', 'openai', 'gpt-4', pg_temp.month(1) + interval '1 day', null, 'explicit_cost_usd => ''1''', 'false'),
    ('ben', 'b1', 'openai', 'gpt-4', pg_temp.month(1), null, 'explicit_cost_usd => ''1''', 'false')
) c (name, operation_id, service, model, occurred_at, tokens, arguments, unpriced);

create function pg_temp.listed(arguments text default null, name text default 'ann')
returns text
language sql
as $$
  select pg_temp.answer(
    format('select operation_id from list_usage(%L%s)', pg_temp.id(listed.name), ', ' || listed.arguments), 'service_role'
  )
$$;

select is(pg_temp.listed(), '(a5) (a4) (a3) (a2) (a1)', 'newest first');
select is(
  pg_temp.answer(format($$
    select
      l.id = e.id, l.occurred_at = e.occurred_at, l.operation_id, l.run_id, l.service, l.operation, l.model, l.input_tokens, l.cached_input_tokens,
      l.output_tokens, l.seconds, l.images, l.cost_usd, l.cost_eur, l.price_id, l.usd_eur, l.tokens_charged, l.success, l.error,
      l.response_time_ms, l.input_preview, l.output_summary
    from list_usage(pg_temp.id('ann')) l
    join usage_events e on e.user_id = pg_temp.id('ann') and e.operation_id = l.operation_id
    where l.operation_id = %L
  $$, c.operation_id)),
  c.answer,
  'list_usage tells what was recorded: ' || c.what
)
from (
  values
    ('a call', 'a1', '(t,t,a1,,openai,chat,gpt-4,1000,400,500,1.5,2,0.06,0.051,,0.85,5,t,,,,)'),
    ('an unpriced one', 'a2', '(t,t,a2,,openai,chat,unknown,1000,400,500,1.5,2,,,,0.85,0,t,,,,)'),
    ('a failed one', 'a3', '(t,t,a3,,replicate,chat,flux,1000,400,500,1.5,2,0.00,0.00,,0.85,0,f,"timed out",12,in,out)')
) c (what, operation_id, answer);
select is(pg_temp.listed('page_size => 2'), '(a5) (a4)', 'as many as are asked for');
select is(
  pg_temp.listed(format('page_size => 2, before_occurred_at => %L, before_id => %L', e.occurred_at, e.id)), c.answer,
  format('after %s', c.operation_id)
)
from (values ('a5', '(a4) (a3)'), ('a4', '(a3) (a2)'), ('a3', '(a2) (a1)'), ('a2', '(a1)'), ('a1', 'no rows')) c (operation_id, answer)
join usage_events e on e.operation_id = c.operation_id;
select is(pg_temp.listed('''openai'''), '(a5) (a4) (a2) (a1)', 'of a service');
select is(
  pg_temp.listed(format('''openai'', 2, before_occurred_at => %L, before_id => %L', e.occurred_at, e.id)), '(a2) (a1)',
  'page by page as well'
)
from usage_events e
where e.operation_id = 'a4';
select is(pg_temp.listed('''unknown'''), 'no rows', 'of an unknown service there are none');
select is(pg_temp.listed(p.arguments), p.answer, p.what)
from (
  values
    (1, 'from a day on', format('first_day => %L', pg_temp.month(2)::date), '(a5) (a4) (a3)'),
    (2, 'up to a day, which belongs to it', format('last_day => %L', pg_temp.month(1)::date), '(a4) (a3) (a2) (a1)'),
    (3, 'of one day', format('first_day => %L, last_day => %1$L', pg_temp.month(1)::date), '(a4)'),
    (
      4, 'of one day and a service', format('''replicate'', first_day => %L, last_day => %1$L', pg_temp.month(1)::date),
      'no rows'
    ),
    (
      5, 'of a day in which there are none', format('first_day => %L, last_day => %1$L', pg_temp.month(1)::date + 5),
      'no rows'
    ),
    (
      6, 'of days the wrong way round',
      format('first_day => %L, last_day => %L', pg_temp.month(1)::date, pg_temp.month(2)::date), 'no rows'
    )
) p (step, what, arguments, answer);
select is(set_config('timezone', z.zone, true), z.zone, format('(in %s)', z.zone)) from (values ('Pacific/Kiritimati')) z (zone);
select is(
  pg_temp.listed(format('first_day => %L, last_day => %1$L', (pg_temp.month(1) at time zone 'UTC')::date)), '(a4)',
  'days are those of UTC, whatever the session''s time zone'
);
select is(set_config('timezone', 'UTC', true), 'UTC', '(and back)');
select is(pg_temp.listed(null, 'ben'), '(b1)', 'of one user alone');
select is(pg_temp.listed(null, n.name), 'no rows', format('none: %s', n.name)) from (values ('new'), ('nobody')) n (name);

-- Calls of one moment

select is(
  (
    select count(*) from generate_series(1, 25) n
    cross join lateral track_usage(pg_temp.id('new'), 'n' || n, 's', 'o', 'm', occurred_at => pg_temp.month(1)) t
  ),
  25::bigint, '(25 calls of one moment)'
);
create function pg_temp.pages(page_size integer)
returns table (page integer, id uuid)
language plpgsql
as $$
declare
  v_last public.usage_events;
begin
  for page in 1 .. 100 loop
    return query
    select page, l.id
    from public.list_usage(
      pg_temp.id('new'), page_size => pages.page_size, before_occurred_at => v_last.occurred_at, before_id => v_last.id
    ) l;
    exit when not found;
    select l.occurred_at, l.id into v_last.occurred_at, v_last.id
    from public.list_usage(
      pg_temp.id('new'), page_size => pages.page_size, before_occurred_at => v_last.occurred_at, before_id => v_last.id
    ) l
    order by l.occurred_at, l.id
    limit 1;
  end loop;
end;
$$;
select is(
  (select (count(*), count(distinct id), max(page))::text from pg_temp.pages(4)), '(25,25,7)', 'are each on one page'
);

select is(
  pg_temp.answer('select list_usage(pg_temp.id(''ann''))', c.role, 'ann'),
  '42501 permission denied for function list_usage',
  format('list_usage is closed to %s', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select operation_id from usage_events order by 1', 'authenticated', 'ann'),
  '(a1) (a2) (a3) (a4) (a5)',
  'users read their own calls, and nobody else''s'
);

select * from finish();

rollback;
