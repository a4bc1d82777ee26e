-- The registry has every error that SQL raises, each once and with an HTTP error status, and errors are raised in the
-- form that PostgREST turns into the answer. The codes raised are read from the bodies of all functions.

begin;

select plan(13);


create temporary view raised as
select p.oid::regprocedure::text as raised_by, m.code[1] as code
from pg_catalog.pg_proc p
cross join regexp_matches(p.prosrc, '(?:raise_error|error_body)\s*\(\s*(?:code\s*=>\s*)?''([^'']*)''', 'g') m (code)
where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace);

select isnt_empty('select * from raised', '(the functions'' bodies name codes)');
select is_empty(
  'select * from raised where code not in (select code from private.error_codes())',
  'every code that SQL raises is in the registry'
);
select is_empty(
  $$
    select r.* from raised r join private.error_codes() e using (code) where e.http_status not between 400 and 499
  $$,
  'what SQL refuses is the caller''s to correct: 4xx'
);
select is_empty(
  $$
    select p.oid::regprocedure from pg_catalog.pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and p.proname <> 'raise_error'
      and p.prosrc ~* '\mraise\s+(exception|sqlstate)'
  $$,
  'SQL raises through raise_error only'
);
select is_empty(
  'select code from private.error_codes() group by code having count(*) > 1',
  'no code is there twice'
);
select is_empty(
  'select code, http_status from private.error_codes() where http_status not between 400 and 599',
  'every status is that of an HTTP error'
);
select is_empty(
  'select code from private.error_codes() where code !~ ''^[a-z]+(_[a-z]+)*$''',
  'codes are snake_case'
);
select is_empty(
  'select code from private.error_codes() where meaning is null or meaning !~ ''^[A-Z].*\.$''',
  'every code has a meaning, in a sentence'
);
select results_eq(
  $$
    select code, http_status from private.error_codes()
    where code in (
      'invalid_request', 'unauthorized', 'insufficient_tokens', 'forbidden', 'operation_id_reused', 'code_already_used',
      'code_expired', 'rate_limited', 'invalid_signature', 'livemode_mismatch', 'already_subscribed',
      'payment_method_required', 'provider_failed', 'refill_too_small', 'insufficient_usd', 'insufficient_credits',
      'api_token_revoked', 'product_unavailable', 'too_many_api_tokens', 'operation_in_progress', 'model_unavailable'
    ) or code like '%\_not\_found'
    order by http_status, code
  $$,
  $$
    values
      ('invalid_request', 400), ('invalid_signature', 400), ('livemode_mismatch', 400), ('refill_too_small', 400),
      ('unauthorized', 401), ('forbidden', 403), ('insufficient_credits', 403), ('insufficient_tokens', 403),
      ('insufficient_usd', 403), ('api_token_not_found', 404), ('charge_not_found', 404), ('code_not_found', 404),
      ('delivery_not_found', 404), ('hold_not_found', 404), ('model_not_found', 404), ('notice_not_found', 404),
      ('package_not_found', 404), ('plan_not_found', 404), ('product_not_found', 404), ('run_not_found', 404),
      ('stripe_event_not_found', 404), ('user_not_found', 404), ('already_subscribed', 409), ('api_token_revoked', 409),
      ('code_already_used', 409), ('model_unavailable', 409), ('operation_id_reused', 409), ('operation_in_progress', 409),
      ('payment_method_required', 409), ('product_unavailable', 409), ('too_many_api_tokens', 409),
      ('code_expired', 410), ('rate_limited', 429), ('provider_failed', 502)
  $$,
  'codes have the statuses that clients rely on'
);

-- How it is raised

create function pg_temp.raised(statement text)
returns text
language plpgsql
as $$
declare
  v_detail text;
  v_hint text;
begin
  execute statement;
  return 'nothing';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    return jsonb_build_object(
      'sqlstate', sqlstate, 'message', sqlerrm::jsonb, 'detail', v_detail::jsonb, 'hint', v_hint
    );
end;
$$;

select is(
  pg_temp.raised($$select private.raise_error('code_expired', 'It is over', 'since noon', 'Ask for another')$$)::jsonb,
  '{
    "sqlstate": "PGRST",
    "message": {"code": "code_expired", "message": "It is over", "details": "since noon", "hint": "Ask for another"},
    "detail": {"status": 410, "headers": {}},
    "hint": ""
  }'::jsonb,
  'raise_error gives PostgREST the body, the status and the headers'
);
select is(
  pg_temp.raised($$select private.raise_error('rate_limited', 'Slow down', retry_after_seconds => 7)$$)::jsonb,
  '{
    "sqlstate": "PGRST",
    "message": {"code": "rate_limited", "message": "Slow down", "details": null, "hint": null},
    "detail": {"status": 429, "headers": {"Retry-After": "7"}},
    "hint": ""
  }'::jsonb,
  'with retry_after_seconds, it sends Retry-After'
);
select is(
  pg_temp.raised($$select private.raise_error('no_such_code', 'A bug')$$)::jsonb,
  '{
    "sqlstate": "PGRST",
    "message": {"code": "internal_error", "message": "A bug", "details": null, "hint": null},
    "detail": {"status": 500, "headers": {}},
    "hint": ""
  }'::jsonb,
  'a code outside the registry is an internal error'
);
select is(
  private.error_body('rate_limited', 'Slow down', retry_after_seconds => 7),
  '{"code": "rate_limited", "message": "Slow down", "details": null, "hint": null, "status": 429, "retry_after": 7}'::jsonb,
  'error_body is the same, for functions that must commit what they refuse'
);

select * from finish();

rollback;
