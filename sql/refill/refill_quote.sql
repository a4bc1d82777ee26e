-- What a refill comes to. Exact: numeric throughout, and div() is a quotient's whole part without rounding before.
--
--   usd mode      credits = floor((usd - fee) / rate)    spent = usd
--   credits mode  spent = credits * rate + fee
--
-- The fee and the master rate are settings; a product has its own rate.
--
-- Called by  refill_token, which holds the rows that this reads, and preview_refill, which holds none
-- Returns    one row: credits and usd_balance as they are afterwards
-- Raises     api_token_not_found, api_token_revoked, product_unavailable, invalid_request, refill_too_small,
--            balance_limit_exceeded, insufficient_usd

create or replace function private.refill_quote(user_id uuid, token_id uuid, mode text, amount numeric)
returns table (
  rate numeric,
  fee numeric,
  credits_added numeric,
  usd_spent numeric,
  credits numeric,
  usd_balance numeric
)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_kind public.api_token_kind;
  v_status public.api_token_status;
  v_product_id uuid;
  v_have numeric;
  v_need numeric;
  v_digits integer;
begin
  select
    t.kind, t.status, t.credits, t.product_id,
    case t.kind when 'master' then coalesce(s.master_rate_usd, 0.001) else p.value_credits_usd end,
    coalesce(s.refill_fee_usd, 0.0001),
    coalesce(b.balance, 0)
  into v_kind, v_status, credits, v_product_id, rate, fee, v_have
  from public.api_tokens t
  left join public.products p on p.id = t.product_id and p.active
  left join public.settings s on true
  left join public.usd_balances b on b.user_id = t.user_id
  where t.user_id = refill_quote.user_id and t.id = refill_quote.token_id;
  if not found then
    perform private.raise_api_token_not_found(token_id);
  elsif v_status = 'revoked' then
    perform private.raise_api_token_revoked(token_id);
  elsif mode = 'credits' and v_kind = 'master' then
    perform private.raise_error(
      'invalid_request', 'A master token is refilled by US dollars: mode must be usd, got credits'
    );
  elsif rate is null then
    perform private.raise_error(
      'product_unavailable', format('The product %s is not on offer, or has no rate', v_product_id)
    );
  end if;

  if mode = 'usd' then
    usd_spent := amount;
    credits_added := div(amount - fee, rate);
    if credits_added < 1 then
      v_need := ceil((fee + rate) * 1000000) / 1000000; -- what can be asked for
      v_digits := greatest(min_scale(v_need), min_scale(amount), 2);
      perform private.raise_error(
        'refill_too_small',
        format(
          'Cannot refill: the token needs at least $%s, got $%s', round(v_need, v_digits), round(amount, v_digits)
        )
      );
    end if;
  else
    credits_added := amount;
    usd_spent := amount * rate + fee;
  end if;

  credits := credits + credits_added;
  if credits > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded', format('The token would hold %s credits, and may hold 9000000000000000', credits)
    );
  end if;
  usd_balance := v_have - usd_spent;
  if usd_balance < 0 then
    perform private.raise_error(
      'insufficient_usd',
      format('Insufficient USD balance: you have $%s, need $%s', private.usd_text(v_have), private.usd_text(usd_spent))
    );
  end if;
  return next;
end;
$$;

comment on function private.refill_quote is 'What a refill comes to, or why it cannot be.';
revoke execute on function private.refill_quote from public;
