-- Changes a user's USD balance and appends the journal row, in one statement. The first posting makes the user's row.
-- The balance may go below zero, as a clawback must: callers that spend take the user's queue and check first. An
-- operation_id is claimed before, by claim_usd_operation; a second row with it is refused by its key.
--
-- Called by  deposit_usd, refill_token, record_stripe_purchase, settle_purchase
-- Raises     invalid_request, balance_limit_exceeded, user_not_found

create or replace function private.post_usd(
  user_id uuid,
  type public.usd_transaction_type,
  amount numeric,
  operation_id text,
  reference text default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns public.usd_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_row public.usd_transactions;
  v_balance numeric;
begin
  if (amount <> 0 and abs(amount) < 'Infinity' and amount = round(amount, 10)) is not true then
    perform private.raise_error(
      'invalid_request',
      format(
        'amount must be US dollars other than 0, with at most 10 decimals, got %s', coalesce(amount::text, 'nothing')
      )
    );
  end if;
  perform private.lock_account(user_id);

  loop
    perform set_config('scrip.posting', 'on', true);
    with head as (
      update public.usd_balances b
      set balance = b.balance + post_usd.amount, journal_seq = b.journal_seq + 1
      where b.user_id = post_usd.user_id and b.balance + post_usd.amount between -9000000000 and 9000000000
      returning b.journal_seq, b.balance
    )
    insert into public.usd_transactions as t (
      user_id, seq, type, amount, balance_after, operation_id, reference, description, metadata, actor
    )
    select
      post_usd.user_id, h.journal_seq, post_usd.type, post_usd.amount, h.balance, post_usd.operation_id,
      post_usd.reference, post_usd.description, coalesce(post_usd.metadata, '{}'),
      coalesce(post_usd.actor, nullif(current_setting('role'), 'none'), session_user)
    from head h
    returning t.* into v_row;
    exit when found;

    select b.balance + post_usd.amount into v_balance from public.usd_balances b where b.user_id = post_usd.user_id;
    if not found then
      begin
        insert into public.usd_balances (user_id) values (post_usd.user_id);
      exception
        when foreign_key_violation then
          perform private.raise_user_not_found(user_id);
      end;
    elsif v_balance not between -9000000000 and 9000000000 then
      perform private.raise_error(
        'balance_limit_exceeded',
        format('The USD balance would be %s, which must be from -9000000000 to 9000000000', private.usd_text(v_balance))
      );
    end if;
  end loop;
  perform set_config('scrip.posting', '', true);
  return v_row;
end;
$$;

comment on function private.post_usd is 'Changes a user''s USD balance and appends the journal row.';
revoke execute on function private.post_usd from public;
