-- Writes what the HUB is to hear of a token into the outbox: what happened, and the token as it is since then. The
-- caller holds the token's row, so that the order of the outbox is the order of the versions.
--
-- Called by  post_refill, add_api_token, rename_api_token, revoke_api_token, journal_api_token

create or replace function private.tell_hub(token public.api_tokens, event text, refill jsonb default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  perform private.write_outbox(
    'hub',
    token.id,
    'api_token.' || event,
    jsonb_strip_nulls(jsonb_build_object(
      'id', v_id,
      'event', 'api_token.' || event,
      'occurred_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'refill', refill
    )) || jsonb_build_object(
      'token', jsonb_build_object(
        'id', token.id,
        'user_id', token.user_id,
        'kind', token.kind,
        'product_id', token.product_id,
        'name', token.name,
        'status', token.status,
        'hub_id', token.hub_id,
        'credits', token.credits,
        'version', token.version
      )
    ),
    v_id
  );
end;
$$;

comment on function private.tell_hub is 'Writes what the HUB is to hear of a token into the outbox.';
revoke execute on function private.tell_hub from public;
