-- The beginning of a text, without what looks like a key, token or password. It is taken out before the cut: half a key
-- would not look like one. It knows the forms that providers give their keys, and what is written as key=value; it cannot
-- know every secret.
--
-- Called by  track_usage, open_run, close_run, finish_run

create or replace function private.redact(content text, characters integer)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  content := left(content, 2000); -- what lies far behind the cut need not be looked at
  -- Whatever is taken out below matches one of these, which are cheap, and most texts match neither.
  if content ~ '[A-Za-z0-9_./+-]{13}'
    or content ~ '[delnstyDELNSTY]["'']?\s*[:=]|[aA][rR][eE][rR]\s|:/|-----'
  then
    content := regexp_replace(content, '-----BEGIN [A-Z ]*KEY.*', '[redacted]');
    content := regexp_replace(
      content,
      '\m(sk|pk|rk|whsec|sb_secret|sb_publishable|r8|gh[opsu]|github_pat|glpat|xox[a-z]|hf|gsk|scrip|key|pat|npm)[-_][A-Za-z0-9_-]{10,}[A-Za-z0-9_./+=-]*'
      || '|\m(AIza|AKIA|ASIA)[A-Za-z0-9_-]{12,}'
      || '|\mdapi[0-9a-f]{16,}'
      || '|\m(SG|ya29)\.[A-Za-z0-9_.-]{10,}'
      || '|\meyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]*'
      || '|\m[A-Za-z0-9_-]{40,}'
      || '|(?<![A-Za-z0-9/+])(?=[A-Za-z/+]*[0-9])(?=[a-z0-9/+]*[A-Z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])',
      '[redacted]', 'g'
    );
    content := regexp_replace(content, '(://[^\s/:@]*:)[^\s@]+(?=@)', '\1[redacted]', 'g');
    content := regexp_replace(
      content,
      '((?:(?:api|access|secret|private)[-_ ]?key|secret|token|passw(?:or)?d|\mpass(?:phrase)?|pwd|authorization|cookie'
      || '|session|credentials?)["'']?\s*[:=]\s*)'
      || '(?:"[^"]{4,}(?:"|$)|''[^'']{4,}(?:''|$)|(?:(?:bearer|basic|digest|token|apikey)\s+)?[^\s"'',;&\[]{4,})'
      || '|(\mBearer\s+)[^\s"'',;&\[]{4,}',
      '\1\2[redacted]', 'gi'
    );
  end if;
  return left(content, characters);
end;
$$;

comment on function private.redact is 'The beginning of a text, without what looks like a key, token or password.';
revoke execute on function private.redact from public;
