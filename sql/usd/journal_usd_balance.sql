-- Journals edits of usd_balances by hand: brings the user's journal to the balance that the row has now, which is zero
-- when it is deleted. journal_seq cannot be edited, and a row stays with its user.
--
-- Called by  a trigger of usd_balances, for edits by hand
-- Raises     derived_column

create or replace function private.journal_usd_balance()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
declare
  v_user_id uuid := case tg_op when 'DELETE' then old.user_id else new.user_id end;
  v_balance numeric := case tg_op when 'DELETE' then 0 else new.balance end;
begin
  if tg_op = 'UPDATE' and (old.user_id, old.journal_seq) is distinct from (new.user_id, new.journal_seq) then
    perform private.raise_error(
      'derived_column', 'user_id and journal_seq follow from other rows', hint => 'Edit balance.'
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  with written as (
    insert into public.usd_transactions as t (user_id, seq, type, amount, balance_after, actor)
    select
      v_user_id, coalesce(last.seq, 0) + 1, 'adjustment', v_balance - coalesce(last.balance_after, 0), v_balance,
      coalesce(nullif(current_setting('role'), 'none'), session_user)
    from (select 1) one
    left join lateral (
      select t.seq, t.balance_after
      from public.usd_transactions t
      where t.user_id = v_user_id
      order by t.seq desc
      limit 1
    ) last on true
    where v_balance <> coalesce(last.balance_after, 0)
    returning t.seq
  )
  update public.usd_balances b
  set journal_seq = w.seq
  from written w
  where b.user_id = v_user_id;
  perform set_config('scrip.posting', '', true);
  return null;
end;
$$;

comment on function private.journal_usd_balance is 'Journals edits of usd_balances by hand.';
revoke execute on function private.journal_usd_balance from public;
