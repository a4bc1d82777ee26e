-- Ends a hold by charging what was really used: amount, or the whole hold when null. What was held beyond it is free
-- again. More than was held, or a hold that has expired, is charged all the same, since the work is done: the one
-- spend that may take remaining below zero, and overdrawn says so.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, hold_not_found, hold_not_active, operation_id_reused,
--            balance_limit_exceeded

create or replace function public.settle_tokens(
  user_id uuid,
  operation_id text,
  amount bigint default null,
  actor text default null
)
returns table (transaction_id uuid, charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, token_holds or the journal; this is the door
set search_path = ''
as $$
declare
  v_held bigint;
  v_status public.token_hold_status;
  v_used bigint;
  v_due boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null
    and coalesce(amount, 1) between 1 and 9000000000000000
    and length(operation_id) between 1 and 255
  ) is not true then
    perform private.check_amount(coalesce(amount, 1));
    perform private.check_operation(user_id, operation_id);
  end if;
  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  loop
    select h.amount, h.status, u.tokens_used, u.holds_expire_at <= current_timestamp
    into v_held, v_status, v_used, v_due
    from public.token_holds h
    join public.user_tokens u on u.user_id = h.user_id
    where h.user_id = settle_tokens.user_id and h.operation_id = settle_tokens.operation_id;
    charged := coalesce(amount, v_held);
    if v_status is null or v_status in ('settled', 'released') then
      return query select * from private.settled_before(user_id, operation_id, charged);
      return;
    elsif v_used + charged > 9000000000000000 then
      perform private.raise_error(
        'balance_limit_exceeded',
        format('Cannot charge %s tokens: a user may use at most 9000000000000000', charged)
      );
    elsif v_due then
      perform private.sweep_holds(user_id);
      continue;
    end if;

    v_posting := set_config('scrip.posting', 'on', true);
    with settled as ( -- none, if an edit by hand came in between: then look again
      update public.token_holds h
      set status = 'settled', settled_amount = settle_tokens.charged, ended_at = current_timestamp
      where h.user_id = settle_tokens.user_id
        and h.operation_id = settle_tokens.operation_id
        and h.status = v_status
        and h.amount = v_held
      returning h.user_id, h.id, h.description, h.metadata
    ),
    spent as (
      update public.user_tokens u
      set
        tokens_used = u.tokens_used + settle_tokens.charged,
        tokens_reserved = u.tokens_reserved - case v_status when 'active' then v_held else 0 end,
        journal_seq = u.journal_seq + 1,
        journal_balance = u.journal_balance - settle_tokens.charged
      from settled h
      where u.user_id = h.user_id
      returning
        h.id, h.description, h.metadata, u.journal_seq, u.journal_balance,
        u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, reference, description,
      metadata, actor
    )
    select
      settle_tokens.user_id, s.journal_seq, 'charge', 'used', -settle_tokens.charged, s.journal_balance, s.remaining,
      settle_tokens.operation_id, s.id::text, s.description, s.metadata,
      coalesce(settle_tokens.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.id, t.remaining_after into transaction_id, remaining;
    exit when found;
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  overdrawn := remaining < 0;
  replayed := false;
  return next;
end;
$$;

comment on function public.settle_tokens is 'Ends a hold by charging what was used; the rest is free again.';
revoke execute on function public.settle_tokens from public, anon, authenticated;
grant execute on function public.settle_tokens to service_role;
