-- Spends credits of the API token that a key opens, at most once per operation_id of the token, never below zero. The
-- HUB is not told: whoever spends learns what is left, and since which version.
--
-- Called by  functions/credits
-- Returns    credits: what is left
-- Raises     invalid_request, invalid_amount, api_token_not_found, api_token_revoked, insufficient_credits,
--            operation_id_reused

create or replace function public.consume_api_credits(
  api_key text,
  amount bigint,
  operation_id text,
  actor text default null
)
returns table (token_id uuid, credits bigint, version bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on api_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_user_id uuid;
  v_status public.api_token_status;
  v_same boolean;
  v_posting text;
begin
  if (amount between 1 and 9000000000000000) is not true then
    perform private.raise_error(
      'invalid_amount',
      format('credits must be a whole number from 1 to 9000000000000000, got %s', coalesce(amount::text, 'nothing'))
    );
  end if;
  select k.user_id, k.token_id into v_user_id, token_id
  from private.api_keys k
  where k.key_hash = private.hash_api_key(api_key);
  if not found then
    perform private.raise_error('api_token_not_found', 'There is no API token with this key');
  end if;
  if (length(operation_id) between 1 and 255 and not starts_with(operation_id, 'stripe:')) is not true then
    perform private.check_operation(v_user_id, operation_id);
  end if;
  perform pg_advisory_xact_lock(uuid_hash_extended(token_id, 0));

  select t.credits_after, t.version, t.type = 'consume' and t.amount = -consume_api_credits.amount
  into credits, version, v_same
  from public.api_token_transactions t
  where t.user_id = v_user_id and t.token_id = consume_api_credits.token_id
    and t.operation_id = consume_api_credits.operation_id;
  replayed := found;
  if replayed then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    return next;
    return;
  end if;

  v_posting := set_config('scrip.posting', 'on', true);
  loop
    with spent as (
      update public.api_tokens t
      set credits = t.credits - consume_api_credits.amount, version = t.version + 1
      where t.user_id = v_user_id and t.id = consume_api_credits.token_id
        and t.credits >= consume_api_credits.amount and t.status = 'active'
      returning t.credits, t.version
    )
    insert into public.api_token_transactions as t (
      user_id, token_id, version, type, amount, credits_after, operation_id, actor
    )
    select
      v_user_id, consume_api_credits.token_id, s.version, 'consume', -consume_api_credits.amount, s.credits,
      consume_api_credits.operation_id,
      coalesce(consume_api_credits.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.credits_after, t.version into credits, version;
    exit when found;

    select t.status, t.credits into v_status, credits
    from public.api_tokens t
    where t.user_id = v_user_id and t.id = consume_api_credits.token_id;
    if not found then -- deleted while this waited
      perform private.raise_error('api_token_not_found', 'There is no API token with this key');
    elsif v_status = 'revoked' then
      perform private.raise_api_token_revoked(token_id);
    elsif credits < amount then -- else it was refilled just now
      perform private.raise_error(
        'insufficient_credits', format('Insufficient credits: the token has %s, needs %s', credits, amount)
      );
    end if;
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  return next;
end;
$$;

comment on function public.consume_api_credits is 'Spends credits of the API token that a key opens, at most once per operation_id.';
revoke execute on function public.consume_api_credits from public, anon, authenticated;
grant execute on function public.consume_api_credits to service_role;
