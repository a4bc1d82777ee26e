-- Sets at what balance a user wants a notice, or with null that none is wanted. Nothing is journalled, and a balance that
-- is below already writes no notice. A USD balance need not be there yet.
--
-- Called by  functions/notices, which then answers get_low_balance_thresholds
-- Raises     invalid_request, user_not_found, api_token_not_found, api_token_revoked

create or replace function public.set_low_balance_threshold(
  user_id uuid,
  balance text,
  threshold text default null,
  token_id uuid default null
)
returns table (saved boolean)
language plpgsql
volatile
security definer -- callers hold no DML on balances; this is the door
set search_path = ''
as $$
declare
  v_threshold numeric;
  v_status public.api_token_status;
begin
  if (balance in ('tokens', 'usd', 'api_token')) is not true then
    perform private.raise_error('invalid_request', format(
      'balance must be tokens, usd or api_token, got %s', coalesce(left(balance, 40), 'nothing')
    ));
  elsif (balance = 'api_token') <> (token_id is not null) then
    perform private.raise_error('invalid_request', 'token_id must be given for an API token, and for nothing else');
  end if;
  v_threshold := private.parse_threshold(balance, threshold);
  perform private.lock_account(user_id);

  perform set_config('scrip.posting', 'on', true);
  if balance = 'tokens' then
    update public.user_tokens u
    set low_balance_threshold = v_threshold::bigint
    where u.user_id = set_low_balance_threshold.user_id;
    if not found then
      perform private.raise_user_not_found(user_id);
    end if;
  elsif balance = 'usd' then
    begin
      insert into public.usd_balances (user_id, low_balance_threshold)
      values (set_low_balance_threshold.user_id, v_threshold)
      on conflict on constraint usd_balances_pkey do update
      set low_balance_threshold = excluded.low_balance_threshold;
    exception
      when foreign_key_violation then
        perform private.raise_user_not_found(user_id);
    end;
  else
    update public.api_tokens t
    set low_balance_threshold = v_threshold::bigint
    where t.user_id = set_low_balance_threshold.user_id and t.id = token_id
    returning t.status into v_status;
    if not found then
      perform private.raise_api_token_not_found(token_id);
    elsif v_status = 'revoked' then
      perform private.raise_api_token_revoked(token_id);
    end if;
  end if;
  perform set_config('scrip.posting', '', true);
  return query select true;
end;
$$;

comment on function public.set_low_balance_threshold is 'Sets at what balance a user wants a notice.';
revoke execute on function public.set_low_balance_threshold from public, anon, authenticated;
grant execute on function public.set_low_balance_threshold to service_role;
