-- Gives back tokens of one charge, never more than was charged: amount, or all that is left when null. As a retry, null
-- stands for whatever the first call gave back.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, charge_not_found, refund_exceeds_charge, operation_id_reused

create or replace function public.refund_tokens(
  user_id uuid,
  operation_id text,
  charge_operation_id text,
  amount bigint default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, refunded bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_left bigint;
  v_row public.token_transactions;
begin
  if amount is not null then
    perform private.check_amount(amount);
  end if;
  if charge_operation_id is null then
    perform private.raise_error('invalid_request', 'charge_operation_id is missing');
  end if;
  v_row := private.claim_operation(user_id, operation_id, 'refund', amount, charge_operation_id, description, metadata);
  if v_row.id is not null then
    return query select v_row.id, v_row.amount, v_row.remaining_after, true;
    return;
  end if;

  select -t.amount into v_left
  from public.token_transactions t
  where t.user_id = refund_tokens.user_id
    and t.operation_id = refund_tokens.charge_operation_id
    and t.type = 'charge';
  if not found then
    perform private.raise_error('charge_not_found', format('The user has no charge %s', charge_operation_id));
  end if;
  select v_left - coalesce(sum(t.amount), 0) into v_left
  from public.token_transactions t
  where t.user_id = refund_tokens.user_id
    and t.reference = refund_tokens.charge_operation_id
    and t.type = 'refund';
  select least(v_left, u.tokens_used) into v_left -- an admin may have lowered tokens_used since
  from public.user_tokens u
  where u.user_id = refund_tokens.user_id
  for update;
  if v_left is null then
    perform private.raise_user_not_found(user_id);
  end if;
  if v_left = 0 or amount > v_left then
    perform private.raise_error(
      'refund_exceeds_charge',
      format('Cannot refund %s tokens: %s of the charge are left to refund', coalesce(amount::text, 'any'), v_left)
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  update public.user_tokens u
  set tokens_used = u.tokens_used - coalesce(refund_tokens.amount, v_left)
  where u.user_id = refund_tokens.user_id;
  v_row := private.write_transaction(
    user_id, 'refund', 'used', coalesce(amount, v_left), operation_id, charge_operation_id, description, metadata, actor
  );
  return query select v_row.id, v_row.amount, v_row.remaining_after, false;
end;
$$;

comment on function public.refund_tokens is 'Gives back tokens of one charge, never more than was charged.';
revoke execute on function public.refund_tokens from public, anon, authenticated;
grant execute on function public.refund_tokens to service_role;
