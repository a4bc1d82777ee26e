-- ai_models is the operator's: what a row may hold, what get_ai_model and list_ai_models tell of it, and that clients see
-- nothing else of it. No key is in it, and no secret but a model's own can be named by it.

begin;

select plan(64);

select pg_temp.new_user('ann');

-- What a row may hold

create function pg_temp.refused(changes jsonb)
returns text
language sql
as $$
  select substring(
    pg_temp.answer(format('select pg_temp.new_model(''bad'', %L)', changes)) from '(?:constraint "(.*?)"|column "(.*?)")'
  )
$$;

select is(
  pg_temp.answer(format('select pg_temp.new_model(%L, %L)', 'model' || m.step, m.changes)),
  '()',
  format('a model may have %s', m.changes)
)
from (
  values
    (1, '{"fixed_tokens": 9000000000000000}'::jsonb),
    (2, '{"price_mode": "metered", "fixed_tokens": null, "markup": 0.0001}'),
    (3, '{"price_mode": "metered", "fixed_tokens": null, "markup": 1000}'),
    (4, '{"slug": "0"}'),
    (5, '{"slug": "gpt-4o_mini.2026-01-01"}'),
    (6, '{"base_url": "http://127.0.0.1:11434/v1", "api_key_variable": "OLLAMA_API_KEY"}'),
    (7, '{"base_url": "https://openrouter.ai/api/v1", "api_key_variable": "OPENROUTER_2_API_KEY"}'),
    (8, '{"timeout_seconds": 1, "max_output_tokens": 1}'),
    (9, '{"timeout_seconds": 82800, "max_output_tokens": 10000000}'),
    (10, '{"kind": "video", "provider": "replicate", "provider_version": "v1", "service": "other"}')
) m (step, changes);
select is(
  pg_temp.refused(m.changes),
  'ai_models_' || m.problem || '_check',
  format('a model may not have %s', left(m.changes::text, 60))
)
from (
  values
    ('slug', '{"slug": ""}'::jsonb),
    ('slug', '{"slug": "GPT-4"}'),
    ('slug', '{"slug": "-gpt"}'),
    ('slug', '{"slug": "a/b"}'),
    ('slug', '{"slug": "a b"}'),
    ('slug', '{"slug": "a\nb"}'),
    ('slug', jsonb_build_object('slug', repeat('a', 101))),
    ('name', '{"name": ""}'),
    ('provider', '{"provider": ""}'),
    ('provider_model', '{"provider_model": ""}'),
    ('provider_version', '{"provider_version": ""}'),
    ('service', '{"service": ""}'),
    ('base_url', '{"base_url": "ftp://example.com"}'),
    ('base_url', '{"base_url": "https://"}'),
    ('base_url', '{"base_url": "https://example.com/a b"}'),
    ('base_url', '{"base_url": "file:///etc/passwd"}'),
    ('api_key_variable', '{"api_key_variable": "SUPABASE_SERVICE_ROLE_KEY"}'),
    ('api_key_variable', '{"api_key_variable": "STRIPE_SECRET_KEY"}'),
    ('api_key_variable', '{"api_key_variable": "HUB_API_KEY"}'),
    ('api_key_variable', '{"api_key_variable": "STRIPE_WEBHOOK_SECRET"}'),
    ('api_key_variable', '{"api_key_variable": "SUPABASE_DB_URL"}'),
    ('api_key_variable', '{"api_key_variable": "_API_KEY"}'),
    ('api_key_variable', '{"api_key_variable": "my_API_KEY"}'),
    ('api_key_variable', '{"api_key_variable": "SUPABASE_SERVICE_ROLE_KEY\nX_API_KEY"}'),
    ('fixed_tokens', '{"fixed_tokens": null}'),
    ('fixed_tokens', '{"fixed_tokens": 0}'),
    ('fixed_tokens', '{"fixed_tokens": -1}'),
    ('fixed_tokens', '{"fixed_tokens": 9000000000000001}'),
    ('fixed_tokens', '{"price_mode": "metered"}'),
    ('markup', '{"markup": 0}'),
    ('markup', '{"markup": -1}'),
    ('markup', '{"markup": "NaN"}'),
    ('markup', '{"markup": 1000.0001}'),
    ('max_output_tokens', '{"max_output_tokens": 0}'),
    ('max_output_tokens', '{"max_output_tokens": 10000001}'),
    ('timeout_seconds', '{"timeout_seconds": 0}'),
    ('timeout_seconds', '{"timeout_seconds": 82801}')
) m (problem, changes);
delete from ai_models;

-- What is told of it

select pg_temp.new_model('writer', '{
  "name": "Writer", "description": "Writes", "provider": "openai", "provider_model": "gpt-4", "price_mode": "metered",
  "fixed_tokens": null, "markup": 1.5, "service": "openrouter", "base_url": "https://openrouter.ai/api/v1",
  "api_key_variable": "OPENROUTER_API_KEY", "max_output_tokens": 1000, "timeout_seconds": 90
}');
select pg_temp.new_model('painter', '{
  "kind": "image", "provider": "replicate", "provider_model": "black/paint", "provider_version": "v7", "fixed_tokens": 40
}');
select pg_temp.new_model('retired', '{"active": false}');

select is(
  pg_temp.answer('select * from get_ai_model(''writer'')', 'service_role'),
  '(writer,text,openai,gpt-4,,https://openrouter.ai/api/v1,OPENROUTER_API_KEY,1000,90,30,t)',
  'get_ai_model answers where and how a model runs, without a row of settings'
);
select pg_temp.settings('{"run_inline_seconds": 5}');
select is(
  pg_temp.answer('select * from get_ai_model(''painter'')'),
  '(painter,image,replicate,black/paint,v7,,,4096,60,5,t)',
  'and with one'
);
select is(
  pg_temp.answer('select model, active from get_ai_model(''retired'')'),
  '(retired,f)',
  'also of one that is not on offer any more, whose runs may be under way'
);
select is(
  pg_temp.answer(format('select get_ai_model(%L)', m.slug)),
  format('404 model_not_found There is no model %s', coalesce(m.slug, 'without a name')),
  format('get_ai_model refuses %s', coalesce(quote_literal(m.slug), 'nothing'))
)
from (values ('unknown'), (''), (null), ('WRITER'), ('writer ')) m (slug);
select results_eq(
  'select * from list_ai_models()',
  $$
    values
      ('writer', 'Writer', 'Writes', 'text'::ai_model_kind, 'metered'::price_mode, null::bigint, 1000),
      ('painter', 'painter', null, 'image', 'fixed', 40, 4096)
  $$,
  'list_ai_models lists the models on offer, by kind, and nothing of where they run'
);
update ai_models set active = false;
select is_empty('select * from list_ai_models()', 'without any on offer it lists none');

-- Callers

select is(
  pg_temp.answer(format('select %s', f.call), c.role, 'ann'),
  '42501 permission denied for function ' || split_part(f.call, '(', 1),
  format('%s is closed to %s', f.call, c.role)
)
from (values ('anon'), ('authenticated')) c (role)
cross join (values ('get_ai_model(''writer'')'), ('list_ai_models()')) f (call);
select is(
  pg_temp.answer('select slug from ai_models', c.role, 'ann'),
  '42501 permission denied for table ai_models',
  format('%s does not read the table', c.role)
)
from (values ('anon'), ('authenticated')) c (role);
select is(
  pg_temp.answer('select count(*) from list_ai_models()', 'service_role'), '(0)',
  'list_ai_models is open to service_role'
);

select * from finish();

rollback;
