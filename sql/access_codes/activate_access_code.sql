-- Activates a code for a user: at most once a user and code, never beyond its max_uses. The user's first code also
-- moves the sign-up entitlement: base + greatest(bonus, grant), or base + bonus + grant when the code is on_top.
--
-- Called by  functions/verify-and-activate-code
-- Returns    the tokens granted; or failure, the error of a wrong guess, which must be counted and so cannot be raised
-- Raises     invalid_request, user_not_found, forbidden, code_already_used, code_expired, operation_id_reused,
--            balance_limit_exceeded

create or replace function public.activate_access_code(
  user_id uuid,
  code text,
  operation_id text,
  address text default null,
  actor text default null
)
returns table (tokens_granted bigint, remaining bigint, replayed boolean, failure jsonb)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, the journal or access_codes; this is the door
set search_path = ''
as $$
declare
  v_code public.access_codes;
  v_granted bigint;
  v_wrong boolean;
  v_wait integer;
  v_row public.token_transactions;
begin
  select a.* into v_code
  from public.access_codes a
  where a.code_hash = private.hash_access_code(activate_access_code.code);
  v_row := private.claim_operation(user_id, operation_id, 'access_code', null, v_code.id::text, null, null);
  if v_row.id is not null then
    return query select v_row.amount, v_row.remaining_after, true, null::jsonb;
    return;
  end if;

  v_wrong := v_code.id is null or v_code.revoked_at is not null;
  v_wait := private.count_code_guess(user_id, address, v_wrong::integer);
  if v_wait is not null then
    return query select null::bigint, null::bigint, false, private.error_body(
      'rate_limited', format('Too many wrong codes; try again in %s seconds', v_wait), retry_after_seconds => v_wait
    );
    return;
  elsif v_wrong then
    return query select null::bigint, null::bigint, false, private.error_body(
      'code_not_found', 'There is no such access code'
    );
    return;
  end if;

  perform private.use_access_code(v_code.id, user_id);
  v_granted := private.claim_entitlement(user_id, v_code.tokens_to_grant, v_code.on_top);
  perform private.grant_tokens(user_id, 'purchased', v_granted);
  insert into public.access_code_activations (user_id, access_code_id, tokens_granted)
  values (activate_access_code.user_id, v_code.id, v_granted);
  v_row := private.write_transaction(
    user_id, 'access_code', 'purchased', v_granted, operation_id, v_code.id::text, null, null, actor
  );
  return query select v_granted, v_row.remaining_after, false, null::jsonb;
end;
$$;

comment on function public.activate_access_code is 'Activates an access code for a user.';
revoke execute on function public.activate_access_code from public, anon, authenticated;
grant execute on function public.activate_access_code to service_role;
