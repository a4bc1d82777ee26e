-- Writes the notice of a balance that an update took below its owner's threshold. The triggers compare the row before with
-- the row after, so that whatever changes a balance counts, once until it has risen again, and nothing is remembered;
-- the row's lock puts concurrent changes into one order.
--
-- Deadlocks: a spend comes here with the user's queue and the row of the balance, and takes nothing that others hold: the
-- rows written are new, and without foreign keys.
--
-- Called by  triggers of usd_balances and api_tokens, when the balance crosses the threshold downwards; of user_tokens,
--            whenever it is below

create or replace function private.notify_low_balance()
returns trigger
language plpgsql
security definer -- whoever may change the balance may not write notices
set search_path = ''
as $$
declare
  v_data jsonb;
begin
  if tg_table_name = 'user_tokens' then
    if old.journal_balance < new.low_balance_threshold then
      return null;
    end if;
    v_data := jsonb_build_object(
      'balance', 'tokens', 'have', new.journal_balance, 'threshold', new.low_balance_threshold
    );
  elsif tg_table_name = 'usd_balances' then
    v_data := jsonb_build_object(
      'balance', 'usd', 'have', private.usd_text(new.balance),
      'threshold', private.usd_text(new.low_balance_threshold)
    );
  else
    v_data := jsonb_build_object(
      'balance', 'api_token', 'token_id', new.id, 'name', new.name, 'have', new.credits,
      'threshold', new.low_balance_threshold
    );
  end if;
  perform private.write_notice(new.user_id, 'balance.low', v_data);
  return null;
end;
$$;

comment on function private.notify_low_balance is 'Writes the notice of a balance that fell below its threshold.';
revoke execute on function private.notify_low_balance from public;
