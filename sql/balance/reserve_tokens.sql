-- Sets tokens aside for work under way, at most once per operation_id, never below zero. The hold dies by itself
-- after ttl_seconds, so that a crashed caller never strands tokens.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, user_not_found, insufficient_tokens, operation_id_reused

create or replace function public.reserve_tokens(
  user_id uuid,
  amount bigint,
  operation_id text,
  ttl_seconds integer default 900,
  description text default null,
  metadata jsonb default null
)
returns table (hold_id uuid, held bigint, expires_at timestamptz, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
    and not starts_with(operation_id, 'stripe:')
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  elsif (ttl_seconds between 1 and 86400) is not true then
    perform private.raise_error(
      'invalid_request', format('ttl_seconds must be from 1 to 86400, got %s', coalesce(ttl_seconds::text, 'nothing'))
    );
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    h.id,
    h.expires_at,
    h.remaining_after,
    h.amount = reserve_tokens.amount
      and h.ttl_seconds = reserve_tokens.ttl_seconds
      and h.description is not distinct from reserve_tokens.description
      and h.metadata = coalesce(reserve_tokens.metadata, '{}')
  into hold_id, expires_at, remaining, v_same
  from public.token_holds h
  where h.user_id = reserve_tokens.user_id and h.operation_id = reserve_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    held := amount;
    replayed := true;
    return next;
    return;
  end if;

  expires_at := current_timestamp + make_interval(secs => ttl_seconds);
  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with reserved as (
      update public.user_tokens u
      set
        tokens_reserved = u.tokens_reserved + reserve_tokens.amount,
        holds_expire_at = least(u.holds_expire_at, reserve_tokens.expires_at)
      where u.user_id = reserve_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= reserve_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_transactions t
          where t.user_id = reserve_tokens.user_id and t.operation_id = reserve_tokens.operation_id
        )
      returning u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_holds as h (
      user_id, operation_id, amount, ttl_seconds, expires_at, remaining_after, description, metadata
    )
    select
      reserve_tokens.user_id, reserve_tokens.operation_id, reserve_tokens.amount, reserve_tokens.ttl_seconds,
      reserve_tokens.expires_at, r.remaining, reserve_tokens.description, coalesce(reserve_tokens.metadata, '{}')
    from reserved r
    returning h.id, h.remaining_after into hold_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  held := amount;
  replayed := false;
  return next;
end;
$$;

comment on function public.reserve_tokens is 'Sets tokens aside until they are settled, released or expire.';
revoke execute on function public.reserve_tokens from public, anon, authenticated;
grant execute on function public.reserve_tokens to service_role;
