-- Brings the derived columns of a new user_tokens row in line with what is there already: a journal, if the user had a
-- row before. A new row has no holds, since holds are deleted with their row.
--
-- Called by  journal_user_tokens

create or replace function private.adopt_journal(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('scrip.posting', 'on', true);
  update public.user_tokens u
  set
    tokens_reserved = 0,
    holds_expire_at = 'infinity',
    journal_seq = coalesce(head.seq, 0),
    journal_balance = coalesce(head.balance_after, 0)
  from (select 1) one
  left join lateral (
    select t.seq, t.balance_after
    from public.token_transactions t
    where t.user_id = adopt_journal.user_id
    order by t.seq desc
    limit 1
  ) head on true
  where u.user_id = adopt_journal.user_id;
  perform set_config('scrip.posting', '', true);
end;
$$;

comment on function private.adopt_journal is 'Brings a new user_tokens row in line with the user''s journal.';
revoke execute on function private.adopt_journal from public;
