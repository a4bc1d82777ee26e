-- Previews, summaries and errors hold no keys: what looks like one is taken out before the text is cut, so that no half of
-- a key stays. Previews can be off for a user or for all. Texts that only look a little like keys stay as they are.

begin;

select plan(114);

-- private.redact

select is(private.redact(r.content, 2000), r.answer, format('redacted: %s', left(r.content, 60)))
from (
  values
    ('my key is sk-proj-abc123DEF456ghi789 ok?', 'my key is [redacted] ok?'),
    ('sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz_0123-456789AA', '[redacted]'),
    ('sk-or-v1-0123456789abcdef0123456789abcdef', '[redacted]'),
    ('sk_live_51HabcdefghijklmnopqrsTUV, then', '[redacted], then'),
    ('(sk_test_4eC39HqLyjWDarjtT1zdp7dc)', '([redacted])'),
    ('pk_live_51Habcdefghijk rk_live_51Habcdefghijk', '[redacted] [redacted]'),
    ('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', '[redacted]'),
    ('sb_secret_abcdefghijkl_1234 sb_publishable_abcdefghijkl', '[redacted] [redacted]'),
    ('scrip_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN12345678', '[redacted]'),
    ('r8_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789A', '[redacted]'),
    ('ghp_abcdefghijklmnopqrstuvwxyz0123456789 and gho_abcdefghijkl', '[redacted] and [redacted]'),
    ('github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz', '[redacted]'),
    ('glpat-abcdefghijklmnopqrst', '[redacted]'),
    ('xoxb-123456789012-abcdefghijkl', '[redacted]'),
    ('hf_abcdefghijklmnopqrstuvwxyz gsk_abcdefghijklmnop', '[redacted] [redacted]'),
    ('npm_abcdefghijklmnopqrstuvwxyz0123456789', '[redacted]'),
    ('AIzaSyA-abcdefghijklmnopqrstuvwxyz012345', '[redacted]'),
    ('AKIAIOSFODNN7EXAMPLE', '[redacted]'),
    ('eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U', '[redacted]'),
    ('jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc!', 'jwt=[redacted]!'),
    ('Bearer abcdef123456', 'Bearer [redacted]'),
    ('bearer   abcdef123456.', 'bearer   [redacted]'),
    ('Authorization: Bearer abcdef123456', 'Authorization: [redacted]'),
    (
      'curl -H "Authorization: Bearer abcdef123456" https://example.com',
      'curl -H "Authorization: [redacted]" https://example.com'
    ),
    ('Authorization: Basic dXNlcjpwYXNz', 'Authorization: [redacted]'),
    ('Authorization: abcdef123456', 'Authorization: [redacted]'),
    ('api_key=abcd1234', 'api_key=[redacted]'),
    ('API-KEY: abcd1234', 'API-KEY: [redacted]'),
    ('apikey = "abcd1234"', 'apikey = [redacted]'),
    ('X-Api-Key:abcd1234', 'X-Api-Key:[redacted]'),
    ('{"api_key": "abcd1234", "a": 1}', '{"api_key": [redacted], "a": 1}'),
    ('password=hunter2', 'password=[redacted]'),
    ('my Password: hunter2 please', 'my Password: [redacted] please'),
    ('?password=hunter2&user=ann', '?password=[redacted]&user=ann'),
    ('passwd=hunter2; pwd=hunter2', 'passwd=[redacted]; pwd=[redacted]'),
    ('client_secret=abcd1234', 'client_secret=[redacted]'),
    ('access_token=abcd1234', 'access_token=[redacted]'),
    ('secret_key=abcd1234', 'secret_key=[redacted]'),
    ('aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'aws_secret_access_key = [redacted]'),
    ('postgres://user:hunter2@db.example.com/app', 'postgres://user:[redacted]@db.example.com/app'),
    ('0123456789abcdef0123456789abcdef01234567', '[redacted]'),
    (
      E'here:\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n',
      E'here:\n[redacted]'
    ),
    (E'-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r', '[redacted]'),
    (E'-----BEGIN PGP PRIVATE KEY BLOCK-----\nb3BlbnNzaC1r', '[redacted]'),
    ('two: sk-abcdefghijklmnop, password=hunter2', 'two: [redacted], password=[redacted]'),
    ('password: "correct horse battery staple"', 'password: [redacted]'),
    ('passphrase=''correct horse', 'passphrase=[redacted]'),
    ('{"secret":"hunter2","session":"abcd"}', '{"secret":[redacted],"session":[redacted]}'),
    ('Cookie: abcd1234; credentials=abcd1234', 'Cookie: [redacted]; credentials=[redacted]'),
    ('private_key=abcd1234 token: abcd1234', 'private_key=[redacted] token: [redacted]'),
    ('key-abcdef0123456789 pat_abcdef0123456789', '[redacted] [redacted]'),
    ('dapi0123456789abcdef0123456789abcdef', '[redacted]'),
    ('SG.abcdefghij.klmnop ya29.abcdefghijkl', '[redacted] [redacted]'),
    ('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '[redacted]'),
    ('redis://:hunter2@cache:6379', 'redis://:[redacted]@cache:6379'),
    -- What each part of the first tests lets through
    ('sk-abcdefghij, hf_abcdefghij', '[redacted], [redacted]'),
    ('SG.abcdefghij', '[redacted]'),
    ('wJal/XUtn/FEMI/K7MD/ENGb/PxRf/iCYE/XAMPl', '[redacted]'),
    ('wJal+XUtn+FEMI+K7MD+ENGb+PxRf+iCYE+XAMPl', '[redacted]'),
    ('mongodb://bob:hunter2@db', 'mongodb://bob:[redacted]@db'),
    ('BEARER abcdef', 'BEARER [redacted]'),
    ('PASSWORD = hunter2', 'PASSWORD = [redacted]'),
    ('Passphrase: hunter2', 'Passphrase: [redacted]'),
    ('credential=hunter2', 'credential=[redacted]'),
    ('SESSION: hunter2', 'SESSION: [redacted]'),
    ('pass=hunter2', 'pass=[redacted]'),
    ('COOKIE=hunter2', 'COOKIE=[redacted]'),
    ('CREDENTIAL=hunter2', 'CREDENTIAL=[redacted]'),
    ('CREDENTIALS=hunter2', 'CREDENTIALS=[redacted]'),
    ('SECRET=hunter2', 'SECRET=[redacted]'),
    ('Secret:hunter2', 'Secret:[redacted]'),
    ('"api key": hunter2', '"api key": [redacted]')
) r (content, answer);
select is(
  private.redact(r.content, 2000),
  r.content,
  format('left alone: %s', coalesce(quote_literal(left(r.content, 60)), 'nothing'))
)
from (
  values
    (null), (''), ('Hello, world'), ('What is a secret? A token of love.'), ('sk-8 skis, pk-5'),
    ('the password is short'),
    ('api key'), ('tokens: 1000 in, 500 out'), ('max_tokens=1000'), ('b54adc00-67f9-11d9-9669-0800200c9a66'),
    ('https://example.com/a/b?c=d&e=f'),
    ('the bearer of good news'), ('Ein Rindfleischetikettierungsgesetz'), ('這是一個沒有空格的長句子這是一個沒有空格的長句子這是一個沒有空格的長句子'),
    ('asterisk-separated-values-here'), ('2026-11-21T11:33:23.123456+00:00'), ('[redacted]'), ('password=[redacted]'),
    ('Bearer [redacted]'),
    (E'a\nb\tc')
) r (content);

-- Before the cut

select pg_temp.new_user('ann');
create function pg_temp.kept(operation_id text, input_preview text, output_summary text default null, error text default null)
returns text
language plpgsql
as $$
begin
  perform from public.track_usage(
    pg_temp.id('ann'), operation_id, 's', 'o', 'm', input_preview => kept.input_preview,
    output_summary => kept.output_summary, error => kept.error
  );
  return (
    select concat_ws('|', e.input_preview, e.output_summary, e.error)
    from public.usage_events e
    where e.user_id = pg_temp.id('ann') and e.operation_id = kept.operation_id
  );
end;
$$;
select is(pg_temp.kept('short', 'Hello', 'Bye', 'no'), 'Hello|Bye|no', 'short texts are kept');
select is(
  pg_temp.kept('long', repeat('ü ', 60), repeat('ö ', 120), repeat('ä ', 300)),
  repeat('ü ', 50) || '|' || repeat('ö ', 100) || '|' || repeat('ä ', 250),
  'of an input 100 characters, of an output 200, of an error 500'
);
select is(
  pg_temp.kept(
    'cut', repeat('a ', 45) || 'sk-abcdefghijklmnopqrstuvwxyz', repeat('a ', 95) || 'sk-abcdefghijklmnopqrstuvwxyz',
    repeat('a ', 245) || 'sk-abcdefghijklmnopqrstuvwxyz'
  ),
  repeat('a ', 45) || '[redacted]|' || repeat('a ', 95) || '[redacted]|' || repeat('a ', 245) || '[redacted]',
  'a key at the cut is taken out before it'
);
select is(
  pg_temp.kept(
    'cut 2', repeat('a ', 47) || 'sk-abcdefghijklmnopqrstuvwxyz', repeat('a ', 97) || 'sk-abcdefghijklmnopqrstuvwxyz',
    repeat('a ', 247) || 'sk-abcdefghijklmnopqrstuvwxyz'
  ),
  repeat('a ', 47) || '[redac|' || repeat('a ', 97) || '[redac|' || repeat('a ', 247) || '[redac',
  'however near'
);
select is(
  pg_temp.kept(
    'cut 3', null, null, repeat('a ', 235) || '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
  ),
  repeat('a ', 235) || '[redacted]',
  'and however long'
);
select is(
  pg_temp.kept('redactions', repeat('sk-abcdefghijklmnopqrstuvwxyz ', 10)),
  left(repeat('[redacted] ', 10), 100),
  'what comes behind many keys is free of them too'
);

-- Runs

select pg_temp.new_model('demo');
select add_tokens(pg_temp.id('ann'), 10, 'add', 'seed');
create temporary table run as
select r.run_id
from start_model_run(
  pg_temp.id('ann'), 'demo', 'run', '{}', input_preview => repeat('a ', 45) || 'sk-abcdefghijklmnopqrstuvwxyz'
) r;
select is(
  (select input_preview from runs where id = (select run_id from run)), repeat('a ', 45) || '[redacted]',
  'the preview of a run is free of keys'
);
select is(
  pg_temp.answer($$
    select reason from run, finish_run(run_id, 'failed', error => 'Incorrect API key provided: sk-abcdefghijklmnop', output_summary => 'Bearer abcdef123456')
  $$),
  '("Incorrect API key provided: [redacted]")',
  'so is the reason of its failure, as answered'
);
select is(
  (
    select concat_ws('|', r.error, e.error, e.input_preview, e.output_summary) from runs r join usage_events e on e.run_id = r.id
  ),
  concat_ws(
    '|', 'Incorrect API key provided: [redacted]', 'Incorrect API key provided: [redacted]',
    repeat('a ', 45) || '[redacted]',
    'Bearer [redacted]'
  ),
  'and as recorded'
);

-- Off

select is(
  pg_temp.answer(
    $$select run_id is not null from start_model_run(pg_temp.id('ann'), 'demo', 'run 3', '{}', input_preview => 'Hello')$$
  ),
  '(t)',
  '(a run)'
);
select is((select input_preview from runs where operation_id = 'run 3'), 'Hello', 'previews are kept');
select is(
  pg_temp.answer(
    'update subscribers set usage_previews = false returning user_id = pg_temp.id(''ann'')', 'authenticated', 'ann'
  ),
  '(t)',
  'users turn their own previews off'
);
select is(pg_temp.kept('off', 'Hello', 'Bye', 'no'), 'no', 'then none is kept; errors are');
select is(
  pg_temp.answer(
    $$select run_id is not null from start_model_run(pg_temp.id('ann'), 'demo', 'run 2', '{}', input_preview => 'Hello')$$
  ),
  '(t)',
  '(a run)'
);
select is((select input_preview from runs where operation_id = 'run 2'), null, 'none of a run either');
select is(
  pg_temp.answer($$
    select run_status
    from (select id from runs where operation_id = 'run 3') run, finish_run(id, 'succeeded', output_summary => 'Bye')
  $$),
  '(succeeded)',
  '(a run that started before, and ends now)'
);
select is(
  (
    select concat_ws('|', 'of the run', r.input_preview, e.input_preview, e.output_summary)
    from runs r join usage_events e on e.run_id = r.id
    where r.operation_id = 'run 3'
  ),
  'of the run',
  'of a run that ends after they are off what was kept goes too'
);
select is(
  pg_temp.answer('update subscribers set usage_previews = true', 'authenticated', 'ben'), '0', 'but not of others'
);
update subscribers set usage_previews = true;
select is(pg_temp.kept('on', 'Hello', 'Bye', 'no'), 'Hello|Bye|no', 'and on again');
select pg_temp.settings('{"usage_previews": false}');
select is(pg_temp.kept('all off', 'Hello', 'Bye', 'no'), 'no', 'the operator turns them off for all');
update subscribers set usage_previews = false;
select pg_temp.settings('{"usage_previews": true}');
select is(pg_temp.kept('both', 'Hello', 'Bye', 'no'), 'no', 'which turns them on for nobody who does not want them');
delete from subscribers;
select is(
  pg_temp.kept('none', 'Hello', 'Bye', 'no'),
  'Hello|Bye|no',
  'without a row of subscribers the deployment''s word counts'
);

select * from finish();

rollback;
