-- Adds US dollars to a user's USD balance by hand of an admin, at most once per operation_id.
--
-- Called by  functions/admin
-- Returns    money as decimal strings, since JSON numbers are floats; `deposited` is the amount
-- Raises     invalid_request, balance_limit_exceeded, user_not_found, operation_id_reused

create or replace function public.deposit_usd(
  user_id uuid,
  amount text,
  operation_id text,
  reason text default null,
  actor text default null
)
returns table (transaction_id uuid, deposited text, usd_balance text, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on usd_balances or the journal; this is the door
set search_path = ''
as $$
declare
  v_amount numeric;
  v_row public.usd_transactions;
begin
  if amount ~ '^[0-9]{1,7}(\.[0-9]{1,6})?$' then
    v_amount := amount::numeric;
  end if;
  if (v_amount > 0 and v_amount <= 1000000) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'amount must be US dollars from 0.000001 to 1000000, with at most 6 decimals, got %s',
        coalesce(left(amount, 40), 'nothing')
      )
    );
  end if;
  v_row := private.claim_usd_operation(user_id, operation_id, 'deposit', v_amount, null, reason, null);
  replayed := v_row.id is not null;
  if not replayed then
    v_row := private.post_usd(
      user_id, 'deposit', v_amount, operation_id, description => deposit_usd.reason, actor => deposit_usd.actor
    );
  end if;
  transaction_id := v_row.id;
  deposited := private.usd_text(v_row.amount);
  usd_balance := private.usd_text(v_row.balance_after);
  return next;
end;
$$;

comment on function public.deposit_usd is 'Adds US dollars to a user''s USD balance, at most once per operation_id.';
revoke execute on function public.deposit_usd from public, anon, authenticated;
grant execute on function public.deposit_usd to service_role;
