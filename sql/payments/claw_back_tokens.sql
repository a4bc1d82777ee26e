-- Takes tokens of a purchase from its buyer, or gives them back when the amount is negative. The balance may go below
-- zero: debt is shown, spending stops, the next grant pays it. What an admin took out of tokens_purchased by hand
-- meanwhile cannot be taken there again and is counted as used. A deleted user has nothing to take.
--
-- Called by  settle_purchase, move_bonus
-- Returns    whether there was a balance to take it from

create or replace function private.claw_back_tokens(purchase public.purchases, amount bigint, event_id text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_purchased bigint;
  v_from_purchased bigint;
  v_part record;
begin
  if amount = 0 then
    return true;
  end if;
  perform private.lock_account(purchase.user_id);
  select u.tokens_purchased into v_purchased
  from public.user_tokens u
  where u.user_id = purchase.user_id
  for update;
  if not found then
    return false;
  end if;
  v_from_purchased := least(amount, v_purchased);
  for v_part in
    select p.account, p.amount, p.suffix
    from (values
      ('purchased'::public.token_account, v_from_purchased, ''),
      ('used', claw_back_tokens.amount - v_from_purchased, ':used')
    ) p (account, amount, suffix)
    where p.amount <> 0
  loop
    perform set_config('scrip.posting', 'on', true);
    update public.user_tokens u
    set
      tokens_purchased = u.tokens_purchased - case v_part.account when 'purchased' then v_part.amount else 0 end,
      tokens_used = u.tokens_used + case v_part.account when 'used' then v_part.amount else 0 end
    where u.user_id = purchase.user_id;
    perform private.write_transaction(
      purchase.user_id, 'clawback', v_part.account, -v_part.amount,
      format('stripe:%s:%s%s', event_id, purchase.tokens_clawed_back + amount, v_part.suffix),
      purchase.stripe_id, purchase.description, jsonb_build_object('purchase_id', purchase.id), 'stripe'
    );
  end loop;
  return true;
end;
$$;

comment on function private.claw_back_tokens is 'Takes tokens of a purchase from its buyer, or gives them back.';
revoke execute on function private.claw_back_tokens from public;
